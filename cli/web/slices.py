"""The slices of a volume before and after styling, as pictures that are made only when they are fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from volstyle.grid.field import Axis, Field
from volstyle.media.picture import squared
from volstyle.media.volume import Volume

from ..draw.html import webp


@dataclass(frozen=True)
class Slices:
    """Two volumes to be compared. before, after: (C, z, y, x), whole numbers from 0 to 255. axes: those of
    both."""

    before: Tensor
    after: Tensor
    axes: tuple[Axis, ...]

    @staticmethod
    def of(opened: Volume, result: Field) -> Slices:
        """The first part of a volume and of its result, in the range of intensities that was styled."""
        window, width = opened.windows[0], opened.source.channels // len(opened.windows)
        moment = result.samples if len(result.axes) == 3 else result.samples[:, 0]
        gray = len(moment) == opened.source.channels
        after = window.inside(moment[:width]) if gray else moment
        given = opened.source.samples if len(opened.source.axes) == 3 else opened.source.samples[:, 0]
        return Slices(_levels(window.inside(given[:width])), _levels(after), result.axes[-3:])

    def planes(self) -> list[dict[str, Any]]:
        """For each way to slice a volume: the axis across the slices, how many slices there are, and their
        extent."""
        found = []
        for number, axis in enumerate(self.axes):
            down, right = (other for other in range(3) if other != number)
            extent = [self.before.shape[1 + side] * self.axes[side].step for side in (right, down)]
            found.append({"axis": axis.name, "count": self.before.shape[1 + number], "extent": extent})
        return found

    def picture(self, side: str, axis: str, index: int) -> bytes:
        """One slice as the bytes of a WebP file. side: "before" or "after". Raises KeyError if there is no such
        slice."""
        samples = {"before": self.before, "after": self.after}[side]
        number = [one.name for one in self.axes].index(axis) if axis in [one.name for one in self.axes] else -1
        if number < 0 or not 0 <= index < samples.shape[1 + number]:
            raise KeyError(f"{axis} {index}")
        plane = samples.select(1 + number, index).float() / 255
        down, right = (self.axes[other].step for other in range(3) if other != number)
        return webp(squared(plane.expand(3, -1, -1), down, right))


def _levels(samples: Tensor) -> Tensor:
    return (samples.clamp(0, 1) * 255).round().to(torch.uint8)
