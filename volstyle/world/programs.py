"""Programs, which say what the leaves of a picture are like, and palettes, which say what colors they have."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

SOLID = ("pitch", "stretch", "lean", "spin")
"""The entries of a program that make a difference with three axes only."""


@dataclass(frozen=True)
class Programs:
    """What the leaves of P programs are like. Each entry is (P,). Lengths are in widths of the picture.

    cell: the width of a cell of the coarsest grid. ratio: how many times finer each grid is than the one before
    it. fill, thin: the share of cells that have a leaf in the coarsest layer, and how much smaller it is in each
    finer layer. jitter: how far leaves lie from the middles of their cells; 0 is a regular tiling. radius, spread:
    the size of leaves relative to cells, and how unequal they are. aspect: the length of a leaf over its width.
    aligned: 1 for leaves that follow the flow, 0 for leaves that lie anyhow. angle, swirl, whirl: the direction of
    the flow, how far it turns, and how often. bend: how far the spine of a leaf is bent. power: 2 for round
    leaves, more for boxy ones. lobes, lobe_depth: how many lobes a contour has, and how deep they are. soft: the
    width of a blurred border. shade: the strength of the relief. outline, outline_width: the strength and the
    width of a line along the border. frequency: how many waves the texture has in the width of the picture.
    oriented: 1 for stripes, 0 for a texture that is the same all around. turned: the angle of the stripes against
    the leaf. warp: how far the domain of the texture is warped. sharp: 0 for waves, more for hard stripes. amount:
    the strength of the texture. levels: how many levels colors have. twist: how far the domain of the whole
    picture is twisted. canvas, rough: the strength and the exponent of the noise over all.

    With three axes also: pitch: the angle between the last axis and the axis along which leaves are stretched.
    stretch: how far they are stretched; below 1 they are pressed flat. lean: how far each layer leans against the
    coarser one. spin: how far everything turns along the last axis.
    """

    cell: Tensor
    ratio: Tensor
    fill: Tensor
    thin: Tensor
    jitter: Tensor
    radius: Tensor
    spread: Tensor
    aspect: Tensor
    aligned: Tensor
    angle: Tensor
    swirl: Tensor
    whirl: Tensor
    bend: Tensor
    power: Tensor
    lobes: Tensor
    lobe_depth: Tensor
    soft: Tensor
    shade: Tensor
    outline: Tensor
    outline_width: Tensor
    frequency: Tensor
    oriented: Tensor
    turned: Tensor
    warp: Tensor
    sharp: Tensor
    amount: Tensor
    levels: Tensor
    twist: Tensor
    canvas: Tensor
    rough: Tensor
    pitch: Tensor
    stretch: Tensor
    lean: Tensor
    spin: Tensor

    @staticmethod
    def draw(count: int, seed: int) -> Programs:
        """Draw programs at random."""
        generator = torch.Generator().manual_seed(seed)

        def uniform(low: float, high: float, power: float = 1.0) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator) ** power

        def ratio(low: float, high: float, power: float = 1.0) -> Tensor:
            return torch.exp(uniform(math.log(low), math.log(high), power))

        return Programs(
            cell=ratio(0.1, 0.7),
            ratio=ratio(1.0, 1.8),
            fill=uniform(0.35, 1.2).clamp(max=1),
            thin=uniform(0.5, 1),
            jitter=uniform(-0.2, 1.3).clamp(0, 1),
            radius=ratio(0.3, 0.85),
            spread=uniform(0, 1),
            aspect=ratio(1, 7),
            aligned=uniform(0, 1.6).clamp(max=1),
            angle=uniform(0, math.pi),
            swirl=uniform(0, 2.5),
            whirl=uniform(0.5, 2),
            bend=uniform(-0.5, 0.5),
            power=ratio(1.3, 6),
            lobes=uniform(0, 6).floor(),
            lobe_depth=uniform(0, 0.4, 2),
            soft=ratio(0.004, 0.05, 1.5),
            shade=uniform(-0.5, 1).clamp(0, 1),
            outline=uniform(-0.8, 1).clamp(0, 1),
            outline_width=ratio(0.006, 0.025),
            frequency=ratio(2, 25),
            oriented=uniform(0, 1.4).clamp(max=1),
            turned=uniform(-0.3, 1).clamp(min=0) * math.pi / 2,
            warp=uniform(0, 2, 2),
            sharp=ratio(0.4, 7),
            amount=uniform(-0.4, 1).clamp(0, 1),
            levels=uniform(2, 8).floor(),
            twist=uniform(-0.5, 1).clamp(min=0),
            canvas=uniform(-0.8, 1).clamp(min=0) * 0.25,
            rough=uniform(0, 2),
            pitch=uniform(-0.6, 1).clamp(min=0) * math.pi / 2,
            stretch=ratio(0.4, 6),
            lean=uniform(-0.6, 0.6),
            spin=uniform(-0.5, 1).clamp(min=0) * 2,
        )

    def __getitem__(self, labels: Tensor) -> Programs:
        return Programs(**{f.name: getattr(self, f.name)[labels] for f in fields(self)})

    def zoomed(self, by: Tensor) -> Programs:
        """The same programs with everything larger by a factor, (P,)."""
        changed = {name: getattr(self, name) * by for name in ("cell", "soft", "outline_width")}
        return Programs(**{**self.__dict__, **changed, "frequency": self.frequency / by})

    def stacked(self) -> Tensor:
        """All entries as one tensor (entries, P), in the order of the fields."""
        return torch.stack([getattr(self, f.name) for f in fields(self)])

    def traits(self, axes: int) -> Tensor:
        """What a network may be asked about programs that paint on so many axes, (P, T): each entry, scaled to
        mean 0 and deviation 1. The angle, at most half a turn, is given by the cosine and sine of its double."""
        silent = {"angle"} if axes > 2 else {"angle", *SOLID}
        rows = [getattr(self, f.name) for f in fields(self) if f.name not in silent]
        table = torch.stack([*rows, torch.cos(2 * self.angle), torch.sin(2 * self.angle)], dim=1)
        return (table - table.mean(0)) / table.std(0)


def draw_palettes(count: int, generator: torch.Generator) -> Tensor:
    """Draw palettes (count, 4, 3): the middle, reach, pace and phase of a cosine for each of red, green and blue,
    so that a color is middle + reach · cos(2π (pace · t + phase)) for t in [0, 1] (Quilez): from gray to
    saturated, dark to light."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    hued = (uniform(1) > 0.15).float()
    middle = 0.25 + 0.5 * uniform(1) + 0.3 * hued * (uniform(3) - 0.5) * uniform(1)
    reach = (0.12 + 0.5 * uniform(1)) * (1 + 0.6 * hued * (uniform(3) - 0.5))
    pace = 0.5 + uniform(1) + 0.8 * hued * (uniform(3) - 0.5) * uniform(1)
    phase = uniform(1) + hued * (uniform(3) - 0.5) * uniform(1) ** 1.5
    return torch.stack((middle, reach, pace, phase), dim=1)


def varied(palettes: Tensor, generator: torch.Generator) -> Tensor:
    """Palettes (B, 4, 3) made a little lighter or darker, and turned in hue, so that a picture has colors of one
    kind and not one color."""
    shift = torch.tensor([0.06, 0.06, 0.0, 0.1]).view(1, 4, 1)
    return palettes + shift * (torch.rand(palettes.shape[0], 4, 1, generator=generator) - 0.5)
