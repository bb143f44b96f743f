"""A solid that was learned, without an end: any part of it is made when it is asked for, and always the same.

A network for each stage makes it from white noise, coarse to fine, each on a grid twice as fine as the one before.
The noise is a hash of where its samples lie, the networks look no further than their halo, and a coarser grid is
brought to a finer one by weights that depend on the place alone. So a part is made from a window around it, and no
part depends on which others are made.

Source: Gutierrez et al. 2020, "On demand solid texture synthesis using deep 3D networks" (arXiv 2001.04528), whose
network has noise at each of its scales too. That a network for each scale is fitted by the objective of that scale
is ours, and that noise is hashed, so that the solid has no end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor

from volstyle.engine.machine import Machine
from volstyle.errors import ShapeError
from volstyle.grid.noise import noise
from volstyle.grid.tiles import Box
from volstyle.networks.generator import Painter, StageGenerator
from volstyle.networks.inflation import standard_placement

_TILE = 128
"""Samples along each side of what is made at once, at most: larger tiles waste less on halos and take more
memory."""


@dataclass(frozen=True)
class EndlessSolid:
    """A solid without an end. painters: of each stage, coarse to fine. seed: which one it is. device: where
    they work. period: samples after which it begins again along each axis; None for never."""

    painters: tuple[Painter, ...]
    seed: int
    device: torch.device
    period: tuple[int, ...] | None = None

    @staticmethod
    def of(
        generators: Sequence[StageGenerator], seed: int, machine: Machine, period: tuple[int, ...] | None = None
    ) -> EndlessSolid:
        """The solid that networks make, on a machine. Raises ShapeError for a period that does not fit them.

        Networks run in float32 whatever the machine is fastest in: parts that overlap must agree. On the CPU they
        do to the last bit; a GPU may add up in another order for windows of another size.
        """
        axes = generators[0].plan.axes
        placement, shares = standard_placement(axes, axes, "center"), torch.ones(1, device=machine.device)
        painters = tuple(generator.to(machine.device).painter(placement, shares) for generator in generators)
        solid = EndlessSolid(painters, seed, machine.device, period)
        if period is not None and any(side % solid.grain for side in period):
            have = "x".join(map(str, period))
            raise ShapeError(f"periodic: {have} samples, each side must be a multiple of {solid.grain}")
        return solid

    @property
    def grain(self) -> int:
        """The side of the largest block of any stage, in samples: that of a periodic solid is a multiple of it."""
        last = len(self.painters) - 1
        return max(painter.stride << last - number for number, painter in enumerate(self.painters))

    def pieces(self, box: Box) -> Iterator[tuple[Box, Tensor]]:
        """The part in a box, in pieces: where each lies in the box, and its samples (C, *S), as of `part`."""
        for tile in _tiles(box):
            yield _within(tile, box), self.part(tile)

    def count(self, box: Box) -> int:
        """How many pieces a part is made in."""
        return len(_tiles(box))

    def part(self, box: Box, stage: int = -1) -> Tensor:
        """The samples (C, *S) of a box, made at once, not held to [0, 1]: phases are cut of the finest ones, and
        those that were held would be alike. stage: on whose grid the box lies; -1 is the finest."""
        number = range(len(self.painters))[stage]
        outer = self.around(box, number)
        with torch.no_grad():
            made = self.painters[number](*self.given(outer, number))
        return made[(slice(None), *_within(box, outer))]

    def around(self, box: Box, stage: int) -> Box:
        """The window that a stage's network must see to make a box: whole blocks."""
        stride, halo = self.painters[stage].cut
        return tuple(
            slice((side.start - reach) // step * step, -(-(side.stop + reach) // step) * step)
            for side, step, reach in zip(box, stride, halo, strict=True)
        )

    def given(self, box: Box, stage: int) -> tuple[Tensor, Tensor]:
        """What a stage's network takes in a window: noise, and what the stage before made, (C, *S) each."""
        period = None
        if self.period is not None:
            period = [side // 2 ** (len(self.painters) - 1 - stage) for side in self.period]
        fresh = noise((self.seed, stage), box, self.painters[stage].channels, period).to(self.device)
        if not stage:
            return fresh, torch.full_like(fresh, 0.5)
        coarse = tuple(slice(side.start // 2 - 1, -(-side.stop // 2) + 1) for side in box)
        fine = tuple(slice(2 * side.start + 2, 2 * side.stop - 2) for side in coarse)
        return fresh, doubled(self.part(coarse, stage - 1).clamp_(0, 1))[(slice(None), *_within(box, fine))]


def doubled(samples: Tensor) -> Tensor:
    """Samples (C, *S) on a grid twice as fine, but for one sample at each end: (C, *(2 S - 4)), by lines between
    the two nearest. The weights are those of the place alone, and their sums are taken in one order."""
    for axis in range(1, samples.dim()):
        size = samples.shape[axis]
        before, at, after = (samples.narrow(axis, start, size - 2) for start in range(3))
        pair = torch.stack((0.25 * before + 0.75 * at, 0.75 * at + 0.25 * after), axis + 1)
        samples = pair.flatten(axis, axis + 1)
    return samples


def _tiles(box: Box) -> list[Box]:
    """A box cut evenly into tiles whose sides are no longer than `_TILE`."""
    sides = []
    for side in box:
        length = side.stop - side.start
        count = -(-length // _TILE)
        ends = [side.start + length * number // count for number in range(count + 1)]
        sides.append([slice(a, b) for a, b in pairwise(ends)])
    return list(product(*sides))


def _within(box: Box, outer: Box) -> Box:
    return tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, outer, strict=True))
