"""Pictures and solids made by formula: leaves, strokes, pebbles and tiles in layers, each with a texture.

Dead leaves (Lee, Mumford & Huang 2001) and random shaders (Baradad et al. 2022, arXiv 2211.16412) in one. A
*program* says what the leaves of a picture are like: size, form, how they follow a flow, texture, outline, relief.
A seed says where they lie, and a palette, drawn apart from the program, what colors they have. The program is the
label: it is style without color, so a network that tells programs apart must look at form and texture.

Leaves lie in jittered grids, one a cell (Worley 1996), each layer finer than the one before: as many small strokes
as cover the picture, at the cost of eight or nine leaves a layer. Everything random in a leaf is hashed from its
cell with integers, so the same seed gives the same picture anywhere. Places are tuples with an entry for each
axis, x first.

With three axes it is the same world with one axis more: leaves are solids, stretched along a direction of the
program to tubes or pressed to sheets. A clip is such a solid too: what moves is a tube through time that leans,
layers that lean differently pass over one another, and what is short along time comes and goes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from volstyle.world.programs import Programs

LAYERS = 4
"""How many layers of leaves a picture has, from coarse to fine."""
NEIGHBORS = {2: (-1.0, 0.0, 1.0), 3: (-0.5, 0.5)}
"""How many axes a picture has -> which cells, along each axis, have leaves that may cover a sample. With two axes
these are the sample's own cell and the two beside it. With three they are the two nearest, since 27 cells would
cost three times as much as 8."""
_REACH = {2: 1.0, 3: 0.9}
"""How many axes a picture has -> by how much the radius of leaves is multiplied, so that they end within those
cells."""
_TURN = 2 * math.pi

Place = tuple[Tensor, ...]
Turn = tuple[Tensor, Tensor]
"""The cosine and the sine of an angle."""


def paint(
    programs: Tensor,
    palettes: Tensor,
    scene: Tensor,
    salt: Tensor,
    size: int,
    *,
    axes: int = 2,
    compiled: bool = False,
) -> Tensor:
    """Draw B pictures, or solids: (B, 3, size, …) with as many sides as axes, nearly all of it in [0, 1]. The same
    numbers give the same pictures.

    programs: B programs, as `Programs.stacked` lays them out. palettes: (B, 4, 3). scene: (B, 12) in [0, 1], which
    says where the flows and grids lie. salt: (B,) integers that all hashes begin with. compiled: whether
    torch.compile makes the kernel, which takes a minute and is then some fifteen times as fast.
    """
    ground, leaves = _painters(compiled)
    picture, place = ground(programs, palettes, scene, size, axes)
    for layer in range(LAYERS):
        numbers, hashes = _layer_numbers(programs, scene, layer), salt + 7919 * layer
        for offset in itertools.product(NEIGHBORS[axes], repeat=axes):
            step = torch.tensor(offset, device=scene.device)
            picture = leaves(picture, place, step, numbers, hashes, programs, palettes, scene)
    return picture


def _layer_numbers(programs: Tensor, scene: Tensor, layer: int) -> Tensor:
    """The numbers of a layer that are the same for all samples of a picture, worked out before the kernel, (10,
    B): the width of a cell, the share of cells with a leaf; the directions of the grid, of the texture in a leaf
    and of the light; the root of the aspect; and how far the layer leans."""
    p = Programs(*programs)
    tilt, light = p.angle + 2.4 * layer, _TURN * scene[:, 3]
    directions = [f(angle) for angle in (tilt, -p.turned, light) for f in (torch.cos, torch.sin)]
    slim, lean = p.aspect.sqrt(), p.lean * layer
    return torch.stack((p.cell / p.ratio**layer, p.fill * p.thin**layer, *directions, slim, lean))


@cache
def _painters(compiled: bool) -> tuple[Callable[..., tuple[Tensor, Tensor]], Callable[..., Tensor]]:
    if not compiled:
        return _paint_ground, _paint_leaves
    return torch.compile(_paint_ground, dynamic=False), torch.compile(_paint_leaves, dynamic=False)


def _paint_ground(
    programs: Tensor, palettes: Tensor, scene: Tensor, size: int, axes: int
) -> tuple[Tensor, Tensor]:
    """The picture before leaves fall on it (B, 3, *S), and the places of its samples after the picture was twisted
    (B, axes, *S)."""
    p = Programs(*_wide(programs, axes))
    s = _wide(scene.T, axes)
    grid = (torch.arange(size, device=scene.device) + 0.5) / size
    sides = (tuple(size if axis == side else 1 for side in range(axes)) for axis in reversed(range(axes)))
    x, y, *rest = _posed(tuple(grid.view(1, *side) for side in sides), p)
    twist = 0.06 * p.twist
    place: Place = (
        x + twist * torch.sin(_TURN * (1.7 * y + s[0]) + 2 * torch.sin(_TURN * (x + s[1]))),
        y + twist * torch.sin(_TURN * (1.5 * x + s[2]) + 2 * torch.sin(_TURN * (1.2 * y + s[3]))),
        *rest,
    )
    waves = _waves(_turned(place, _turn(_flow(place, p, s))), p, (s[4], s[5], s[6]))
    picture = torch.stack(_color(s[7] + 0.25 * p.amount * waves, palettes), dim=1)
    return picture, torch.stack([v.expand(-1, *picture.shape[2:]) for v in place], dim=1)


def _posed(place: Place, p: Programs) -> Place:
    """Places in a frame of reference in which the leaves of a program are round, where there are more than two
    axes. Leaves are stretched along the last axis of this frame."""
    if len(place) < 3:
        return place
    x, y, *rest, last = _turned(place, _turn(p.angle), _turn(p.pitch))
    last = last / p.stretch
    return (*_turned((x, y), _turn(p.spin * (last - 0.5))), *rest, last)


def _paint_leaves(
    picture: Tensor,
    place: Tensor,
    offset: Tensor,
    numbers: Tensor,
    salt: Tensor,
    programs: Tensor,
    palettes: Tensor,
    scene: Tensor,
) -> Tensor:
    """Draw, for each sample, the leaf of the cell at an offset from the sample's own. Taking one offset after the
    other gives the leaves an order that is the same everywhere. numbers: see `_layer_numbers`."""
    axes = place.shape[1]
    p = Programs(*_wide(programs, axes))
    s = _wide(scene.T, axes)
    cell, fill, cos, sin, texture_cos, texture_sin, light_cos, light_sin, slim, lean = _wide(numbers, axes)
    own = tuple(v / cell for v in _turned(_leaning(place.unbind(1), lean), (cos, sin)))
    index = tuple((v + o).floor() for v, o in zip(own, offset.unbind(), strict=True))
    first = _hash(index, salt.view(-1, *(1,) * axes))
    second = _mix(first + 0x1B56C4E9)
    third = _mix(second)
    center = tuple(i + 0.5 + p.jitter * (_part(first, k) - 0.5) for k, i in enumerate(index))
    away = _turned(tuple((v - c) * cell for v, c in zip(own, center, strict=True)), (cos, -sin))
    middle = _turned(tuple(c * cell for c in center), (cos, -sin))
    free = (1 - p.aligned) * math.pi
    angles = (_flow(middle, p, s) + free * (_part(first, 2) - 0.5), free * (_part(third, 1) - 0.5))
    grown = _REACH[axes] * p.radius * cell * torch.exp(p.spread * (_part(first, 3) - 0.7))
    phases = (_part(second, 1), _part(second, 2), _part(second, 3))
    local = _turned(away, *(_turn(angle) for angle in angles[: axes - 1]))
    along, *across = (v / grown for v in local)
    along = along / slim
    across = [(v + p.bend * along.square()) * slim for v in across]
    around = p.lobes * torch.atan2(across[0], along) + _TURN * phases[0]
    reach = _reach((along, *across), 2 * p.power) * (1 + p.lobe_depth * torch.cos(around))
    inside = (1 - reach) * grown / slim  # about the distance to the border
    cover = torch.sigmoid(4 * inside / p.soft) * (_part(second, 0) < fill)
    texture = 0.3 * p.amount * _waves(_turned(local, (texture_cos, texture_sin)), p, phases)
    tone = (_part(third, 0) * p.levels).floor() / p.levels
    light = 1 + 0.6 * p.shade * (along * light_cos + across[0] * light_sin).clamp(-1, 1)
    line = p.outline * torch.exp(-((inside / p.outline_width) ** 2))
    ink = (s[4] > 0.75).float()
    painted = []
    for channel, color in zip(picture.unbind(1), _color(tone + texture, palettes), strict=True):
        lit = color * light
        lit = lit + line * (ink - lit)
        painted.append(channel + cover * (lit - channel))
    return torch.stack(painted, dim=1)


def _leaning(place: Place, lean: Tensor) -> Place:
    """Places of a layer that leans: where there are more than two axes, it moves along the first axis as one goes
    along the last."""
    return place if len(place) < 3 else (place[0] + lean * place[-1], *place[1:])


def _wide(rows: Tensor, axes: int) -> list[Tensor]:
    """Yield the rows of (R, B) one by one, each as (B, 1, …), which broadcasts with samples (B, *S)."""
    return [row.view(-1, *(1,) * axes) for row in rows.unbind()]


def _reach(place: Place, power: Tensor) -> Tensor:
    """The length of a vector by the norm whose ball is a superellipse."""
    total = torch.zeros((), device=power.device)
    for v in place:
        total = total + torch.exp(power * torch.log(v.abs() + 1e-4))
    return torch.exp(torch.log(total) / power)


def _flow(place: Place, p: Programs, s: list[Tensor]) -> Tensor:
    """The angle of strokes at a place."""
    along = sum((v * (u - 0.5) for v, u in zip(place, s, strict=False)), start=s[2])
    return p.angle + p.swirl * torch.sin(_TURN * p.whirl * 1.4 * along)


def _waves(place: Place, p: Programs, phases: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """A texture in [-1, 1]: three waves in a warped domain, and one more for each axis above two. They range from
    sines to hard stripes."""
    a, b, *others = place
    f = _TURN * p.frequency
    round_ = 1 - p.oriented
    b = b * (0.15 + 0.85 * round_)
    bent = 2 * p.warp * torch.sin(f * (0.3 * a + 0.24 * b) + _TURN * phases[2])
    waves = torch.sin(f * a + bent + _TURN * phases[0])
    waves = waves + 0.8 * round_ * torch.sin(f * (1.3 * b + 0.3 * a) + bent + _TURN * phases[1])
    waves = waves + 0.3 * torch.sin(f * (2.3 * a - 1.5 * b) - bent + _TURN * phases[2])
    for c in others:
        waves = waves + 0.8 * round_ * torch.sin(f * (1.2 * c + 0.3 * b) + bent - _TURN * phases[0])
    return torch.tanh(waves * p.sharp)


def _color(t: Tensor, palettes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The colors of a palette at t (B, *S)."""

    def channel(index: int) -> Tensor:
        middle, reach, pace, phase = _wide(palettes[:, :, index].T, t.dim() - 1)
        return (middle + reach * torch.cos(_TURN * (pace * t + phase))).clamp(0, 1)

    return channel(0), channel(1), channel(2)


def _turn(angle: Tensor) -> Turn:
    return torch.cos(angle), torch.sin(angle)


def _turned(place: Place, *turns: Turn) -> Place:
    """Places in a frame of reference that is turned in the plane of the first two axes, then in the plane of the
    second and third, and so on."""
    turned = list(place)
    for axis, (cos, sin) in enumerate(turns):
        a, b = turned[axis : axis + 2]
        turned[axis : axis + 2] = [a * cos + b * sin, b * cos - a * sin]
    return tuple(turned)


def _hash(index: Place, salt: Tensor) -> Tensor:
    mixed = salt
    for place, prime in zip(index, (0x27D4EB2F, 0x165667B1, 0x1F123BB5), strict=False):
        mixed = _mix(mixed + place.int() * prime)
    return mixed


def _mix(x: Tensor) -> Tensor:
    """A hash of int32 that mixes all bits (Wellons 2018, lowbias32, with odd multipliers below 2³¹)."""
    x = (x ^ ((x >> 16) & 0xFFFF)) * 0x21F0AAAD
    x = (x ^ ((x >> 15) & 0x1FFFF)) * 0x735A2D97
    return x ^ ((x >> 15) & 0x1FFFF)


def _part(x: Tensor, byte: int) -> Tensor:
    """One of the four bytes of a hash, as a number in [0, 1)."""
    return ((x >> (8 * byte)) & 0xFF).float() / 256
