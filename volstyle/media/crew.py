"""Jobs carried out by several processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self, cast

import torch

from volstyle.media.batch import Job, Outcome, State, carry_out_job


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    line: Connection


class Crew:
    """Processes that live as long as this context and do one job after the other.

    They are started anew, not forked: a process that has used torch's threads cannot be. Each computes with its
    share of this one's threads. One that dies, as when memory is short, fails its job alone, and another takes its
    place.
    """

    def __init__(self, size: int) -> None:
        """size: how many processes, at least 1."""
        self._size = size
        self._threads = max(1, torch.get_num_threads() // size)
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, tuple[_Worker, Job]] = {}

    def __enter__(self) -> Self:
        return self

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """The outcomes of jobs, in the order in which they end."""
        waiting = iter(jobs)
        job = next(waiting, None)
        while job is not None or self._busy:
            while job is not None and len(self._busy) < self._size:
                self._give(job)
                job = next(waiting, None)
            for line in wait(list(self._busy)):
                yield self._ended(cast(Connection, line))

    def _give(self, job: Job) -> None:
        worker = self._idle.pop() if self._idle else self._started()
        worker.line.send(job)
        self._busy[worker.line] = worker, job

    def _ended(self, line: Connection) -> Outcome:
        worker, job = self._busy.pop(line)
        try:
            outcome: Outcome = line.recv()
        except EOFError:
            worker.process.join()
            line.close()
            error = f"its process died (exit code {worker.process.exitcode}), as when memory is short"
            return Outcome(State.FAILED, job.content, job.styles, job.medium, job.output, error=error)
        self._idle.append(worker)
        return outcome

    def _started(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._threads), daemon=True)
        process.start()
        theirs.close()  # so that the line ends with the process
        return _Worker(process, ours)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Processes that still work are ended: what they have finished by stages is kept, as after any kill."""
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.line.close()


def _work(line: Connection, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is heard by the process that started this one
    torch.set_num_threads(threads)
    while True:
        try:
            job = line.recv()
        except EOFError:
            return
        line.send(carry_out_job(job))
