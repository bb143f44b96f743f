"""Jobs through submitit: on this machine, and on a Slurm where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import psutil
import pytest

from volstyle.errors import RecipeError
from volstyle.media.cluster import Allotment, Cluster

cloudpickle.register_pickle_by_value(sys.modules[__name__])
"""Of this module, which the processes of a cluster cannot import."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def work(job: str) -> str:
    """What the name of a job says."""
    if job == "dies":
        os._exit(3)
    if job == "fails":
        raise ValueError("of no use")
    return job.upper()


def lost(job: str, how: str) -> str:
    return f"{job}: {how}"


def local(at_once: int = 2) -> Cluster[str, str]:
    return Cluster("local", Path("logs"), work, lost, Allotment(at_once=at_once))


def test_each_job_has_its_outcome_and_its_log() -> None:
    with local(at_once=4) as here:
        found = sorted(here.run(["a", "dies", "fails", "b"]))
    assert found[:2] == ["A", "B"]
    assert found[2].startswith("dies: its process died; its log is ")
    assert found[3].startswith("fails: ValueError: of no use; its log is ")
    (log,) = Path("logs").glob("fails.*.log")
    assert "of no use" in log.read_text()


def counted(job: str) -> str:
    """Says how often it was begun; the first time it has not ended for a minute."""
    path = Path(job)
    with path.open("a") as file:
        file.write("begun\n")
    times = path.read_text().count("begun")
    if times == 1:
        time.sleep(60)
    return f"{job} {times}"


def test_a_job_that_makes_room_is_queued_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "begun"
    interrupted = False

    def wait(seconds: float) -> None:
        nonlocal interrupted
        if begun.exists() and begun.read_text() and not interrupted:
            interrupted = True
            (submitted,) = here._running
            (task,) = psutil.Process(submitted._process.pid).children()
            task.send_signal(signal.SIGUSR2)  # as Slurm does
        sleep(seconds)

    sleep = time.sleep
    with Cluster("local", Path("logs"), counted, lost) as here:
        monkeypatch.setattr(time, "sleep", wait)
        assert list(here.run([str(begun)])) == [f"{begun} 2"]


def test_no_more_at_once_than_allotted() -> None:
    with local(at_once=1) as here:
        outcomes = here.run(["a", "b"])
        assert next(outcomes) == "A"
        assert len(here._running) == 0
        assert list(outcomes) == ["B"]


def test_what_has_not_ended_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "begun"

    def stop(seconds: float) -> None:
        sleep(seconds)
        if begun.exists():
            raise KeyboardInterrupt

    sleep = time.sleep
    with pytest.raises(KeyboardInterrupt), Cluster("local", Path("logs"), counted, lost) as here:
        monkeypatch.setattr(time, "sleep", stop)
        list(here.run([str(begun)]))
    (submitted,) = here._running
    monkeypatch.undo()
    until = time.monotonic() + 30
    while submitted._process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert submitted._process.poll() is not None


def test_without_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RecipeError, match="Slurm is not on this machine"):
        Cluster("slurm", Path("logs"), work, lost)


def test_an_engine_that_does_not_exist() -> None:
    with pytest.raises(RecipeError, match=r"cluster: 'slurn' is unknown; did you mean 'slurm'"):
        Cluster("slurn", Path("logs"), work, lost)


def test_without_submitit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(RecipeError, match=r"needs submitit; install it: pip install 'volstyle\[cluster\]'"):
        Cluster("local", Path("logs"), work, lost)


def has_slurm() -> bool:
    """Whether a Slurm answers that has a node which is up."""
    if shutil.which("sinfo") is None:
        return False
    words = ["sinfo", "-h", "-o", "%a %T"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return "up idle" in done.stdout or "up mixed" in done.stdout


@pytest.fixture
def slurm() -> None:
    if not has_slurm():
        pytest.skip("no Slurm with a node that is up: `sinfo` does not say so")


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_slurm() -> None:
    """With accounting and without: what died is known by the queue."""
    with Cluster("slurm", Path("logs"), work, lost, Allotment(minutes=5)) as there:
        found = sorted(there.run(["a", "dies", "fails", "b"]))
    assert found[:2] == ["A", "B"]
    assert found[2].startswith("dies: its process died; its log is ")
    assert found[3].startswith("fails: ValueError: of no use; its log is ")


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_slurm_queues_what_makes_room_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def interrupt() -> None:
        until = time.monotonic() + 60
        while not (begun.exists() and begun.read_text()) and time.monotonic() < until:
            time.sleep(0.2)
        (submitted,) = there._running
        subprocess.run(["scancel", "--signal=USR2", submitted.job_id], check=True)

    with Cluster("slurm", Path("logs"), counted, lost, Allotment(minutes=5)) as there:
        other = threading.Thread(target=interrupt)
        other.start()
        assert list(there.run([str(begun)])) == [f"{begun} 2"]
        other.join()


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_partition_that_slurm_does_not_have() -> None:
    with pytest.raises(RecipeError, match="partition: Slurm has no 'nope'; allowed: "):
        Cluster("slurm", Path("logs"), work, lost, Allotment(partition="nope"))
