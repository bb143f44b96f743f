"""Layers made of layers: one after the other, or side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from volstyle.networks.inflation import Placement
from volstyle.networks.layers.layer import Context, Layer, Reach


@dataclass(frozen=True)
class Composite(Layer):
    """Several layers as one layer. What changes the whole changes each of them."""

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
    """Layers of which each is fed what the one before it made."""

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
    """Layers that are all fed the same slab and have the same stride."""

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
    """Layers side by side, such as filters of several widths, whose features are joined as channels."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        return torch.cat([layer.run(slab, at) for layer in self.layers], dim=1)


@dataclass(frozen=True)
class Residual(_Parallel):
    """The sum of what two layers make: a body, and a shortcut, which is an empty Chain for the identity."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        body, shortcut = self.layers
        return body.run(slab, at) + shortcut.run(slab, at)


@dataclass(frozen=True)
class Branch(Chain):
    """A chain that is run for its taps only: the layer after it is fed the slab that this chain was fed."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        super().run(slab, at)
        return slab

    def reach(self, before: Reach, placement: Placement) -> Reach:
        return before
