"""Read a path into a Field, write a Field to a path; the codec is found by suffix in one table.

A codec is a module with the functions of the protocol `Codec` in `api`. It is imported when it is first used, so
that a format's library is loaded only by those who open that format.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch

from volstyle.codecs.api import (
    DEFAULT,
    WHOLE,
    ClipCodec,
    Codec,
    Encoding,
    Facts,
    Moment,
    Selection,
    check_axes,
)
from volstyle.codecs.atomic import NAME_MAX, check_name, check_target
from volstyle.codecs.borders import importing
from volstyle.codecs.clip import Clip, Look
from volstyle.codecs.suffixes import CODECS, OF_ALL, OF_SIGNALS, PICTURES, SIGNALS, by_suffix, suffix_of
from volstyle.errors import InputError, OutputError, nearest
from volstyle.grid.field import Axis, Field

__all__ = [
    "CODECS",
    "DEFAULT",
    "PICTURES",
    "SIGNALS",
    "WHOLE",
    "Clip",
    "ClipCodec",
    "Codec",
    "Encoding",
    "Facts",
    "Moment",
    "Selection",
    "check",
    "check_axes",
    "check_writable",
    "files",
    "is_clip",
    "is_sequence",
    "open_clip",
    "probe",
    "read",
    "suffix_of",
    "write",
]

_TAKES = {"image": ("y", "x"), "video": ("t", "y", "x"), "frames": ("t", "y", "x")}
"""Module -> the axes that it writes. The other modules check the axes themselves."""


def probe(path: Path | str, *, signal: bool = False) -> Facts:
    """What the file at path is, or the signal in it. Raises InputError when there is none or no codec knows it."""
    path = Path(path)
    return _to_read(path, signal=signal).probe(path)


def read(path: Path | str, selection: Selection = WHOLE) -> Field:
    """The Field at path. Raises InputError, whose line names the file, what was found and what would do."""
    path = Path(path)
    return _to_read(path, signal=selection.signal).read(path, selection)


def is_clip(path: Path) -> bool:
    """Whether path is a clip that `open_clip` opens. Raises InputError as `read`."""
    return hasattr(_to_read(path, signal=False), "open_clip")


def open_clip(path: Path, selection: Selection = WHOLE, look: Look | None = None) -> Clip:
    """The clip at path, looked through once; its frames are decoded when they are asked for. look: is shown each
    of them on the way. Raises InputError."""
    return cast(ClipCodec, _to_read(path, signal=False)).open_clip(path, selection, look)


def write(path: Path | str, field: Field | Clip, encoding: Encoding = DEFAULT) -> list[str]:
    """Write field to path, all or nothing; a clip frame after frame, where the format can. Returns notes. Raises
    OutputError."""
    path = Path(path)
    codec = _to_write(path, [axis.name for axis in field.axes])
    if hasattr(codec, "open_clip"):
        return cast(ClipCodec, codec).write(path, field, encoding)
    return codec.write(path, field if isinstance(field, Field) else field.whole(), encoding)


def check_writable(path: Path, encoding: Encoding = DEFAULT, axes: Sequence[str] = ()) -> None:
    """Raise, before anything is read, the OutputError that `write` would raise for a path and an encoding.

    It is raised for a suffix that is not known, a folder that is not there, a file in the way, a quality that the
    format does not have, and axes that it does not take. axes: the names of the result's axes, if they are
    known."""
    name = _writer(path, axes)
    if axes and name in _TAKES:
        check_axes(path, Field(torch.empty(3, *(1 for _ in axes)), tuple(map(Axis, axes))), _TAKES[name])
    _checked(_module(name, path), path, None, encoding)


def check(path: Path, field: Field | Clip, encoding: Encoding = DEFAULT) -> None:
    """Raise, before the work, the OutputError that `write` would raise for this path and a field like this one.

    field: what will be written, as far as it is known. Its samples may be on the meta device: they are not looked
    at. Its axes, sizes, channels and origin are."""
    codec = _to_write(path, [axis.name for axis in field.axes])
    if isinstance(field, Clip):
        field = Field(torch.empty(3, *field.shape, device="meta"), field.axes, field.origin)
    _checked(codec, path, field, encoding)


def _checked(codec: Codec, path: Path, field: Field | None, encoding: Encoding) -> None:
    if hasattr(codec, "check"):
        codec.check(path, field, encoding)
    else:
        check_target(path, encoding.force)


def is_sequence(path: Path) -> bool:
    """Whether path stands for many files: a folder of images or slices, or a pattern of pictures such as
    frames/%04d.png or frames/*.png. A file that is there is itself, whatever its name."""
    if by_suffix(path) == "ngff" or path.is_file():
        return False
    return path.is_dir() or not suffix_of(path) or _is_pattern(path)


def _is_pattern(path: Path) -> bool:
    return suffix_of(path).lower() in PICTURES and bool(re.search(r"%0?\d*d|[*?]", path.name))


def files(path: Path) -> list[Path]:
    """The files that path stands for: a file itself, numbered images in their order, or all files of a folder that
    is one volume. Raises InputError."""
    if path.is_dir() and not _has_images(path):
        return sorted(file for file in path.rglob("*") if file.is_file())
    if not is_sequence(path):
        return [path]
    found: list[Path] = cast(Any, _module("frames", path)).files(path)
    return found


def _to_read(path: Path, *, signal: bool) -> Codec:
    if len(os.fsencode(path.name)) > NAME_MAX:
        raise InputError(f"{path}: no such file; a name of more than {NAME_MAX} bytes there is not")
    if signal and path.is_dir():
        raise InputError(f"{path}: is a folder, a signal must be a file; give a sound, a table or waveforms")
    if path.is_dir() and by_suffix(path) != "ngff":
        return _module("frames" if _has_images(path) else "dicom", path)
    if is_sequence(path) and suffix_of(path):
        return _module("frames", path)
    if path.is_dir():
        return _module("ngff", path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    table = OF_SIGNALS if signal else OF_ALL
    name = by_suffix(path, table)
    if name is None and is_dicom(path):
        name = "waveform" if signal else "dicom"
    if name is None:
        raise InputError(f"{path}: suffix {path.suffix!r} is not known; {nearest(path.suffix, table)}")
    return _module(name, path)


def _has_images(folder: Path) -> bool:
    """Whether a folder is one of frames: it holds pictures, and no DICOM beside which they are previews."""
    files = [file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file()]
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    others = (file for file in files if by_suffix(file) in (None, "dicom"))
    return bool(pictures) and not any(map(is_dicom, others))


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does, whatever its name."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _to_write(path: Path, axes: Sequence[str]) -> Codec:
    return _module(_writer(path, axes), path)


def _writer(path: Path, axes: Sequence[str]) -> str:
    """The name of the module that writes a path. axes: the names of the axes of what is written; () if unknown.
    Raises OutputError."""
    check_name(path)
    table = OF_SIGNALS if list(axes) == ["t"] else OF_ALL
    many = "dicom" if "z" in axes and suffix_of(path) == "" else "frames"
    flat = bool(suffix_of(path)) and list(axes) == ["y", "x"]  # one picture, whose name is no pattern
    name = many if is_sequence(path) and not flat else by_suffix(path, table)
    if name is None:
        raise OutputError(f"{path}: suffix {path.suffix!r} is not known; {nearest(path.suffix, table)}")
    return name


def _module(name: str, path: Path) -> Codec:
    with importing(path, "signals" if name in SIGNALS else "volumes"):
        return cast(Codec, import_module(f"volstyle.codecs.{name}"))
