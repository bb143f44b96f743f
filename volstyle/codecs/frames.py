"""Clips as numbered images: a folder, or a pattern such as frames/%04d.png or frames/*.png."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from volstyle.codecs import image
from volstyle.codecs.api import Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import check_name, check_target, put, staging
from volstyle.codecs.clip import Clip, ClipOrigin, Look, briefly, is_see_through, roughly
from volstyle.codecs.suffixes import PICTURES
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

_NUMBER = re.compile(r"%0?\d*d")

RATE = 25
"""Frames per second of numbered images, which do not say their rate."""


@dataclass(frozen=True)
class FramesOrigin(ClipOrigin):
    """names: the names of the files."""

    names: tuple[str, ...] = ()


def probe(path: Path) -> Facts:
    found = files(path)
    first = image.probe(found[0])
    entries = {"frames": f"{len(found)}, {found[0].name} to {found[-1].name}", **first.entries}
    return Facts("video", (len(found), *first.shape), entries)


def read(path: Path, selection: Selection) -> Field:
    return open_clip(path, selection).whole()


def open_clip(path: Path, selection: Selection, look: Look | None = None) -> Clip:
    found = files(path)
    bounds = [
        None if m is None else round(m.value * (RATE if m.unit == "s" else 1))
        for m in (selection.start, selection.end)
    ]
    whole: list[Path] = []
    notes: list[str] = []
    shape: tuple[int, ...] = ()
    see_through = False
    ticks: list[int] = []
    for tick, file in enumerate(found[bounds[0] : bounds[1]]):
        try:
            field = image.read(file, selection)
        except InputError as error:
            if not selection.keep_going:
                raise
            notes.append(f"{error}; left out")
            continue
        shape = shape or field.shape
        if field.shape != shape:
            raise InputError(f"{file}: {_size(field.shape)}, must be {_size(shape)} as {whole[0].name} is")
        see_through = see_through or is_see_through(field.origin)
        if look is not None:
            look(roughly(field))
        whole.append(file)
        ticks.append(tick)
    if not whole:
        raise InputError(f"{path}: no frame between --start and --end; it has {len(found)} frames")

    def frames() -> Iterator[Field]:
        for file in whole:
            yield image.read(file, selection)

    axes = (Axis("t", 1 / RATE, "s"), *image.AXES)
    durations = (*(b - a for a, b in pairwise(ticks)), 1)
    places = tuple((bounds[0] or 0) + tick for tick in ticks)
    origin = FramesOrigin(path, (), tuple(ticks), durations, places, tuple(file.name for file in whole))
    return Clip((len(whole), *shape), axes, origin, frames, see_through, briefly(notes))


def write(path: Path, clip: Field | Clip, encoding: Encoding) -> list[str]:
    """All appear when all are complete. A folder gets PNG files, named as those that were read."""
    check_axes(path, clip, ("t", "y", "x"))
    _check_place(path, encoding.force)
    clip = clip if isinstance(clip, Clip) else Clip.of(clip)
    targets = _targets(path, clip)
    folder, others = targets[0].parent, len(_there(path)) - sum(target.exists() for target in targets)
    notes: list[str] = []
    with staging(path, folder if folder.exists() else folder.parent) as temporary:
        for target, frame in zip(targets, clip.frames(), strict=True):
            data, said = image.encoded(target, frame)
            (temporary / target.name).write_bytes(data)
            notes += said
        folder.mkdir(exist_ok=True)
        put(*((temporary / target.name, target) for target in targets))
    return [*briefly(notes), *([f"{folder}: {others} other images are there, left as they are"] if others else [])]


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    _check_place(path, encoding.force)
    if field is not None:
        check_axes(path, field, ("t", "y", "x"))


def _check_place(path: Path, force: bool) -> None:
    """Raises OutputError when images cannot be written there, or, without force, when some are there already."""
    check_name(path)
    if re.search(r"[*?]", path.name) and not path.is_dir():
        raise OutputError(f"{path}: cannot name files by a wildcard; use a number, as in %04d.png")
    folder = path.parent if _is_numbered(path) else path
    check_target((folder if folder.is_dir() else folder.parent) / "any", force=True)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, must be a folder")
    if not force and (there := _there(path)):
        raise OutputError(f"{there[0]}: is there already; give another name or --force")


def _targets(path: Path, clip: Clip) -> list[Path]:
    count = clip.shape[0]
    if _is_numbered(path):
        return [_numbered(path, index) for index in range(1, count + 1)]
    names = clip.origin.names if isinstance(clip.origin, FramesOrigin) else ()
    return [path / (names[index] if len(names) == count else f"{index + 1:06d}.png") for index in range(count)]


def _is_numbered(path: Path) -> bool:
    return bool(_NUMBER.search(path.name)) and not path.is_dir()


def _numbered(path: Path, index: int) -> Path:
    """The file of that number; a percent sign elsewhere in the name stands for itself."""
    return path.with_name(_NUMBER.sub(lambda found: found[0] % index, path.name, count=1))


def files(path: Path) -> list[Path]:
    """The images that path stands for, in the order of the numbers in their names. Raises InputError for none."""
    found = _there(path)
    if not found:
        raise InputError(f"{path}: no images there; give a folder or a pattern such as frames/%04d.png")
    return found


def _there(path: Path) -> list[Path]:
    # Only a number such as %04d and the wildcards * and ? are special in a name; [ is not.
    folder, pattern = (path, "*") if path.is_dir() else (path.parent, _NUMBER.sub("*", path.name))
    there = folder.glob(pattern.replace("[", "[[]"))
    # Hidden files, such as those that macOS puts beside each, are no frames.
    found = [
        file
        for file in there
        if file.suffix.lower() in PICTURES and file.is_file() and not file.name.startswith(".")
    ]
    return sorted(found, key=lambda file: [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", file.name)])


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
