"""Carrying out an errand: the library does the work; what happens is printed, drawn and reported here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from torch import Tensor

from volstyle.codecs import Encoding, check_writable
from volstyle.codecs.atomic import check_target
from volstyle.engine.stylize import Step
from volstyle.media.follower import Follower, PaintPlan, Plan
from volstyle.media.medium import Opened
from volstyle.media.painted import is_learned
from volstyle.media.run import bytes_text, carry_out, check_not_read

from ..draw.drawing import drawing, said_after
from ..screen import Screen, duration_text
from .order import Errand
from .plan import say_painting, say_plan
from .progress import FrameProgress, Preview, Progress
from .stopping import stoppable

_PICTURE, _CLIP = ("y", "x"), ("t", "y", "x")


class Teller(Follower):
    """A follower that prints what a run will do and how it goes, draws its preview, and stops it on Ctrl-C."""

    def __init__(self, errand: Errand, screen: Screen) -> None:
        self._errand, self._screen = errand, screen
        self._plan: Plan | None = None
        self._paint_plan: PaintPlan | None = None
        self._stack = ExitStack()
        self._asked: Callable[[], bool] = bool
        self._followers: list[Progress | Preview] = []
        self._frames: FrameProgress | None = None
        self._preview: Preview | None = None

    @property
    def plan(self) -> Plan:
        assert self._plan is not None
        return self._plan

    def planned(self, plan: Plan) -> None:
        self._plan = plan
        if self._screen.quiet:
            return
        say_plan(self._screen, plan)
        expected = plan.estimate()
        disk = f"{bytes_text(plan.disk)} of disk on the way"
        memory, seconds = bytes_text(expected.memory), duration_text(expected.seconds)
        time = seconds if expected.seconds < 1 else f"about {seconds}"
        self._screen.entry("takes", f"{time}, {memory} of memory, {disk}")

    @property
    def opened(self) -> Opened:
        """The content of the run that was planned."""
        plan = self._plan or self._paint_plan
        assert plan is not None
        return plan.opened

    def painting(self, plan: PaintPlan) -> None:
        self._paint_plan = plan
        if not self._screen.quiet:
            say_painting(self._screen, plan)

    def painted(self, number: int, made: Tensor) -> bool:
        if self._frames:
            self._frames(number)
        if self._preview:
            self._preview.show(made)
        return self._asked()

    def resumed(self, part: int, stages: int) -> None:
        place = f"in part {part + 1} of {len(self.plan.opened.grids)}"
        self._screen.entry("going on", f"{place}, after stage {stages}")

    def stepped(self, step: Step) -> bool:
        for follower in self._followers:
            follower(step)
        return self._asked()

    def __enter__(self) -> Self:
        self._asked = self._stack.enter_context(stoppable())
        if self._paint_plan:
            self._frames = self._stack.enter_context(FrameProgress(self._screen, self._paint_plan.count))
            if self._errand.preview:
                self._preview = Preview(self._errand.preview, drawing(self.opened))
            return self
        plan = self.plan
        progress = Progress(self._screen, plan.work, plan.order.kind)
        self._followers.append(self._stack.enter_context(progress))
        if self._errand.preview:
            self._followers.append(Preview(self._errand.preview, drawing(plan.opened)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def run_errand(errand: Errand, screen: Screen) -> bool:
    """Returns whether it was stopped before its end; what there was by then is written all the same.

    Raises VolstyleError, and leaves nothing half-written.
    """
    _check_drawings(errand)
    teller = Teller(errand, screen)
    result = carry_out(errand.order, teller)
    for note in result.notes:
        screen.entry("note", note)
    if result.stopped and any(map(is_learned, errand.order.styles)):
        screen.entry("stopped", f"after {result.last[1]} frames or parts, the rest is as it was")
    elif result.stopped:
        stages = len(teller.plan.run.stages) * len(teller.plan.opened.grids)
        screen.entry("stopped", f"in stage {result.last[0] + 1} of {stages}, after step {result.last[1]}")
    said_after(teller.opened, result, errand, screen)
    screen.entry("wrote", f"{result.output} and its record {errand.order.record_path}")
    if errand.report:
        from ..draw.report import write_report  # its curves need matplotlib, which other runs do without

        write_report(errand.order.record_path, errand.report, force=errand.order.encoding.force)
        screen.entry("wrote", f"{errand.report}")
    return result.stopped


def _check_drawings(errand: Errand) -> None:
    """Raises OutputError now for a picture or a page that could not be written after the work."""
    force = errand.order.encoding.force
    for picture, axes in ((errand.preview, _PICTURE), (errand.turn, _CLIP)):
        if picture:
            check_writable(picture, Encoding(force=force), axes)
    if errand.report:
        check_target(errand.report, force)
    written = (errand.preview, errand.turn, errand.report)
    check_not_read(errand.order, [path for path in written if path])
