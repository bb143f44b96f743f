"""Signals as a medium: sounds and series of numbers, and textures of any length that are made after a signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from volstyle.codecs import SIGNALS, Facts, Selection, read, suffix_of
from volstyle.engine.checkpoint import Reached
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Stylized
from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import composed
from volstyle.media.levels import Ready, lasting, noise_like, prepare
from volstyle.media.medium import Earlier, Finished, Paint
from volstyle.media.order import Order, Source, StyleOrder
from volstyle.media.reading import OtherMediumError, without_axes, without_times
from volstyle.recipe import Recipe

_SLOWEST_SOUND_S = 1e-3
"""The step of samples in memory above which they are a series of numbers and not a sound."""

_TEXTURE = {"init": "noise", "content": {"weight": 0.0}}


@dataclass(frozen=True)
class Signal:
    """A signal that is ready to be styled. source: the content as it was read, (C, T); for a texture, the style
    cut or repeated to its length. ready: what the engine sees. init: what the optimization starts from, None for
    the content. texture: whether there is no content."""

    source: Field
    ready: Ready
    init: Field | None
    texture: bool
    notes: tuple[str, ...]
    cuts: tuple[int, ...] | None = None
    kept_bytes: int = 4

    @property
    def grids(self) -> tuple[Field, ...]:
        return (self.ready.content,)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def styles(self) -> tuple[Style, ...]:
        return self.ready.styles

    def part(self, number: int, earlier: Earlier) -> Part:
        return Part(self.ready.content, self.ready.styles, self.init)

    def kept(self, number: int, done: Stylized) -> Reached:
        return replace(done.reached, samples=torch.empty(0), momentum=None, finished=done.field.samples)

    def expected(self) -> Field:
        return replace(self.source, samples=self.source.samples.to("meta"))

    def painted(self, paint: Paint) -> Field:
        raise RecipeError("style: was learned, which is for pictures, clips and volumes; give a sound or a series")

    def result(self, finished: Finished) -> Field:
        samples = finished(0)
        if samples is None:
            return self.source
        return self.ready.finished(self.source, self.ready.content.with_samples(samples))


@dataclass(frozen=True)
class SignalMedium:
    name: str = "signal"
    called: str = "a signal"
    axes: tuple[str, ...] = ("t",)
    texture: str = "texture"

    def suffix(self, content: Path | None, style: Path, quality: str) -> str:
        """A series keeps the format of its content, a sound becomes WAV. What has no suffix is DICOM."""
        suffix = suffix_of(content or style)
        return ".wav" if suffix.lower() in SIGNALS["audio"] else suffix or ".dcm"

    def size(self, asked: int | None) -> tuple[int | None, Mapping[str, Any]]:
        if asked is not None:
            raise RecipeError("size: is for images, clips and volumes; a signal keeps its rate, leave it out")
        return None, {}

    def recipe(
        self, content: Source | None, style: Source | None, given: Mapping[str, Any], *chosen: Mapping[str, Any]
    ) -> Recipe:
        source = style if content is None else content
        kind = "sound" if source is None or is_sound(source) else "series"
        return composed(kind, given, *((_TEXTURE,) if content is None else ()), *chosen)

    def open(self, order: Order) -> Signal:
        without_times(order)
        without_axes(order)
        notes: list[str] = []
        styles = [_read_style(style, notes) for style in order.styles]
        if order.content is None:
            source = _texture(styles[0].field, order.seconds)
        else:
            source = _read(order.content, order.selection, notes)
        if tuple(axis.name for axis in source.axes) != self.axes:
            raise OtherMediumError(order, [axis.name for axis in source.axes])
        joint = is_sound(order.styles[0].source if order.content is None else order.content)
        ready = prepare(source, styles, joint=joint)
        init = _init(order, source, ready, notes)
        return Signal(source, ready, init, order.content is None, (*notes, *ready.notes))

    def part_grid(self, facts: Facts, size: int | None, recipe: Recipe) -> Field:
        return Field(torch.empty(1, *facts.shape, device="meta"), facts.axes or (Axis("t", 1.0, "px"),))

    def sized(self, shape: tuple[int, ...]) -> str:
        return f"{shape[0]} samples"


def is_sound(source: Source) -> bool:
    """Whether a signal is a sound, whose channels belong together, or a series of numbers.

    The suffix of a file tells. Samples in memory that come from no file are a sound if their step is that of an
    audible rate."""
    path = source.origin.path if isinstance(source, Field) else source
    if path is not None:
        return path.suffix.lower() in SIGNALS["audio"]
    assert isinstance(source, Field)
    return source.axes[0].unit == "s" and source.axes[0].step <= _SLOWEST_SOUND_S


def _read_style(style: StyleOrder, notes: list[str]) -> Style:
    try:
        return Style(_read(style.source, Selection(signal=True), notes), style.weight)
    except InputError as error:
        raise InputError(f"style {error}") from error


def _read(source: Source, selection: Selection, notes: list[str]) -> Field:
    if isinstance(source, Field):
        return source
    field = read(source, selection)
    clipped = getattr(field.origin, "clipped", 0)
    if clipped:
        notes.append(f"{source.name}: cut off at full scale in {clipped} places; the distortion is styled with it")
    if getattr(field.origin, "assumed", False):
        notes.append(
            f"{source.name}: its first column goes up evenly and is kept; call it time if it holds seconds, or "
            "move it behind another to have it styled"
        )
    return field


def _texture(style: Field, seconds: float | None) -> Field:
    """A style cut or repeated to the length of a texture."""
    if seconds is None:
        return style
    step = style.axes[0].step
    if style.axes[0].unit != "s":
        raise RecipeError("seconds: the style does not say how long a sample is; leave --seconds out")
    if not 64 <= seconds / step < 2**31:
        raise RecipeError(f"seconds: {seconds:g} are {seconds / step:.0f} samples, must be at least 64")
    return lasting(style, round(seconds / step))


def _init(order: Order, source: Field, ready: Ready, notes: list[str]) -> Field | None:
    if order.recipe.init == "noise":
        samples = noise_like(ready.styles[0].field.samples, source.shape[0], order.recipe.seed)
        return Field(samples, source.axes)
    if order.init is None:
        return None
    init = _read(order.init, replace(order.selection, start=None, end=None), notes)
    if init.samples.shape != source.samples.shape:
        have, need = ("x".join(map(str, field.samples.shape)) for field in (init, source))
        raise InputError(f"{order.init}: {have} channels and samples, an init must have {need} as the content")
    return Field(ready.levels.seen(init.samples), source.axes)
