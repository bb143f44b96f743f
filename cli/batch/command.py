"""Many files styled: a line for each, a table at the end, and the errors once more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from volstyle.engine.stylize import Step
from volstyle.errors import VolstyleError
from volstyle.media.batch import Asked, Job, Outcome, State, carry_out_job, jobs_of
from volstyle.media.choices import load_choices
from volstyle.media.crew import Crew
from volstyle.media.follower import Follower, Plan
from volstyle.media.gather import Gathered, gather, styles_of
from volstyle.media.watch import Arrivals, arriving
from volstyle.recipe import assigned, merged

from ..run.progress import Progress
from ..screen import Screen
from .cluster import check_cluster, cluster_of
from .options import BatchOptions
from .summary import as_json, said_of, say_summary

_STOPPED = 130

Run = Callable[[Iterable[Job]], Iterator[Outcome]]
"""Carries out jobs, in this process or in others."""


def run_batch(options: BatchOptions, screen: Screen) -> int:
    """Returns the exit code: 0, 1 if any failed, 130 when stopped. Raises VolstyleError for what is wrong with all
    of it, before any work."""
    check_cluster(options)
    asked = asked_of(options)
    # What is there when one begins to watch must stand still, too, before it is taken.
    gathered = Gathered((), ()) if options.watch else gather(options.inputs, asked.output, asked.style_paths)
    jobs, outcomes = jobs_of(gathered.found, asked)
    teller = _Teller(screen, outcomes)
    code = 0
    try:
        with ExitStack() as stack:
            run = _workers(options, screen, stack)
            if options.watch:
                _watch(options, asked, run, teller)
            else:
                teller.begin(gathered, len(jobs), options)
                for outcome in run(jobs):
                    teller.add(outcome)
    except KeyboardInterrupt:
        code = _STOPPED
    if options.json:
        sys.stdout.write(as_json(outcomes, gathered.left_out) + "\n")
    failed = say_summary(screen, outcomes)
    return code or failed


def _workers(options: BatchOptions, screen: Screen, stack: ExitStack) -> Run:
    """What carries out the jobs, ready to. stack: ends it."""
    if options.cluster is not None:
        return stack.enter_context(cluster_of(options)).run
    if (options.jobs or 1) > 1:
        return stack.enter_context(Crew(options.jobs or 1)).run
    return _here(screen)


def asked_of(options: BatchOptions) -> Asked:
    return Asked(
        styles=styles_of(options.style),
        output=options.output,
        size=options.size,
        given={} if options.recipe is None else load_choices(options.recipe),
        chosen=merged(options.choices(), *map(assigned, options.set_)),
        quality=options.quality.value,
        keep_going=options.keep_going,
        force=options.force,
        resume=not options.no_resume,
    )


def _watch(options: BatchOptions, asked: Asked, run: Run, teller: _Teller) -> None:
    """Without end. Raises InputError when a folder that is watched is gone."""
    arrivals = Arrivals(options.inputs, asked.output, asked.style_paths)
    teller.say("watching", ", ".join(map(str, arrivals.roots)))
    for contents in arriving(arrivals):
        for content in contents:
            try:
                jobs, failed = jobs_of([content], asked)
            except VolstyleError as error:  # of its volstyle.toml, which came with it
                jobs, failed = [], [Outcome(State.FAILED, content.path, error=str(error))]
            for outcome in failed:
                teller.add(outcome)
            teller.total += len(jobs)
            for outcome in run(jobs):
                teller.add(outcome)


class _Teller:
    """Keeps the outcomes, and says each as it comes."""

    def __init__(self, screen: Screen, outcomes: list[Outcome]) -> None:
        self._screen, self._outcomes = screen, outcomes
        self.total = len(outcomes)

    def begin(self, gathered: Gathered, jobs: int, options: BatchOptions) -> None:
        self.total += jobs
        files = f"{len(gathered.found)} {'file' if len(gathered.found) == 1 else 'files'}"
        self.say("batch", f"{files}, {jobs} {'result' if jobs == 1 else 'results'} in {options.output}")
        if gathered.left_out:
            names = ", ".join(path.name for path in gathered.left_out[:3])
            more = ", …" if len(gathered.left_out) > 3 else ""
            self.say("left out", f"{len(gathered.left_out)} of no kind that can be styled: {names}{more}")
        for number, outcome in enumerate(self._outcomes, start=1):
            self._say(number, outcome)

    def say(self, name: str, text: str) -> None:
        self._screen.entry(name, text)

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self.total = max(self.total, len(self._outcomes))
        self._say(len(self._outcomes), outcome)

    def _say(self, number: int, outcome: Outcome) -> None:
        self.say(outcome.state, f"{number}/{self.total} {said_of(outcome)}")
        for note in outcome.notes:
            self.say("note", note)


def _here(screen: Screen) -> Run:
    """Jobs one after the other in this process, each with a bar where there is a terminal."""
    follow = screen.is_terminal and not screen.quiet

    def run(jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            yield carry_out_job(job, _Bar(screen) if follow else None)

    return run


class _Bar(Follower):
    """A bar over the stages of one job."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._progress: Progress | None = None

    def planned(self, plan: Plan) -> None:
        self._progress = Progress(self._screen, plan.work, plan.order.kind)

    def stepped(self, step: Step) -> bool:
        if self._progress:
            self._progress(step)
        return False

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.__exit__()
