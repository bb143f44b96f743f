"""What the codecs of volumes share: the file's own numbers beside the physical ones, and the way back.

A result that goes back into the format it came from keeps that format's numbers: a sample that the engine did not
change has the bits it was read with; a changed one is brought to the file's units, rounded and clipped to what its
type and its bits hold. A result that goes into another format keeps its physical values, in a type that holds
them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.errors import CapacityError, InputError, OutputError, VolstyleError
from volstyle.grid.field import Axis, Field, Origin

NOTICE = "Styled by volstyle. Not for diagnosis."

MILLIMETERS = {"nm": 1e-6, "um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}
"""Unit of an axis -> its length in mm."""

WHOLE = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8")
"""Types of whole numbers, the narrowest first."""

TYPES = (*WHOLE, "f4", "f8")
"""Types that almost every format holds."""

_EXACT = 2**53
"""Whole numbers up to this one are exact in float64."""

_MOST_SAID = 160
"""Letters of what a library says of a damaged file."""

_TOLERANCE = 1e-3
"""How far beyond [0, 1] samples of a picture may lie; what lies farther is no picture."""

VOLUMES = (["z", "y", "x"], ["t", "z", "y", "x"])
"""Axes of a volume, and of one over time."""

Array = NDArray[Any]

Own = TypeVar("Own", bound="Stored")


@dataclass(frozen=True)
class Stored(Origin):
    """A volume as its file has it.

    array: (C, *S) of the field, in the file's own type. slope, inter: physical = slope · array + inter; numbers,
    or arrays that broadcast against it. color: the channels are R, G, B. padding: the physical value of places
    that were never measured. limits: least and greatest number the file may hold, of the type if None.
    affine: (4, 4) from sample numbers (x, y, z) to mm, right-anterior-superior, as NIfTI has it; None is unknown.
    inverted: low samples are shown bright, as those of MONOCHROME1. alpha: (*S), how opaque each sample of a color
    volume is, in the type of array.
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

    @property
    def scaled(self) -> bool:
        """Whether the file's numbers are other than the physical ones."""
        return not (np.all(self.slope == 1) and np.all(self.inter == 0))

    def physical(self) -> Array:
        """(C, *S) float32; numbers beyond its range become infinite."""
        assert self.array is not None
        with np.errstate(over="ignore"):
            if not self.scaled:
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

    def values(self, samples: Tensor) -> Array:
        """Physical samples (C, *S) in a type that holds them: whole numbers if the file's are, else float.

        They are as exact as the file has them where nothing changed.
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


def numbers(path: Path, field: Field, kind: type[Stored], types: Collection[str] = ()) -> tuple[Array, bool]:
    """What to write: (C, *S), and whether it is R, G, B.

    kind: the origin of the format that writes. A field that came from a file of this kind is given back in that
    file's numbers, any other in its physical values. types: those that the format holds; any if none are given.
    A field of 3 channels whose file had 1, or that came from no file, is a picture in [0, 1]: 8 bit.
    Raises OutputError for samples that no type of the format holds.
    """
    origin = field.origin
    if isinstance(origin, Stored) and origin.array is not None and len(origin.array) == field.channels:
        if origin.array.shape != field.samples.shape:  # resampled
            return fitting(path, _resampled(origin, field.samples), types), origin.color
        if isinstance(origin, kind):
            return origin.restored(field.samples), origin.color
        return fitting(path, origin.values(field.samples), types), origin.color
    if field.channels not in (1, 3):
        raise OutputError(f"{path}: a result of {field.channels} channels, must be 1 or 3")
    low, high = (float(end) for end in field.samples.aminmax())
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        return fitting(path, field.samples.numpy(), types), False
    return (field.samples.clamp(0, 1) * 255).round().numpy().astype(np.uint8), field.channels == 3


def fitting(path: Path, array: Array, types: Collection[str] = ()) -> Array:
    """The array in the byte order of this machine, and in a type of `types` that holds all its values exactly.

    Raises OutputError when none does.
    """
    named = np.dtype(f"={array.dtype.str[1:]}")
    # A view, since numpy has several types of one meaning that libraries do not take for the same.
    array = array.astype(named, copy=False).view(named)
    if not types or array.dtype.str[1:] in types:
        return array
    if array.dtype.kind in "iu":
        found = narrowed(array, [name for name in types if name in WHOLE])
        if found.dtype.str[1:] in types:
            return found
        wider = ["f8"] if "f8" in types and np.abs(array.astype(np.float64)).max() < _EXACT else []
    else:
        wider = [name for name in types if np.can_cast(array.dtype, name)]
    if not wider:
        raise OutputError(f"{path}: samples are {array.dtype}, must be {', '.join(types)}; choose .npy")
    return array.astype(wider[0])


def narrowed(array: Array, types: Sequence[str]) -> Array:
    """Whole numbers in the first of these types that holds them all; as they are if none does."""
    low, high = int(array.min()), int(array.max())
    for name in types:
        least, most = _limits(np.dtype(name))
        if least <= low and high <= most:
            return array.astype(name)
    return array


def check_volume(path: Path, field: Field | None) -> None:
    """Raises OutputError for a field that is neither a volume nor one over time."""
    names = [] if field is None else [axis.name for axis in field.axes]
    if field is not None and names not in VOLUMES:
        raise OutputError(
            f"{path}: the format has axes z, y, x or t, z, y, x, the result has {', '.join(names)}; "
            "choose another suffix"
        )


def is_changed(field: Field) -> bool:
    """Whether a field differs from what was read, so that it is no longer the original."""
    origin = field.origin
    if not isinstance(origin, Stored) or origin.array is None or origin.array.shape != field.samples.shape:
        return True
    return not np.array_equal(origin.physical(), field.samples.numpy())


def alpha_of(field: Field) -> Array | None:
    """How opaque the samples of a color field are, if its file said so."""
    origin = field.origin
    if not isinstance(origin, Stored) or origin.alpha is None or origin.alpha.shape != field.shape:
        return None
    return origin.alpha if field.channels == 3 else None


def affine_of(field: Field) -> Array | None:
    """From sample numbers (x, y, z) of the field to mm, as NIfTI has it; None if its file does not say."""
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
    """The steps of the last three axes, x first; 1 for one of unknown size."""
    return [axis.step * MILLIMETERS.get(axis.unit, 1.0) for axis in reversed(field.axes[-3:])]


def left_out(path: Path, field: Field, keeps: Collection[str]) -> list[str]:
    """A note on what a field has and the format of path has no place for.

    keeps: what the format has a place for, of "steps" (sizes of samples in space), "times" (the step in time),
    "place" (orientation and position), "polarity" (that low is bright) and "alpha".
    """
    origin = field.origin if isinstance(field.origin, Stored) else Stored()
    lost = []
    space = [axis for axis in field.axes if axis.name in "zyx" and axis.unit != "px"]
    times = [axis for axis in field.axes if axis.name == "t" and axis.unit != "px"]
    if space and "steps" not in keeps:
        lost.append(f"the size of its samples ({' x '.join(f'{a.step:.4g} {a.unit}' for a in reversed(space))})")
    if times and "times" not in keeps:
        lost.append(f"the step in time ({times[0].step:.4g} {times[0].unit})")
    affine = affine_of(field)
    plain = np.diag([*steps_in_mm(field), 1.0])
    if affine is not None and "place" not in keeps and not np.allclose(affine, plain, atol=1e-6):
        lost.append("its orientation and position")
    shown = origin.array is not None and len(origin.array) == field.channels
    if origin.inverted and shown and "polarity" not in keeps:
        lost.append("that low samples are bright (viewers show a negative)")
    if alpha_of(field) is not None and "alpha" not in keeps:
        lost.append("its transparency")
    if not lost:
        return []
    return [f"{path.name}: the format has no place for {'; '.join(lost)}; left out"]


def check_room(path: Path, declared: int, samples: int) -> None:
    """Raises CapacityError for a file that says it unpacks to more than the memory that is free.

    declared: bytes of what is read, before anything is allocated. samples: of the field, 4 bytes each beside it.
    """
    need, free = declared + 5 * samples, free_memory()
    if need > free:
        raise CapacityError(
            f"{path}: unpacks to {_gigabytes(declared)} and takes {_gigabytes(need)} of memory, "
            f"{_gigabytes(free)} are free; give a smaller file"
        )


def free_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


@contextmanager
def damages(path: Path, what: str) -> Iterator[None]:
    """Whatever a format's library raises on a damaged file becomes an InputError: "path: what (why)"."""
    try:
        yield
    except VolstyleError:
        raise
    except MemoryError as error:
        raise CapacityError(f"{path}: does not fit the memory ({error}); give a smaller file") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason if len(reason) <= _MOST_SAID else f"{reason[:_MOST_SAID]}…"
        raise InputError(f"{path}: {what} ({reason})") from error


def smaller(array: Array, shape: tuple[int, ...]) -> Array:
    """A level of a pyramid: means of blocks, where the shape divides the array's up to a rest; else the nearest
    samples."""
    for axis, (old, new) in enumerate(zip(array.shape, shape, strict=True)):
        factor = -(-old // new)
        if factor > 1 and old // factor == new:
            kept = array.take(range(new * factor), axis)
            split = kept.reshape(*kept.shape[:axis], new, factor, *kept.shape[axis + 1 :])
            mean = split.mean(axis + 1)
            array = (np.rint(mean) if array.dtype.kind in "iu" else mean).astype(array.dtype)
        elif old != new:
            array = array.take(((np.arange(new) + 0.5) * old / new).astype(int), axis)
    return array


def spatial(names: str, steps: tuple[float, ...], unit: str) -> tuple[Axis, ...]:
    """Axes named by letters: spatial("zyx", (3, 1, 1), "mm")."""
    return tuple(Axis(name, float(step), unit) for name, step in zip(names, steps, strict=True))


def _resampled(origin: Stored, samples: Tensor) -> Array:
    """Physical samples on another grid than the file's."""
    assert origin.array is not None
    if origin.array.dtype.kind in "iub" and _is_whole(origin.slope) and _is_whole(origin.inter):
        first = "u1" if origin.array.dtype.kind == "b" else origin.array.dtype.str[1:]
        whole = np.rint(samples.numpy().astype(np.float64))
        return narrowed(whole, (first, "i2", "u2", "i4", "u4", "i8", "u8"))
    return samples.numpy()


def _is_whole(numbers: float | Array) -> bool:
    return bool(np.all(np.rint(numbers) == numbers))


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
