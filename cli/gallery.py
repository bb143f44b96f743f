"""What units look at: files, folders of files, or the procedural world; read when they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from volstyle.codecs import CODECS, SIGNALS, Selection, read
from volstyle.errors import InputError
from volstyle.field import Axis, Field, Origin
from volstyle.recipe import Recipe
from volstyle.signals import prepare
from volstyle_cli.volumes import Volume, is_volume

_SUFFIXES = tuple(suffix for table in (CODECS, SIGNALS) for known in table.values() for suffix in known)


@dataclass(frozen=True)
class Files:
    """paths: each read anew whenever it is asked for, so that one is held at a time. recipe: says which
    intensities of a volume are shown."""

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
    """Pictures of the procedural world, of other programs in other colors; the same for the same seed."""

    count: int
    size: int
    seed: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Field:
        if index not in self._painted:
            self._painted[index] = (self._paint(index) * 255).round().to(torch.uint8)
        samples = self._painted[index].float() / 255
        return Field(samples, (Axis("y"), Axis("x")), Origin(Path(f"picture {index}")))

    def __str__(self) -> str:
        return f"{self.count} pictures by formula, {self.size} px, seed {self.seed}"

    @cached_property
    def _painted(self) -> dict[int, Tensor]:
        """Pictures kept in 8 bits, since painting one takes longer than reading a file."""
        return {}

    def _paint(self, index: int) -> Tensor:
        """(3, size, size)."""
        from volstyle.training.programs import Programs, draw_palettes
        from volstyle.training.world import paint

        seed = 1_000_003 * self.seed + index
        generator = torch.Generator().manual_seed(seed)
        program = Programs.draw(1, seed).stacked()
        salt = torch.randint(2**31 - 1, (1,), generator=generator).int()
        scene = torch.rand(1, 12, generator=generator)
        return paint(program, draw_palettes(1, generator), scene, salt, self.size)[0].clamp(0, 1)


def gallery(paths: Sequence[Path], recipe: Recipe, *, size: int, count: int) -> Files | World:
    """All that the paths name, folders opened; the procedural world when there are none.

    size: long side in samples; pictures are only ever made smaller. count: of those of the procedural world.
    Raises InputError for a path that is not there, or a folder that holds nothing volstyle reads.
    """
    if not paths:
        return World(count, size, recipe.seed)
    return Files(tuple(file for path in paths for file in _files(path)), Selection(size), recipe)


def _shown(path: Path, field: Field, recipe: Recipe) -> Field:
    """As the engine sees it: volumes in their window, signals at their level."""
    if len(field.axes) == 1:
        return prepare(field, (), joint=path.suffix.lower() in SIGNALS["audio"]).content
    if not is_volume(field):
        return field
    (problem, *others) = Volume.prepare(field, None, recipe).problems()
    if others:
        raise InputError(
            f"{path}: {1 + len(others)} channels or times, must be one; save that as a file of its own"
        )
    return problem.content


def _files(path: Path) -> list[Path]:
    """A folder's files, unless all of it is one volume."""
    if not path.is_dir() or path.suffix in CODECS["ngff"]:
        return [path]
    found = sorted(file for file in path.iterdir() if not file.name.startswith(".") and _suffix(file))
    if found and all(_suffix(file) in CODECS["dicom"] for file in found):
        return [path]
    if not found:
        raise InputError(f"{path}: nothing there that volstyle reads; give files, or a folder of them")
    return found


def _suffix(file: Path) -> str | None:
    """That by which a codec knows it."""
    return next((suffix for suffix in _SUFFIXES if file.name.lower().endswith(suffix)), None)
