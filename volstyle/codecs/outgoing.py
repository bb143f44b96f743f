"""What the codecs of volumes write: numbers in a type that the format holds, and notes on what it cannot hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volstyle.codecs.stored import Array, Stored, affine_of, alpha_of, narrowed, steps_in_mm
from volstyle.errors import OutputError
from volstyle.grid.field import Field

NOTICE = "Styled by volstyle. Not for diagnosis."

WHOLE_NUMBERS = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8")
"""numpy's names of the types of whole numbers, the narrowest first."""

TYPES = (*WHOLE_NUMBERS, "f4", "f8")
"""numpy's names of the types that almost every format holds."""

VOLUMES = (["z", "y", "x"], ["t", "z", "y", "x"])
"""The axes of a volume, and of a volume over time."""

_EXACT = 2**53
"""Whole numbers up to this one are exact in float64."""

_TOLERANCE = 1e-3
"""How far beyond [0, 1] samples of a picture may lie; a field whose samples lie farther is no picture."""


@dataclass(frozen=True)
class Numbers:
    """What a file is to hold of a field.

    array: (C, *S), in the type of the file. color: whether the channels are R, G, B. alpha: (*S), how opaque each
    sample of a color volume is; None where its source does not say.
    """

    array: Array
    color: bool
    alpha: Array | None = None

    @property
    def parts(self) -> Array:
        """(C, *S), with alpha behind the channels where there is one."""
        return self.array if self.alpha is None else np.concatenate([self.array, self.alpha[None]])


def numbers(path: Path, field: Field, kind: type[Stored], types: Collection[str] = ()) -> Numbers:
    """What to write of a field.

    kind: the origin of the format that writes. A field that came from a file of this kind is given back in that
    file's numbers, any other in its physical values. types: numpy's names of the types that the format holds; no
    names stand for every type. A field of 3 channels whose file had 1, or that came from no file, is a picture in
    [0, 1] and is written in 8 bits.
    Raises OutputError for samples that no type of the format holds.
    """
    array, color = _array(path, field, kind, types)
    return Numbers(array, color, alpha_of(field) if color else None)


def _array(path: Path, field: Field, kind: type[Stored], types: Collection[str]) -> tuple[Array, bool]:
    """(C, *S), and whether the channels are R, G, B; the rest is as `numbers` says."""
    origin = field.origin
    if isinstance(origin, Stored) and origin.array is not None and len(origin.array) == field.channels:
        if origin.array.shape != field.samples.shape:
            return fitting(path, origin.resampled(field.samples), types), origin.color
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
        found = narrowed(array, [name for name in types if name in WHOLE_NUMBERS])
        if found.dtype.str[1:] in types:
            return found
        wider = ["f8"] if "f8" in types and np.abs(array.astype(np.float64)).max() < _EXACT else []
    else:
        wider = [name for name in types if np.can_cast(array.dtype, name)]
    if not wider:
        raise OutputError(f"{path}: samples are {array.dtype}, must be {', '.join(types)}; choose .npy")
    return array.astype(wider[0])


def check_volume(path: Path, field: Field | None) -> None:
    """Raises OutputError for a field that is neither a volume nor one over time."""
    names = [] if field is None else [axis.name for axis in field.axes]
    if field is not None and names not in VOLUMES:
        raise OutputError(
            f"{path}: the format has axes z, y, x or t, z, y, x, the result has {', '.join(names)}; "
            "choose another suffix"
        )


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
        lost.append("the mark that low samples are bright, without which viewers show a negative")
    if alpha_of(field) is not None and "alpha" not in keeps:
        lost.append("its transparency")
    if origin.copies:
        lost.append(f"its {origin.copies} smaller copies" if origin.copies > 1 else "its smaller copy")
    if not lost:
        return []
    return [f"{path.name}: the format has no place for {'; '.join(lost)}; left out"]


def smaller(array: Array, shape: tuple[int, ...]) -> Array:
    """An array made smaller, as a level of a pyramid: by the means of blocks where a whole factor, up to a rest,
    leads to the shape, else by the nearest samples."""
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
