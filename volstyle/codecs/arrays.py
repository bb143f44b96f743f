"""Plain arrays, by numpy: .npy and .npz. Of an .npz the largest array is the volume; the others stay as they are.

The last axes are z, y, x; a fourth in front is t; a last axis of 3 behind three others is R, G, B.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from volstyle.codecs import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving
from volstyle.codecs.stored import NOTICE, Array, Stored, as_field, is_changed, numbers, spatial
from volstyle.errors import InputError
from volstyle.grid.field import Field

_NOTICE_KEY = "volstyle_notice"


@dataclass(frozen=True)
class ArraysOrigin(Stored):
    """key: of the volume in an .npz; others: the arrays beside it; packed: whether the .npz is compressed."""

    key: str = "arr_0"
    others: dict[str, Array] = field(default_factory=dict)
    packed: bool = True


def probe(path: Path) -> Facts:
    key, arrays = _load(path)
    array = arrays[key]
    shape = _field_shape(path, array)
    entries = {"size": " x ".join(map(str, shape)), "samples": str(array.dtype)}
    if path.suffix.lower() == ".npz":
        entries["array"] = f"{key!r} of {len(arrays)}"
    return Facts("volume", shape, entries)


def read(path: Path, selection: Selection) -> Field:
    key, arrays = _load(path)
    array = arrays.pop(key)
    shape = _field_shape(path, array)
    color = _is_color(array)
    laid = np.moveaxis(array, -1, 0) if color else array[None]
    axes = spatial("tzyx"[-len(shape) :], (1.0,) * len(shape), "px")
    origin = ArraysOrigin(path, laid, color=color, key=key, others=arrays, packed=_is_packed(path))
    return as_field(path, axes, origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """Channels go last. An .npz says that it is not for diagnosis; an .npy has no room to."""
    array, _ = numbers(path, field)
    laid = array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)
    origin = field.origin if isinstance(field.origin, ArraysOrigin) else ArraysOrigin()
    with arriving(path, encoding.force) as temporary, temporary.open("wb") as file:
        if path.suffix.lower() == ".npy":
            np.save(file, laid)
        else:
            notice = {_NOTICE_KEY: np.array(NOTICE)} if is_changed(field, array) else {}
            save = np.savez_compressed if origin.packed else np.savez
            save(file, allow_pickle=False, **{**origin.others, origin.key: laid, **notice})
    return []


def _load(path: Path) -> tuple[str, dict[str, Array]]:
    """Which array is the volume, and all of them in their order. Never unpickles. Raises InputError."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return "arr_0", {"arr_0": loaded}
        with loaded:
            arrays = {key: loaded[key] for key in loaded.files}
    except (EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged, or not an array of numbers ({error})") from error
    volumes = {key: array for key, array in arrays.items() if array.ndim >= 3 and array.dtype.kind in "iufb"}
    if not volumes:
        held = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        raise InputError(f"{path}: no array of three axes or more (it has {held})")
    return max(volumes, key=lambda key: volumes[key].size), arrays


def _is_packed(path: Path) -> bool:
    if path.suffix.lower() != ".npz":
        return True
    with zipfile.ZipFile(path) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _is_color(array: Array) -> bool:
    return array.ndim >= 4 and array.shape[-1] == 3 and array.dtype.kind in "iuf"


def _field_shape(path: Path, array: Array) -> tuple[int, ...]:
    shape = array.shape[:-1] if _is_color(array) else array.shape
    if array.dtype.kind not in "iufb" or len(shape) not in (3, 4):
        raise InputError(
            f"{path}: {array.dtype} of shape {array.shape}, must be real numbers over z, y, x or t, z, y, x"
        )
    return shape
