"""A picture of any field, to be looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize

_LONGEST = 512
_HEIGHT, _WIDTH = 160, 800
_INK, _PAPER = 0.25, 0.975


def png(field: Field) -> bytes:
    """A PNG of `picture`."""
    import cv2  # half a second that nobody needs who looks at nothing

    levels = (255 * picture(field).clamp(0, 1)).round().to(torch.uint8)
    done, data = cv2.imencode(".png", levels.flip(0).permute(1, 2, 0).numpy())
    assert done
    return data.tobytes()


def picture(field: Field) -> Tensor:
    """(3, H, W) in [0, 1]: an image itself, the middle frame of a clip, the middle planes of a volume side by side
    in its own proportions, the curve of a signal."""
    names = "".join(axis.name for axis in field.axes)
    if names == "t":
        return _curve(field.samples)
    samples = field.samples
    if names.startswith("t"):
        samples = samples[:, field.shape[0] // 2]
    if samples.dim() == 3:
        return _fitted(_colored(samples))
    low, high = samples.aminmax()
    if low < 0 or high > 1:
        samples = (samples - low) / (high - low).clamp_min(1e-12)
    steps = [axis.step for axis in field.axes[-3:]]
    middles = [samples.select(axis, samples.shape[axis] // 2) for axis in (1, 2, 3)]
    sides = [steps[:axis] + steps[axis + 1 :] for axis in range(3)]
    planes = [
        _fitted(squared(_colored(plane), down, right)) for plane, (down, right) in zip(middles, sides, strict=True)
    ]
    height = max(plane.shape[1] for plane in planes)
    margins = [divmod(height - plane.shape[1], 2) for plane in planes]
    padded = [
        torch.nn.functional.pad(plane, (0, 0, half, half + odd))
        for plane, (half, odd) in zip(planes, margins, strict=True)
    ]
    return torch.cat(padded, dim=2)


def squared(plane: Tensor, down: float, right: float) -> Tensor:
    """A plane (C, H, W) whose samples are so far apart along its two axes, on samples as far apart along both as
    along the finer one, so that it is shown without distortion."""
    finest = min(down, right)
    shape = (round(plane.shape[1] * down / finest), round(plane.shape[2] * right / finest))
    return resize(plane, (max(1, shape[0]), max(1, shape[1]))).clamp(0, 1)


def _colored(samples: Tensor) -> Tensor:
    """(3, H, W) of 3 channels, else of the first one."""
    return samples if len(samples) == 3 else samples[:1].expand(3, *samples.shape[1:])


def _fitted(samples: Tensor) -> Tensor:
    size = tuple(samples.shape[1:])
    return samples if max(size) <= _LONGEST else resize(samples, fitted(size, _LONGEST, (False, False)))


def _curve(samples: Tensor) -> Tensor:
    """Each column is dark from the lowest to the highest sample of its share of the first channel."""
    line = samples[0]
    low, high = line.min(), line.max()
    places = torch.linspace(0, len(line), _WIDTH + 1).long()
    rows = ((high - line) / (high - low).clamp_min(1e-12) * (_HEIGHT - 1)).round().long()
    drawn = torch.full((_HEIGHT, _WIDTH), _PAPER)
    for column in range(_WIDTH):
        share = rows[places[column] : max(int(places[column]) + 1, int(places[column + 1]))]
        drawn[int(share.min()) : int(share.max()) + 1, column] = _INK
    return drawn.expand(3, -1, -1)
