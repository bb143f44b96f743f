"""Showing how a run goes, by a bar or by a line now and then, and by a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from torch import Tensor

from volstyle.codecs import Encoding, write
from volstyle.engine.stylize import Step
from volstyle.grid.field import Axis, Field
from volstyle.media.table import medium_named

from ..screen import Screen, costs_text, duration_text

_LINE_EVERY_S = 10.0
_PREVIEW_EVERY_S = 2.0


class _Meter:
    """A bar on a terminal; elsewhere a line every ten seconds.

    text: what stands beside the bar at first. total: the length of the bar, in any unit.
    """

    def __init__(self, screen: Screen, text: str, total: float) -> None:
        self._screen = screen
        self._bar = screen.bar() if screen.is_terminal and not screen.quiet else None
        self._task = self._bar.add_task(text, total=total, costs="") if self._bar else None
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def _seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began

    def _is_due(self, last: bool) -> bool:
        """Whether a line is to be printed now: ten seconds after the one before it, and at the last step."""
        now = time.monotonic()
        if now - self._said < _LINE_EVERY_S and not last:
            return False
        self._said = now
        return True


class Progress(_Meter):
    """How far a run has come in all its stages, each of which takes as much of the bar as it is work.

    work: how much work each stage is, in any unit. kind: the name of the medium, which says how its size is
    written.
    """

    def __init__(self, screen: Screen, work: Sequence[float], kind: str) -> None:
        super().__init__(screen, "preparing", sum(work))
        self._medium = medium_named(kind)
        self._work = work
        self._resumed: float | None = None

    def __call__(self, step: Step) -> None:
        stage = step.stages[step.stage]
        share = step.step / stage.steps
        done = sum(self._work[: step.stage]) + self._work[step.stage] * share
        if self._resumed is None:  # what an earlier process did took this one no time
            self._resumed = done - self._work[step.stage] / stage.steps
        name = f"stage {step.stage + 1}/{len(step.stages)}"
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, description=name, costs=costs_text(step.costs))
        elif self._is_due(last=step.step == stage.steps):
            left = self._seconds * (sum(self._work) - done) / (done - self._resumed)
            place = f"{name} {self._medium.sized(stage.shape)}, step {step.step}/{stage.steps}"
            self._screen.print(f"{place}: {costs_text(step.costs)}, {duration_text(left)} left")


class FrameProgress(_Meter):
    """How many of the frames of a clip, or of the parts of another content, have been painted. count: how many
    there are."""

    def __init__(self, screen: Screen, count: int) -> None:
        super().__init__(screen, "painting", count)
        self._count = count

    def __call__(self, number: int) -> None:
        rate = number / max(self._seconds, 1e-6)
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=number, costs=f"{rate:.2g} a second")
        elif self._is_due(last=number == self._count):
            left = duration_text((self._count - number) / rate)
            self._screen.print(f"painted {number} of {self._count}, {rate:.2g} a second, {left} left")


class Preview:
    """A picture of the samples as they are, which is rewritten at most every two seconds.

    draw: makes the picture of the samples of a step (C, *S); None draws the middle frame of a clip.
    """

    def __init__(self, path: Path, draw: Callable[[Tensor], Field] | None = None) -> None:
        self._path = path
        self._draw = draw or _middle
        self._drawn = 0.0

    def __call__(self, step: Step) -> None:
        last = step.stage == len(step.stages) - 1 and step.step == step.stages[-1].steps
        if last or self._is_due:
            self._show(step.samples)

    def show(self, samples: Tensor) -> None:
        """Draw a frame or a part, (C, *S), that has been painted."""
        if self._is_due:
            self._show(samples)

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._drawn >= _PREVIEW_EVERY_S

    def _show(self, samples: Tensor) -> None:
        write(self._path, self._draw(samples.cpu()), Encoding(force=True))
        self._drawn = time.monotonic()


def _middle(samples: Tensor) -> Field:
    while samples.dim() > 3:
        samples = samples[:, samples.shape[1] // 2]
    return Field(samples, (Axis("y"), Axis("x")))
