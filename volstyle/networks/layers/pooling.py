"""Layers that make one position of a whole window of positions, or the reverse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from volstyle.networks.inflation import Placement, channels_last, from_blocks, pool, to_blocks
from volstyle.networks.layers.layer import Context, Layer, Reach


@dataclass(frozen=True)
class _Windowed(Layer):
    """Makes one position of each window of `widths` along the own axes. Windows do not overlap."""

    widths: tuple[int, ...]

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, last = list(before.stride), list(before.after)
        for axis, width in zip(placement.own, self.widths, strict=True):
            last[axis] += stride[axis] * (width - 1)
            stride[axis] *= width
        return Reach(tuple(stride), before.before, tuple(last))

    def placed(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] for a in placement.axes if isinstance(a, int)))


@dataclass(frozen=True)
class Pool(_Windowed):
    """The mean of each window where kind is "average", its largest feature where kind is "max"."""

    kind: str

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return pool(slab, self.kind, self.widths)

    def inflated(self, placement: Placement) -> Self:
        return replace(self, widths=tuple(self.widths[a] if isinstance(a, int) else 1 for a in placement.axes))


@dataclass(frozen=True)
class ToBlocks(_Windowed):
    """Makes the samples of each window (a block) the channels of one position. Slabs must be as long as whole
    blocks."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return channels_last(to_blocks(slab, self.widths))


@dataclass(frozen=True)
class FromBlocks(_Windowed):
    """Lays channels out as the samples of blocks again, the inverse of `ToBlocks`. After a convolution that makes
    the channels this is the subpixel convolution of Shi et al. 2016 (arXiv 1609.05158)."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return channels_last(from_blocks(slab, self.widths))

    def reach(self, before: Reach, placement: Placement) -> Reach:
        stride, first, last = (list(side) for side in before)
        for axis, width in zip(placement.own, self.widths, strict=True):
            stride[axis] //= width
            # The last sample of a block sees what its first one does, which lies further from it.
            first[axis] += stride[axis] * (width - 1)
        return Reach(tuple(stride), tuple(first), tuple(last))
