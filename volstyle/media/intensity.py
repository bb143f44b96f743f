"""The range of a volume's intensities that is styled, brought to [0, 1] and back."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.errors import RecipeError, nearest

WINDOWS = {"lung": (-600.0, 1500.0), "soft": (40.0, 400.0), "bone": (400.0, 1800.0), "brain": (40.0, 80.0)}
"""Name -> center and width in Hounsfield units, as radiologists set them."""

_PERCENTILES = (0.5, 99.5)
_MOST_SORTED = 2**22
_BACKGROUND_SHARE, _BACKGROUND_SOLID = 0.05, 0.75


@dataclass(frozen=True)
class IntensityRange:
    """The intensities from low to high, both included, in the units of the file.

    low becomes 0, high becomes 1. Samples outside, and those of padding, are not styled and keep their bits.
    padding: an intensity that was never measured, None if there is none. open: samples beyond low and high are
    seen as if they were there and are styled too, since single ones left out would be specks in the result.
    inverted: low becomes 1 and high 0, for files whose low samples are shown bright.
    """

    low: float
    high: float
    padding: float | None = None
    open: bool = False
    inverted: bool = False

    @staticmethod
    def choose(
        text: str, samples: Tensor, padding: float | None = None, *, inverted: bool = False
    ) -> IntensityRange:
        """lung, soft, bone, brain, "LO,HI", or auto: the 0.5 to 99.5 percentile of samples (C, *S), open.

        A background of one lowest intensity, as in a brain without its skull, is padding for auto.
        Raises RecipeError.
        """
        if text in WINDOWS:
            center, width = WINDOWS[text]
            return IntensityRange(center - width / 2, center + width / 2, padding, inverted=inverted)
        if text == "auto":
            if padding is None and _has_background(samples):
                padding = float(samples.min())
            seen = samples if padding is None else samples[samples != padding]
            if not seen.numel() or seen.min() == seen.max():
                value = float(samples.flatten()[0])
                raise RecipeError(f"window: every sample is {value:g}, there is nothing to style; choose LO,HI")
            every = -(-seen.numel() // _MOST_SORTED)
            ranks = torch.tensor(_PERCENTILES) / 100
            low, high = torch.quantile(seen.flatten()[::every], ranks).tolist()
            if low == high:
                low, high = float(seen.min()), float(seen.max())
            return IntensityRange(low, high, padding, open=True, inverted=inverted)
        match = re.fullmatch(
            r"\s*(-?\d*\.?\d+(?:e[+-]?\d+)?)\s*,\s*(-?\d*\.?\d+(?:e[+-]?\d+)?)\s*", text, re.IGNORECASE
        )
        if not match:
            raise RecipeError(f"window: {text!r} is unknown; {nearest(text, [*WINDOWS, 'auto', 'LO,HI'])}")
        low, high = float(match[1]), float(match[2])
        if not low < high:
            raise RecipeError(f"window: low {low:g} must be below high {high:g}")
        return IntensityRange(low, high, padding, inverted=inverted)

    def covers(self, samples: Tensor) -> Tensor:
        """Where samples may be styled: bool, of their shape."""
        inside = ((samples >= self.low) & (samples <= self.high)) | self.open
        return inside if self.padding is None else inside & (samples != self.padding)

    def inside(self, samples: Tensor) -> Tensor:
        """Samples in the file's units as [0, 1]."""
        shown = ((samples - self.low) / (self.high - self.low)).clamp(0, 1)
        return 1 - shown if self.inverted else shown

    def outside(self, source: Tensor, styled: Tensor) -> Tensor:
        """Styled samples in [0, 1] brought back to the file's units. Where nothing changed, or nothing may change,
        the samples of the source stay, bit for bit."""
        changed = (styled != self.inside(source)) & self.covers(source)
        share = 1 - styled if self.inverted else styled
        return torch.where(changed, share * (self.high - self.low) + self.low, source)


def in_type(samples: Tensor, kind: torch.dtype) -> Tensor:
    """Samples as a type holds them: for whole numbers rounded, and none beyond the least and the largest."""
    if kind.is_floating_point:
        return samples.to(kind)
    most = torch.iinfo(kind)
    return samples.round().clamp(most.min, most.max).to(kind)


def _has_background(samples: Tensor) -> bool:
    """Whether some of the samples have the lowest intensity, most of them surrounded by the same."""
    lowest = (samples == samples.min()).float()[None]
    share = float(lowest.mean())
    if share < _BACKGROUND_SHARE:
        return False
    solid = lowest
    for axis in range(2, lowest.dim()):
        ends = functional.pad(solid.movedim(axis, -1), (1, 1), value=1.0).movedim(-1, axis)
        before, after = ends.narrow(axis, 0, solid.shape[axis]), ends.narrow(axis, 2, solid.shape[axis])
        solid = solid * before * after
    return float(solid.mean()) > _BACKGROUND_SOLID * share
