"""What is minimized: a sum of named, weighted terms.

J(G) = α J_content(C, G) + β Σ_l λ_l J_style(S, G) + smoothness (Gatys et al. 2015, eq. 7).

Two scalings. "gatys" is the textbook's formula to the letter. "relative", the default, measures each tap's cost
relative to its target, so that the weights mean the same for any network, size and number of axes: a style cost
of 1 is a result that has nothing of the style, a content cost of 1 one that has nothing of the content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from volstyle.grid.tiles import Tile
from volstyle.loss.blocks import block_means
from volstyle.loss.features import SourceFeatures
from volstyle.loss.statistics import Statistic, Sums, joined, mixed

SCALINGS = ("relative", "gatys")
COLOR_GRAIN = 8.0
"""How many times more a change of color counts for smoothness than a change of light. Statistics are led by their
strongest directions, which are those of light, and leave colors a fringe of one sample; at 8 the fringe is gone
and strokes stay as they are."""


@dataclass(frozen=True)
class StyleTerm:
    """How far statistics are from the style's: β Σ_l λ_l distance(found, target) / groups.

    weight: β. taps: tap -> λ. targets: tap -> the Sums of R regions. distance: gives the distance of sums from a
    target, for each group. groups: how many groups of frames share the cost, so that the length of a clip does not
    change it. shares: (groups, R), how much each group takes of each target, where the targets are styles that
    follow each other in time.
    """

    weight: float
    taps: Mapping[str, float]
    targets: Mapping[str, Sums]
    distance: Statistic
    groups: int = 1
    shares: Tensor | None = None

    def cost(self, found: Mapping[str, Sequence[Sums]], first: int = 0) -> Tensor:
        """The cost of some groups of frames. found: tap -> for each group, Sums of R regions. first: the number of
        the first group."""
        total = torch.zeros(())
        for tap, weight in self.taps.items():
            target, regions = self.targets[tap], len(self.targets[tap].count)
            if self.shares is not None:
                target, regions = mixed(target, self.shares[first : first + len(found[tap])]), 1
            elif regions > 1:
                target = joined([target] * len(found[tap]))
            apart = self._distances(joined(found[tap]), target)
            total = total.to(apart.device) + weight * apart.sum() / (self.groups * regions)
        return self.weight * total

    def _distances(self, found: Sums, target: Sums) -> Tensor:
        """The distances of those groups that have any position. A region of a mask has none in a frame without
        it."""
        there = found.count > 0
        return self.distance(found[there], target if len(target.count) == 1 else target[there])


@dataclass(frozen=True)
class ContentTerm:
    """How far features are from the content's: α Σ_l λ_l ‖a − â‖² / scale_l over all positions of the field.

    weight: α. taps: tap -> λ. source: gives â, tile by tile. scales: tap -> the scale, which is ‖â‖² of the whole
    source ("relative"), or 2 ("gatys", whose cost is ½‖a − â‖²).
    """

    weight: float
    taps: Mapping[str, float]
    source: SourceFeatures
    scales: Mapping[str, float]

    def cost(self, found: Mapping[str, Tensor], tile: Tile) -> Tensor:
        """The cost of the positions that a tile owns. found: tap -> features (1, K, *S') of the result."""
        wanted = self.source(tile)
        parts = [
            (weight / self.scales[tap]) * (found[tap].float() - wanted[tap].float()).square().sum()
            for tap, weight in self.taps.items()
        ]
        return self.weight * torch.stack(parts).sum()


@dataclass(frozen=True)
class SmoothnessTerm:
    """Squared total variation along some axes of the field: weight · Σ_axes mean (x_{i+1} − x_i)².

    axes: which axes of the field, counted from 0. Differences are squared, so that grain costs more than an edge.
    Differences of color, which are those of channels from their mean, count `COLOR_GRAIN` times more. periodic:
    whether the last sample along an axis is also a neighbor of the first.
    """

    weight: float
    axes: tuple[int, ...]
    periodic: bool = False

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, *S); its gradient is added to gradient, in memory of one slice."""
        cost = torch.zeros((), device=samples.device)
        for axis in self.axes:
            count = samples.numel() // samples.shape[1 + axis] * (samples.shape[1 + axis] - (not self.periodic))
            scale = self.weight / max(count, 1)
            # Slices are taken along another axis than that of the differences, so that they are independent.
            across = 1 if axis > 0 else samples.dim() - 1
            pairs = (
                zip(torch.split(samples, 8, across), torch.split(gradient, 8, across), strict=True)
                if across != 1 + axis
                else [(samples, gradient)]
            )
            for piece, into in pairs:
                if self.periodic:
                    steps = piece.roll(-1, 1 + axis) - piece
                    pull = steps + COLOR_GRAIN * (steps - steps.mean(0, keepdim=True))
                    into.add_(pull.roll(1, 1 + axis), alpha=2 * scale).sub_(pull, alpha=2 * scale)
                else:
                    steps = piece.diff(dim=1 + axis)
                    pull = steps + COLOR_GRAIN * (steps - steps.mean(0, keepdim=True))
                    length = steps.shape[1 + axis]
                    into.narrow(1 + axis, 1, length).add_(pull, alpha=2 * scale)
                    into.narrow(1 + axis, 0, length).sub_(pull, alpha=2 * scale)
                cost += scale * (steps * pull).sum()
        return float(cost)


@dataclass(frozen=True)
class NearnessTerm:
    """How far samples are, block by block, from a field: weight · Σ d̄² / (samples · variance), where d̄ are the
    means of the differences over blocks.

    With it a finer stage keeps what a coarser one has composed, and is free within a block. Before it is weighted,
    a cost of 1 is as far as the field's own samples are from their mean. near: (C, *S), the field. side: how many
    samples a block has along each axis. frames: whether the first axis is one of frames, each with blocks of its
    own. The term is ours.
    """

    weight: float
    near: Tensor
    side: int
    frames: bool
    variance: float

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, *S); its gradient is added to gradient."""
        apart = samples - self.near
        slab = apart.movedim(1, 0) if self.frames else apart[None]
        means = block_means(slab, self.side)
        scale = self.weight / (samples.numel() * self.variance)
        gradient.add_(means.movedim(0, 1) if self.frames else means[0], alpha=2 * scale)
        return float(scale * means.square().sum())


@dataclass(frozen=True)
class PatternTerm:
    """The power of a pattern that repeats with blocks: weight · mean d² / variance over channels and places in a
    block, where d is by how much the mean of the samples at that place, over all blocks, differs from that of all.

    Before it is weighted, a cost of 1 is a pattern with the field's own variance. A slope from end to end, whose
    samples rise within each block, costs something too, and so does chance: less, the more blocks there are. side:
    how many samples a block has along each of `axes`; what is left at their ends does not count. The term is ours.
    """

    weight: float
    side: int
    axes: tuple[int, ...]
    variance: float

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, *S); its gradient is added to gradient."""
        blocks, places = self._split(samples)
        if not blocks.numel():
            return 0.0
        others = [axis for axis in range(1, blocks.dim()) if axis not in places]
        means = blocks.mean(others, keepdim=True)
        apart = means - means.mean(places, keepdim=True)
        scale = self.weight / (apart.numel() * self.variance)
        self._split(gradient)[0].add_(apart, alpha=2 * scale * apart.numel() / blocks.numel())
        return float(scale * apart.square().sum())

    def _split(self, samples: Tensor) -> tuple[Tensor, list[int]]:
        """A view of samples in whole blocks, and the axes of it that go through the places in a block."""
        places = []
        for number, axis in enumerate(sorted(self.axes)):
            along = 1 + axis + number
            shape, count = samples.shape, samples.shape[along] // self.side
            whole = samples.narrow(along, 0, count * self.side)
            samples = whole.view(*shape[:along], count, self.side, *shape[along + 1 :])
            places.append(along + 1)
        return samples, places


class SampleTerm(Protocol):
    """A cost of the samples themselves, without a network."""

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, *S); its gradient is added to gradient."""
        ...
