"""The few layers our networks are made of, as a small algebra of frozen values.

A layer maps a slab (N, C, *own), the axes new to the network folded into N, to a slab. It knows its reach, the
stride and the halo it adds, and composite layers add these up, so that tiles need no knowledge of any network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from volstyle.inflate import Placement, box_filter, convolve, inflate_kernel, pool, reduce_kernel


class Reach(NamedTuple):
    """What a feature sees, per axis of the field.

    stride: samples from one feature to the next, which are the samples it owns.
    halo: samples it needs on either side of those.
    """

    stride: tuple[int, ...]
    halo: tuple[int, ...]


@dataclass(frozen=True)
class Situation:
    """Where a slab stands: how it was folded, and whom to tell of features on the way (tap, slab)."""

    placement: Placement
    new_shape: tuple[int, ...]
    emit: Callable[[str, Tensor], None]


class Layer:
    """A frozen map of slabs; what is said here holds for layers that change neither grid nor kernels."""

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        """(N, C, *own) -> (N, K, *own')."""
        raise NotImplementedError

    def reach(self, before: Reach, placement: Placement) -> Reach:
        """The reach of what comes out, given that of what goes in."""
        return before

    def taps(self, before: Reach, placement: Placement) -> Iterator[tuple[str, int, Reach]]:
        """Name, channels and reach of each tap inside."""
        yield from ()

    def placed(self, placement: Placement) -> Self:
        """Made ready for slabs folded by this placement."""
        return self

    def inflated(self, placement: Placement) -> Self:
        """Kernels inflated over all axes of the field, nothing folded: slow, the reference for `placed`."""
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

    def run(self, slab: Tensor, at: Situation) -> Tensor:
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

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        if self.box > 1:
            for axis in at.placement.meaned:
                slab = box_filter(slab, at.new_shape, at.placement.new.index(axis), self.box)
        return convolve(slab, self.kernel, self.bias, self.stride, self.replicate)

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, halo = list(before.stride), list(before.halo)
        for axis, step, width in zip(placement.own, self.stride, self.kernel.shape[2:], strict=True):
            halo[axis] += stride[axis] * (width // 2)
            stride[axis] *= step
        for axis in placement.meaned:
            halo[axis] += self.box // 2
        return Reach(tuple(stride), tuple(halo))

    def placed(self, placement: Placement) -> Self:
        named = [axis for axis in placement.axes if isinstance(axis, int)]
        kernel = reduce_kernel(self.kernel, placement)
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
    """ReLU, in place since what feeds it is fresh. tap: its name, where features can be read here."""

    channels: int
    tap: str | None = None

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        slab = slab.relu_()
        if self.tap is not None:
            at.emit(self.tap, slab)
        return slab

    def taps(self, before: Reach, placement: Placement) -> Iterator[tuple[str, int, Reach]]:
        if self.tap is not None:
            yield self.tap, self.channels, before


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling, "average" or "max", over windows of `widths` along the own axes."""

    kind: str
    widths: tuple[int, ...]

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        return pool(slab, self.kind, self.widths)

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride = list(before.stride)
        for axis, width in zip(placement.own, self.widths, strict=True):
            stride[axis] *= width
        return Reach(tuple(stride), before.halo)

    def placed(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] for a in placement.axes if isinstance(a, int)))

    def inflated(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] if isinstance(a, int) else 1 for a in placement.axes))


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

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return self._each(lambda layer: layer.to(device, dtype))


@dataclass(frozen=True)
class Chain(Composite):
    """One layer after the other."""

    def run(self, slab: Tensor, at: Situation) -> Tensor:
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


@dataclass(frozen=True)
class _Parallel(Composite):
    """Layers fed the same slab, with one stride."""

    def reach(self, before: Reach, placement: Placement) -> Reach:
        reaches = [layer.reach(before, placement) for layer in self.layers]
        halos = zip(*(reach.halo for reach in reaches), strict=True)
        return Reach(reaches[0].stride, tuple(max(halo) for halo in halos))


@dataclass(frozen=True)
class Bank(_Parallel):
    """Filters of several widths side by side, their features joined as channels."""

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        return torch.cat([layer.run(slab, at) for layer in self.layers], dim=1)


@dataclass(frozen=True)
class Residual(_Parallel):
    """The sum of a body and a shortcut (an empty Chain is the identity)."""

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        body, shortcut = self.layers
        return body.run(slab, at) + shortcut.run(slab, at)


@dataclass(frozen=True)
class Aside(Chain):
    """Layers that look at the slab and leave it as it was: the next layer is fed what they were fed."""

    def run(self, slab: Tensor, at: Situation) -> Tensor:
        super().run(slab, at)
        return slab

    def reach(self, before: Reach, placement: Placement) -> Reach:
        return before
