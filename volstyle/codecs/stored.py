"""What the codecs of volumes share: the file's own numbers beside the physical ones, and the way back.

A sample that the engine did not change is written with the bits it was read with; a changed one is brought to the
file's units, rounded and clipped to what its type and its bits hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field, Origin

NOTICE = "Styled by volstyle. Not for diagnosis."

Array = NDArray[Any]


@dataclass(frozen=True)
class Stored(Origin):
    """A volume as its file has it.

    array: (C, *S) of the field, in the file's own type. slope, inter: physical = slope · array + inter; numbers,
    or arrays that broadcast against it. color: the channels are R, G, B. padding: the physical value of places
    that were never measured. limits: least and greatest number the file may hold, of the type if None.
    affine: (4, 4) from sample numbers (x, y, z) to mm, right-anterior-superior, as NIfTI has it; None is unknown.
    """

    array: Array | None = None
    slope: float | Array = 1.0
    inter: float | Array = 0.0
    color: bool = False
    padding: float | None = None
    limits: tuple[int, int] | None = None
    affine: Array | None = None

    def physical(self) -> Array:
        """(C, *S) float32."""
        assert self.array is not None
        if np.all(self.slope == 1) and np.all(self.inter == 0):
            return self.array.astype(np.float32)
        found: Array = (self.array.astype(np.float64) * self.slope + self.inter).astype(np.float32)
        return found

    def restored(self, samples: Tensor) -> Array:
        """Physical samples (C, *S) as numbers of the file."""
        assert self.array is not None
        changed = samples.numpy() != self.physical()
        exact = (samples.numpy().astype(np.float64) - self.inter) / self.slope
        dtype = self.array.dtype
        if dtype.kind in "iub":
            least, most = self.limits or ((0, 1) if dtype.kind == "b" else _limits(dtype))
            exact = np.rint(exact).clip(least, most)
        return np.where(changed, exact.astype(dtype), self.array).astype(dtype, copy=False)


def as_field(path: Path, axes: tuple[Axis, ...], origin: Stored) -> Field:
    """The field of a volume. Raises InputError for numbers that are not finite, or a volume without samples."""
    samples = origin.physical()
    if not samples.size:
        raise InputError(f"{path}: a volume of shape {samples.shape[1:]} has no samples")
    finite = np.isfinite(samples)
    if not finite.all():
        first = dict(zip([axis.name for axis in axes], np.argwhere(~finite)[0][1:].tolist(), strict=True))
        place = ", ".join(f"{name} {number}" for name, number in first.items())
        raise InputError(
            f"{path}: {np.count_nonzero(~finite)} samples are NaN or infinite, the first at {place}; "
            "replace them by numbers"
        )
    return Field(torch.from_numpy(samples), axes, origin)


def numbers(path: Path, field: Field) -> tuple[Array, bool]:
    """What to write: (C, *S) in the type of the file it came from, and whether it is R, G, B.

    A field of other channels than its file's, or that came from none, holds pictures in [0, 1]: 8 bit.
    """
    origin = field.origin
    if isinstance(origin, Stored) and origin.array is not None and origin.array.shape == field.samples.shape:
        return origin.restored(field.samples), origin.color
    if field.channels not in (1, 3):
        raise OutputError(f"{path}: a result of {field.channels} channels, must be 1 or 3")
    return (field.samples.clamp(0, 1) * 255).round().numpy().astype(np.uint8), field.channels == 3


def is_changed(field: Field, array: Array) -> bool:
    """Whether what is written differs from what was read, so that it is no longer the original."""
    origin = field.origin
    return not (isinstance(origin, Stored) and origin.array is not None and np.array_equal(origin.array, array))


def spatial(names: str, steps: tuple[float, ...], unit: str) -> tuple[Axis, ...]:
    """Axes named by letters: spatial("zyx", (3, 1, 1), "mm")."""
    return tuple(Axis(name, float(step), unit) for name, step in zip(names, steps, strict=True))


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
