"""What a batch would take: each of its jobs planned, none done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from volstyle.engine.estimate import Estimate
from volstyle.media.batch import Job, Outcome, is_there, line_of
from volstyle.media.follower import Plan
from volstyle.media.method import is_done
from volstyle.media.order import Order, StyleOrder, path_of
from volstyle.media.painted import is_learned
from volstyle.media.run import plan_of


@dataclass(frozen=True)
class Forecast:
    """What a job would take. state: "to do", "there" or "failed". medium, output: None for a content that could
    not be told what it is. expected: None unless it is to be done, and where a learned style paints, whose pace is
    not known before. disk: bytes, at most, on the way. error: one line, why it cannot be; empty if it can."""

    state: str
    content: Path
    styles: tuple[StyleOrder, ...]
    medium: str | None
    output: Path | None
    expected: Estimate | None = None
    disk: float = 0.0
    error: str = ""

    @staticmethod
    def failed(outcome: Outcome) -> Forecast:
        """The forecast for a content that is no job."""
        medium, output = outcome.medium, outcome.output
        return Forecast("failed", outcome.content, outcome.styles, medium, output, error=outcome.error)


def forecast(job: Job) -> Forecast:
    """What a job would take. Whatever would keep it from beginning is part of that."""
    found = Forecast("to do", job.content, job.styles, job.medium, job.output)
    try:
        order = job.order()
        if is_there(job, order):
            return replace(found, state="there")
        learned = order.lesson is None or is_done(order.lesson)
        if learned and any(map(is_learned, order.styles)):
            return found
        with _elsewhere(order) as order:
            plan = plan_of(order)
            return replace(found, expected=plan.estimate(), disk=plan.disk if isinstance(plan, Plan) else 0.0)
    except Exception as error:  # of a file that is damaged in ways that nobody thought of, too
        return replace(found, state="failed", error=line_of(error))


@contextmanager
def _elsewhere(order: Order) -> Iterator[Order]:
    """An order on the same disk, in a folder that is there as long as this context: that of its output may be yet
    to be made, which is not the business of a plan."""
    place = next(folder for folder in path_of(order.output).absolute().parents if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix=".volstyle-plan", dir=place) as name:
        folder = Path(name)
        yield replace(_moved(order, folder), lesson=order.lesson and _moved(order.lesson, folder))


def _moved(order: Order, folder: Path) -> Order:
    return replace(order, output=folder / path_of(order.output).name)
