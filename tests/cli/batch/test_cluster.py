"""`volstyle batch --cluster`: each result as a job of a cluster, from the command line to the table."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from tests.media.test_cluster import has_slurm
from tests.tiny import numbers
from volstyle.codecs import Encoding, write
from volstyle.grid.field import Axis, Field
from volstyle.media.batch import Asked, Job, Outcome, jobs_of
from volstyle.media.gather import Found
from volstyle_cli import main

Run = Callable[..., tuple[int, str, list[str]]]
LINE = "batch in --style art.png --network builtin --precision float32 --memory 64MB"
TINY = "--set schedule.steps=1 --size 24"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a batch in a folder with a style and three pictures: code, output, lines of errors."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("art.png", "in/a.png", "in/b.png", "in/sub/c.png")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write(name, Field(numbers(3, 24, 24, seed=seed), (Axis("y"), Axis("x"))), Encoding(force=True))

    def call(line: str) -> tuple[int, str, list[str]]:
        capsys.readouterr()
        code = main(f"{LINE} {line}".split())
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return call


class Deadly(Job):
    """A job that ends the process in which it arrives."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


@pytest.mark.slow
def test_jobs_give_what_one_process_gives_and_one_that_dies_fails_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_deadly(found: Iterable[Found], asked: Asked) -> tuple[list[Job], list[Outcome]]:
        jobs, failed = jobs_of(found, asked)
        return [Deadly(**vars(jobs[0])), *jobs[1:]], failed

    assert run(f"-o one -q {TINY}") == (0, "", [])
    with monkeypatch.context() as patched:
        patched.setattr("volstyle_cli.batch.command.jobs_of", one_deadly)
        jobs = f"--jobs 3 --minutes 10 --cpus {torch.get_num_threads()}"
        code, out, errors = run(f"-o two {TINY} --cluster local {jobs}")
    assert code == 1
    (error,) = errors
    assert re.fullmatch(r"volstyle: in/a\.png: its process died; its log is .*_log\.out", error)
    assert out.splitlines()[-2].split() == ["all", "2", "0", "1"]
    for name in ("b-art.png", "sub/c-art.png"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    (log,) = Path("two/logs").glob("b-art.*.log")
    assert "stage 1" in log.read_text() and "done       in/b.png after art.png: two/b-art.png" in log.read_text()
    code, out, errors = run(f"-o two {TINY} --cluster local --jobs 3 --logs logs")
    assert (code, errors) == (0, [])
    assert out.splitlines()[-2].split() == ["all", "1", "2", "0"]
    assert len(list(Path("logs").glob("*-art.*.log"))) == 3
    assert not list(Path("logs").glob("*.pkl"))


@pytest.mark.slow
def test_a_job_that_makes_room_goes_on_where_it_was(run: Run) -> None:
    steps = "--size 64 --set schedule.smallest=32 --set schedule.steps=80"
    for name in ("in/b.png", "in/sub/c.png"):
        Path(name).unlink()
    write("in/a.png", Field(numbers(3, 64, 64), (Axis("y"), Axis("x"))), Encoding(force=True))
    assert run(f"-o one -q {steps}")[0] == 0

    def interrupt() -> None:
        until = time.monotonic() + 600
        while time.monotonic() < until:
            if list(Path("two").glob(".a-art.png.state/part*.safetensors")):
                (log,) = Path("two/logs").glob("*.log")
                for task in psutil.Process(int(log.name.split(".")[-2])).children():
                    task.send_signal(signal.SIGUSR2)  # as Slurm does
                return
            time.sleep(0.02)

    other = threading.Thread(target=interrupt)
    other.start()
    # As many threads as here: another number rounds otherwise.
    assert run(f"-o two -q {steps} --cluster local --cpus {torch.get_num_threads()}")[0] == 0
    other.join()
    (log,) = Path("two/logs").glob("*.log")
    assert "this job is preempted" in log.read_text()
    assert "going on   in part 1 of 1, after stage" in log.read_text()
    assert Path("one/a-art.png").read_bytes() == Path("two/a-art.png").read_bytes()


BAD = {
    "--cluster slurn": "slurn",
    "--minutes 10": "--minutes: is for the jobs of a cluster; give --cluster slurm or local too",
    "--logs logs": "--logs: is for the jobs of a cluster",
    "--cluster local --partition main": "--partition: does nothing for jobs of this machine; leave it out",
    "--cluster local --minutes 1": "--minutes",
}


@pytest.mark.parametrize("words", BAD)
def test_wrong_options_are_one_line_before_the_work(run: Run, words: str) -> None:
    code, _, (error,) = run(f"-o out {TINY} {words}")
    assert code == 2
    assert BAD[words] in error
    assert not Path("out").exists()


def test_without_slurm(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    code, _, errors = run(f"-o out {TINY} --cluster slurm")
    assert code == 2
    assert errors == [
        "volstyle: cluster: Slurm is not on this machine (no srun); go to one of its own, or use local"
    ]
    assert not Path("out").exists()


@pytest.mark.slow
def test_on_a_slurm(run: Run) -> None:
    if not has_slurm():
        pytest.skip("no Slurm with a node that is up: `sinfo` does not say so")
    Path("in/bad.png").write_bytes(b"no")
    assert run(f"-o one -q {TINY}")[0] == 1
    code, out, (error,) = run(f"-o two {TINY} --cluster slurm --minutes 10 --jobs 2")
    assert code == 1
    assert error.startswith("volstyle: in/bad.png: ")
    assert out.splitlines()[-2].split() == ["all", "3", "0", "1"]
    for name in ("a-art.png", "b-art.png", "sub/c-art.png"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
