"""Pictures made by formula: leaves, strokes, pebbles and tiles that fall on each other, each with a texture.

Dead leaves (Lee, Mumford & Huang 2001) and random shaders (Baradad et al. 2022, arXiv 2211.16412) in one: a
*program* says what the leaves of a picture are like (size, form, how they follow a flow, their texture, outline,
shading, softness), a seed says where they fall, and a palette, drawn apart from the program, what colors they
have. The program is the label: it is style without color, so a network that tells programs apart must look at
form and texture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

LEAVES = 26
"""That fall on one picture."""
COLORS = 6
"""In a palette."""
_TURN = 2 * math.pi


@dataclass(frozen=True)
class Programs:
    """What the leaves of P programs are like; each entry (P,). Lengths are in picture widths.

    radius, spread: of leaves, and how unequal they are. aspect: length over width. aligned: 1 follow the flow,
    0 lie anyhow. angle, swirl: of the flow. bend: of a leaf's spine. power: 1 round, larger boxy. lobes,
    lobe_depth: of its outline. soft: width of its border. shade: of its relief. outline, outline_width: of its
    contour. frequency: of the texture, per picture width. oriented: 1 stripes, 0 the same all around.
    texture_angle, texture_free: of the stripes, and whether they follow the leaf (0) or the picture (1).
    warp: of the texture's domain. sharp: from waves to stripes. amount: of texture.
    """

    radius: Tensor
    spread: Tensor
    aspect: Tensor
    aligned: Tensor
    angle: Tensor
    swirl: Tensor
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
    texture_angle: Tensor
    texture_free: Tensor
    warp: Tensor
    sharp: Tensor
    amount: Tensor

    @staticmethod
    def draw(count: int, seed: int) -> Programs:
        """Programs at random."""
        generator = torch.Generator().manual_seed(seed)

        def uniform(low: float, high: float, power: float = 1.0) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator) ** power

        def ratio(low: float, high: float, power: float = 1.0) -> Tensor:
            return torch.exp(uniform(math.log(low), math.log(high), power))

        return Programs(
            radius=ratio(0.05, 0.6),
            spread=uniform(0, 1.2),
            aspect=ratio(1, 6, 1.5),
            aligned=uniform(0, 1),
            angle=uniform(0, math.pi),
            swirl=uniform(0, 2.5),
            bend=uniform(-0.5, 0.5),
            power=ratio(1.2, 6),
            lobes=uniform(0, 7).floor(),
            lobe_depth=uniform(0, 0.5, 2),
            soft=ratio(0.004, 0.08, 2),
            shade=uniform(-0.5, 1).clamp(0, 1),
            outline=uniform(-0.6, 1).clamp(0, 1),
            outline_width=ratio(0.006, 0.036),
            frequency=ratio(3, 45),
            oriented=uniform(0, 1),
            texture_angle=uniform(0, math.pi),
            texture_free=uniform(0, 1),
            warp=uniform(0, 2.5, 2),
            sharp=ratio(0.4, 7),
            amount=uniform(-0.2, 1).clamp(0, 1),
        )

    def __getitem__(self, labels: Tensor) -> Programs:
        return Programs(**{f.name: getattr(self, f.name)[labels] for f in fields(self)})

    def zoomed(self, by: Tensor) -> Programs:
        """Everything larger by a factor, (P,)."""
        lengths = ("radius", "soft", "outline_width")
        changed = {name: getattr(self, name) * by for name in lengths}
        return Programs(**{**self.__dict__, **changed, "frequency": self.frequency / by})


def draw_palettes(count: int, generator: torch.Generator) -> Tensor:
    """(count, COLORS, 3) in [0, 1]: from gray to saturated, from one hue to all, from dark to light."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    spread = uniform(count, 1) ** 1.5
    hue = (uniform(count, 1) + (uniform(count, COLORS) - 0.5) * spread) % 1
    saturation = uniform(count, 1) * uniform(count, COLORS).sqrt()
    value = (uniform(count, 1) * 0.5 + uniform(count, COLORS) * 0.7 - 0.1).clamp(0, 1)
    channels = []
    for offset in (5.0, 3.0, 1.0):
        place = (offset + hue * 6) % 6
        channels.append(value - value * saturation * torch.minimum(place, 4 - place).clamp(0, 1))
    return torch.stack(channels, dim=-1)


def paint(programs: Programs, palettes: Tensor, seeds: Tensor, size: int, leaf: Callable[..., Tensor]) -> Tensor:
    """Pictures (B, 3, size, size) in [0, 1].

    programs: of B; palettes: (B, COLORS, 3); seeds: (B, LEAVES + 1, 12) in [0, 1]. leaf: `paint_leaf`, compiled
    or not. The same numbers give the same pictures.
    """
    batch = seeds.shape[0]
    scene = seeds[:, 0]
    picture = palettes[:, 0, :, None, None].expand(batch, 3, size, size).contiguous()
    for index in range(LEAVES):
        seed = seeds[:, index + 1]
        # Large ones first, or they would bury all others: sizes then look like r⁻³.
        shrink = max(1.5 - index / (0.8 * LEAVES), 0.6)
        picks = (seed[:, 10:12] * COLORS).long().clamp(max=COLORS - 1)
        colors = palettes.gather(1, picks[:, :, None].expand(-1, -1, 3))
        parameters = torch.stack([getattr(programs, f.name) for f in fields(Programs)])
        picture = leaf(picture, parameters, scene, seed, colors, torch.tensor(shrink))
    return picture.clamp(0, 1)


def paint_leaf(
    picture: Tensor, parameters: Tensor, scene: Tensor, seed: Tensor, colors: Tensor, shrink: Tensor
) -> Tensor:
    """One leaf on each picture (B, 3, S, S); parameters are those of `Programs` in their order, (21, B)."""
    size = picture.shape[-1]
    p = Programs(*(row.view(-1, 1, 1) for row in parameters))
    u = [column.view(-1, 1, 1) for column in seed.unbind(1)]
    s = [column.view(-1, 1, 1) for column in scene.unbind(1)]
    grid = (torch.arange(size, device=picture.device) + 0.5) / size
    x, y = grid.view(1, 1, size), grid.view(1, size, 1)
    center_x, center_y = u[0] * 1.2 - 0.1, u[1] * 1.2 - 0.1
    flow = p.angle + p.swirl * torch.sin(_TURN * (1.5 * (center_x * s[0] + center_y * s[1]) + s[2]))
    angle = flow + (1 - p.aligned) * (u[2] - 0.5) * math.pi
    radius = p.radius * shrink * torch.exp(p.spread * (1.2 * u[3].square() - 0.3))
    dx, dy = x - center_x, y - center_y
    along = (dx * torch.cos(angle) + dy * torch.sin(angle)) / radius
    across = (dy * torch.cos(angle) - dx * torch.sin(angle)) / radius
    across = across + p.bend * along.square() / p.aspect
    along, across = along / p.aspect.sqrt(), across * p.aspect.sqrt()
    # The form: a superellipse with lobes; `inside` is about the distance to its border.
    power = 2 * p.power
    reach = ((along.abs() + 1e-4) ** power + (across.abs() + 1e-4) ** power) ** (1 / power)
    reach = reach * (1 + p.lobe_depth * torch.cos(p.lobes * torch.atan2(across, along + 1e-6) + _TURN * u[4]))
    inside = (1 - reach) * radius / p.aspect.sqrt()
    cover = torch.sigmoid(2 * inside / p.soft)
    # The texture: three waves in a warped domain, from waves to hard stripes.
    turn = p.texture_angle * p.texture_free + angle * (1 - p.texture_free)
    a = dx * torch.cos(turn) + dy * torch.sin(turn)
    b = (dy * torch.cos(turn) - dx * torch.sin(turn)) * (1 - 0.85 * p.oriented)
    f = _TURN * p.frequency
    warp_a = 2 * p.warp * torch.sin(f * (0.3 * a + 0.22 * b) + _TURN * u[5])
    warp_b = 2 * p.warp * torch.sin(f * (0.37 * b - 0.2 * a) + _TURN * u[6])
    round_ = 1 - p.oriented
    waves = torch.sin(f * a + warp_a + _TURN * u[7])
    waves = waves + 0.7 * round_ * torch.sin(f * (1.3 * b + 0.3 * a) + warp_b + _TURN * u[8])
    waves = waves + 0.45 * round_ * torch.sin(f * (1.1 * a - 1.5 * b) + 0.5 * (warp_a + warp_b) + _TURN * u[9])
    texture = (torch.sigmoid(waves * p.sharp) * p.amount)[:, None]
    color = colors[:, 0, :, None, None] * (1 - texture) + colors[:, 1, :, None, None] * texture
    relief = 0.6 * (along * torch.cos(_TURN * s[3]) + across * torch.sin(_TURN * s[3]))
    color = color * (1 + p.shade * relief.clamp(-0.8, 0.8))[:, None]
    line = (p.outline * torch.exp(-((inside / p.outline_width) ** 2)))[:, None]
    color = color * (1 - line) + line * (s[4] > 0.75)[:, None]
    return picture + (color - picture) * cover[:, None]


@dataclass(frozen=True)
class Batch:
    """pictures: (B, 3, S, S) in [0, 1]; labels: (B,), which program."""

    pictures: Tensor
    labels: Tensor


def draw_batch(
    programs: Programs,
    labels: Tensor,
    size: int,
    generator: torch.Generator,
    leaf: Callable[..., Tensor] = paint_leaf,
) -> Batch:
    """Pictures of the programs with these labels; palettes, places, a zoom and a grain are drawn anew."""
    count = labels.shape[0]
    chosen = programs[labels].zoomed(torch.exp(0.5 * torch.rand(count, generator=generator) - 0.25))
    seeds = torch.rand(count, LEAVES + 1, 12, generator=generator)
    pictures = paint(chosen, draw_palettes(count, generator), seeds, size, leaf)
    return Batch(pictures, labels)
