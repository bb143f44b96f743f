"""Clips as numbered images: a folder, or a pattern such as frames/%04d.png or frames/*.png."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from volstyle.codecs import PICTURES, Encoding, Facts, Selection, image
from volstyle.codecs.atomic import check_target, staging
from volstyle.codecs.image import ImageOrigin
from volstyle.errors import InputError, OutputError
from volstyle.field import Axis, Field, Origin

_NUMBER = re.compile(r"%0?\d*d")

RATE = 25
"""Frames per second, which images do not say."""


@dataclass(frozen=True)
class FramesOrigin(Origin):
    """names: of the files; images: what each needs to be written back."""

    names: tuple[str, ...] = ()
    images: tuple[ImageOrigin, ...] = ()


def probe(path: Path) -> Facts:
    found = files(path)
    first = image.probe(found[0])
    entries = {"frames": f"{len(found)}, {found[0].name} to {found[-1].name}", **first.entries}
    return Facts("video", (len(found), *first.shape), entries)


def read(path: Path, selection: Selection) -> Field:
    found = files(path)
    bounds = [
        None if m is None else round(m.value * (RATE if m.unit == "s" else 1))
        for m in (selection.start, selection.end)
    ]
    chosen = found[bounds[0] : bounds[1]]
    if not chosen:
        raise InputError(f"{path}: no frame between --start and --end; it has {len(found)} frames")
    fields = [image.read(file, selection) for file in chosen]
    for file, field in zip(chosen, fields, strict=True):
        if field.shape != fields[0].shape:
            raise InputError(f"{file}: {_size(field)}, must be {_size(fields[0])} as {chosen[0].name} is")
    images = tuple(field.origin for field in fields if isinstance(field.origin, ImageOrigin))
    samples = torch.stack([field.samples for field in fields], dim=1)
    origin = FramesOrigin(path, tuple(file.name for file in chosen), images)
    return Field(samples, (Axis("t", 1 / RATE, "s"), *image.AXES), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """All appear when all are complete. A folder gets PNG files, named as those that were read."""
    if len(field.axes) != 3:
        raise OutputError(f"{path}: numbered images need axes t, y, x, the result has {len(field.axes)} axes")
    check(path, encoding.force)
    count = field.shape[0]
    origin = field.origin if isinstance(field.origin, FramesOrigin) else FramesOrigin()
    images: tuple[Origin, ...] = origin.images if len(origin.images) == count else (ImageOrigin(),) * count
    targets = _targets(path, count, origin)
    folder, others = targets[0].parent, len(_there(path)) - sum(target.exists() for target in targets)
    notes: list[str] = []
    with staging(path, folder if folder.exists() else folder.parent) as temporary:
        for index, target in enumerate(targets):
            data, said = image.encoded(target, _frame(field.samples[:, index], images[index]))
            (temporary / target.name).write_bytes(data)
            notes += said
        folder.mkdir(exist_ok=True)
        for target in targets:
            (temporary / target.name).replace(target)
    if len(notes) > 1:
        notes = [notes[0], f"… and {len(notes) - 1} more"]
    return [*notes, *([f"{folder}: {others} other images are there, left as they are"] if others else [])]


def check(path: Path, force: bool) -> None:
    """Raises OutputError when images cannot be written there, or, without force, when some are there already."""
    if re.search(r"[*?]", path.name):
        raise OutputError(f"{path}: cannot name files by a wildcard; use a number, as in %04d.png")
    folder = path.parent if _NUMBER.search(path.name) else path
    check_target((folder if folder.is_dir() else folder.parent) / "any", force=True)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, must be a folder")
    if not force and (there := _there(path)):
        raise OutputError(f"{there[0]}: is there already; give another name or --force")


def _frame(samples: Tensor, origin: Origin) -> Field:
    return Field(samples.contiguous(), image.AXES, replace(origin))


def _targets(path: Path, count: int, origin: FramesOrigin) -> list[Path]:
    if _NUMBER.search(path.name):
        return [path.with_name(path.name % index) for index in range(1, count + 1)]
    kept = len(origin.names) == count
    return [path / (origin.names[index] if kept else f"{index + 1:06d}.png") for index in range(count)]


def files(path: Path) -> list[Path]:
    """In the order of the numbers in their names."""
    found = _there(path)
    if not found:
        raise InputError(f"{path}: no images there; give a folder or a pattern such as frames/%04d.png")
    return found


def _there(path: Path) -> list[Path]:
    folder, pattern = (path, "*") if path.is_dir() else (path.parent, _NUMBER.sub("*", path.name))
    found = [file for file in folder.glob(pattern) if file.suffix.lower() in PICTURES and file.is_file()]
    return sorted(found, key=lambda file: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", file.name)])


def _size(field: Field) -> str:
    return f"{field.shape[1]}x{field.shape[0]}"
