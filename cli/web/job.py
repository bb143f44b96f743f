"""A run in a thread of its own, and the events that tell how it goes."""

from __future__ import annotations

import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from torch import Tensor

from volstyle.engine.estimate import Estimate
from volstyle.engine.stylize import Step
from volstyle.errors import RecipeError, VolstyleError
from volstyle.grid.field import Field
from volstyle.media.follower import Follower, PaintPlan, Plan
from volstyle.media.order import StyleOrder
from volstyle.media.picture import picture
from volstyle.media.progress import Pace
from volstyle.media.result import Result
from volstyle.media.style import style
from volstyle.media.table import medium_named

from ..run.order import output_for
from ..screen import duration_text
from .views import View, comparison, content_picture
from .wish import Wish

_PREVIEW_EVERY_S = 0.7


@dataclass(frozen=True)
class Planned:
    """A plan: what the run will do, and what that takes. Learned styles take a single pass, which is not
    measured."""

    plan: Plan | PaintPlan
    estimate: Estimate | None


@dataclass(frozen=True)
class Glimpse:
    """A look at a run that goes on. share: the share of the work that is done. text: where the run is. extent: the
    width and height of the pictures, in any unit. before, after: pictures (3, H, W) in [0, 1] of the part that is
    being styled; before is None if it is the same as last time."""

    share: float
    text: str
    extent: tuple[int, int]
    before: Tensor | None
    after: Tensor


@dataclass(frozen=True)
class Done:
    result: Result
    view: View


@dataclass(frozen=True)
class Failed:
    """A run that failed. line: says why, without the folders of this machine."""

    line: str


News = Planned | Glimpse | Done | Failed


class _EnoughError(Exception):
    """Raised to end a run as soon as it is planned."""


class _Planner(Follower):
    """Takes the plan of a run, and keeps it from being carried out."""

    planned_as: Planned | None = None

    def planned(self, plan: Plan) -> None:
        self.planned_as = Planned(plan, plan.estimate())
        raise _EnoughError

    def painting(self, plan: PaintPlan) -> None:
        self.planned_as = Planned(plan, None)
        raise _EnoughError


def plan(wish: Wish) -> Planned:
    """Plan what a wish would take, and do nothing. Raises VolstyleError."""
    planner = _Planner()
    _check(wish)
    with suppress(_EnoughError):
        style(wish.content, wish.style_names(), progress=planner, **wish.options())
    assert planner.planned_as is not None
    return planner.planned_as


class Job(Follower):
    """One run of one visitor. key: by which the browser fetches its files. folder: where the files of the wish
    lie, and where the result is written. When the run is done, view is what the page shows of it, and given are
    the files that can be downloaded: "result", "record"."""

    def __init__(self, key: str, wish: Wish, folder: Path) -> None:
        self.key, self.wish, self.folder = key, wish, folder
        self.view: View | None = None
        self.given: dict[str, Path] = {}
        self._news: SimpleQueue[News] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._plan: Plan | PaintPlan | None = None
        self._pace = Pace(())
        self._shown = 0.0
        self._part, self._extent = -1, (1, 1)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the run to stop after the step it is in. What there is by then is the result."""
        self._stop.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the run, if it was started."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def news(self) -> Iterator[News]:
        """Yield what happens, until the run is done or failed. Of several glimpses that came while nobody
        listened, only the last is given."""
        while True:
            found = self._news.get()
            while isinstance(found, Glimpse):
                try:
                    later = self._news.get_nowait()
                except Empty:
                    break
                if isinstance(later, Glimpse):
                    later = replace(later, before=found.before if later.before is None else later.before)
                else:
                    yield found
                found = later
            yield found
            if isinstance(found, Done | Failed):
                return

    def planned(self, plan: Plan) -> None:
        self._plan, self._pace = plan, Pace(plan.work)
        self._news.put(Planned(plan, plan.estimate()))

    def painting(self, plan: PaintPlan) -> None:
        self._plan = plan
        self._news.put(Planned(plan, None))

    def painted(self, number: int, made: Tensor) -> bool:
        assert isinstance(self._plan, PaintPlan)
        grid, count = self._plan.opened.grids[0], self._plan.count
        if self._is_due() or number == 1:
            axes = grid.axes[-(made.dim() - 1) :]  # a frame of a clip comes without the axis of time
            self._news.put(self._seen(number / count, f"painted {number} of {count}", 0, Field(made, axes)))
        return self._stop.is_set()

    def stepped(self, step: Step) -> bool:
        share, left = self._pace.at(step)
        if self._is_due():
            self._news.put(self._glimpse(step, share, left))
        return self._stop.is_set()

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._shown >= _PREVIEW_EVERY_S
        self._shown = now if due else self._shown
        return due

    def _glimpse(self, step: Step, share: float, left: float | None) -> Glimpse:
        assert isinstance(self._plan, Plan)
        stage, part = step.stages[step.stage], step.stage // len(self._plan.run.stages)
        sized = medium_named(self._plan.order.kind).sized(stage.shape)
        rest = "" if left is None else f", {duration_text(left)} left"
        text = f"stage {step.stage + 1} of {len(step.stages)}, {sized}{rest}"
        made = self._plan.opened.grids[part].with_samples(step.samples.cpu().clamp(0, 1))
        return self._seen(share, text, part, made)

    def _seen(self, share: float, text: str, part: int, made: Field) -> Glimpse:
        assert self._plan is not None
        before = None if part == self._part else content_picture(self._plan.opened, part)
        if before is not None:
            self._part, self._extent = part, (before.shape[2], before.shape[1])
        return Glimpse(share, text, self._extent, before, picture(made))

    def _work(self) -> None:
        wish = self.wish
        try:
            _check(wish)
            output = self.folder / output_for(wish.medium.name, wish.content, [StyleOrder(x) for x in wish.styles])
            result = style(wish.content, wish.style_names(), output, progress=self, **wish.options())
            assert self._plan is not None
            self.given = {"result": output, "record": output.with_name(f"{output.name}.json")}
            self.view = comparison(self._plan.opened, result, self.folder)
            self._news.put(Done(result, self.view))
        except VolstyleError as error:
            self._news.put(Failed(line_of(error, self.folder.parent)))
        except Exception as error:  # whatever went wrong, the page must not wait for ever
            traceback.print_exc(file=sys.stderr)
            self._news.put(Failed(f"a fault of volstyle ({type(error).__name__}); the terminal has the details"))


def line_of(error: VolstyleError, root: Path) -> str:
    """An error as one line, without the folders of the files that it names. root: the folder in which all of them
    lie."""
    return " ".join(re.sub(rf"{re.escape(str(root))}/[^/]+/", "", str(error)).split())


def _check(wish: Wish) -> None:
    """Raise RecipeError for a wish without a style."""
    if not wish.styles:
        raise RecipeError("style: none given, must be at least one")
