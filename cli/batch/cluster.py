"""`volstyle batch --cluster`: what a job of a cluster does, and what it is given."""

from __future__ import annotations

import signal
from dataclasses import fields
from typing import Self

from volstyle.errors import RecipeError
from volstyle.media.batch import Job, Outcome, State, carry_out_job
from volstyle.media.cluster import Allotment, Cluster

from ..run.acts import Teller
from ..screen import Screen
from .options import BatchOptions, ClusterOptions
from .summary import said_of


def check_cluster(options: BatchOptions) -> None:
    """Raises RecipeError for options of a cluster without one, or of Slurm alone."""
    given = [field.name for field in fields(ClusterOptions) if getattr(options, field.name) is not None]
    if given and options.cluster is None:
        raise RecipeError(f"--{given[0]}: is for the jobs of a cluster; give --cluster slurm or local too")
    if options.cluster == "local":
        for name in ("partition", "gigabytes"):
            if name in given:
                raise RecipeError(f"--{name}: does nothing for jobs of this machine; leave it out")


def cluster_of(options: BatchOptions) -> Cluster[Job, Outcome]:
    """The cluster that is asked for. Raises RecipeError without submitit or without Slurm."""
    usual = Allotment()
    allotment = Allotment(
        minutes=options.minutes or usual.minutes,
        cpus=options.cpus or usual.cpus,
        gpus=usual.gpus if options.gpus is None else options.gpus,
        memory_gb=options.gigabytes,
        partition=options.partition,
        at_once=options.jobs,
    )
    logs = options.logs or options.output / "logs"
    return Cluster(str(options.cluster), logs, work, lost, allotment, named=lambda job: job.output.stem)


def work(job: Job) -> Outcome:
    """Do a job. What it prints is its log."""
    screen = Screen()
    outcome = carry_out_job(job, _Log(screen, None))
    screen.entry(outcome.state, said_of(outcome))
    return outcome


def lost(job: Job, how: str) -> Outcome:
    """The outcome of a job whose process died."""
    return Outcome(State.FAILED, job.content, job.styles, job.medium, job.output, error=how)


class _Log(Teller):
    """Says how a job goes. Ctrl-C, which all processes of a terminal hear, ends the job like any kill, so that the
    same command goes on where it was; elsewhere it makes a result of what there is."""

    def __enter__(self) -> Self:
        super().__enter__()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return self
