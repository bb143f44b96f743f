"""The inputs that are shown to units: files, folders of files, or pictures by formula, each read when it is
needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from volstyle.codecs import CODECS, SIGNALS, Selection, read
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field, Origin
from volstyle.media.levels import prepare
from volstyle.media.volume import Volume, is_volume
from volstyle.recipe import Recipe

_SUFFIXES = tuple(suffix for table in (CODECS, SIGNALS) for known in table.values() for suffix in known)

_SOLID_SIZE, _SOLID_ZOOM = 48, 1.5
"""The longest side of solids made by formula, and by how much everything in them is enlarged."""


@dataclass(frozen=True)
class Files:
    """Inputs from files. paths: the files, each of which is read anew whenever it is asked for, so that one is in
    memory at a time. recipe: it says which intensities of a volume are shown."""

    paths: tuple[Path, ...]
    selection: Selection
    recipe: Recipe

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Field:
        path = self.paths[index]
        return replace(_shown(path, read(path, self.selection), self.recipe), origin=Origin(path))

    def __str__(self) -> str:
        return self.paths[0].name if len(self.paths) == 1 else f"{len(self.paths)} files"


@dataclass(frozen=True)
class World:
    """Pictures or solids of the procedural world, each with a program and colors of its own, drawn from a seed."""

    count: int
    size: int
    seed: int
    axes: int = 2

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Field:
        if index not in self._painted:
            self._painted[index] = (self._paint(index) * 255).round().to(torch.uint8)
        samples = self._painted[index].float() / 255
        return Field(
            samples, tuple(Axis(name) for name in "zyx"[-self.axes :]), Origin(Path(f"{self._kind} {index}"))
        )

    def __str__(self) -> str:
        return f"{self.count} {self._kind}s by formula, {self.size} px, seed {self.seed}"

    @property
    def _kind(self) -> str:
        return "picture" if self.axes == 2 else "solid"

    @cached_property
    def _painted(self) -> dict[int, Tensor]:
        """Pictures kept in 8 bits, since painting one takes longer than reading a file."""
        return {}

    def _paint(self, index: int) -> Tensor:
        """Paint one picture or solid, (3, size, …)."""
        from volstyle.world.pictures import picture

        zoom = 1.0 if self.axes == 2 else _SOLID_ZOOM
        return picture(1_000_003 * self.seed + index, self.size, axes=self.axes, zoom=zoom)


def gallery(paths: Sequence[Path], recipe: Recipe, *, size: int, count: int) -> Files | World:
    """The inputs that the paths name, which may be folders. Without paths, pictures of the procedural world, or
    solids for a network with three axes.

    size: long side in samples; pictures are only ever made smaller. count: how many the procedural world gives.
    Raises InputError for a path that is not there, or a folder that holds nothing volstyle reads.
    """
    if not paths and (recipe.network.name == "builtin3d" or recipe.network.inflation == "native"):
        return World(count, min(size, _SOLID_SIZE), recipe.seed, axes=3)
    if not paths:
        return World(count, size, recipe.seed)
    return Files(tuple(file for path in paths for file in _files(path)), Selection(size), recipe)


def _shown(path: Path, field: Field, recipe: Recipe) -> Field:
    """A field as the engine sees it: a volume in its range of intensities, a signal at its level."""
    if len(field.axes) == 1:
        return prepare(field, (), joint=path.suffix.lower() in SIGNALS["audio"]).content
    if not is_volume(field):
        return field
    volume = Volume.prepare(field, None, recipe).checked()
    if len(volume.grids) > 1:
        raise InputError(
            f"{path}: {len(volume.grids)} channels or times, must be one; save that as a file of its own"
        )
    return volume.part(0).content


def _files(path: Path) -> list[Path]:
    """The files in a folder, or the folder itself where it is one volume."""
    if not path.is_dir() or path.suffix in CODECS["ngff"]:
        return [path]
    found = sorted(file for file in path.iterdir() if not file.name.startswith(".") and _suffix(file))
    if found and all(_suffix(file) in CODECS["dicom"] for file in found):
        return [path]
    if not found:
        raise InputError(f"{path}: nothing there that volstyle reads; give files, or a folder of them")
    return found


def _suffix(file: Path) -> str | None:
    """The suffix by which a codec is found for a file."""
    return next((suffix for suffix in _SUFFIXES if file.name.lower().endswith(suffix)), None)
