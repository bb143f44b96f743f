"""A patch as people can look at it: a picture, an animation, three planes of a cube, a wave and its spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from volstyle.grid.field import Axis
from volstyle.judges.units import Patch

_STRIP = 3
_WAVE = (72, 56, 168)
"""Height of a wave, of the spectrum below it, and their width."""
_LEAST_HEARD_S = 0.5
_FINE = 4
_INK = (0.14, 0.13, 0.11)


@dataclass(frozen=True)
class Drawing:
    """frames: pictures (4, H, W) with alpha, one or those of an animation. frame_s: seconds each is shown."""

    frames: tuple[Tensor, ...]
    frame_s: float = 0.0

    @property
    def still(self) -> Tensor:
        """(4, H, W): the picture, or a film strip of the animation."""
        if len(self.frames) <= _STRIP:
            return torch.cat(self.frames, dim=2)
        last = len(self.frames) - 1
        return torch.cat([self.frames[round(i * last / (_STRIP - 1))] for i in range(_STRIP)], dim=2)


def drawings(patch: Patch) -> tuple[Drawing, Drawing]:
    """The patch, and what in it drives the unit; nothing where the unit sees past the border of its input."""
    return _drawing(patch, _colored(patch.samples)), _drawing(patch, _toned(patch.drive))


def sound(patch: Patch) -> tuple[Tensor, float] | None:
    """Samples (T,) in [-1, 1] and their rate in Hz, if the patch is of a signal in time: the patch, and around it
    as much as makes half a second."""
    axis = patch.field.axes[-1]
    if len(patch.field.axes) > 1 or axis.unit != "s":
        return None
    side, (size,) = patch.box[0], patch.field.shape
    around = max(0, math.ceil((_LEAST_HEARD_S / axis.step - (side.stop - side.start)) / 2))
    # Of two channels the first is the middle, of one it is all there is.
    heard = patch.field.samples[0, max(0, side.start - around) : min(size, side.stop + around)]
    heard = heard - heard.mean()
    return 0.9 * heard / heard.abs().max().clamp_min(1e-6), 1 / axis.step


def _colored(samples: Tensor) -> Tensor:
    """(C, *S) as (3, *S) in [0, 1]; a signal is left as it is."""
    if samples.dim() == 2:
        return samples
    return (
        samples.clamp(0, 1)
        if samples.shape[0] == 3
        else samples.mean(0, keepdim=True).expand(3, *samples.shape[1:])
    )


def _toned(drive: Tensor) -> Tensor:
    """Gray where nothing drives the unit; as strong as the strongest, but for one sample in a hundred."""
    if drive.dim() == 2:
        return drive
    strong = drive.abs().flatten().sort().values
    scale = strong[int(0.99 * (len(strong) - 1))].clamp_min(1e-12)
    return _colored(0.5 + 0.5 * drive / scale).clamp(0, 1)


def _drawing(patch: Patch, samples: Tensor) -> Drawing:
    """samples: (3, *S) over the patch's box."""
    if samples.dim() == 2:
        return Drawing((_signal(samples, patch),))
    framed, axes = _framed(patch, samples), list(patch.field.axes)
    while framed.dim() > 4:  # of more than three axes, the middle of the first ones
        framed, axes = framed[:, framed.shape[1] // 2], axes[1:]
    for axis in range(framed.dim() - 1, 0, -1):
        if framed.dim() > 3 and framed.shape[axis] == 1:
            framed = framed.squeeze(axis)
            del axes[axis - 1]
    if framed.dim() == 3:
        return Drawing((framed,))
    if axes[0].name == "t":
        return Drawing(framed.unbind(1), max(axes[0].step, 0.08) if axes[0].unit == "s" else 0.1)
    return Drawing((_planes(framed, axes),))


def _framed(patch: Patch, samples: Tensor) -> Tensor:
    """(4, *W) over the whole window, with alpha 0 past the borders."""
    framed = torch.zeros(4, *(side.stop - side.start for side in patch.window))
    inner = tuple(
        slice(side.start - whole.start, side.stop - whole.start)
        for side, whole in zip(patch.box, patch.window, strict=True)
    )
    framed[(slice(0, 3), *inner)] = samples
    framed[(slice(3, 4), *inner)] = 1
    return framed


def _planes(cube: Tensor, axes: Sequence[Axis]) -> Tensor:
    """The planes through the middle of (4, Z, Y, X), unfolded: y over x, beside it y over z, below it z over x,
    each sample as large as its steps."""
    finest = min(axis.step for axis in axes)
    for axis, step in enumerate((a.step for a in axes), start=1):
        cube = cube.repeat_interleave(max(1, round(step / finest)), dim=axis)
    depth, height, width = cube.shape[1:]
    gap = max(1, round(0.03 * (width + depth)))
    sheet = torch.ones(4, height + gap + depth, width + gap + depth)
    sheet[:, :height, :width] = cube[:, depth // 2]
    sheet[:, :height, width + gap :] = cube[:, :, :, width // 2].transpose(1, 2)
    sheet[:, height + gap :, :width] = cube[:, :, height // 2]
    return sheet


def _signal(samples: Tensor, patch: Patch) -> Tensor:
    """(4, H, W): the waves of (C, T) over their spectrum, at their place in the window."""
    high, deep, wide = _WAVE
    whole, side = patch.window[0], patch.box[0]
    size = whole.stop - whole.start
    left, right = (round(wide * (edge - whole.start) / size) for edge in (side.start, side.stop))
    picture = torch.zeros(4, high + deep, wide)
    picture[:, :high, left:right] = _wave(samples, high, right - left)
    picture[:, high:, left:right] = _spectrum(samples, deep, right - left)
    return picture


def _wave(samples: Tensor, height: int, width: int) -> Tensor:
    """(4, height, width): the waves of (C, T) in ink on white."""
    centered = samples - samples.mean(1, keepdim=True)
    scaled = 0.46 * centered / centered.abs().max().clamp_min(1e-9)
    canvas = np.zeros((height * _FINE, width * _FINE), np.uint8)
    across = np.linspace(0, width * _FINE - 1, scaled.shape[1])
    for line in (0.5 - scaled.numpy()) * height * _FINE:
        points = np.stack([across, line], axis=1).round().astype(np.int32)
        cv2.polylines(canvas, [points], isClosed=False, color=255, thickness=_FINE, lineType=cv2.LINE_AA)
    ink = torch.from_numpy(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)).float() / 255
    return torch.cat([1 - ink * (1 - torch.tensor(_INK).view(3, 1, 1)), torch.ones(1, height, width)])


def _spectrum(samples: Tensor, height: int, width: int) -> Tensor:
    """(4, height, width): loudness of (C, T) over 60 dB, low frequencies at the bottom."""
    size = min(512, 2 ** max(3, int(math.log2(max(samples.shape[1] // 4, 8)))))
    centered = samples - samples.mean(1, keepdim=True)
    padded = functional.pad(centered, (size // 2, size // 2), mode="replicate")
    window = torch.hann_window(size)
    found = torch.stft(padded, size, max(1, size // 8), window=window, center=False, return_complex=True)
    loud = found.abs().square().sum(0).sqrt()
    decibels = 20 * (loud / loud.max().clamp_min(1e-9)).clamp_min(1e-3).log10()
    grid = cv2.resize((1 + decibels / 60).flip(0).numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
    colored = cv2.applyColorMap((grid.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    rgb = torch.from_numpy(colored[..., ::-1].copy()).permute(2, 0, 1).float() / 255
    return torch.cat([rgb, torch.ones(1, height, width)])
