"""Small networks that make a styled field from a content in one pass, one for each stage of a schedule.

They are built of the layers that extractors are built of, and placed on the axes of a field like them: a generator
of two axes serves pictures, and clips frame by frame; one of three serves volumes. None of them normalizes by what
it sees: a frame is painted the same way whatever stands beside it in time, equal samples stay equal, and a large
field can be made tile by tile, exactly.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from volstyle.errors import ShapeError
from volstyle.networks.inflation import Placement, channels_last, fold, unfold
from volstyle.networks.layers import (
    Chain,
    Context,
    Convolution,
    FromBlocks,
    Layer,
    Normalization,
    Reach,
    Rectifier,
    Residual,
    ToBlocks,
)

Weights = Mapping[str, Tensor]
"""Name -> a kernel (O, I, *k), or a bias (S, O) with a row for each style."""

_WIDTH = 3
"""Samples across a kernel, along each axis."""


@dataclass(frozen=True)
class Plan:
    """How a stage's network is built.

    axes: of its own. channels: of the content. styles: how many it knows. block: it works on the samples of a block
    of this many along each axis as channels, which makes it as many times smaller, and unfolds them at its end.
    width: channels inside. deep: channels at half that size, where most of it happens; 0 for none. residuals: how
    many pairs of convolutions that each add to what they see.
    """

    axes: int = 2
    channels: int = 3
    styles: int = 1
    block: int = 2
    width: int = 24
    deep: int = 0
    residuals: int = 4


@dataclass(frozen=True)
class StageGenerator:
    """The network of one stage. It takes the content at the size of its stage and what the stage before made,
    brought up to that size (in the first stage the content itself), and adds to the latter.

    Source: an image transformation network (Johnson et al. 2016, arXiv 1603.08155), without its normalization of
    each instance; styles share all kernels and have biases of their own, the shift of Dumoulin et al. 2017
    (arXiv 1610.07629). That a network for each scale takes what the one before made follows Wang et al. 2017
    (arXiv 1612.01895); that each is fitted by the objective of its own stage is ours.
    """

    plan: Plan
    weights: Weights

    @staticmethod
    def new(plan: Plan, seed: int) -> StageGenerator:
        """One that adds nothing yet: kernels of He et al. 2015 (arXiv 1502.01852), but zeros where something is
        added to what is there."""
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name, into, out, is_added in _convolutions(plan):
            kernel = torch.randn(out, into, *(_WIDTH,) * plan.axes, generator=generator)
            spread = 0.0 if is_added else math.sqrt(2 / (into * _WIDTH**plan.axes))
            weights[f"{name}.kernel"] = kernel * spread
            weights[f"{name}.bias"] = torch.zeros(plan.styles, out)
        return StageGenerator(plan, weights)

    def chain(self, shares: Tensor) -> Chain:
        """Its layers for a blend of styles. shares: (S,), how much of each."""
        convolutions = iter(
            Convolution(
                self.weights[f"{name}.kernel"],
                torch.tensordot(shares, self.weights[f"{name}.bias"], dims=1),
                (1,) * self.plan.axes,
                (True,) * self.plan.axes,
            )
            for name, *_ in _convolutions(self.plan)
        )
        return Chain(tuple(_layers(self.plan, convolutions)))

    def painter(self, placement: Placement, shares: Tensor) -> Painter:
        """It on the axes of a field, for a blend of styles."""
        return Painter(self.chain(shares).placed(placement), placement, self.plan.channels)


@dataclass(frozen=True)
class Painter:
    """A stage's network on the axes of a field."""

    layers: Chain
    placement: Placement
    channels: int

    def __call__(self, content: Tensor, before: Tensor) -> Tensor:
        """What the stage makes, (C, *S), not held to [0, 1]. content, before: (C, *S), float32 in [0, 1].

        Raises ShapeError for other channels than those it was made for.
        """
        if content.shape[0] != self.channels:
            raise ShapeError(
                f"learned style: samples have {content.shape[0]} channels, must be {self.channels} as it learned"
            )
        seen = torch.cat((content, before))[None]
        new_shape = tuple(seen.shape[2 + axis] for axis in self.placement.new)
        slab = channels_last(fold(seen, self.placement))
        added = self.layers.run(slab, Context(self.placement, new_shape, lambda *_: None))
        made = unfold(added.float(), new_shape, self.placement)[0]
        return before + made[(slice(None), *(slice(0, size) for size in before.shape[1:]))]

    @cached_property
    def cut(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How a field may be made in tiles, per axis: they start at multiples of the first and see the second, a
        multiple too, beyond their ends."""
        axes = len(self.placement.axes)
        start = Reach((1,) * axes, (0,) * axes, (1,) * axes)
        stride, halo = list(start.stride), [0] * axes
        found, coarsest = start, start.stride
        for reach in _reaches(self.layers, start, self.placement):
            found, coarsest = reach, tuple(map(max, coarsest, reach.stride))
        for axis in range(axes):
            stride[axis] = coarsest[axis]
            need = max(found.before[axis], found.after[axis])
            halo[axis] = -(-need // coarsest[axis]) * coarsest[axis]
        return tuple(stride), tuple(halo)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return replace(self, layers=self.layers.to(device, dtype))


def _reaches(layers: Chain, before: Reach, placement: Placement) -> Iterator[Reach]:
    for layer in layers.layers:
        before = layer.reach(before, placement)
        yield before


def _convolutions(plan: Plan) -> list[tuple[str, int, int, bool]]:
    """Name, channels in and out of each convolution, and whether its result is added to what is there."""
    around = plan.block**plan.axes
    inner = plan.deep or plan.width
    found = [("first", 2 * plan.channels * around, plan.width, False)]
    if plan.deep:
        found.append(("down", plan.width * 2**plan.axes, plan.deep, False))
    for number in range(plan.residuals):
        found += [(f"residual{number}.a", inner, inner, False), (f"residual{number}.b", inner, inner, True)]
    if plan.deep:
        found.append(("up", plan.deep, plan.width * 2**plan.axes, True))
    return [*found, ("last", plan.width, plan.channels * around, True)]


def _layers(plan: Plan, convolutions: Iterator[Convolution]) -> Iterator[Layer]:
    inner = plan.deep or plan.width
    widths = (plan.block,) * plan.axes
    yield Normalization(torch.full((2 * plan.channels,), 0.5), torch.full((2 * plan.channels,), 0.25))
    yield ToBlocks(widths)
    yield Chain((next(convolutions), Rectifier(plan.width)))
    halves = (2,) * plan.axes
    down = (ToBlocks(halves), next(convolutions), Rectifier(plan.deep)) if plan.deep else ()
    body = [
        Residual((Chain((next(convolutions), Rectifier(inner), next(convolutions))), Chain(())))
        for _ in range(plan.residuals)
    ]
    if plan.deep:
        yield Residual((Chain((*down, *body, next(convolutions), FromBlocks(halves))), Chain(())))
    else:
        yield from body
    yield Rectifier(plan.width)
    yield next(convolutions)
    yield FromBlocks(widths)
