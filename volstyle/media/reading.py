"""Samples of an order, from files or from memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from volstyle.codecs import Selection, is_clip, open_clip, probe, read
from volstyle.codecs.clip import AXES, Clip, Look, roughly
from volstyle.engine.outline import kept_axes
from volstyle.engine.scene import Style, check_samples
from volstyle.errors import InputError, RecipeError, ShapeError
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.media.order import Order, Source, StyleOrder


def read_source(source: Source, selection: Selection) -> Field:
    """The samples of a file, or those in memory as if they had come from one. Raises InputError."""
    return read(source, selection) if not isinstance(source, Field) else seen(source, selection.size)


def seen(field: Field, size: int | None) -> Field:
    """A picture or a clip in memory as it would be read from a file: with R, G, B, and no longer than `size`."""
    if field.channels == 1:
        field = field.with_samples(field.samples.expand(3, *field.shape))
    kept = kept_axes(field)
    longest = max(length for length, keep in zip(field.shape, kept, strict=True) if not keep)
    if size is None or size >= longest:
        return field.with_samples(field.samples.contiguous())
    return field.with_samples(resize(field.samples, fitted(field.shape, size, kept)).clamp(0, 1))


def content_of(order: Order, look: Look | None = None, *, full: bool = False) -> Clip | Field:
    """The content of an order as a clip, whose frames come one after the other, or as a field.

    look: is shown each frame of a clip. full: at its own size. Raises InputError, or ShapeError for samples in
    memory that do not lie in [0, 1].
    """
    assert order.content is not None
    size = None if full else order.selection.size
    if not isinstance(order.content, Field):
        return opened(order.content, replace(order.selection, size=size), look)
    if order.selection.start or order.selection.end:
        raise RecipeError("start, end: are for files; of samples in memory, give the part that is meant")
    field = seen(normal(order.content, order.value_range), size)
    return _as_clip(field, look)


def normal(field: Field, value_range: tuple[float, float] | None) -> Field:
    """Samples in [0, 1]. value_range: what becomes 0 and 1. Raises ShapeError for samples beyond."""
    if value_range is not None:
        low, high = value_range
        if not low < high:
            raise ShapeError(f"value_range: {low:g} must be below {high:g}")
        field = field.with_samples((field.samples - low) / (high - low))
    check_samples("content", field)
    return field


def full_shape(source: Source) -> tuple[int, ...]:
    """Samples along the axes of a source at its own size."""
    return source.shape if isinstance(source, Field) else probe(source).shape


def opened(source: Source, selection: Selection, look: Look | None = None) -> Clip | Field:
    """A clip, or what else a source holds. look: is shown each frame of a clip. Raises InputError."""
    if not isinstance(source, Field) and is_clip(source):
        return open_clip(source, selection, look)
    return _as_clip(read_source(source, selection), look)


def _as_clip(field: Field, look: Look | None) -> Clip | Field:
    if tuple(axis.name for axis in field.axes) != AXES:
        return field
    clip = Clip.of(field)
    if look is not None:
        for frame in clip.frames():
            look(roughly(frame))
    return clip


def read_style(order: Order, style: StyleOrder) -> Style:
    """A flat or moving style, without the mask of where it goes. Raises InputError."""
    # A clip as a style is read no larger than its statistics are taken; the engine makes a painting smaller.
    size = order.selection.size and max(1, round(order.selection.size * order.recipe.style.scale))
    try:
        field = read_source(style.source, Selection(size=size))
    except InputError as error:
        raise InputError(f"style {error}") from error
    return Style(field, style.weight, source_mask=read_mask(style.source_mask, Selection(size=size)))


def read_mask(source: Source | None, selection: Selection) -> Tensor | None:
    """(*S) in [0, 1], the luma of an image or a clip."""
    return None if source is None else luma(read_source(source, selection).samples)[0]


class OtherMediumError(InputError):
    """A content that is of another medium than the order says. axes: the names of the content's axes."""

    def __init__(self, order: Order, axes: Sequence[str]) -> None:
        self.content = "content" if isinstance(order.content, Field) else str(order.content)
        self.axes = tuple(axes)
        super().__init__(f"{self.content}: has axes {', '.join(axes)}")


def without_axes(order: Order) -> None:
    """Raises RecipeError for styles that are for the slices across an axis, where the content is no volume."""
    flat = [style for style in order.styles if style.across]
    if flat:
        name = flat[0].source if not isinstance(flat[0].source, Field) else "one in memory"
        raise RecipeError(f"style: {name} is for slices across {flat[0].across}, of volumes alone; leave @ out")


def without_times(order: Order) -> None:
    """Raises RecipeError for styles that have a time, where the content is no clip."""
    timed = [style for style in order.styles if style.at]
    if timed:
        name = timed[0].source if not isinstance(timed[0].source, Field) else "one in memory"
        raise RecipeError(f"style: {name} has a time, which is for clips alone; leave it out")
