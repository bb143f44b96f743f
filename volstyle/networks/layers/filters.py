"""Layers that keep the grid, or take every n-th position of it: convolution, and what stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self, cast

import torch
from torch import Tensor

from volstyle.networks.inflation import (
    Placement,
    box_filter,
    channels_last,
    convolve,
    inflate_kernel,
    reduce_kernel,
)
from volstyle.networks.layers.layer import Context, Layer, Reach


@dataclass(frozen=True)
class Normalization(Layer):
    """Computes (samples - mean) / std for each channel, in float32, and then casts to the type of the weights.

    mean, std: (C,). A slab of one channel is taken for C equal channels.
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
    """Convolution over all own axes; at stride 1 the size stays the same.

    kernel: (O, I, *k), its widths odd. bias: (O,). stride, replicate: one entry for each axis of the kernel; where
    replicate is True, the border value is repeated outside of the slab, else zeros stand there. box: width of the
    box filter along axes placed as "mean" (see the box identity in `networks.inflation`).
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
        # In the memory order of slabs, or each call would copy it.
        kernel = channels_last(reduce_kernel(self.kernel, placement))
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
    """ReLU. It works in place, since the layer before it has just made the slab and nobody else holds it.

    tap: the name under which its features can be read; None for no tap. guides: whether its gradient is that of
    guided backpropagation.
    """

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
    """ReLU whose gradient passes only where the slab and the gradient are both above 0 (Springenberg et al. 2014,
    arXiv 1412.6806, section 3.4)."""

    @staticmethod
    def forward(ctx: Any, slab: Tensor) -> Tensor:
        positive = slab.relu()
        ctx.save_for_backward(positive)
        return positive

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        positive: Tensor = ctx.saved_tensors[0]
        return gradients[0].clamp_min(0) * (positive > 0)
