"""A volume as parts the engine can style, and back: windowed, one channel or R, G, B, one moment in time each."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from volstyle.codecs import Selection, read
from volstyle.codecs.stored import Stored
from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.media.intensity import IntensityRange
from volstyle.media.part import Problem
from volstyle.recipe import Recipe

_AXES = (["z", "y", "x"], ["t", "z", "y", "x"])
_MILLIMETERS = {"um": 1e-3, "µm": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}


@dataclass(frozen=True)
class Volume:
    """source: as it was read, (C, z, y, x) or (C, t, z, y, x), in the file's units. windows: of each channel, or
    one of R, G, B. mask: (z, y, x) or source's own shape, where it may change. color: the result is R, G, B.
    """

    source: Field
    windows: tuple[IntensityRange, ...]
    mask: Tensor | None
    color: bool

    @staticmethod
    def prepare(source: Field, mask: Tensor | None, recipe: Recipe) -> Volume:
        """Raises RecipeError for a window, or a color, that cannot be met."""
        stored = source.origin if isinstance(source.origin, Stored) else Stored()
        channels = (source.samples,) if stored.color else torch.split(source.samples, 1)
        if recipe.volume.color and len(channels) > 1:
            raise RecipeError(f"color: {len(channels)} channels cannot become R, G, B; leave --color out")
        windows = tuple(
            IntensityRange.choose(recipe.volume.window, channel, stored.padding, inverted=stored.inverted)
            for channel in channels
        )
        return Volume(source, windows, mask, recipe.volume.color or stored.color)

    @property
    def times(self) -> int:
        return self.source.shape[0] if len(self.source.axes) > 3 else 1

    def problems(self) -> tuple[Problem, ...]:
        """All channels of a time, then those of the next: volumes over time are styled one after the other, from
        the same targets and with the same steps, so that what does not move is styled the same way each time."""
        axes = self.source.axes[-3:]
        found: list[Problem] = []
        for window, samples in self._pieces(self.source.samples):
            content = window.inside(samples)
            if self.color and len(content) == 1:
                content = content.expand(3, *content.shape[1:]).contiguous()
            where = window.covers(samples).all(0)
            if self.mask is not None:
                where = where & self._mask_at(len(found))
            if not where.any():
                raise InputError(
                    f"{self.source.origin.path}: no sample between {window.low:g} and {window.high:g}"
                )
            found.append(Problem(Field(content, axes), where=None if where.all() else where.float()))
        return tuple(found)

    def result(self, styled: Sequence[Tensor]) -> Field:
        """The source with its parts styled, each (C', z, y, x) in [0, 1]: in the file's units, or R, G, B in
        [0, 1] where the file had gray."""
        pieces = self._pieces(self.source.samples)
        done = [
            samples if len(samples) > len(before) else window.outside(before, samples)
            for (window, before), samples in zip(pieces, styled, strict=True)
        ]
        each = len(self.windows)
        moments = [torch.cat(done[start : start + each]) for start in range(0, len(done), each)]
        samples = torch.stack(moments, dim=1) if len(self.source.axes) > 3 else moments[0]
        return replace(self.source, samples=samples)

    def _pieces(self, samples: Tensor) -> list[tuple[IntensityRange, Tensor]]:
        moments = samples.unbind(1) if len(self.source.axes) > 3 else (samples,)
        width = len(samples) // len(self.windows)
        return [
            (window, channel)
            for moment in moments
            for window, channel in zip(self.windows, torch.split(moment, width), strict=True)
        ]

    def _mask_at(self, part: int) -> Tensor:
        assert self.mask is not None
        return self.mask[part // len(self.windows)] if self.mask.dim() > 3 else self.mask


def read_volume(path: Path, mask: Path | None, recipe: Recipe) -> Volume:
    """Raises InputError for a file that is no volume, or a mask of another shape."""
    source = read(path)
    _check_axes(path, source)
    where = None
    if mask is not None:
        labels = read(mask)
        if labels.shape not in (source.shape, source.shape[-3:]) or labels.channels != 1:
            have, need = ("x".join(map(str, field.shape)) for field in (labels, source))
            raise InputError(f"{mask}: a mask of {have}, must be {need} as {path.name} is")
        where = labels.samples[0] != 0
        if not where.any():
            raise InputError(f"{mask}: 0 everywhere, must be another number where the style goes")
    return Volume.prepare(source, where, recipe)


def read_volume_style(path: Path) -> Field:
    """A style that is a volume, its own window brought to [0, 1]; an image or a clip as it is."""
    field = read(path, Selection())
    if not is_volume(field):
        return field
    volume = Volume.prepare(field, None, Recipe())
    if len(volume.windows) > 1 or volume.times > 1:
        raise InputError(f"{path}: a style volume must have one channel or R, G, B, and no time")
    return volume.problems()[0].content


def is_volume(field: Field) -> bool:
    """Whether it has the axes of a volume, or of one over time."""
    return [axis.name for axis in field.axes] in _AXES


def blank(shape: tuple[int, ...]) -> Field:
    """What a solid texture begins with: nothing."""
    return Field(torch.full((3, *shape), 0.5), tuple(Axis(name) for name in "zyx"))


def shape_of(text: str) -> tuple[int, ...]:
    """ "64,64,64", or "64" for a cube."""
    if not re.fullmatch(r"\d+(,\d+,\d+)?", text.replace(" ", "")):
        raise RecipeError(f"shape: {text!r} must be Z,Y,X, as in 64,64,64")
    sizes = tuple(int(size) for size in text.split(","))
    return sizes * 3 if len(sizes) == 1 else sizes


def with_style_size(recipe: Recipe, length: str, content: Field) -> Recipe:
    """The style's scale such that its long side has a length, as in 40mm. Raises RecipeError."""
    match = re.fullmatch(r"(\d*\.?\d+)\s*(\D+)", length)
    if not match or match[2] not in _MILLIMETERS or not float(match[1]) > 0:
        raise RecipeError(f"style-size: {length!r} must be a length above 0 in um, mm, cm or m, as in 40mm")
    if any(axis.unit not in _MILLIMETERS for axis in content.axes):
        raise RecipeError("style-size: the content says no size of its samples; give --style-scale instead")
    extent = max(
        size * axis.step * _MILLIMETERS[axis.unit] for size, axis in zip(content.shape, content.axes, strict=True)
    )
    scale = float(match[1]) * _MILLIMETERS[match[2]] / extent
    return replace(recipe, style=replace(recipe.style, scale=scale)) if math.isfinite(scale) else recipe


def _check_axes(path: Path, field: Field) -> None:
    if not is_volume(field):
        names = [axis.name for axis in field.axes]
        kind = {2: "image", 3: "video", 1: "signal"}.get(len(names))
        raise InputError(f"{path}: must be a volume, has axes {', '.join(names)}; use `volstyle {kind}`")
