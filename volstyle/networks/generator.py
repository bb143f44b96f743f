"""Small networks that make a styled field from a content in one pass, one for each stage of a schedule.

They are built of the layers that extractors are built of, and placed on the axes of a field like them: a generator
of two axes serves pictures, and clips frame by frame; one of three serves volumes. None of them normalizes by what
it sees: a frame is painted the same way whatever stands beside it in time, equal samples stay equal, and a large
field can be made tile by tile, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from volstyle.errors import ShapeError
from volstyle.networks.extractor import Cut
from volstyle.networks.inflation import Placement, channels_last, continued_to, fold, unfold
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
"""Name -> a kernel (O, I, *k), its gains (O · times^d,), or a bias (S, O) with a row for each style."""

_WIDTH = 3
"""Samples across a kernel, along each axis."""


@dataclass(frozen=True)
class Plan:
    """How a stage's network is built.

    axes: of its own. channels: of the content. styles: how many it knows. block: it works on the samples of a
    block of this many along each axis as channels, which makes it as many times smaller, and unfolds them at its
    end. width: channels inside. deep: channels at half that size, where most of it happens; 0 for none. residuals:
    how many pairs of convolutions that each add to what they see.
    """

    axes: int = 2
    channels: int = 3
    styles: int = 1
    block: int = 2
    width: int = 24
    deep: int = 0
    residuals: int = 4

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of each weight."""
        found: dict[str, tuple[int, ...]] = {}
        for name, into, out, _, times in _convolutions(self):
            found[f"{name}.kernel"] = (out, into, *(_WIDTH,) * self.axes)
            found[f"{name}.bias"] = (self.styles, out)
            if name == "up":
                found["up.gain"] = (out * times**self.axes,)
        return found

    @property
    def stride(self) -> int:
        """Samples along each axis between two of its coarsest positions."""
        return self.block * (2 if self.deep else 1)


@dataclass(frozen=True)
class StageGenerator:
    """The network of one stage. It takes the content at the size of its stage and what the stage before made,
    brought up to that size (in the first stage the content itself), and adds to the latter.

    Source: an image transformation network (Johnson et al. 2016, arXiv 1603.08155), without its normalization of
    each instance; styles share all kernels and their gains and have biases of their own, the shift of Dumoulin et
    al. 2017 (arXiv 1610.07629). That a network for each scale takes what the one before made follows Wang et al.
    2017 (arXiv 1612.01895); that each is fitted by the objective of its own stage is ours.
    """

    plan: Plan
    weights: Weights

    @staticmethod
    def new(plan: Plan, seed: int) -> StageGenerator:
        """One that adds nothing yet: kernels of He et al. 2015 (arXiv 1502.01852), but zeros where something is
        added to what is there."""
        generator = torch.Generator().manual_seed(seed)
        weights = {name: torch.zeros(shape) for name, shape in plan.shapes().items()}
        for name, into, _, is_added, _ in _convolutions(plan):
            kernel = weights[f"{name}.kernel"]
            spread = 0.0 if is_added else math.sqrt(2 / (into * _WIDTH**plan.axes))
            weights[f"{name}.kernel"] = torch.randn(kernel.shape, generator=generator) * spread
        return StageGenerator(plan, weights)

    def begun(self, styles: Sequence[int | None]) -> StageGenerator:
        """One for other styles to go on learning from: its kernels, and for each style the biases of one of its
        own, named by its number, or for None the mean of all."""
        weights = dict(self.weights)
        for name in (name for name in weights if name.endswith("bias")):
            rows, mean = self.weights[name], self.weights[name].mean(0)
            weights[name] = torch.stack([mean if style is None else rows[style] for style in styles])
        return StageGenerator(replace(self.plan, styles=len(styles)), weights)

    def to(self, device: torch.device) -> StageGenerator:
        """The same on a device."""
        return replace(self, weights={name: weight.to(device) for name, weight in self.weights.items()})

    def chain(self, shares: Tensor) -> Chain:
        """Its layers for a blend of styles. shares: (S,), how much of each."""
        convolutions = (self._convolution(name, times, shares) for name, *_, times in _convolutions(self.plan))
        return Chain(tuple(_layers(self.plan, convolutions)))

    def _convolution(self, name: str, times: int, shares: Tensor) -> Convolution:
        kernel = _enlarging(self.weights[f"{name}.kernel"], times)
        if f"{name}.gain" in self.weights:
            kernel = _steepened(kernel, self.weights[f"{name}.gain"])
        bias = torch.tensordot(shares, self.weights[f"{name}.bias"], dims=1)
        axes = self.plan.axes
        return Convolution(kernel, bias.repeat_interleave(times**axes), (1,) * axes, (True,) * axes)

    def painter(self, placement: Placement, shares: Tensor) -> Painter:
        """It on the axes of a field, for a blend of styles."""
        return Painter(self.chain(shares).placed(placement), placement, self.plan.channels, self.plan.stride)


@dataclass(frozen=True)
class Painter:
    """A stage's network on the axes of a field."""

    layers: Chain
    placement: Placement
    channels: int
    stride: int

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
        slab = fold(seen, self.placement)
        slab = channels_last(continued_to(slab, (self.stride,) * (slab.dim() - 2)))
        added = self.layers.run(slab, Context(self.placement, new_shape, lambda *_: None))
        made = unfold(added.float(), new_shape, self.placement)[0]
        return before + made[(slice(None), *(slice(0, size) for size in before.shape[1:]))]

    @cached_property
    def cut(self) -> Cut:
        """How a field may be made tile by tile."""
        axes = len(self.placement.axes)
        reach = self.layers.reach(Reach((1,) * axes, (0,) * axes, (1,) * axes), self.placement)
        stride = tuple(self.stride if axis in self.placement.own else 1 for axis in range(axes))
        return Cut(stride, tuple(-(-side // step) * step for side, step in zip(reach.halo, stride, strict=True)))

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return replace(self, layers=self.layers.to(device, dtype))


def _enlarging(kernel: Tensor, times: int) -> Tensor:
    """The kernel (O · times^d, I, *k) that makes of slabs the samples of blocks, `times` along each of d axes: in
    one convolution what a kernel (O, I, *k) makes of the slabs after linear interpolation, borders included.

    A kernel that is free to make each sample of a block in its own way finds first of all a pattern that repeats
    with the blocks: a weave on every wall (Odena et al. 2016, "Deconvolution and checkerboard artifacts", Distill,
    whose remedy this is).
    """
    axes, near = kernel.dim() - 2, torch.arange(_WIDTH).to(kernel) - _WIDTH // 2
    first = (torch.arange(times).to(kernel) + 0.5) / times - 0.5  # of a block's samples, on the slabs' grid
    places = first[:, None] + near / times
    shares = (1 - (places[:, None] - near[:, None]).abs()).clamp(min=0)
    for _ in range(axes):  # each takes the next axis away, and appends a place in a block and a width
        kernel = torch.tensordot(kernel, shares, dims=([2], [2]))
    within, widths = range(2, 2 + 2 * axes, 2), range(3, 3 + 2 * axes, 2)
    return kernel.permute(0, *within, 1, *widths).flatten(0, axes)


def _steepened(kernel: Tensor, gains: Tensor) -> Tensor:
    """k + g · (k − its mean over its width): where the slabs are constant it makes what k makes, and 1 + g of all
    else. kernel: (O, I, *k). gains: (O,).

    After linear interpolation samples of a block do not vary alike. Where they are rectified, those that vary more
    have a larger mean, and there is a pattern again, wherever something is painted. With gains of their own they
    can be made to vary alike, and what is flat stays flat. The gains are ours.
    """
    gains = gains.view(-1, *(1,) * (kernel.dim() - 1))
    return kernel + gains * (kernel - kernel.mean(tuple(range(2, kernel.dim())), keepdim=True))


def _convolutions(plan: Plan) -> list[tuple[str, int, int, bool, int]]:
    """Name, channels in and out of each convolution, whether its result is added to what is there, and how many
    times finer along each axis it is than what it is made of."""
    around, halves = plan.block**plan.axes, 2**plan.axes
    inner = plan.deep or plan.width
    found = [("first", 2 * plan.channels * around, plan.width, False, 1)]
    if plan.deep:
        found.append(("down", plan.width * halves, plan.deep, False, 1))
    for number in range(plan.residuals):
        found += [(f"residual{number}.a", inner, inner, False, 1), (f"residual{number}.b", inner, inner, True, 1)]
    if plan.deep:
        found.append(("up", plan.deep, plan.width, True, 2))
    return [*found, ("last", plan.width, plan.channels, True, plan.block)]


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
