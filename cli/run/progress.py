"""Showing how a run goes: a bar over all stages, or a line now and then; and a picture."""

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


class Progress:
    """One bar over all stages, each as long as the work it is; off a terminal, a line every ten seconds.

    work: of each stage, in any unit. kind: the name of the medium, which says how its size is written.
    """

    def __init__(self, screen: Screen, work: Sequence[float], kind: str) -> None:
        self._screen = screen
        self._medium = medium_named(kind)
        self._work = work
        self._bar = screen.bar() if screen.is_terminal and not screen.quiet else None
        self._task = self._bar.add_task("preparing", total=sum(work), costs="") if self._bar else None
        self._resumed: float | None = None
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, step: Step) -> None:
        stage = step.stages[step.stage]
        share = step.step / stage.steps
        done = sum(self._work[: step.stage]) + self._work[step.stage] * share
        if self._resumed is None:  # what an earlier process did took this one no time
            self._resumed = done - self._work[step.stage] / stage.steps
        name = f"stage {step.stage + 1}/{len(step.stages)}"
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, description=name, costs=costs_text(step.costs))
        elif self._due(step):
            left = (time.monotonic() - self._began) * (sum(self._work) - done) / (done - self._resumed)
            place = f"{name} {self._medium.sized(stage.shape)}, step {step.step}/{stage.steps}"
            self._screen.print(f"{place}: {costs_text(step.costs)}, {duration_text(left)} left")

    def _due(self, step: Step) -> bool:
        now = time.monotonic()
        if now - self._said < _LINE_EVERY_S and step.step < step.stages[step.stage].steps:
            return False
        self._said = now
        return True


class FrameProgress:
    """How many frames of a clip, or parts of another content, have been painted: a bar, or a line now and then."""

    def __init__(self, screen: Screen, count: int) -> None:
        self._screen, self._count = screen, count
        self._bar = screen.bar() if screen.is_terminal and not screen.quiet else None
        self._task = self._bar.add_task("painting", total=count, costs="") if self._bar else None
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, number: int) -> None:
        now = time.monotonic()
        rate = number / max(now - self._began, 1e-6)
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=number, costs=f"{rate:.2g} a second")
        elif now - self._said >= _LINE_EVERY_S or number == self._count:
            self._said = now
            left = duration_text((self._count - number) / rate)
            self._screen.print(f"painted {number} of {self._count}, {rate:.2g} a second, {left} left")


class Preview:
    """A picture of the samples as they are, written anew at most every two seconds.

    draw: from the samples of a step (C, *S) to the picture: of a clip its middle frame, if not given.
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
        """A frame or a part, (C, *S), that has been painted."""
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
