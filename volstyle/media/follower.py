"""What tells others of a run while it works: the command line, a notebook, a test."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from volstyle.engine.estimate import Estimate, estimate, stage_work
from volstyle.engine.learned_solid import LearnedSolid
from volstyle.engine.machine import Machine
from volstyle.engine.outline import Outline
from volstyle.engine.painting import LearnedStyle
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import OnStep, Step
from volstyle.grid.field import Axis, Field
from volstyle.media.medium import Opened, nothing_earlier
from volstyle.media.order import Order


@dataclass(frozen=True)
class Plan:
    """What a run will do. run: the outline for its largest part. disk: the most bytes of disk that it takes on the
    way."""

    order: Order
    opened: Opened
    run: Outline
    disk: float

    @property
    def work(self) -> list[float]:
        """The work of each stage of each part, in samples that run through the network and back."""
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


@dataclass(frozen=True)
class LearnPlan:
    """What learning a style will do. run: its stages are those of learning. batches: examples in a step of each.
    contents: how many it learns on. style: one of the styles. notes: for the user."""

    order: Order
    run: Outline
    batches: tuple[int, ...]
    contents: int
    style: Style
    notes: tuple[str, ...] = ()

    @property
    def work(self) -> list[float]:
        """The cost of each stage."""
        return [work * batch for work, batch in zip(stage_work(self.run, least=1), self.batches, strict=True)]

    def estimate(self) -> Estimate:
        """The time of all stages and the memory of one, measured on a piece of nothing."""
        shape = self.run.stages[-1].shape
        axes = tuple(
            Axis("t" if keep else name) for keep, name in zip(self.run.kept, "zyx"[-len(shape) :], strict=True)
        )
        blank = Field(torch.rand(self.run.network.channels, *shape), axes)
        one = estimate(Part(blank, (self.style,)), self.run)
        return Estimate(one.seconds * sum(self.work) / sum(stage_work(self.run)), one.memory)


@dataclass(frozen=True)
class PaintPlan:
    """What painting with a style that was learned will do. count: how many frames of a clip, or parts of another
    content, are painted."""

    order: Order
    opened: Opened
    learned: LearnedStyle | LearnedSolid
    machine: Machine
    count: int


class Follower:
    """An object that is told of a run as it goes on; each method does nothing unless it is overridden.

    The run enters the follower as a context while it takes its steps.
    """

    def planned(self, plan: Plan) -> None:
        """Called before the work, when everything has been checked."""

    def learning(self, plan: LearnPlan) -> None:
        """Before a style is learned, when all has been checked."""

    def painting(self, plan: PaintPlan) -> None:
        """Before a style that was learned paints, when all has been checked."""

    def painted(self, number: int, made: Tensor) -> bool:
        """After each frame or part, counted from 1: (C, *S), as it was made. True asks to stop."""
        return False

    def resumed(self, part: int, stages: int) -> None:
        """Called when an earlier run had finished some stages of a part. part: its number, from 0."""

    def stepped(self, step: Step) -> bool:
        """Called after each step; stages are counted over all parts. True asks to stop."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Called when the last step has been taken, or something went wrong."""


class Followers(Follower):
    """Several followers, and a function that is called after each step, as one."""

    def __init__(self, followers: tuple[Follower, ...], on_step: OnStep | None) -> None:
        self._followers, self._on_step = followers, on_step

    def planned(self, plan: Plan) -> None:
        for follower in self._followers:
            follower.planned(plan)

    def learning(self, plan: LearnPlan) -> None:
        for follower in self._followers:
            follower.learning(plan)

    def painting(self, plan: PaintPlan) -> None:
        for follower in self._followers:
            follower.painting(plan)

    def painted(self, number: int, made: Tensor) -> bool:
        stops = [follower.painted(number, made) for follower in self._followers]
        return any(stops)

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
