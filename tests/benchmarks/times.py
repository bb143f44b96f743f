"""A volume over time: how much of a still background flickers, styled time by time and held together.

A ball moves through a still body of soft blobs, under the noise of a scan that is another at each time. Printed
are the mean squares of the change from one time to the next, and from the first to the last, where the content
stands still, as multiples of the content's own; the same where the ball moves; and the Portilla–Simoncelli
distance of each time from the style:

    uv run python -m tests.benchmarks.times --network vgg19
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

import volstyle
from tests.benchmarks.common import image
from volstyle.codecs import read
from volstyle.grid.field import Axis, Field
from volstyle.judges.portilla_simoncelli import scales_of, texture_distance, texture_statistics

NOISE = 0.01


def moving(times: int, size: int, noise: float = NOISE) -> tuple[Tensor, Tensor]:
    """(1, times, size, size, size) in [0, 1], and (size, size, size), True where it stands still at all times."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 1, 6, 6, 6, generator=generator)
    body = torch.nn.functional.interpolate(coarse, (size,) * 3, mode="trilinear", align_corners=True)[0, 0]
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, size)] * 3, indexing="ij"))
    moments, still = [], torch.ones(size, size, size, dtype=torch.bool)
    for time_ in range(times):
        center = torch.tensor([0.0, 0.0, -0.6 + 1.2 * time_ / max(times - 1, 1)]).view(3, 1, 1, 1)
        apart = (grid - center).square().sum(0).sqrt()
        seen = torch.where(apart < 0.25, torch.tensor(0.95), 0.15 + 0.6 * body)
        still &= apart > 0.25 + 8 / size  # four samples beyond the ball
        moments.append((seen + noise * torch.randn(seen.shape, generator=generator)).clamp(0, 1))
    return torch.stack(moments)[None], still


def flicker(samples: Tensor, still: Tensor) -> tuple[float, float, float]:
    """Mean squares of changes of (1, T, z, y, x): between neighbors and between the ends where it is still, and
    between neighbors elsewhere."""
    near = samples[0].diff(dim=0).square()
    ends = (samples[0, -1] - samples[0, 0]).square()
    return float(near[:, still].mean()), float(ends[still].mean()), float(near[:, ~still].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", type=Path)
    parser.add_argument("--network", default="vgg19")
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=30, help="of the last of two stages")
    parser.add_argument("--weights", type=float, nargs="*", default=[0.0, 1.0], help="temporal.weight")
    given = parser.parse_args()
    samples, still = moving(given.times, given.size)
    content = Field(samples, (Axis("t"), Axis("z"), Axis("y"), Axis("x")))
    style = read(given.style) if given.style else image(96, 96, seed=1)
    own = flicker(samples, still)
    print(f"content: {own[0] ** 0.5:.4f}, {own[1] ** 0.5:.4f}, {own[2] ** 0.5:.4f} (roots of mean squares)")
    print("weight  seconds | still: neighbors, ends | moving | texture of each time")
    for weight in given.weights:
        choices = {
            "network.name": given.network,
            "schedule.steps": given.steps,
            "schedule.smallest": 16,
            "temporal.weight": weight,
            "volume.window": "0,1",
        }
        began = time.process_time()
        made = volstyle.style(content, [style], medium="volume", choices=choices).field.samples
        near, ends, moved = (now / then for now, then in zip(flicker(made, still), own, strict=True))
        texture = " ".join(f"{_texture(each, style.samples):.3f}" for each in made[0])
        seconds = time.process_time() - began
        print(f"{weight:6} {seconds:8.0f} | {near:7.1f} {ends:7.1f} | {moved:6.2f} | {texture}", flush=True)


def _texture(volume: Tensor, style: Tensor) -> float:
    plane = style.mean(0)
    scales = scales_of(tuple(volume.shape[1:]), tuple(plane.shape))
    target = texture_statistics(plane, scales)
    slices = [volume.select(axis, volume.shape[axis] // 2) for axis in range(3)]
    found = [texture_distance(texture_statistics(one, scales), target) for one in slices]
    return sum(found) / len(found)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
