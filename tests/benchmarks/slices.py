"""A part of a volume's slices at each step beside all of them: what it costs and how good the result is.

A volume is brought to --size and styled in each of the `WAYS`. Judged are slices across z, y and x and oblique
ones across the diagonals of each two axes, by the distance of their mean Portilla–Simoncelli statistics from the
style's; `worst` is that of the worst oblique direction over the mean of the orthogonal ones. What the judge itself
adds is shown by `isotropic`, a solid that is alike in all directions. `flicker` is by how
much the change from one slice to the next differs from that of its neighbors, relative to the mean change: slices
that were seen more often than others would stand out there. Prints seconds of processor time for each way and
makes a sheet:

    uv run python -m tests.benchmarks.slices ct.npz candy.jpg --size 96 --sheet slices.png

What was found, as seconds, distance, worst over orthogonal, flicker. On a CT of 128×64×64 and candy:

    all slices, 10 steps, growth 2                  382, .016, 1.77, .084
    a fifth, 16 at least                            213, .018, 1.60, .066; what is kept
    a fifth, 8 at least                             148, .023, 1.41, .063

On the middle of the same CT at twice the size, 8 slices at least; the gradient between slices is theirs

    all slices                                      291, .016, 2.46, .127
    an eighth, interpolated whole                    70, .020, 1.87, .164; plaid: lines as long as the way between
    a third, interpolated whole                     115, .014, 2.29, .164; a weave, still
    an eighth, broad part alone, fine as at all      73, .028, 2.37, .131; fine parts count 8 times
    an eighth, fine parts count the root             74, .021, 1.62, .125; round forms, cleaner than all slices
    a fifth, fine parts count the root               85, .017, 2.16, .135
    a fifth, fine parts count once                   84, .019, 1.81, .129

On an MRI of 57×67×56 and the Starry Night:

    all slices, 10 steps, growth 2                  109, .033, 1.96, .171
    a fifth, 20 steps, each slice on its own         96 (on the CT), plaid, of slices that were seen last
    a fifth, 20 steps, interpolated whole            49, .035, 1.64, .159; boxes as long as coarse forms
    a fifth, each slice keeping its last gradient    47, .051, 1.52, .162; colored noise (Le Roux et al. 2012)
    a fifth, 8 at least                              50, .040, 1.84, .153; neither

For all of these, oblique slices had 0.7 of the length of straight ones, were interpolated linearly, and those
between y and x lay on their sides. Blurred and cut, they got 3.5 times the distance of straight ones in the
isotropic solid, .004 to .001; as they are judged now, 1.0 to 1.5, of which there is as much between two draws. An
MRI of 57×67×56 by default, before and now:

    woodcut                                         2.12, 1.37
    Starry Night                                    1.80, 1.24
    candy, on a stack of nuclei of 31×61×57         1.37, 1.23

Others as they are judged now, as distance, worst over orthogonal; of small distances much is chance:

    candy, on that MRI                              .024, 1.23
    the CT at 64, candy; Starry Night; woodcut      .063, 1.17; .070, 1.27; .103, 1.09
    the nuclei, Starry Night; woodcut               .009, 1.63; .012, 2.12

Planes at any angle were tried as a fourth view: at each step a cube is sampled out of the volume that is tilted at
random, masked where it ends, and its gradient is brought back, as seconds, distance, worst over orthogonal as
judged now, and the style cost of VGG-19 in straight and in tilted planes. It asks for what is judged well already:

    woodcut, without                                255, .033, 1.37; .46, .77
    woodcut, half the weight beside the others      310, .035, 1.46; .48, .63
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tests.tiny import stylized
from volstyle.codecs import Encoding, read, write
from volstyle.engine.scene import Style
from volstyle.grid.color import luma
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted, resize
from volstyle.judges.portilla_simoncelli import scales_of, texture_distance, texture_statistics
from volstyle.media.defaults import defaults
from volstyle.media.volume import Volume
from volstyle.recipe import Recipe
from volstyle_cli.draw.contact_sheet import contact_sheet

SPACE = tuple(Axis(name) for name in "zyx")
SLICES = 12
"""Slices that are judged in each direction, from the middle half of the volume."""

_REACH = 4
"""How far the kernel reaches by which oblique slices are interpolated, in samples."""

WAYS: dict[str, Mapping[str, Any]] = {
    "default": {},
    "all slices": {"style": {"share": 1.0}, "schedule": {"steps": 10, "growth": 2.0}},
}
"""Name -> what is chosen beside the defaults."""


def directions(volume: Tensor) -> dict[str, list[Tensor]]:
    """Slices (C, H, W) of a volume (C, z, y, x) across each axis and across the diagonals of each two.

    An oblique slice is as large as a straight one, and a sample of it is one step of the grid, so that textures
    keep their size. It is interpolated on a grid twice as fine: linear interpolation on the volume's own would
    blur it, and straight slices are not blurred. Where it lies between two of them that are seen alike, as across
    z and y, it is seen as they are.
    """
    found = {}
    for axis, name in enumerate("zyx"):
        size = volume.shape[1 + axis]
        places = torch.linspace(size / 4, 3 * size / 4, SLICES).long().clamp(max=size - 1)
        found[name] = [volume.select(1 + axis, int(place)) for place in places]
    fine = doubled(volume)
    for along, name in enumerate("zyx"):
        a, b = (axis for axis in range(3) if axis != along)
        side, length = min(volume.shape[1 + a], volume.shape[1 + b]), volume.shape[1 + along]
        run = torch.arange(side) - (side - 1) / 2
        cuts = []
        for shift in torch.linspace(-0.2, 0.2, SLICES) * side:
            grid = torch.zeros(side, length, 3)
            grid[..., along] = torch.arange(length).float()
            grid[..., a] = (volume.shape[1 + a] - 1) / 2 + 0.7071 * (run + shift)[:, None]
            grid[..., b] = (volume.shape[1 + b] - 1) / 2 + 0.7071 * (run - shift)[:, None]
            scaled = 2 * grid / (torch.tensor(volume.shape[1:]) - 1) - 1
            seen = functional.grid_sample(fine[None], scaled.flip(-1)[None, None], align_corners=True)
            cuts.append(seen[0, :, 0].transpose(1, 2) if name == "z" else seen[0, :, 0])
        found[f"oblique {name}"] = cuts
    return found


def doubled(volume: Tensor) -> Tensor:
    """A volume (C, *S) with one sample more between each two, (C, *(2 S - 1)), by Lanczos' kernel of eight."""
    for axis in range(1, volume.dim()):
        size = volume.shape[axis]
        old = torch.arange(-_REACH, size + _REACH)
        way = torch.arange(2 * size - 1)[:, None] / 2 - old
        weights = torch.sinc(way) * torch.sinc(way / _REACH) * (way.abs() < _REACH)
        there_and_back = max(2 * (size - 1), 1)
        mirrored = torch.minimum(old % there_and_back, -old % there_and_back)
        matrix = torch.zeros(2 * size - 1, size).index_add_(1, mirrored, weights / weights.sum(1, keepdim=True))
        volume = torch.tensordot(volume, matrix, dims=([axis], [1])).movedim(-1, axis)
    return volume


def told(slices: list[Tensor], scales: int) -> dict[str, Tensor]:
    """Mean statistics of slices."""
    found = [texture_statistics(luma(plane)[0], scales) for plane in slices]
    return {name: torch.stack([statistics[name] for statistics in found]).mean(0) for name in found[0]}


def judged(volume: Tensor, styles: list[Tensor]) -> dict[str, float]:
    """Direction -> distance of its slices' statistics from the mean of those of styles (C, H, W)."""
    slices = directions(volume)
    scales = scales_of(*(tuple(planes[0].shape[1:]) for planes in slices.values()))
    target = told(styles, scales)
    return {name: texture_distance(told(planes, scales), target) for name, planes in slices.items()}


def isotropic(side: int, seed: int) -> Tensor:
    """A solid (1, side, side, side) of forms with edges, alike in all directions, some eight samples long.
    It is made twice as fine and then made smaller, so that edges are as sharp as a grid can have them."""
    spectrum = torch.fft.fftn(torch.randn((2 * side,) * 3, generator=torch.Generator().manual_seed(seed)))
    along = 2 * torch.fft.fftfreq(2 * side)
    radius = (along[:, None, None].square() + along[:, None].square() + along.square()).sqrt().clamp_min(1e-6)
    band = torch.exp(-0.5 * (torch.log2(radius / 0.12) / 0.7).square())
    waves = torch.fft.ifftn(spectrum * band).real
    return resize((0.5 + 0.4 * torch.tanh(2 * waves / waves.std()))[None], (side,) * 3).clamp(0, 1)


def flicker(volume: Tensor) -> float:
    changes = [luma(volume).diff(dim=1 + axis).abs().movedim(1 + axis, 0).flatten(1).mean(1) for axis in range(3)]
    apart = [(now[1:-1] - (now[2:] + now[:-2]) / 2).abs().mean() / now.mean() for now in changes]
    return float(torch.stack(apart).mean())


def opened(path: Path, size: int) -> Field:
    """A volume in [0, 1] and in colors, at most `size` long."""
    content = Volume.prepare(read(path), None, Recipe().set("volume.color=true")).part(0).content
    shape = fitted(content.shape, size, (False,) * 3)
    return Field(resize(content.samples, shape).clamp(0, 1), SPACE)


def views(volume: Tensor) -> list[Tensor]:
    """The middle slice of each direction, enlarged three times."""
    middle = [planes[SLICES // 2] for name, planes in directions(volume).items() if name not in ("oblique x",)]
    return [plane.repeat_interleave(3, 1).repeat_interleave(3, 2) for plane in middle]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("volume", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=64, help="long side")
    parser.add_argument("--only", nargs="*", default=None, help="names of ways")
    parser.add_argument("--set", nargs="*", default=[], help="a way of its own: KEY=VALUE, as for the command")
    parser.add_argument("--sheet", type=Path, help="a PNG of slices of all")
    given = parser.parse_args()
    content, style = opened(given.volume, given.size), read(given.style)
    base = defaults("volume")
    recipes = {name: base.updated(changes) for name, changes in WAYS.items()}
    if given.set:
        recipes = {"set": replace(base)}
        for change in given.set:
            recipes["set"] = recipes["set"].set(change)
    rows = [[(f"content {n}", view) for n, view in enumerate(views(content.samples))]]
    print(f"{'':10} seconds |  z  y  x, oblique z y x | orthogonal, worst | flicker")
    seen = fitted(style.shape, round(given.size * base.style.scale), (False,) * 2)
    target = resize(style.samples, seen).clamp(0, 1)
    others = [plane for seed in (1, 2) for axis in (1, 2, 3) for plane in isotropic(given.size, seed).unbind(axis)]
    _tell("isotropic", 0.0, isotropic(given.size, 0), others)
    _tell("content", 0.0, content.samples, [target])
    for name in given.only or recipes:
        began = time.process_time()
        made = stylized(content, [Style(style)], recipes[name]).field.samples
        _tell(name, time.process_time() - began, made, [target])
        rows.append([(f"{name} {n}", view) for n, view in enumerate(views(made))])
        if given.sheet:
            side = max(max(view.shape[1:]) for _, view in rows[0])
            write(given.sheet, contact_sheet(rows, side, side, whole=True), Encoding(force=True))


def _tell(name: str, seconds: float, made: Tensor, styles: list[Tensor]) -> None:
    found = judged(made, styles)
    straight = fmean(value for key, value in found.items() if "oblique" not in key)
    worst = max(value for key, value in found.items() if "oblique" in key)
    each = " ".join(f"{value:.3f}" for value in found.values())
    print(
        f"{name:10} {seconds:7.0f} | {each} | {straight:.3f}, {worst / straight:.2f} | {flicker(made):.3f}",
        flush=True,
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
