"""A bar of a run's progress in one line, for a terminal and for a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from volstyle.engine.stylize import Step
from volstyle.media.follower import Follower, Plan

_WIDTH = 24
_EVERY_S = 0.2
_ERASE = " " * 40


class Pace:
    """How much of the work of all stages is done, and how long the rest will take at the speed there was.

    work: of each stage, in any unit.
    """

    def __init__(self, work: Sequence[float]) -> None:
        self._work = work
        self._began = 0.0
        self._first: float | None = None

    def at(self, step: Step) -> tuple[float, float | None]:
        """The share that is done after a step, and the seconds that are left, None while nothing tells."""
        now, each = time.monotonic(), self._work[step.stage] / step.stages[step.stage].steps
        done = sum(self._work[: step.stage]) + each * step.step
        if self._first is None:  # what an earlier run did took this one no time
            self._first, self._began = done, now
        taken = done - self._first
        left = (now - self._began) * (sum(self._work) - done) / taken if taken else None
        return done / sum(self._work), left


class Bar(Follower):
    """Draws how much of the work of all stages is done, and how long the rest will take.

    The line is drawn over by a carriage return, which terminals and notebooks understand alike. stream: where to,
    the standard error if not given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._pace = Pace(())
        self._drawn: float | None = None

    def planned(self, plan: Plan) -> None:
        self._pace = Pace(plan.work)

    def stepped(self, step: Step) -> bool:
        now = time.monotonic()
        share, left = self._pace.at(step)
        if self._drawn is None or now - self._drawn >= _EVERY_S or share >= 1:
            self._drawn = now
            self._draw(share, f"stage {step.stage + 1}/{len(step.stages)}", left)
        return False

    def _draw(self, share: float, place: str, left: float | None) -> None:
        filled = round(_WIDTH * share)
        bar = "█" * filled + "░" * (_WIDTH - filled)
        rest = "" if left is None else f", {left:.0f} s left"
        self._stream.write(f"\r{bar} {share:4.0%} {place}{rest}{_ERASE}"[: _WIDTH + 50])
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._stream.write("\n")
            self._stream.flush()
