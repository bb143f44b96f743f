"""A frozen network with named taps, before and after it is placed on the axes of a field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from volstyle.errors import NetworkError, ShapeError, nearest
from volstyle.networks.inflation import Placement, channels_last, fold, standard_placement, unfold
from volstyle.networks.layers import Branch, Chain, Context, Reach


@dataclass(frozen=True)
class Network:
    """A frozen network of its own number of axes.

    name: what the user calls it. digest: of its weights (sha256), or how they follow from a seed.
    axes, channels: of the input it was made for.
    style_taps, content_taps: what it recommends, tap -> weight; fine_style_taps, fine_content_taps: what it
    recommends for fine stages, where that differs.
    """

    name: str
    digest: str
    axes: int
    channels: int
    chain: Chain
    style_taps: Mapping[str, float]
    content_taps: Mapping[str, float]
    fine_style_taps: Mapping[str, float] = field(default_factory=dict)
    fine_content_taps: Mapping[str, float] = field(default_factory=dict)

    def on(self, field_axes: int, inflation: str = "center") -> Extractor:
        """On the last axes of a field, as `standard_placement` says."""
        return self.placed(standard_placement(self.axes, field_axes, inflation))

    def placed(self, placement: Placement) -> Extractor:
        """On the axes of a field, new ones folded into the batch and box-filtered where they are a mean."""
        return Extractor(replace(self, chain=self.chain.placed(placement)), placement)

    def inflated(self, placement: Placement) -> Extractor:
        """The same features by explicit kernels over all axes of the field: slow, the reference."""
        everywhere = Placement(tuple(range(len(placement.axes))))
        return Extractor(replace(self, chain=self.chain.inflated(placement)), everywhere)

    def guided(self) -> Network:
        """The same features, whose gradients are those of guided backpropagation."""
        return replace(self, chain=self.chain.guided())

    def to(self, device: torch.device, dtype: torch.dtype) -> Network:
        """The same network on a device, its weights in a type."""
        return replace(self, chain=self.chain.to(device, dtype))


@dataclass(frozen=True)
class Tap:
    """A place where features are read: how many channels, and what a feature sees of the field."""

    name: str
    channels: int
    reach: Reach


class Cut(NamedTuple):
    """How a field may be cut so that features can be computed tile by tile, per axis: tiles start at multiples of
    the stride and look at a halo around them, a multiple of the stride too."""

    stride: tuple[int, ...]
    halo: tuple[int, ...]


@dataclass(frozen=True)
class Extractor:
    """A network on the axes of a field; made by `Network.on`, `placed` or `inflated`."""

    network: Network
    placement: Placement

    @cached_property
    def taps(self) -> dict[str, Tap]:
        """All taps by name, in the order of the network."""
        found = self.network.chain.taps(self._start, self.placement)
        return {name: Tap(name, channels, reach) for name, channels, reach in found}

    def tap(self, name: str) -> Tap:
        """Raises NetworkError, naming the nearest tap, when there is none of that name."""
        if name not in self.taps:
            raise NetworkError(f"network {self.network.name}: no tap {name!r}; {nearest(name, self.taps)}")
        return self.taps[name]

    def reach(self, names: Collection[str]) -> Cut:
        """The largest stride and halo of some taps; the halo is a multiple of the stride, so that a tile's
        window starts where a feature of each tap does."""
        reaches = [self.tap(name).reach for name in names]
        stride = tuple(max(strides) for strides in zip(*(r.stride for r in reaches), strict=True))
        halo = tuple(max(halos) for halos in zip(*(r.halo for r in reaches), strict=True))
        return Cut(stride, tuple(-(-h // s) * s for h, s in zip(halo, stride, strict=True)))

    def work(self, names: Collection[str]) -> float:
        """Multiplications for each sample of the field, up to the features at these taps and their products."""
        total, left = 0.0, set(names)
        before = self._start
        for layer, inside in zip(self.network.chain.layers, self._inside, strict=True):
            if left and (not isinstance(layer, Branch) or inside & left):
                total += layer.work(before, self.placement)
            before = layer.reach(before, self.placement)
            left -= inside
        return total + sum(self.tap(name).channels ** 2 / prod(self.tap(name).reach.stride) for name in names)

    def check(self, channels: int, shape: tuple[int, ...], names: Collection[str], what: str = "field") -> None:
        """Raises ShapeError when a field has other channels, or not one feature at some tap. what: what the field
        is to the run."""
        network = self.network
        if channels not in (1, network.channels):
            allowed = f"{network.channels} or 1 for network {network.name}"
            raise ShapeError(f"{what}: samples have {channels} channels, must be {allowed}")
        least = self.reach(names).stride
        if any(size < need for size, need in zip(shape, least, strict=True)):
            have, need = "x".join(map(str, shape)), "x".join(map(str, least))
            raise ShapeError(
                f"{what}: has {have} samples, must have at least {need} for the taps of network "
                f"{network.name}; give a larger one"
            )

    def __call__(self, samples: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """Features at the named taps; what they do not need, further layers and others aside, is not computed.

        samples: (1, C, *S) float32; C is the network's, or 1, which stands for equal channels.
        Returns tap -> (1, K, *S') in the type of the weights. Raises ShapeError.
        """
        self.check(samples.shape[1], tuple(samples.shape[2:]), names)
        new_shape = tuple(samples.shape[2 + axis] for axis in self.placement.new)
        found: dict[str, Tensor] = {}

        def emit(name: str, slab: Tensor) -> None:
            if name in names:
                found[name] = unfold(slab, new_shape, self.placement)

        at = Context(self.placement, new_shape, emit)
        slab = channels_last(fold(samples, self.placement))
        for layer, inside in zip(self.network.chain.layers, self._inside, strict=True):
            if len(found) == len(names):
                break
            if not isinstance(layer, Branch) or inside & set(names):
                slab = layer.run(slab, at)
        return found

    @cached_property
    def _inside(self) -> tuple[frozenset[str], ...]:
        """Names of the taps in each layer."""
        layers = self.network.chain.layers
        return tuple(frozenset(name for name, *_ in layer.taps(self._start, self.placement)) for layer in layers)

    @property
    def _start(self) -> Reach:
        """What a sample of the field sees: itself."""
        axes = len(self.placement.axes)
        return Reach((1,) * axes, (0,) * axes, (1,) * axes)
