"""What every codec offers, and the values that it is given and gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from volstyle.codecs.clip import Clip, Look
from volstyle.errors import OutputError
from volstyle.grid.field import Axis, Field


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
    """What a file is, found without decoding all of it.

    kind: "image", "video", …
    shape: samples along each axis (t, y, x for a clip; t may be an estimate from the header).
    entries: what `volstyle info` shows, in order: name -> text.
    axes: the axes that shape counts along, where the file says their steps.
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
        """The samples, and as their origin what is needed to write them back. Raises InputError."""
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
        """The clip at path, looked through once, so that its frames are decoded when they are asked for. look: is
        called with each frame on the way. Raises InputError for what is damaged."""
        ...

    def write(self, path: Path, clip: Field | Clip, encoding: Encoding) -> list[str]:
        """As `Codec` says; a clip is written frame after frame."""
        ...

    def check(self, path: Path, field: Field | None, encoding: Encoding) -> None:
        """As `Codec` says; a clip is written frame after frame."""
        ...


def check_axes(path: Path, field: Field | Clip, takes: Sequence[str]) -> None:
    """Raises OutputError for a field of other axes than the format of path takes."""
    names = [axis.name for axis in field.axes]
    if names != list(takes):
        raise OutputError(
            f"{path}: takes axes {', '.join(takes)}, the result has {', '.join(names)}; choose another suffix"
        )
