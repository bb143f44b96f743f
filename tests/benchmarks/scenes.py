"""A moving scene whose motion is known: a disc that crosses a background that pans, both with a texture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tests.benchmarks.common import picture
from volstyle.grid.field import Axis, Field
from volstyle.motion.flow import warp

PAN, DISC = (0.75, 0.25), (-1.5, 0.5)
"""Samples a frame, right and down."""


@dataclass(frozen=True)
class KnownScene:
    """clip: (3, T, H, W). inside: (T, H, W), where the disc is."""

    clip: Field
    inside: Tensor

    def flow(self, gap: int) -> Tensor:
        """(T − gap, 2, H, W), where each sample of frame t is in frame t + gap."""
        disc = self.inside[: len(self.inside) - gap, None]
        ours, around = (torch.tensor(speed).view(1, 2, 1, 1) * gap for speed in (DISC, PAN))
        return torch.where(disc, ours, around)

    def back(self, t: int) -> Tensor:
        """(2, H, W), where each sample of frame t is in the first."""
        disc, pan = (torch.tensor(speed).view(2, 1, 1) * -t for speed in (DISC, PAN))
        return torch.where(self.inside[t], disc, pan)

    def visible(self, gap: int) -> Tensor:
        """(T − gap, H, W), what of frame t is in frame t + gap and not behind the disc."""
        now, then = self.inside[: len(self.inside) - gap], self.inside[gap:]
        height, width = now.shape[1:]
        flow = self.flow(gap)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        right, down = x + flow[:, 0], y + flow[:, 1]
        there = (right >= 0) & (right <= width - 1) & (down >= 0) & (down <= height - 1)
        covered = warp(then[:, None].float(), flow)[:, 0] > 0.5
        return there & (now | ~covered)


def known_scene(frames: int, height: int, width: int) -> KnownScene:
    """Both textures are sampled between their samples, as a camera does."""
    margin = 2 * frames + 8
    large = (height + 2 * margin, width + 2 * margin)
    background, coat = (_texture(*large, seed=seed) for seed in (1, 2))
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    pictures, inside = [], []
    for t in range(frames):
        center = (width * 0.7 + DISC[0] * t, height * 0.4 + DISC[1] * t)
        disc = (x - center[0]).square() + (y - center[1]).square() < (height / 4) ** 2
        back, front = (
            _seen(texture, margin, height, width, (speed[0] * t, speed[1] * t))
            for texture, speed in ((background, PAN), (coat, DISC))
        )
        pictures.append(torch.where(disc, front, back))
        inside.append(disc)
    axes = (Axis("t", 0.04, "s"), Axis("y"), Axis("x"))
    return KnownScene(Field(torch.stack(pictures, dim=1), axes), torch.stack(inside))


def _texture(height: int, width: int, seed: int) -> Tensor:
    """Noise of several sizes, in color."""
    levels = [
        torch.nn.functional.interpolate(
            picture(-(-height // step), -(-width // step), seed=seed + step)[None], (height, width), mode="bicubic"
        )[0]
        for step in (2, 6, 16)
    ]
    total = sum(levels, torch.zeros(3, height, width))
    return ((total - total.mean()) / total.std() * 0.18 + 0.5).clamp(0, 1)


def _seen(texture: Tensor, margin: int, height: int, width: int, shift: tuple[float, float]) -> Tensor:
    flow = torch.empty(1, 2, *texture.shape[1:])
    flow[:, 0], flow[:, 1] = -shift[0], -shift[1]
    moved = warp(texture[None], flow)[0]
    return moved[:, margin : margin + height, margin : margin + width]
