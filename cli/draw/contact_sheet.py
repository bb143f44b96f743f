"""Contact sheets: pictures of one size in rows, each with a line of text below."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize

_MARGIN, _LINE, _FINE = 28, 40, 4
_PAPER, _INK = 0.975, 0.25

Captioned = tuple[str, Tensor]
"""A line of text, and the picture (3, H, W) in [0, 1] above it."""


def contact_sheet(rows: Sequence[Sequence[Captioned]], height: int, width: int, *, whole: bool = False) -> Field:
    """The sheet as a picture. Each picture is cropped to the shape of a cell and scaled to it. whole: whether
    pictures are shown whole instead."""
    columns = max(len(row) for row in rows)
    shape = (
        _MARGIN + len(rows) * (height + _LINE),
        _MARGIN + columns * (width + _MARGIN),
    )
    sheet = torch.full((3, *shape), _PAPER)
    for i, row in enumerate(rows):
        for j, (line, picture) in enumerate(row):
            top, left = _MARGIN + i * (height + _LINE), _MARGIN + j * (width + _MARGIN)
            show = _whole if whole else _filling
            sheet[:, top : top + height, left : left + width] = show(picture, height, width)
            ink = torch.from_numpy(_lettered(line, width))
            below = sheet[:, top + height : top + height + _LINE, left : left + width]
            below.mul_(1 - ink).add_(_INK * ink)
    return Field(sheet, (Axis("y"), Axis("x")))


def _filling(picture: Tensor, height: int, width: int) -> Tensor:
    """The largest part in the middle of a picture that has the shape of a cell."""
    scale = max(height / picture.shape[1], width / picture.shape[2])
    size = (max(height, round(picture.shape[1] * scale)), max(width, round(picture.shape[2] * scale)))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return resize(picture, size).clamp(0, 1)[:, top : top + height, left : left + width]


def _whole(picture: Tensor, height: int, width: int) -> Tensor:
    """A cell of paper with a whole picture in its middle, as large as fits."""
    scale = min(height / picture.shape[1], width / picture.shape[2])
    down, right = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[2] * scale))
    cell = torch.full((3, height, width), _PAPER)
    top, left = (height - down) // 2, (width - right) // 2
    cell[:, top : top + down, left : left + right] = resize(picture, (down, right)).clamp(0, 1)
    return cell


def _lettered(line: str, width: int) -> NDArray[np.float32]:
    """A line of text (_LINE, width), 1 where there is ink. It is drawn larger and then reduced, since the letters
    of OpenCV are coarse."""
    large = np.zeros((_LINE * _FINE, width * _FINE), np.uint8)
    place = (0, 24 * _FINE)
    cv2.putText(large, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * _FINE, 255, _FINE, cv2.LINE_AA)
    small = cv2.resize(large, (width, _LINE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)
