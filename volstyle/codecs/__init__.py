"""Read a path into a Field, write a Field to a path; the codec is found by suffix in one table.

A codec is a module with the functions of the protocol `Codec`. Modules are imported when first used, so that
nobody pays for a format's library who does not open that format.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import torch

from volstyle.codecs.atomic import NAME_MAX, check_name, check_target
from volstyle.codecs.clip import Clip, Look
from volstyle.errors import InputError, OutputError, nearest
from volstyle.grid.field import Axis, Field

CODECS: dict[str, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".webp"),
    "video": (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"),
    "nifti": (".nii", ".nii.gz"),
    "arrays": (".npy", ".npz"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "itk": (".nrrd", ".nhdr", ".mha", ".mhd"),
    "tiff": (".tif", ".tiff"),
    "ngff": (".zarr",),
    "hdf5": (".h5", ".hdf5", ".hdf"),
}
"""Module of this package -> the suffixes it reads and writes. Folders without a suffix go to "frames" or "dicom",
patterns to "frames"."""

PICTURES = (*CODECS["image"], *CODECS["tiff"])
"""Suffixes of files that may hold one picture."""

SIGNALS: dict[str, tuple[str, ...]] = {
    "audio": (".wav", ".flac", ".ogg", *CODECS["video"]),
    "series": (".csv", ".tsv", ".npy"),
    "waveform": (".dcm",),
}
"""The same for signals, fields of one axis: where a clip is its sound, and an array a series."""

_SIGNAL_SUFFIXES = {suffix: module for module, suffixes in SIGNALS.items() for suffix in suffixes}
_SUFFIXES = _SIGNAL_SUFFIXES | {suffix: module for module, suffixes in CODECS.items() for suffix in suffixes}

_TAKES = {"image": ("y", "x"), "video": ("t", "y", "x"), "frames": ("t", "y", "x")}
"""Module -> the axes it writes; the others say so themselves."""


@dataclass(frozen=True)
class Moment:
    """A place in time as the user gave it: in seconds ("2s", "1:30", "2.5") or in frames ("48f")."""

    value: float
    unit: str = "s"  # "s" or "f"


@dataclass(frozen=True)
class Selection:
    """What part of a file to read, and how large.

    size: the long side of a picture in samples; it is only ever made smaller. None keeps the file's own.
    start, end: the range of a clip, end excluded; None is the file's own.
    keep_going: leave out frames of a clip that are damaged, and note them, instead of raising InputError.
    signal: whether a file that may be several things, a clip or an array, is read as the signal in it.
    """

    size: int | None = None
    start: Moment | None = None
    end: Moment | None = None
    signal: bool = False
    keep_going: bool = False


@dataclass(frozen=True)
class Encoding:
    """How to write.

    quality: "visual" (visually lossless, the default), "lossless", or "prores".
    force: replace a file that is there.
    """

    quality: str = "visual"
    force: bool = False


WHOLE = Selection()
DEFAULT = Encoding()


@dataclass(frozen=True)
class Facts:
    """What a file is, without decoding it whole.

    kind: "image", "video", …
    shape: samples along each axis (t, y, x for a clip; t may be an estimate from the header).
    entries: what `volstyle info` shows, in order: name -> text.
    axes: of shape, where the file says its steps.
    """

    kind: str
    shape: tuple[int, ...]
    entries: dict[str, str]
    axes: tuple[Axis, ...] | None = None


class Codec(Protocol):
    """What a module of this package offers."""

    def probe(self, path: Path) -> Facts:
        """What the file is. Raises InputError."""
        ...

    def read(self, path: Path, selection: Selection) -> Field:
        """The samples and what is needed to write them back. Raises InputError."""
        ...

    def write(self, path: Path, field: Field, encoding: Encoding) -> list[str]:
        """Write all or nothing: the file appears under its name only when it is complete.

        Returns notes for the user, one line each, on anything that could not be kept. Raises OutputError.
        """
        ...

    def check(self, path: Path, field: Field | None, encoding: Encoding) -> None:
        """Raise now, before the work, the OutputError that `write` would raise after it.

        field: what will be written, as far as it is known: its axes, sizes, channels and origin are right, its
        samples may be on the meta device and are never looked at. None before anything has been read: then only
        path and encoding are checked. A codec may leave this function out; `check_target` then stands for it.
        """
        ...


class ClipCodec(Protocol):
    """What a module offers that reads and writes clips frame after frame, beside what a Codec does."""

    def open_clip(self, path: Path, selection: Selection, look: Look | None = None) -> Clip:
        """What is known of a clip before its frames are. Raises InputError for what is damaged."""
        ...

    def write(self, path: Path, clip: Field | Clip, encoding: Encoding) -> list[str]:
        """As a Codec's."""
        ...

    def check(self, path: Path, field: Field | None, encoding: Encoding) -> None:
        """As a Codec's."""
        ...


def probe(path: Path | str, *, signal: bool = False) -> Facts:
    """What the file at path is, or the signal in it. Raises InputError when there is none or no codec knows it."""
    path = Path(path)
    return _to_read(path, signal=signal).probe(path)


def read(path: Path | str, selection: Selection = WHOLE) -> Field:
    """The Field at path. Raises InputError: one line that names the file, what was found and what would do."""
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

    These are a suffix that is not known, a folder that is not there, a file in the way, a quality that the format
    does not have, and axes that it does not take. axes: the names of the result's axes, if they are known."""
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


def check_axes(path: Path, field: Field | Clip, takes: Sequence[str]) -> None:
    """Raises OutputError for a field of other axes than the format of path takes."""
    names = [axis.name for axis in field.axes]
    if names != list(takes):
        raise OutputError(
            f"{path}: takes axes {', '.join(takes)}, the result has {', '.join(names)}; choose another suffix"
        )


def _checked(codec: Codec, path: Path, field: Field | None, encoding: Encoding) -> None:
    if hasattr(codec, "check"):
        codec.check(path, field, encoding)
    else:
        check_target(path, encoding.force)


def is_sequence(path: Path) -> bool:
    """Whether path stands for many files: a folder of images or slices, or a pattern of pictures such as
    frames/%04d.png or frames/*.png. A file that is there is itself, whatever its name."""
    if _by_suffix(path) == "ngff" or path.is_file():
        return False
    return path.is_dir() or not suffix_of(path) or _is_pattern(path)


def _is_pattern(path: Path) -> bool:
    return suffix_of(path).lower() in PICTURES and bool(re.search(r"%0?\d*d|[*?]", path.name))


def suffix_of(path: Path) -> str:
    """What a name says of the format: ".nii.gz", ".png", or the last part of a name that no codec knows.

    Empty for a name without one. Only a letter and more letters or digits are one, so that 1.2.840.10008 and
    Smith.John-styled have none.
    """
    name = path.name.lower()
    known = max((suffix for suffix in _SUFFIXES if name.endswith(suffix)), key=len, default="")
    found = known or path.suffix
    return path.name[-len(found) :] if known or re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]*", found) else ""


def files(path: Path) -> list[Path]:
    """The files that path stands for: itself, numbered images in their order, or all in a folder that is one.
    Raises InputError."""
    if path.is_dir() and not _has_images(path):
        return sorted(file for file in path.rglob("*") if file.is_file())
    if not is_sequence(path):
        return [path]
    from volstyle.codecs import frames

    return frames.files(path)


def _to_read(path: Path, *, signal: bool) -> Codec:
    if len(os.fsencode(path.name)) > NAME_MAX:
        raise InputError(f"{path}: no such file; a name of more than {NAME_MAX} bytes there is not")
    if path.is_dir() and _by_suffix(path) != "ngff":
        return _module("frames" if _has_images(path) else "dicom", path)
    if is_sequence(path) and suffix_of(path):
        return _module("frames", path)
    if path.is_dir():
        return _module("ngff", path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    table = _SIGNAL_SUFFIXES if signal else _SUFFIXES
    name = _by_suffix(path, table)
    if name is None and _is_dicom(path):
        name = "waveform" if signal else "dicom"
    if name is None:
        raise InputError(f"{path}: suffix {path.suffix!r} is not known; {nearest(path.suffix, table)}")
    return _module(name, path)


def _has_images(folder: Path) -> bool:
    """Whether a folder is one of frames: it holds pictures, and no DICOM beside which they are previews."""
    files = [file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file()]
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    others = (file for file in files if _by_suffix(file) in (None, "dicom"))
    return bool(pictures) and not any(map(_is_dicom, others))


def _is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does, whatever its name."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _to_write(path: Path, axes: Sequence[str]) -> Codec:
    return _module(_writer(path, axes), path)


def _writer(path: Path, axes: Sequence[str]) -> str:
    """The module that writes a path, for the axes of what is written."""
    check_name(path)
    table = _SIGNAL_SUFFIXES if list(axes) == ["t"] else _SUFFIXES
    many = "dicom" if "z" in axes and suffix_of(path) == "" else "frames"
    flat = bool(suffix_of(path)) and list(axes) == ["y", "x"]  # one picture, whose name is no pattern
    name = many if is_sequence(path) and not flat else _by_suffix(path, table)
    if name is None:
        raise OutputError(f"{path}: suffix {path.suffix!r} is not known; {nearest(path.suffix, table)}")
    return name


def _by_suffix(path: Path, table: Mapping[str, str] = _SUFFIXES) -> str | None:
    # The longest suffix that fits, for names such as volume.nii.gz.
    name = path.name.lower()
    fitting = [suffix for suffix in table if name.endswith(suffix)]
    return table[max(fitting, key=len)] if fitting else None


def _module(name: str, path: Path) -> Codec:
    try:
        return cast(Codec, import_module(f"volstyle.codecs.{name}"))
    except ModuleNotFoundError as error:
        extra = "signals" if name in SIGNALS else "volumes"
        raise InputError(f"{path}: needs {error.name}; install it: pip install 'volstyle[{extra}]'") from error
