"""Read a path into a Field, write a Field to a path; the codec is found by suffix in one table.

A codec is a module with the functions of the protocol `Codec`. Modules are imported when first used, so that
nobody pays for a format's library who does not open that format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from volstyle.errors import InputError, OutputError
from volstyle.field import Field

CODECS: dict[str, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"),
    "video": (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"),
}
"""Module of this package -> the suffixes it reads and writes. Folders and patterns go to "frames"."""


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
    """

    size: int | None = None
    start: Moment | None = None
    end: Moment | None = None


@dataclass(frozen=True)
class Encoding:
    """How to write.

    quality: "visual" (visually lossless, the default), "lossless", or "prores".
    force: replace a file that is there.
    """

    quality: str = "visual"
    force: bool = False


@dataclass(frozen=True)
class Facts:
    """What a file is, without decoding it whole.

    kind: "image", "video", …
    shape: samples along each axis (t, y, x for a clip; t may be an estimate from the header).
    entries: what `volstyle info` shows, in order: name -> text.
    """

    kind: str
    shape: tuple[int, ...]
    entries: dict[str, str]


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


def probe(path: Path) -> Facts:
    """What the file at path is. Raises InputError when there is none or no codec knows it."""
    return _codec_to_read(path).probe(path)


def read(path: Path, selection: Selection = Selection()) -> Field:
    """The Field at path. Raises InputError with one line that names the file, what was found, what would do."""
    return _codec_to_read(path).read(path, selection)


def write(path: Path, field: Field, encoding: Encoding = Encoding()) -> list[str]:
    """Write field to path, all or nothing. Returns notes. Raises OutputError."""
    return _codec_to_write(path).write(path, field, encoding)
