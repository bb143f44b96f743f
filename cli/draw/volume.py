"""Pictures of volumes: three planes and an oblique one, before and after; and a clip in which a volume turns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.media.picture import squared

from .contact_sheet import contact_sheet

_CELL = 300
_FRAMES, _LONGEST, _SIDE = 48, 128, 384
_NAMES = ("across z", "across y", "across x", "oblique")


def before_and_after(content: Field) -> Callable[[Tensor], Field]:
    """A function that makes a picture of samples (C, z, y, x) in [0, 1], of any size, below those of the
    content."""
    given = [(f"before, {name}", plane) for name, plane in zip(_NAMES, _planes(content), strict=True)]

    def draw(samples: Tensor) -> Field:
        now = content.with_samples(resize(samples, content.shape).clamp(0, 1))
        came = [(f"after, {name}", plane) for name, plane in zip(_NAMES, _planes(now), strict=True)]
        return contact_sheet([given, came], _CELL, _CELL, whole=True)

    return draw


def _planes(volume: Field) -> list[Tensor]:
    """The planes as pictures (3, H, W), in which a pixel is as large as a step of the finest axis."""
    samples = volume.samples.expand(3, *volume.shape)
    _, depth, height, width = samples.shape
    z, y, x = (axis.step for axis in volume.axes)
    lines = torch.arange(max(height, width))
    rows = (lines * (height - 1) / (len(lines) - 1 or 1)).round().long()
    columns = (lines * (width - 1) / (len(lines) - 1 or 1)).round().long()
    diagonal = float(np.hypot(height * y, width * x)) / len(lines)
    return [
        squared(samples[:, depth // 2], y, x),
        squared(samples[:, :, height // 2], z, x),
        squared(samples[:, :, :, width // 2], z, y),
        squared(samples[:, :, rows, columns], z, diagonal),
    ]


def turning(volume: Field) -> Field:
    """A clip that goes around the z axis, and shows the largest intensity along each line of sight."""
    samples = volume.samples if len(volume.axes) == 3 else volume.samples[:, 0]
    axes = volume.axes[-3:]
    if len(samples) != 3:
        low, high = torch.quantile(
            samples.flatten()[:: max(1, samples.numel() // 2**20)], torch.tensor([0.01, 0.998])
        )
        samples = ((samples[:1] - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    elif samples.max() > 1:
        samples = samples / samples.max()
    extents = [size * axis.step for size, axis in zip(samples.shape[1:], axes, strict=True)]
    scale = min(_LONGEST / max(extents), 1 / min(axis.step for axis in axes))
    small = resize(samples, tuple(max(1, round(extent * scale)) for extent in extents)).clamp(0, 1).numpy()
    from scipy import ndimage  # a second of import, which only turning needs

    frames = []
    for angle in np.linspace(0, 360, _FRAMES, endpoint=False):
        turned = ndimage.rotate(small, angle, axes=(2, 3), order=1, reshape=True, prefilter=False)
        frames.append(_centered(turned.max(axis=2), max(small.shape[1:])))
    clip = torch.from_numpy(np.stack(frames, axis=1))
    clip = resize(clip, (_FRAMES, _SIDE, _SIDE)).clamp(0, 1).expand(3, -1, -1, -1)
    return Field(clip.contiguous(), (Axis("t", 1 / 24, "s"), Axis("y"), Axis("x")))


def _centered(picture: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    """A picture (C, H, W) in the middle of a frame that is large enough for it whichever way it is turned."""
    side = int(longest * 1.5)
    frame = np.zeros((len(picture), side, side), np.float32)
    height, width = picture.shape[1:]
    top, left = (side - height) // 2, (side - width) // 2
    frame[:, top : top + height, left : left + width] = picture
    return frame
