"""Which network grows solid textures best from an exemplar of three axes, under judges that none was tuned to.

`builtin3d`, the same layers untrained, `random`, and VGG-19 and `builtin` in planes, each with the taps it
recommends and the recipe of `volstyle volume --shape`, on solids made by other formulas than those of the
training. Beside them another draw of the same solid, the best that there can be, and noise of its levels. Prints a
table, seconds of processor time, and makes a sheet: uv run python -m tests.benchmarks.solids --sheet solids.png

With --rock FILE, how a rock behaves that is made from three of its slices: see `sections`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional

from tests.benchmarks.networks import untrained
from tests.benchmarks.sections import compare
from tests.tiny import stylized
from volstyle.codecs import Encoding, write
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.judges.portilla_simoncelli import scales_of, texture_distance, texture_statistics
from volstyle.media.defaults import defaults
from volstyle.recipe import Recipe
from volstyle_cli.draw.contact_sheet import Captioned, contact_sheet

LAGS = 6
"""Samples along each axis over which two points are compared."""
SLICES = 8


def waves(size: int, seed: int, stretch: tuple[float, float, float], rate: float = 0.12) -> Tensor:
    """(size, size, size) in [0, 1]: noise of about `rate` cycles a sample, longer along some axes, cut hard."""
    generator = torch.Generator().manual_seed(seed)
    whole = torch.fft.fftfreq(size)
    z, y, x = (f * s for f, s in zip(torch.meshgrid(whole, whole, whole, indexing="ij"), stretch, strict=True))
    radius = (z**2 + y**2 + x**2).sqrt()
    band = torch.exp(-(((radius - rate) / (0.25 * rate)) ** 2))
    noise = torch.fft.ifftn(torch.fft.fftn(torch.randn(size, size, size, generator=generator)) * band).real
    return torch.sigmoid(5 * noise / noise.std()) * 0.8 + 0.1


def grains(size: int, seed: int, count: int = 160) -> Tensor:
    """(size, size, size) in [0, 1]: cells around random points, each of its own gray, with dark seams."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 3, generator=generator) * (size + 16) - 8
    tones = 0.35 + 0.6 * torch.rand(count, generator=generator)
    grid = torch.cartesian_prod(*[torch.arange(size).float()] * 3)
    near, cell = torch.cdist(grid, points).topk(2, dim=1, largest=False)
    seam = torch.sigmoid((near[:, 1] - near[:, 0] - 1.2) * 3)
    return (tones[cell[:, 0]] * seam + 0.08 * (1 - seam)).view(size, size, size)


EXEMPLARS: dict[str, Callable[[int, int], Tensor]] = {
    "labyrinth": lambda size, seed: waves(size, seed, (1, 1, 1)),
    "fibers": lambda size, seed: waves(size, seed, (4, 1, 1)),
    "layers": lambda size, seed: waves(size, seed, (1, 3, 3)),
    "grains": grains,
}


def two_point_distance(found: Tensor, target: Tensor) -> float:
    """Relative difference of the autocorrelations of two volumes (Z, Y, X) over lags of up to `LAGS` samples in
    all directions, but for the lag 0 (Torquato 2002, section 2.2)."""
    a, b = _autocorrelation(found), _autocorrelation(target)
    return float((a - b).norm() / b.norm())


def level_distance(found: Tensor, target: Tensor) -> float:
    """Wasserstein-1 distance of the levels of two volumes."""
    ranks = torch.linspace(0, 1, 512)
    lines = [torch.quantile(volume.flatten()[::7], ranks) for volume in (found, target)]
    return float((lines[0] - lines[1]).abs().mean())


def slice_distance(found: Tensor, target: Tensor) -> float:
    """`texture_distance` of slices across each axis and across a diagonal, the mean over directions."""
    return fmean(texture_distance(_told(f), _told(t)) for f, t in zip(_cuts(found), _cuts(target), strict=True))


def _autocorrelation(volume: Tensor) -> Tensor:
    size = [side + LAGS for side in volume.shape]
    apart = volume - volume.mean()
    power = torch.fft.fftn(apart, s=size).abs().square()
    overlap = torch.fft.fftn(torch.ones_like(volume), s=size).abs().square()
    sums, counts = (torch.fft.ifftn(p).real.roll((LAGS,) * 3, (0, 1, 2)) for p in (power, overlap))
    near = (slice(0, 2 * LAGS + 1),) * 3
    lags = sums[near] / counts[near].clamp_min(1)
    lags = lags / lags[LAGS, LAGS, LAGS].clamp_min(1e-9)
    lags[LAGS, LAGS, LAGS] = 0
    return lags


def _cuts(volume: Tensor) -> Iterator[list[Tensor]]:
    """Slices across z, y, x, and across the diagonal of x and y."""
    for axis in range(3):
        planes = volume.movedim(axis, 0)
        yield [planes[i] for i in torch.linspace(0, len(planes) - 1, SLICES).long()]
    size = min(volume.shape)
    u, v = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    shifts = torch.linspace(-0.3, 0.3, SLICES)
    grids = [torch.stack((0.7 * v + shift, -0.7 * v + shift, u), dim=-1)[None, None] for shift in shifts]
    yield [functional.grid_sample(volume[None, None], grid, align_corners=False)[0, 0, 0] for grid in grids]


def _told(planes: list[Tensor]) -> dict[str, Tensor]:
    """Mean statistics of slices."""
    found = [texture_statistics(plane, scales_of(tuple(plane.shape))) for plane in planes]
    return {name: torch.stack([statistics[name] for statistics in found]).mean(0) for name in found[0]}


def judged(found: Tensor, target: Tensor) -> tuple[float, float, float]:
    return two_point_distance(found, target), level_distance(found, target), slice_distance(found, target)


def contestants(folder: Path) -> dict[str, Recipe]:
    """Name -> its recipe."""
    planes = defaults("solid")
    native = planes.set("network.inflation=native")
    return {
        "builtin3d": native,
        "vgg19": defaults("solid", "vgg19"),
        "untrained": native.set(f"network.weights={untrained(folder, 'builtin3d')}"),
        "random": native.set("network.name=random"),
        "planes": planes,
    }


def grown(exemplar: Field, recipe: Recipe) -> Tensor:
    """(Z, Y, X) in the exemplar's size from noise."""
    blank = exemplar.with_samples(torch.full_like(exemplar.samples, 0.5))
    return stylized(blank, [Style(exemplar)], recipe).field.samples[0]


def cube(samples: Tensor) -> Field:
    return Field(samples[None], tuple(Axis(name, 1.0, "mm") for name in "zyx"))


def planes(volume: Tensor) -> Tensor:
    """(3, H, W): the middle slices across z and x, side by side."""
    middle = volume.shape[0] // 2
    pair = torch.cat((volume[middle], torch.ones(volume.shape[1], 2), volume[:, :, middle]), dim=1)
    return pair.expand(3, *pair.shape).repeat_interleave(3, 1).repeat_interleave(3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=48, help="samples along each side")
    parser.add_argument("--steps", type=int, default=40, help="of each stage")
    parser.add_argument("--sheet", type=Path, help="a PNG of slices of all")
    parser.add_argument("--only", nargs="*", help="names of contestants")
    parser.add_argument("--exemplars", nargs="*", default=list(EXEMPLARS), help="names of exemplars")
    parser.add_argument("--rock", type=Path, help="a volume of phases: made anew from three of its slices")
    parser.add_argument(
        "--at", type=int, nargs=3, help="the slices of --rock across z, y and x; typical ones if not"
    )
    given = parser.parse_args()
    if given.rock:
        compare(given.rock, given.at, given.size, given.only, given.sheet)
        return
    chosen = {name: EXEMPLARS[name] for name in given.exemplars}
    targets = {name: make(given.size, 0) for name, make in chosen.items()}
    rows: list[list[Captioned]] = [[(name, planes(target)) for name, target in targets.items()]]
    print(f"{'':14} seconds | two points, levels, slices (Portilla–Simoncelli); the mean, then slices of each")
    others = {name: make(given.size, 1) for name, make in chosen.items()}
    _tell("another draw", 0.0, {name: judged(others[name], target) for name, target in targets.items()})
    shuffled = {name: t.flatten()[torch.randperm(t.numel())].view_as(t) for name, t in targets.items()}
    _tell("noise", 0.0, {name: judged(shuffled[name], target) for name, target in targets.items()})
    with tempfile.TemporaryDirectory() as folder:
        for name, recipe in contestants(Path(folder)).items():
            if given.only and name not in given.only:
                continue
            began = time.process_time()
            recipe = recipe.set(f"schedule.steps={given.steps}")
            found = {key: grown(cube(target), recipe) for key, target in targets.items()}
            seconds = (time.process_time() - began) / len(found)
            _tell(name, seconds, {key: judged(volume, targets[key]) for key, volume in found.items()})
            rows.append([(f"{name}, {key}", planes(volume)) for key, volume in found.items()])
            if given.sheet:
                height, width = rows[0][0][1].shape[1:]
                write(given.sheet, contact_sheet(rows, height, width), Encoding(force=True))


def _tell(name: str, seconds: float, scores: Mapping[str, tuple[float, float, float]]) -> None:
    means = " ".join(f"{fmean(column):6.3f}" for column in zip(*scores.values(), strict=True))
    each = " ".join(f"{key} {score[2]:.3f}" for key, score in scores.items())
    print(f"{name:14} {seconds:7.1f} | {means} | {each}", flush=True)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
