"""Several processes as torchrun would start them, but from one that has imported all, within milliseconds."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["volstyle.media.style", "volstyle_cli.run.carry_out", "scipy.signal", "cv2"])


@dataclass(frozen=True)
class Member:
    process: Any
    answers: Connection

    def answer(self) -> Any:
        """What its work returned, or the text of the exception that ended it; None if it was killed."""
        with suppress(EOFError):
            return pickle.loads(self.answers.recv_bytes())
        return None


def started(count: int, work: Callable[..., object], *given: object, threads: int = 1) -> list[Member]:
    """So many processes that do a work each, which is a function of a module, with so many threads each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    members = []
    for index in range(count):
        here, there = CONTEXT.Pipe(duplex=False)
        names = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        environment = {**os.environ, **{name: str(value) for name, value in names.items()}}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        process = CONTEXT.Process(target=_work, args=(environment, str(Path.cwd()), there, threads, work, given))
        process.start()
        there.close()
        members.append(Member(process, here))
    return members


def answers(members: list[Member]) -> list[Any]:
    found = [member.answer() for member in members]
    for member in members:
        member.process.join(60)
        assert not member.process.is_alive()
    return found


def together(count: int, work: Callable[..., object], *given: object) -> list[Any]:
    """What so many processes return."""
    return answers(started(count, work, *given))


def ended(work: Callable[..., object], *given: object) -> int | None:
    """The exit code of a process that does a work as this one would, with as many threads: -9 if it was killed."""
    (member,) = started(1, work, *given, threads=torch.get_num_threads())
    answers([member])
    return member.process.exitcode


def _work(
    environment: dict[str, str],
    folder: str,
    there: Connection,
    threads: int,
    work: Callable[..., object],
    given: tuple[object],
) -> None:
    os.environ.clear()  # it is that of the first test that started any
    os.environ.update(environment)
    os.chdir(folder)
    torch.set_num_threads(threads)
    try:
        found = work(*given)
    except BaseException as error:
        found = "".join(traceback.format_exception_only(error)).strip()
    # torch's own way would lend tensors out of the memory of a process that ends here.
    there.send_bytes(pickle.dumps(found))
