"""Jobs carried out by a cluster, or by this machine as one would, through submitit (the extra `cluster`).

A job is any value that can be pickled, and so is what becomes of it. A job whose time is up, or that makes room
for another, is queued again and does its work anew, which must go on where it was, as a run of an output does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from volstyle.errors import RecipeError, nearest

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

ENGINES = ("slurm", "local")

_ARRAY = 1000
"""Jobs in one array: Slurm takes 1001 unless it is told otherwise."""

_TIMEOUTS = 1000
"""How often a job may be queued again when its time is up. Each time it comes further."""

_EVERY_S = {"slurm": 5.0, "local": 0.2}

_LATE_S = 15.0
"""How long after a job has left Slurm's queue its outcome may be on the way: a shared disk takes its time."""


@dataclass(frozen=True)
class Allotment:
    """What each job gets of a cluster.

    minutes: until it is stopped and queued again, at least 5, for Slurm asks it to stop up to 2.5 before. cpus,
    gpus: for it alone. memory_gb: None is what the cluster gives. partition: of Slurm. at_once: how many jobs run
    at the same time; None is as many as there is room for, which on this machine is as many as it has processors.
    """

    minutes: int = 240
    cpus: int = 1
    gpus: int = 0
    memory_gb: float | None = None
    partition: str | None = None
    at_once: int | None = None


class Cluster(Generic[Job, Outcome]):
    """Does a work for each of many jobs, and cancels what has not ended when this context does."""

    def __init__(
        self,
        engine: str,
        folder: Path,
        work: Callable[[Job], Outcome],
        lost: Callable[[Job, str], Outcome],
        allotment: Allotment | None = None,
        named: Callable[[Job], str] = str,
    ) -> None:
        """engine: "slurm", or "local" for processes of this machine. folder: on a disk that all machines see; each
        job leaves its log there, under its name and its number. work: is told a job, and may be told it again, in
        another process. lost: what becomes of a job whose process died, from a line that says how.

        Raises RecipeError without submitit or without Slurm.
        """
        self._allotment = allotment or Allotment()
        self._engine = engine
        self._folder, self._named, self._lost = folder, named, lost
        self._task = _Task(work, self._allotment.cpus)
        self._executor = _executor(engine, folder, self._allotment)
        self._running: dict[Any, Job] = {}
        self._gone: dict[Any, float] = {}
        """When jobs without an outcome were first missed in Slurm's queue."""

    def __enter__(self) -> Self:
        return self

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """The outcomes of jobs, in the order in which they end. Raises RecipeError for an allotment that the
        cluster does not have."""
        waiting = list(jobs)
        while waiting or self._running:
            count = min(self._room(), _ARRAY)
            if waiting and count:
                self._submit(waiting[:count])
                del waiting[:count]
            ended = self._ended()
            for submitted in ended:
                yield self._outcome(submitted, self._running.pop(submitted))
            if not ended and not (waiting and self._room()):
                time.sleep(_EVERY_S[self._engine])

    def _room(self) -> int:
        """How many more jobs may be given away: Slurm has a queue of its own."""
        if self._engine == "slurm":
            return _ARRAY
        return (self._allotment.at_once or os.cpu_count() or 1) - len(self._running)

    def _submit(self, jobs: list[Job]) -> None:
        from submitit.core.utils import FailedJobError

        try:
            submitted = self._executor.map_array(self._task, jobs)
        except FailedJobError as error:
            raise RecipeError(f"cluster: {_last_line(str(error))}") from error
        for one, job in zip(submitted, jobs, strict=True):
            self._running[one] = job
            name = re.sub(r"[^\w.-]+", "_", self._named(job))
            log = self._folder / f"{name}.{one.job_id}.log"
            log.unlink(missing_ok=True)
            log.symlink_to(one.paths.stdout.name)

    def _ended(self) -> list[Any]:
        """The jobs that have ended, with an outcome or without. submitit itself would ask `sacct` for the latter,
        which few small clusters have; a job that is no longer in the queue has ended as well."""
        if self._engine != "slurm":
            return [submitted for submitted in self._running if submitted.done()]
        queued = _asked_of_slurm("squeue", "--me", "--noheader", "--array", "--format=%i")
        now = time.monotonic()
        for submitted in self._running:
            if queued is not None and submitted.job_id not in queued:
                self._gone.setdefault(submitted, now)
            else:
                self._gone.pop(submitted, None)
        return [
            submitted
            for submitted in self._running
            if submitted.paths.result_pickle.exists() or now - self._gone.get(submitted, now) > _LATE_S
        ]

    def _outcome(self, submitted: Any, job: Job) -> Outcome:
        from submitit.core.utils import FailedJobError, UncompletedJobError

        if submitted in self._gone and not submitted.paths.result_pickle.exists():
            return self._lost(job, f"its process died; its log is {submitted.paths.stdout}")
        try:
            found: Outcome = submitted.result()
        except FailedJobError as error:
            _, trace, *_ = re.split(r"-{22}\n", str(error))
            return self._lost(job, f"{_last_line(trace)}; its log is {submitted.paths.stdout}")
        except UncompletedJobError:
            return self._lost(job, f"its process died; its log is {submitted.paths.stdout}")
        for pickled in (submitted.paths.submitted_pickle, submitted.paths.result_pickle):
            pickled.unlink(missing_ok=True)  # what is left in the folder are logs
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for submitted in self._running:
            submitted.cancel()


class _Task:
    """A work as submitit keeps it; what can be done again has a method `checkpoint`."""

    def __init__(self, work: Callable[[Any], Any], threads: int) -> None:
        self._work, self._threads = work, threads

    def __call__(self, job: Any) -> Any:
        os.environ["OMP_NUM_THREADS"] = str(self._threads)
        if "torch" in sys.modules:  # too late for the environment
            sys.modules["torch"].set_num_threads(self._threads)
        return self._work(job)

    def checkpoint(self, job: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job)


def _asked_of_slurm(*words: str) -> set[str] | None:
    """The words that a command of Slurm answers; None if it does not answer."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return None if done.returncode else set(done.stdout.split())


def _executor(engine: str, folder: Path, allotment: Allotment) -> Any:
    """submitit's executor."""
    if engine not in ENGINES:
        raise RecipeError(f"cluster: {engine!r} is unknown; {nearest(engine, ENGINES)}")
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise RecipeError("cluster: needs submitit; install it: pip install 'volstyle[cluster]'") from error
    if engine == "slurm" and shutil.which("srun") is None:
        raise RecipeError("cluster: Slurm is not on this machine (no srun); go to one of its own, or use local")
    if engine == "slurm" and allotment.partition is not None:
        names = _asked_of_slurm("sinfo", "--noheader", "--format=%R")
        if names and allotment.partition not in names:
            raise RecipeError(
                f"partition: Slurm has no {allotment.partition!r}; {nearest(allotment.partition, names)}"
            )
    times = {f"{engine}_max_num_timeout": _TIMEOUTS}
    executor = submitit.AutoExecutor(folder=folder, cluster=engine, **times)
    slurm: dict[str, Any] = {"slurm_array_parallelism": allotment.at_once or _ARRAY}
    if allotment.partition is not None:
        slurm["slurm_partition"] = allotment.partition
    if allotment.memory_gb is not None:
        slurm["mem_gb"] = allotment.memory_gb
    executor.update_parameters(
        name="volstyle",
        timeout_min=allotment.minutes,
        cpus_per_task=allotment.cpus,
        gpus_per_node=allotment.gpus,
        stderr_to_stdout=True,
        **slurm,
    )
    return executor


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]
