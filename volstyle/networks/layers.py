"""The few layers our networks are made of, as a small algebra of frozen values.

A layer maps a slab (N, C, *own), the axes new to the network folded into N, to a slab. It knows its reach, the
stride and the halo it adds, and composite layers add these up, so that tiles need no knowledge of any network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor

from volstyle.networks.inflation import (
    Placement,
    box_filter,
    channels_last,
    convolve,
    from_blocks,
    inflate_kernel,
    pool,
    reduce_kernel,
    to_blocks,
)


class Reach(NamedTuple):
    """What a feature sees, per axis of the field, exactly.

    stride: samples from one feature to the next, which are the samples it owns. before, after: feature i sees the
    samples from i · stride - before up to, not including, i · stride + after, as far as the field has them.
    """

    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def halo(self) -> tuple[int, ...]:
        """Samples a feature needs on either side of those it owns."""
        return tuple(max(b, a - s) for s, b, a in zip(*self, strict=True))

    @property
    def width(self) -> tuple[int, ...]:
        """How many samples a feature sees."""
        return tuple(b + a for b, a in zip(self.before, self.after, strict=True))

    def receptive_field(self, feature: tuple[int, ...]) -> tuple[slice, ...]:
        """The samples that this feature sees; where it sees past a border, the slices do."""
        places = zip(feature, *self, strict=True)
        return tuple(slice(i * stride - before, i * stride + after) for i, stride, before, after in places)


@dataclass(frozen=True)
class Context:
    """Where a slab stands: how it was folded, and whom to tell of features on the way (tap, slab)."""

    placement: Placement
    new_shape: tuple[int, ...]
    emit: Callable[[str, Tensor], None]


class Layer:
    """A frozen map of slabs; what is said here holds for layers that change neither grid nor kernels."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        """(N, C, *own) -> (N, K, *own')."""
        raise NotImplementedError

    def reach(self, before: Reach, placement: Placement) -> Reach:
        """The reach of what comes out, given that of what goes in."""
        return before

    def taps(self, before: Reach, placement: Placement) -> Iterator[tuple[str, int, Reach]]:
        """Name, channels and reach of each tap inside."""
        yield from ()

    def work(self, before: Reach, placement: Placement) -> float:
        """Multiplications for each sample of the field."""
        return 0.0

    def placed(self, placement: Placement) -> Self:
        """Made ready for slabs folded by this placement."""
        return self

    def inflated(self, placement: Placement) -> Self:
        """Kernels inflated over all axes of the field, nothing folded: slow, the reference for `placed`."""
        return self

    def guided(self) -> Self:
        """With the backward pass of guided backpropagation."""
        return self

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Weights on a device, in a type."""
        return self


@dataclass(frozen=True)
class Normalization(Layer):
    """(samples - mean) / std per channel, in float32, then in the type of the weights.

    mean, std: (C,). A slab of one channel stands for C equal ones.
    """

    mean: Tensor
    std: Tensor
    dtype: torch.dtype = torch.float32

    def run(self, slab: Tensor, at: Context) -> Tensor:
        broadcast = (1, -1) + (1,) * (slab.dim() - 2)
        return ((slab - self.mean.view(broadcast)) / self.std.view(broadcast)).to(self.dtype)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return replace(self, mean=self.mean.to(device), std=self.std.to(device), dtype=dtype)


@dataclass(frozen=True)
class Convolution(Layer):
    """Convolution over all own axes, the same size at stride 1.

    kernel: (O, I, *k), odd widths; bias: (O,); stride and replicate (border values instead of zeros): per axis
    of the kernel. box: width of the box filter along axes placed as "mean" (the box identity).
    """

    kernel: Tensor
    bias: Tensor
    stride: tuple[int, ...]
    replicate: tuple[bool, ...]
    box: int = 1

    def run(self, slab: Tensor, at: Context) -> Tensor:
        if self.box > 1:
            for axis in at.placement.meaned:
                slab = box_filter(slab, at.new_shape, at.placement.new.index(axis), self.box)
        return convolve(slab, self.kernel, self.bias, self.stride, self.replicate)

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, first, last = (list(side) for side in before)
        for axis, step, width in zip(placement.own, self.stride, self.kernel.shape[2:], strict=True):
            first[axis] += stride[axis] * (width // 2)
            last[axis] += stride[axis] * (width // 2)
            stride[axis] *= step
        for axis in placement.meaned:
            first[axis] += (self.box - 1) // 2
            last[axis] += self.box // 2
        return Reach(tuple(stride), tuple(first), tuple(last))

    def work(self, before: Reach, placement: Placement) -> float:
        return self.kernel.numel() / prod(self.reach(before, placement).stride)

    def placed(self, placement: Placement) -> Self:
        named = [axis for axis in placement.axes if isinstance(axis, int)]
        kernel = channels_last(reduce_kernel(self.kernel, placement))  # as slabs lie, or each call would copy it
        return replace(
            self,
            kernel=kernel,
            stride=tuple(self.stride[axis] for axis in named),
            replicate=tuple(self.replicate[axis] for axis in named),
            box=max(kernel.shape[2:]) if placement.meaned else 1,
        )

    def inflated(self, placement: Placement) -> Self:
        axes = placement.axes
        return replace(
            self,
            kernel=inflate_kernel(self.kernel, placement),
            stride=tuple(self.stride[axis] if isinstance(axis, int) else 1 for axis in axes),
            replicate=tuple(self.replicate[axis] if isinstance(axis, int) else True for axis in axes),
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return replace(self, kernel=self.kernel.to(device, dtype), bias=self.bias.to(device, dtype))


@dataclass(frozen=True)
class Rectifier(Layer):
    """ReLU, in place since what feeds it is fresh. tap: its name, where features can be read here. guides: whether
    its gradient is that of guided backpropagation."""

    channels: int
    tap: str | None = None
    guides: bool = False

    def run(self, slab: Tensor, at: Context) -> Tensor:
        slab = cast(Tensor, _GuidedRectifier.apply(slab)) if self.guides else slab.relu_()
        if self.tap is not None:
            at.emit(self.tap, slab)
        return slab

    def taps(self, before: Reach, placement: Placement) -> Iterator[tuple[str, int, Reach]]:
        if self.tap is not None:
            yield self.tap, self.channels, before

    def guided(self) -> Self:
        return replace(self, guides=True)


class _GuidedRectifier(torch.autograd.Function):
    """ReLU through which only what raises the output flows back: where the slab and its gradient are both above 0
    (Springenberg et al. 2014, arXiv 1412.6806, section 3.4)."""

    @staticmethod
    def forward(ctx: Any, slab: Tensor) -> Tensor:
        positive = slab.relu()
        ctx.save_for_backward(positive)
        return positive

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        positive: Tensor = ctx.saved_tensors[0]
        return gradients[0].clamp_min(0) * (positive > 0)


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling, "average" or "max", over windows of `widths` along the own axes."""

    kind: str
    widths: tuple[int, ...]

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return pool(slab, self.kind, self.widths)

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, last = list(before.stride), list(before.after)
        for axis, width in zip(placement.own, self.widths, strict=True):
            last[axis] += stride[axis] * (width - 1)
            stride[axis] *= width
        return Reach(tuple(stride), before.before, tuple(last))

    def placed(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] for a in placement.axes if isinstance(a, int)))

    def inflated(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] if isinstance(a, int) else 1 for a in placement.axes))


@dataclass(frozen=True)
class ToBlocks(Layer):
    """The samples of each block, of `widths` along the own axes, as channels of one: as many times fewer
    positions. Slabs are as long as whole blocks."""

    widths: tuple[int, ...]

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return channels_last(to_blocks(slab, self.widths))

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, last = list(before.stride), list(before.after)
        for axis, width in zip(placement.own, self.widths, strict=True):
            last[axis] += stride[axis] * (width - 1)
            stride[axis] *= width
        return Reach(tuple(stride), before.before, tuple(last))

    def placed(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] for a in placement.axes if isinstance(a, int)))


@dataclass(frozen=True)
class FromBlocks(Layer):
    """Channels laid out as the samples of blocks again, the inverse of `ToBlocks` (the subpixel convolution of Shi
    et al. 2016, arXiv 1609.05158, where a convolution made the channels)."""

    widths: tuple[int, ...]

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return channels_last(from_blocks(slab, self.widths))

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, first, last = (list(side) for side in before)
        for axis, width in zip(placement.own, self.widths, strict=True):
            stride[axis] //= width
            # The last sample of a block sees what its first one does, which lies further from it.
            first[axis] += stride[axis] * (width - 1)
        return Reach(tuple(stride), tuple(first), tuple(last))

    def placed(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] for a in placement.axes if isinstance(a, int)))


@dataclass(frozen=True)
class Composite(Layer):
    """Layers that are one: what holds for all of them at once."""

    layers: tuple[Layer, ...]

    def _each(self, change: Callable[[Layer], Layer]) -> Self:
        return replace(self, layers=tuple(change(layer) for layer in self.layers))

    def placed(self, placement: Placement) -> Self:
        return self._each(lambda layer: layer.placed(placement))

    def inflated(self, placement: Placement) -> Self:
        return self._each(lambda layer: layer.inflated(placement))

    def guided(self) -> Self:
        return self._each(lambda layer: layer.guided())

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return self._each(lambda layer: layer.to(device, dtype))


@dataclass(frozen=True)
class Chain(Composite):
    """One layer after the other."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        for layer in self.layers:
            slab = layer.run(slab, at)
        return slab

    def reach(self, before: Reach, placement: Placement) -> Reach:
        for layer in self.layers:
            before = layer.reach(before, placement)
        return before

    def taps(self, before: Reach, placement: Placement) -> Iterator[tuple[str, int, Reach]]:
        for layer in self.layers:
            yield from layer.taps(before, placement)
            before = layer.reach(before, placement)

    def work(self, before: Reach, placement: Placement) -> float:
        total = 0.0
        for layer in self.layers:
            total += layer.work(before, placement)
            before = layer.reach(before, placement)
        return total


@dataclass(frozen=True)
class _Parallel(Composite):
    """Layers fed the same slab, with one stride."""

    def work(self, before: Reach, placement: Placement) -> float:
        return sum(layer.work(before, placement) for layer in self.layers)

    def reach(self, before: Reach, placement: Placement) -> Reach:
        reaches = [layer.reach(before, placement) for layer in self.layers]
        first, last = (
            tuple(max(sides) for sides in zip(*each, strict=True))
            for each in ([reach.before for reach in reaches], [reach.after for reach in reaches])
        )
        return Reach(reaches[0].stride, first, last)


@dataclass(frozen=True)
class Bank(_Parallel):
    """Filters of several widths side by side, their features joined as channels."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return torch.cat([layer.run(slab, at) for layer in self.layers], dim=1)


@dataclass(frozen=True)
class Residual(_Parallel):
    """The sum of a body and a shortcut (an empty Chain is the identity)."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        body, shortcut = self.layers
        return body.run(slab, at) + shortcut.run(slab, at)


@dataclass(frozen=True)
class Branch(Chain):
    """Layers that look at the slab and leave it as it was: the next layer is fed what they were fed."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        super().run(slab, at)
        return slab

    def reach(self, before: Reach, placement: Placement) -> Reach:
        return before
