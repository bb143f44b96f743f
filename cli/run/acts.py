"""What a run does, said and followed while it lasts: it optimizes, learns a style, or paints with one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from volstyle.engine.stylize import Step
from volstyle.grid.field import Axis, Field
from volstyle.media.follower import Follower, LearnPlan, PaintPlan, Plan
from volstyle.media.medium import Opened

from ..draw.drawing import drawing
from ..screen import Screen
from .plan import say_learning, say_painting, say_plan
from .progress import FrameProgress, Preview, Progress
from .stopping import stoppable


class Teller(Follower):
    """Says on a screen what a run will do and how it goes, draws its preview, and hears Ctrl-C.

    opened: the content, once the run is planned; a lesson has none. stages: how many a run has in all its parts.
    noted: the notes for the user that were said with the plan.
    """

    def __init__(self, screen: Screen, preview: Path | None) -> None:
        self._screen, self._preview = screen, preview
        self.opened: Opened | None = None
        self.stages = 0
        self.noted: tuple[str, ...] = ()
        self._act: _Act | None = None

    def planned(self, plan: Plan) -> None:
        if not self._screen.quiet:
            say_plan(self._screen, plan)
        self.opened, self.stages = plan.opened, len(plan.run.stages) * len(plan.opened.grids)
        progress = Progress(self._screen, plan.work, plan.order.kind)
        self._act = _Act(progress, self._drawn(plan.opened))

    def learning(self, plan: LearnPlan) -> None:
        if not self._screen.quiet:
            say_learning(self._screen, plan)
        self.stages, self.noted = len(plan.run.stages), plan.notes
        preview = None if self._preview is None else Preview(self._preview, _middle)
        self._act = _Act(Progress(self._screen, plan.work, plan.order.kind), preview)

    def painting(self, plan: PaintPlan) -> None:
        if not self._screen.quiet:
            say_painting(self._screen, plan)
        self.opened, self.stages = plan.opened, 0
        self._act = _Act(FrameProgress(self._screen, plan.count), self._drawn(plan.opened))

    def _drawn(self, opened: Opened) -> Preview | None:
        return None if self._preview is None else Preview(self._preview, drawing(opened))

    def resumed(self, part: int, stages: int) -> None:
        after = f"after stage {stages}" if stages else "in its first stage"
        of = "" if self.opened is None else f"in part {part + 1} of {len(self.opened.grids)}, "
        self._screen.entry("going on", of + after)

    def stepped(self, step: Step) -> bool:
        assert self._act is not None
        return self._act.stepped(step)

    def painted(self, number: int, made: Tensor) -> bool:
        assert self._act is not None
        return self._act.painted(number, made)

    def __enter__(self) -> Self:
        assert self._act is not None
        self._act.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._act is not None
        self._act.__exit__(kind, error, trace)


class _Act:
    """The work of a run, with its bar and its picture."""

    def __init__(self, progress: Progress | FrameProgress, preview: Preview | None) -> None:
        self._progress, self._preview = progress, preview
        self._stack = ExitStack()

    def __enter__(self) -> None:
        self._asked = self._stack.enter_context(stoppable())
        self._stack.enter_context(self._progress)

    def __exit__(self, *what: object) -> None:
        self._stack.close()

    def stepped(self, step: Step) -> bool:
        assert isinstance(self._progress, Progress)
        self._progress(step)
        if self._preview:
            self._preview(step)
        return self._asked()

    def painted(self, number: int, made: Tensor) -> bool:
        assert isinstance(self._progress, FrameProgress)
        self._progress(number)
        if self._preview:
            self._preview.show(made)
        return self._asked()


def _middle(samples: Tensor) -> Field:
    """The picture in the middle of what is shown, (C, *S)."""
    while samples.dim() > 3:
        samples = samples[:, samples.shape[1] // 2]
    return Field(samples, (Axis("y"), Axis("x")))
