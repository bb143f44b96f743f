"""What a layer is: a map of slabs that knows how far it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from volstyle.networks.inflation import Placement


class Reach(NamedTuple):
    """Which samples a feature depends on: three whole numbers for each axis of the field.

    stride: how many samples lie between one feature and the next; a feature owns that many. before, after: feature
    number i depends on the samples from i · stride - before up to, not including, i · stride + after, as far as
    the field has them.
    """

    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def halo(self) -> tuple[int, ...]:
        """How many samples a feature needs on either side of those it owns."""
        return tuple(max(b, a - s) for s, b, a in zip(*self, strict=True))

    @property
    def width(self) -> tuple[int, ...]:
        """How many samples a feature depends on."""
        return tuple(b + a for b, a in zip(self.before, self.after, strict=True))

    def receptive_field(self, feature: tuple[int, ...]) -> tuple[slice, ...]:
        """The samples that a feature depends on. feature: its number along each axis. Near a border the slices
        reach beyond the field."""
        places = zip(feature, *self, strict=True)
        return tuple(slice(i * stride - before, i * stride + after) for i, stride, before, after in places)


@dataclass(frozen=True)
class Context:
    """What a layer is told about the slab it is given.

    placement: how the field was folded into the slab. new_shape: lengths of the folded axes. emit: is called with
    the name of a tap and the features there, each time a layer with a tap has run.
    """

    placement: Placement
    new_shape: tuple[int, ...]
    emit: Callable[[str, Tensor], None]


class Layer:
    """A frozen map from slab to slab. The methods of this class suit a layer that neither changes the grid nor has
    kernels; other layers replace them."""

    def run(self, slab: Tensor, at: Context) -> Tensor:
        """Apply the layer: (N, C, *own) -> (N, K, *own')."""
        raise NotImplementedError

    def reach(self, before: Reach, placement: Placement) -> Reach:
        """The reach of the features that come out, given the reach of those that go in."""
        return before

    def taps(self, before: Reach, placement: Placement) -> Iterator[tuple[str, int, Reach]]:
        """Yield the name, the number of channels and the reach of each tap inside this layer."""
        yield from ()

    def work(self, before: Reach, placement: Placement) -> float:
        """How many multiplications the layer takes for each sample of the field."""
        return 0.0

    def placed(self, placement: Placement) -> Self:
        """This layer, made ready for slabs that were folded by this placement."""
        return self

    def inflated(self, placement: Placement) -> Self:
        """This layer with kernels inflated over all axes of the field, so that no axis need be folded. It is slow,
        and the reference that `placed` is tested against."""
        return self

    def guided(self) -> Self:
        """This layer with the backward pass of guided backpropagation."""
        return self

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """This layer with its weights on a device, in a type."""
        return self
