"""Whoever follows a run while it works: a command line, a notebook, a test."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from types import TracebackType
from typing import Self

from volstyle.engine.estimate import Estimate, estimate, stage_work
from volstyle.engine.outline import Outline
from volstyle.engine.stylize import OnStep, Step
from volstyle.media.medium import Opened, nothing_earlier
from volstyle.media.order import Order


@dataclass(frozen=True)
class Plan:
    """What a run will do. run: for its largest part. disk: bytes it takes at most until it ends."""

    order: Order
    opened: Opened
    run: Outline
    disk: float

    @property
    def work(self) -> list[float]:
        """The cost of each stage of each part, in samples that run through the network and back."""
        return [stage * share for share in self._shares for stage in stage_work(self.run)]

    def estimate(self) -> Estimate:
        """The time of all parts and the memory of one, measured on a piece of the first part."""
        one = estimate(self.opened.part(0, nothing_earlier), self.run)
        return Estimate(one.seconds * sum(self._shares), one.memory)

    @property
    def _shares(self) -> list[float]:
        """The size of each part relative to the largest."""
        sizes = [prod(grid.shape) for grid in self.opened.grids]
        return [size / max(sizes) for size in sizes]


class Follower:
    """Is told of a run as it goes on; each method does nothing unless it is overridden.

    The run enters the follower as a context while it takes its steps.
    """

    def planned(self, plan: Plan) -> None:
        """Before the work, when all has been checked."""

    def resumed(self, part: int, stages: int) -> None:
        """An earlier run had finished so many stages of a part, counted from 0."""

    def stepped(self, step: Step) -> bool:
        """After each step, whose stages are counted over all parts. True asks to stop."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The last step has been taken, or something went wrong."""


class Followers(Follower):
    """Several followers, and a function that is called after each step, as one."""

    def __init__(self, followers: tuple[Follower, ...], on_step: OnStep | None) -> None:
        self._followers, self._on_step = followers, on_step

    def planned(self, plan: Plan) -> None:
        for follower in self._followers:
            follower.planned(plan)

    def resumed(self, part: int, stages: int) -> None:
        for follower in self._followers:
            follower.resumed(part, stages)

    def stepped(self, step: Step) -> bool:
        stops = [follower.stepped(step) for follower in self._followers]
        return any(stops) | bool(self._on_step and self._on_step(step))

    def __enter__(self) -> Self:
        for follower in self._followers:
            follower.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for follower in reversed(self._followers):
            follower.__exit__(kind, error, trace)
