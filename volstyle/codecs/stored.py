"""What the codecs of volumes share: the numbers in a file, the physical values that they stand for, and the way
back.

Source files often hold whole numbers and a scale; the field holds physical values in float32. A result that goes
back into the format of its source keeps the numbers of that file: a sample that was not changed has the bits with
which it was read, a changed one is divided by the scale, rounded, and clipped to what the type of the file and its
bits hold. A result that goes into another format keeps its physical values, in a type that holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field, Origin

MILLIMETERS = {"nm": 1e-6, "um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}
"""The name of a unit of length -> how many mm it is."""

Array = NDArray[Any]

Own = TypeVar("Own", bound="Stored")


@dataclass(frozen=True)
class Stored(Origin):
    """A volume as its file has it.

    array: (C, *S) with the C and S of the field, in the file's own type. slope, inter: physical = slope · array +
    inter; numbers, or arrays that broadcast against it. color: the channels are R, G, B. padding: the physical
    value of places that were never measured. limits: the least and the greatest number that the file may hold;
    None for those of its type. affine: (4, 4) from sample numbers (x, y, z) to mm, right-anterior-superior, as
    NIfTI has it; None is unknown. inverted: whether low samples are shown bright, as in DICOM's MONOCHROME1.
    alpha: (*S), how opaque each sample of a color volume is, in the type of array. copies: how many smaller ones
    of the whole the file has beside it.
    """

    array: Array | None = None
    slope: float | Array = 1.0
    inter: float | Array = 0.0
    color: bool = False
    padding: float | None = None
    limits: tuple[int, int] | None = None
    affine: Array | None = None
    inverted: bool = False
    alpha: Array | None = None
    copies: int = 0

    @property
    def scaled(self) -> bool:
        """Whether the numbers in the file differ from the physical values."""
        return not (np.all(self.slope == 1) and np.all(self.inter == 0))

    def physical(self) -> Array:
        """The physical values (C, *S) in float32. Numbers beyond its range become infinite."""
        assert self.array is not None
        with np.errstate(over="ignore"):
            if not self.scaled:
                return self.array.astype(np.float32)
            found: Array = (self.array.astype(np.float64) * self.slope + self.inter).astype(np.float32)
            return found

    def restored(self, samples: Tensor) -> Array:
        """Physical values (C, *S) as numbers of the file."""
        assert self.array is not None
        changed = samples.numpy() != self.physical()
        exact = (samples.numpy().astype(np.float64) - self.inter) / self.slope
        dtype = self.array.dtype
        if dtype.kind in "iub":
            least, most = self.limits or ((0, 1) if dtype.kind == "b" else _limits(dtype))
            exact = np.rint(exact).clip(least, most)
        return np.where(changed, exact.astype(dtype), self.array).astype(dtype, copy=False)

    def values(self, samples: Tensor) -> Array:
        """Physical values (C, *S) in a type that holds them: whole numbers if those of the file are, else float.

        Values that did not change are as exact as those of the file.
        """
        assert self.array is not None
        if not self.scaled:
            return self.restored(samples)
        changed = samples.numpy() != self.physical()
        exact = self.array.astype(np.float64) * self.slope + self.inter
        exact = np.where(changed, samples.numpy(), exact)
        if self.array.dtype.kind in "iub" and _is_whole(self.slope) and _is_whole(self.inter):
            return narrowed(np.rint(exact), ("i2", "u2", "i4", "u4", "i8", "u8"))
        wide = self.array.dtype.itemsize > 2 and self.array.dtype != np.float32
        return exact.astype(np.float64 if wide else np.float32)

    def resampled(self, samples: Tensor) -> Array:
        """Physical values (C, *S) on another grid: whole numbers if those of the file are, else float32."""
        assert self.array is not None
        if self.array.dtype.kind in "iub" and _is_whole(self.slope) and _is_whole(self.inter):
            first = "u1" if self.array.dtype.kind == "b" else self.array.dtype.str[1:]
            whole = np.rint(samples.numpy().astype(np.float64))
            return narrowed(whole, (first, "i2", "u2", "i4", "u4", "i8", "u8"))
        return samples.numpy()


def as_field(path: Path, axes: tuple[Axis, ...], origin: Stored) -> Field:
    """The field of a volume. Raises InputError for numbers that are not finite, or a volume without samples."""
    samples = origin.physical()
    if not samples.size:
        raise InputError(f"{path}: a volume of shape {samples.shape[1:]} has no samples")
    finite = np.isfinite(samples)
    if not finite.all():
        first = dict(zip([axis.name for axis in axes], np.argwhere(~finite)[0][1:].tolist(), strict=True))
        place = ", ".join(f"{name} {number}" for name, number in first.items())
        assert origin.array is not None
        what = "beyond 3.4e38" if np.isfinite(origin.array).all() else "NaN or infinite"
        count = np.count_nonzero(~finite)
        raise InputError(f"{path}: {count} samples are {what}, the first at {place}; replace them by numbers")
    return Field(torch.from_numpy(samples), axes, origin)


def own(field: Field, kind: type[Own]) -> Own | None:
    """The origin of a field that came from a file of this kind and is still on its grid; None for any other."""
    origin = field.origin
    if isinstance(origin, kind) and origin.array is not None and origin.array.shape[1:] == field.shape:
        return origin
    return None


def narrowed(array: Array, types: Sequence[str]) -> Array:
    """Whole numbers in the first of some types that holds them all; the array as it is if none does."""
    low, high = int(array.min()), int(array.max())
    for name in types:
        least, most = _limits(np.dtype(name))
        if least <= low and high <= most:
            return array.astype(name)
    return array


def is_changed(field: Field) -> bool:
    """Whether a field differs from the original that was read."""
    origin = field.origin
    if not isinstance(origin, Stored) or origin.array is None or origin.array.shape != field.samples.shape:
        return True
    return not np.array_equal(origin.physical(), field.samples.numpy())


def alpha_of(field: Field) -> Array | None:
    """How opaque the samples of a color field are, (*S); None if its file does not say."""
    origin = field.origin
    if not isinstance(origin, Stored) or origin.alpha is None or origin.alpha.shape != field.shape:
        return None
    return origin.alpha if field.channels == 3 else None


def affine_of(field: Field) -> Array | None:
    """The matrix (4, 4) from sample numbers (x, y, z) of the field to mm, right-anterior-superior; None if its
    file does not say."""
    origin = field.origin
    if not isinstance(origin, Stored) or origin.affine is None or origin.array is None:
        return None
    ratios = [old / new for old, new in zip(origin.array.shape[:-4:-1], field.shape[:-4:-1], strict=True)]
    # The corners of the volume stay where they are, so the center of its first sample moves.
    regrid = np.diag([*ratios, 1.0])
    regrid[:3, 3] = [(ratio - 1) / 2 for ratio in ratios]
    found: Array = origin.affine @ regrid
    return found


def steps_in_mm(field: Field) -> list[float]:
    """The steps of the last three axes, x first; 1 for an axis whose step is unknown."""
    return [axis.step * MILLIMETERS.get(axis.unit, 1.0) for axis in reversed(field.axes[-3:])]


def spatial(names: str, steps: tuple[float, ...], unit: str) -> tuple[Axis, ...]:
    """Axes whose names are the letters of a word, as in spatial("zyx", (3, 1, 1), "mm")."""
    return tuple(Axis(name, float(step), unit) for name, step in zip(names, steps, strict=True))


def _is_whole(numbers: float | Array) -> bool:
    return bool(np.all(np.rint(numbers) == numbers))


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
