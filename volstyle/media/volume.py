"""Volumes as a medium: each part is a range of intensities of one channel, or R, G, B, at one moment in time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from volstyle.codecs import CODECS, Facts, read, suffix_of
from volstyle.codecs.borders import free_memory
from volstyle.codecs.stored import Stored
from volstyle.engine.checkpoint import Reached
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Stylized
from volstyle.errors import CapacityError, InputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import composed
from volstyle.media.intensity import IntensityRange
from volstyle.media.medium import Earlier, Finished, Paint, nothing_earlier
from volstyle.media.order import Order, Source, StyleOrder
from volstyle.media.reading import OtherMediumError, without_times
from volstyle.media.single import Single
from volstyle.media.solid import AXES, open_solid, read_section
from volstyle.motion.rest import Rest
from volstyle.recipe import Recipe, merged

_AXES = (["z", "y", "x"], ["t", "z", "y", "x"])
_ONE_FILE = {".mhd": ".mha", ".nhdr": ".nrrd"}
"""Suffixes of headers whose samples lie in another file -> those of formats that have both in one."""

_LABELS, _LOOKED_AT = 8, 2**16
"""How many different numbers a map of labels has at most; how many samples are looked at first."""
_MILLIMETERS = {"um": 1e-3, "µm": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}


@dataclass(frozen=True)
class Volume:
    """A volume that has been opened, with its styles.

    source: the volume as it was read, (C, z, y, x) or (C, t, z, y, x), in the file's units. windows: the range of
    intensities that is styled in each channel, or one range for R, G, B. mask: (z, y, x) or the source's own
    shape, True where the volume may change. color: whether the result is R, G, B. styles: the styles of all parts.
    init: the volume to start from; None for what the recipe says.
    """

    source: Field
    windows: tuple[IntensityRange, ...]
    mask: Tensor | None
    color: bool
    styles: tuple[Style, ...] = ()
    init: Field | None = None
    notes: tuple[str, ...] = ()
    cuts: tuple[int, ...] | None = None
    kept_bytes: int = 4

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
        kept = 8 if len(source.axes) > 3 else 4  # what later times are held to, too
        return Volume(source, windows, mask, recipe.volume.color or stored.color, kept_bytes=kept)

    @property
    def times(self) -> int:
        return self.source.shape[0] if len(self.source.axes) > 3 else 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape[-3:]

    @property
    def grids(self) -> tuple[Field, ...]:
        """All channels of a time, then those of the next: volumes over time are styled one after the other, and a
        later one stays as the one before where its content is at rest."""
        width = self.source.channels // len(self.windows)
        channels = 3 if self.color and width == 1 else width
        grid = Field(torch.empty(channels, *self.shape, device="meta"), self.source.axes[-3:])
        return (grid,) * (self.times * len(self.windows))

    def part(self, number: int, earlier: Earlier = nothing_earlier) -> Part:
        window, samples = self._pieces()[number]
        content = window.inside(samples)
        if self.color and len(content) == 1:
            content = content.expand(3, *content.shape[1:]).contiguous()
        where = self._where(number)
        everywhere = bool(where.all())
        return Part(
            Field(content, self.source.axes[-3:]),
            self.styles,
            self.init,
            where=None if everywhere else where.float(),
            rest=self._rest(number, content, earlier),
        )

    def _rest(self, number: int, content: Tensor, earlier: Earlier) -> Rest | None:
        """What the same channel was made a time before."""
        before = number - len(self.windows)
        reached = earlier(before) if before >= 0 else None
        if reached is None:
            return None
        same = self._pieces()[number % len(self.windows) : number : len(self.windows)]
        return Rest.since(chain((window.inside(piece) for window, piece in same), [content]), reached.samples)

    def kept(self, number: int, done: Stylized) -> Reached:
        """The finished samples and, of a volume over time, those that the next time is held to."""
        samples = done.reached.samples if self.times > 1 else torch.empty(0)
        return replace(done.reached, samples=samples, momentum=None, finished=done.field.samples)

    def expected(self) -> Field:
        channels = 3 if self.color else self.source.channels
        return replace(self.source, samples=torch.empty(channels, *self.source.shape, device="meta"))

    def checked(self) -> Volume:
        """This volume. Raises InputError if a part has no sample that may change."""
        for number, (window, _) in enumerate(self._pieces()):
            if not self._where(number).any():
                raise InputError(
                    f"{self.source.origin.path}: no sample between {window.low:g} and {window.high:g}"
                )
        return self

    def painted(self, paint: Paint) -> Field:
        """The source with its parts painted; where a part may not change, its content stays."""

        def finished(number: int) -> Tensor:
            part = self.part(number)
            content = part.content.samples
            made = paint(content, number)
            return made if part.where is None else part.where * made + (1 - part.where) * content

        return self.result(finished)

    def result(self, finished: Finished) -> Field:
        """The source with its parts styled, each (C', z, y, x) in [0, 1]: in the file's units, or R, G, B in
        [0, 1] where the file had gray."""
        done = []
        for number, (window, before) in enumerate(self._pieces()):
            samples = finished(number)
            if samples is None:  # left out by a stop
                samples = self.part(number).content.samples
            done.append(samples if len(samples) > len(before) else window.outside(before, samples))
        each = len(self.windows)
        moments = [torch.cat(done[start : start + each]) for start in range(0, len(done), each)]
        samples = torch.stack(moments, dim=1) if len(self.source.axes) > 3 else moments[0]
        return replace(self.source, samples=samples)

    def _pieces(self) -> list[tuple[IntensityRange, Tensor]]:
        """The samples of each part, which are views of the source's."""
        source = self.source.samples
        moments = source.unbind(1) if len(self.source.axes) > 3 else (source,)
        width = len(source) // len(self.windows)
        return [
            (window, channel)
            for moment in moments
            for window, channel in zip(self.windows, torch.split(moment, width), strict=True)
        ]

    def _where(self, number: int) -> Tensor:
        """(z, y, x) bool, where a part may change."""
        window, samples = self._pieces()[number]
        where = window.covers(samples).all(0)
        if self.mask is None:
            return where
        return where & (self.mask[number // len(self.windows)] if self.mask.dim() > 3 else self.mask)


@dataclass(frozen=True)
class VolumeMedium:
    name: str = "volume"
    called: str = "a volume"
    axes: tuple[str, ...] = ("z", "y", "x")
    texture: str = "solid"

    def suffix(self, content: Path | None, style: Path, quality: str) -> str:
        if content is None:
            return ".nii.gz"
        suffix = suffix_of(content)
        if content.is_dir() and suffix.lower() not in CODECS["ngff"]:
            return ""  # a folder of slices, whatever its name
        return _ONE_FILE.get(suffix.lower(), suffix)

    def size(self, asked: int | None) -> tuple[int | None, Mapping[str, Any]]:
        """A volume is read whole, and made smaller in its stages."""
        return None, {} if asked is None else {"schedule": {"largest": asked}}

    def recipe(
        self, content: Source | None, style: Source | None, given: Mapping[str, Any], *chosen: Mapping[str, Any]
    ) -> Recipe:
        if content is not None:
            return composed(self.name, given, *chosen)
        solid = merged(given, *chosen).get("solid")
        phases = isinstance(solid, Mapping) and solid.get("phases", "none") != "none"
        return composed("phases" if phases else "solid", given, *chosen)

    def open(self, order: Order) -> Volume | Single:
        """Styles are flat, or volumes; a file to start from is a volume, seen through its own range."""
        without_times(order)
        if order.content is None:
            styles = tuple(_read_style(style, read_section) for style in order.styles)
            return open_solid(order, styles, None if order.init is None else read_volume_style(order.init))
        if order.recipe.solid.phases != "none":
            raise RecipeError("phases: are for a solid; leave the content out and give --shape")
        styles = tuple(_read_style(style, read_volume_style) for style in order.styles)
        init = None if order.init is None else read_volume_style(order.init)
        source = order.content if isinstance(order.content, Field) else read(order.content)
        if not is_volume(source):
            raise OtherMediumError(order, [axis.name for axis in source.axes])
        if order.recipe.volume.window == "auto":
            _check_intensities(order.content, source)
        mask = None if order.mask is None else _read_mask(order.mask, order.content, source)
        return replace(Volume.prepare(source, mask, order.recipe), styles=styles, init=init).checked()

    def part_grid(self, facts: Facts, size: int | None, recipe: Recipe) -> Field:
        axes = facts.axes or (Axis("z"), Axis("y"), Axis("x"))
        return Field(torch.empty(1, *facts.shape[-3:], device="meta"), axes[-3:])

    def sized(self, shape: tuple[int, ...]) -> str:
        return "x".join(map(str, reversed(shape)))


def _read_style(style: StyleOrder, read_field: Callable[[Source], Field]) -> Style:
    across = None if style.across is None else AXES.index(style.across)
    try:
        return Style(read_field(style.source), style.weight, across=across)
    except InputError as error:
        raise InputError(f"style {error}") from error


def _read_mask(mask: Source, content: Source, source: Field) -> Tensor:
    """Where labels are not 0. Raises InputError for a mask of another shape."""
    labels = mask if isinstance(mask, Field) else read(mask)
    name = "mask" if isinstance(mask, Field) else mask
    if labels.shape not in (source.shape, source.shape[-3:]) or labels.channels != 1:
        have, need = ("x".join(map(str, field.shape)) for field in (labels, source))
        content_name = "the content" if isinstance(content, Field) else content.name
        raise InputError(f"{name}: a mask of {have}, must be {need} as {content_name} is")
    where = labels.samples[0] != 0
    if not where.any():
        raise InputError(f"{name}: 0 everywhere, must be another number where the style goes")
    return where


def _check_intensities(content: Source, source: Field) -> None:
    """Raises InputError for a map of labels, whose numbers are names and no intensities."""
    array = source.origin.array if isinstance(source.origin, Stored) else None
    if array is None or array.dtype.kind not in "iub":
        return
    every = source.samples.flatten().numpy()
    some = np.unique(every[:: -(-len(every) // _LOOKED_AT)])
    if 1 < len(some) <= _LABELS and bool(np.isin(every, some).all()):
        name = "the content" if isinstance(content, Field) else content
        raise InputError(
            f"{name}: holds {len(some)} different numbers, labels and no intensities; give what they are of, "
            f"or a section as --style with --shape; --window {some[0]:g},{some[-1]:g} takes them as they are"
        )


def read_volume_style(source: Source) -> Field:
    """A style that is a volume, its own range of intensities brought to [0, 1]; an image or a clip as it is."""
    field = source if isinstance(source, Field) else read(source)
    if not is_volume(field):
        return field
    volume = Volume.prepare(field, None, Recipe()).checked()
    if len(volume.windows) > 1 or volume.times > 1:
        name = "one in memory" if isinstance(source, Field) else source
        raise InputError(f"{name}: a style volume must have one channel or R, G, B, and no time")
    return volume.part(0).content


def is_volume(field: Field) -> bool:
    """Whether it has the axes of a volume, or of one over time."""
    return [axis.name for axis in field.axes] in _AXES


def shape_of(shape: str | tuple[int, ...]) -> tuple[int, ...]:
    """The shape (z, y, x) in "64,64,64", or in "64" for a cube. Raises RecipeError."""
    text = (shape if isinstance(shape, str) else ",".join(map(str, shape))).replace(", ", ",")
    if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9},[0-9]{1,9})?", text):
        raise RecipeError(f"shape: {text!r} must be Z,Y,X, as in 64,64,64")
    sizes = tuple(int(size) for size in text.split(","))
    sizes = sizes * 3 if len(sizes) == 1 else sizes
    if min(sizes) < 1:
        raise RecipeError(f"shape: {text!r} has a side of 0, must be 1 or more, as in 64,64,64")
    if 4 * 3 * math.prod(sizes) > free_memory():
        raise CapacityError(
            f"shape: {text} takes {4 * 3 * math.prod(sizes) / 2**30:.1f} GB of memory, "
            f"{free_memory() / 2**30:.1f} GB are free; choose a smaller one"
        )
    return sizes


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
