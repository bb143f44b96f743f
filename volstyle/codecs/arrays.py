"""Plain arrays, by numpy: .npy and .npz. The largest array in an .npz is the volume; the others stay as they are.

The last axes are z, y, x; a fourth in front is t; a last axis of 3 behind three others is R, G, B. An array of two
axes where there is none of more is a section, y and x.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room, damages
from volstyle.codecs.outgoing import NOTICE, left_out, numbers
from volstyle.codecs.stored import Array, Stored, as_field, is_changed, own, spatial
from volstyle.errors import InputError
from volstyle.grid.field import Field

_NOTICE_KEY = "volstyle_notice"
_NUMBERS = "iufb"


@dataclass(frozen=True)
class ArraysOrigin(Stored):
    """key: the name of the volume in an .npz. packed: whether the .npz is compressed."""

    key: str = "arr_0"
    packed: bool = True


@dataclass(frozen=True)
class _Header:
    """What an array says of itself before its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def color(self) -> bool:
        return len(self.shape) >= 4 and self.shape[-1] == 3 and self.dtype.kind in "iuf"

    @property
    def volume(self) -> tuple[int, ...]:
        """The shape without the channels."""
        return self.shape[:-1] if self.color else self.shape

    @property
    def size(self) -> int:
        return prod(self.shape)


def probe(path: Path) -> Facts:
    key, header, count = _header(path)
    entries = {"size": " x ".join(map(str, header.volume)), "samples": str(header.dtype)}
    if _is_archive(path):
        entries["array"] = f"{key!r} of {count}"
    return Facts("volume", header.volume, entries, _axes(header))


def read(path: Path, selection: Selection) -> Field:
    """Nothing is unpickled, and no array but the volume is read."""
    key, header, _ = _header(path)
    with damages(path, "damaged, or not an array of numbers"):
        if _is_archive(path):
            with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
                array: Array = np.lib.format.read_array(member, allow_pickle=False)
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
        else:
            array, packed = np.load(path, allow_pickle=False), True
    laid = np.moveaxis(array, -1, 0) if header.color else array[None]
    return as_field(path, _axes(header), ArraysOrigin(path, laid, color=header.color, key=key, packed=packed))


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """Channels go last. An .npz says that it is not for diagnosis; an .npy has no room to."""
    check(path, field, encoding)
    made, origin = numbers(path, field, ArraysOrigin), own(field, ArraysOrigin)
    parts = made.parts
    laid = parts[0] if len(parts) == 1 else np.moveaxis(parts, 0, -1)
    with arriving(path, encoding.force) as temporary:
        if not _is_archive(path):
            with temporary.open("wb") as file:
                np.save(file, laid)
        elif origin is not None and origin.path is not None and _is_archive(origin.path):
            _fill(temporary, origin, laid, changed=is_changed(field))
        else:
            members = {"arr_0": laid} | ({_NOTICE_KEY: np.array(NOTICE)} if is_changed(field) else {})
            np.savez_compressed(temporary, **members)  # type: ignore[arg-type]
    if origin is not None:
        return []
    notes = left_out(path, field, ("alpha",))
    if len(parts) > 1 and not (made.color and made.alpha is None):
        names = ", ".join([*(axis.name for axis in field.axes), "channel"])
        notes.append(f"{path.name}: axes are {names}, which the format does not say")
    return notes


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)


def _fill(path: Path, origin: ArraysOrigin, laid: Array, *, changed: bool) -> None:
    """A copy of an archive with other samples in its volume; all else as it is, in its order."""
    assert origin.path is not None
    kind = zipfile.ZIP_DEFLATED if origin.packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(origin.path) as source, zipfile.ZipFile(path, "w", kind) as made:

        def add(name: str, fill: Callable[[IO[bytes]], object]) -> None:
            with made.open(name, "w", force_zip64=True) as member:
                fill(member)

        for entry in source.infolist():
            if entry.filename == f"{origin.key}.npy":
                add(entry.filename, lambda member: np.lib.format.write_array(member, laid))
            elif not (changed and entry.filename == f"{_NOTICE_KEY}.npy"):
                with source.open(entry) as other:
                    add(entry.filename, lambda member, other=other: shutil.copyfileobj(other, member))  # type: ignore[misc]
        if changed:
            add(f"{_NOTICE_KEY}.npy", lambda member: np.lib.format.write_array(member, np.array(NOTICE)))


def _header(path: Path) -> tuple[str, _Header, int]:
    """Which array is the volume, what it says of itself, and how many there are.

    Raises InputError when there is none, CapacityError when what is declared does not fit the memory.
    """
    with damages(path, "damaged, or not an array of numbers"):
        if not _is_archive(path):
            with path.open("rb") as file:
                headers, names = {"arr_0": _read_header(file)}, ["arr_0"]
                held = path.stat().st_size - file.tell()
        else:
            with zipfile.ZipFile(path) as archive:
                check_room(path, sum(entry.file_size for entry in archive.infolist()), 0)
                names = [entry.filename.removesuffix(".npy") for entry in archive.infolist()]
                headers, held = {}, 0
                for entry in archive.infolist():
                    if entry.filename.endswith(".npy"):
                        with archive.open(entry) as member:
                            headers[entry.filename.removesuffix(".npy")] = _read_header(member)
    fitting = {key: header for key, header in headers.items() if _is_volume(header)}
    fitting = fitting or {key: header for key, header in headers.items() if _is_section(header)}
    if not fitting and len(headers) == 1 == len(names):
        header = next(iter(headers.values()))
        if header.dtype.kind == "O":
            raise InputError(f"{path}: damaged, or not an array of numbers (Python objects)")
        raise InputError(
            f"{path}: {header.dtype} of shape {header.shape}, must be real numbers over z, y, x or t, z, y, x, "
            "or over y, x for a section"
        )
    if not fitting:
        shown = ", ".join(f"{key} {header.shape}" for key, header in headers.items())
        raise InputError(f"{path}: no array of three axes or more (it has {shown or 'none'})")
    key = max(fitting, key=lambda name: fitting[name].size)
    chosen = fitting[key]
    check_room(path, chosen.size * chosen.dtype.itemsize, chosen.size)
    if not _is_archive(path) and chosen.size * chosen.dtype.itemsize > held:
        raise InputError(f"{path}: damaged or cut off, it tells of {chosen.shape} samples and has fewer")
    return key, chosen, len(names)


def _read_header(file: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(file)
    known = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in known:
        raise InputError(f"{file.name}: an array of version {version[0]}.{version[1]}, must be 1.0 or 2.0")
    shape, _, dtype = known[version](file)
    return _Header(tuple(shape), dtype)


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _is_volume(header: _Header) -> bool:
    return header.dtype.kind in _NUMBERS and len(header.volume) in (3, 4) and min(header.shape) > 0


def _is_section(header: _Header) -> bool:
    return header.dtype.kind in _NUMBERS and len(header.shape) == 2 and min(header.shape) > 1


def _axes(header: _Header) -> tuple[Any, ...]:
    count = len(header.volume)
    return spatial("tzyx"[-count:], (1.0,) * count, "px")
