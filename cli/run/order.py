"""Makes an order for the library of the options of a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from volstyle.codecs import Encoding, Selection
from volstyle.errors import RecipeError
from volstyle.media.choices import load_choices
from volstyle.media.method import with_method
from volstyle.media.names import default_output
from volstyle.media.order import Order, Source, StyleOrder, moment_of, style_named
from volstyle.media.painted import sized
from volstyle.media.solid_part import begins_at
from volstyle.media.table import medium_named
from volstyle.media.volume import shape_of
from volstyle.recipe import Recipe, assigned

from ..options import ImageOptions, SignalOptions, StyleOptions, VideoOptions, VolumeOptions
from ..recipes import recipe_of
from .pipes import PIPE, picture_in


@dataclass(frozen=True)
class Errand:
    """An order with the pictures and the page that the command line makes beside the result.

    preview: a picture that is written anew while the run goes on. turn: a clip in which a volume turns. report: a
    page about the run.
    """

    order: Order
    preview: Path | None = None
    turn: Path | None = None
    report: Path | None = None


def errand_of(options: StyleOptions) -> Errand:
    """The errand that the options describe. Raises VolstyleError."""
    if isinstance(options, VolumeOptions | SignalOptions) and PIPE in (options.content, options.output):
        raise RecipeError(f"-: is for images and clips; give `volstyle {options.medium}` a file")
    turn = options.turn if isinstance(options, VolumeOptions) else None
    order = replace(_order_of(options), resume=not options.no_resume)
    if order.lesson is not None:
        order = replace(order, lesson=replace(order.lesson, resume=order.resume))
    return Errand(order, options.preview, turn, options.report)


def _order_of(options: StyleOptions) -> Order:
    if isinstance(options, VolumeOptions):
        return _volume_order(options)
    if isinstance(options, SignalOptions):
        return _signal_order(options)
    assert isinstance(options, ImageOptions)
    quality, shots, full_size = "visual", "none", False
    size, recipe = _sized(options, options.content)
    source: Source = options.content
    selection = Selection(size)
    if isinstance(options, VideoOptions):
        quality, shots, full_size = options.quality.value, options.shots, options.full_size
        start, end = moment_of("start", options.start), moment_of("end", options.end)
        selection = replace(selection, start=start, end=end, keep_going=options.keep_going)
    elif source == PIPE:
        source = picture_in(size)
    styles = _styles(options.style, options.mask, options.style_mask)
    order = Order(
        kind=options.medium,
        content=source,
        styles=styles,
        output=_output(options, styles, quality),
        recipe=recipe,
        selection=selection,
        encoding=Encoding(quality, options.force),
        full_size=full_size,
        shots=shots,
    )
    if not isinstance(options, VideoOptions):
        return order
    given = {} if options.recipe is None else load_choices(options.recipe)
    chosen = (options.choices(), *map(assigned, options.set_))
    return with_method(order, options.method.value, options.size, given, chosen)


def _sized(options: StyleOptions, *sources: Path | None) -> tuple[int | None, Recipe]:
    """The size at which files are read, and the recipe. sources: the content, and the style."""
    styles = [style_named(text) for text in options.style]
    size, choices = sized(medium_named(options.medium), options.size, styles)
    return size, recipe_of(options, choices, *sources)


def _volume_order(options: VolumeOptions) -> Order:
    if (options.content is None) == (options.shape is None):
        raise RecipeError("volume: give either IN, what is styled, or --shape Z,Y,X of a solid texture")
    shape = None if options.shape is None else shape_of(options.shape)
    begins = None if options.origin is None else begins_at(options.origin)
    order = _order_or_texture(options, Selection())
    return replace(order, mask=options.mask, shape=shape, begins=begins, style_size=options.style_size)


def _signal_order(options: SignalOptions) -> Order:
    if options.content is not None and options.seconds is not None:
        raise RecipeError("seconds: is for a texture, without IN; give --start and --end to style a part of IN")
    start, end = moment_of("start", options.start), moment_of("end", options.end)
    return replace(_order_or_texture(options, Selection(None, start, end, signal=True)), seconds=options.seconds)


def _order_or_texture(options: VolumeOptions | SignalOptions, selection: Selection) -> Order:
    """An order to style a content or, where there is none, to make a texture after the style alone."""
    styles = _styles(options.style, (), ())
    _, recipe = _sized(options, options.content, styles[0].path)
    return Order(
        kind=options.medium,
        content=options.content,
        styles=styles,
        output=options.output or output_for(options.medium, options.content, styles),
        recipe=recipe,
        selection=selection,
        encoding=Encoding(force=options.force),
    )


def _styles(texts: Sequence[str], masks: Sequence[Path], source_masks: Sequence[Path]) -> tuple[StyleOrder, ...]:
    for name, files in (("mask", masks), ("style-mask", source_masks)):
        if files and len(files) != len(texts):
            raise RecipeError(f"--{name}: {len(files)} for {len(texts)} styles, must be one for each or none")
    nothing = [None] * len(texts)
    return tuple(
        replace(style_named(text), mask=mask, source_mask=source)
        for text, mask, source in zip(texts, masks or nothing, source_masks or nothing, strict=True)
    )


def _output(options: ImageOptions, styles: Sequence[StyleOrder], quality: str) -> Path | None:
    """The file to write: the one that is named, else IN-STYLE in the current folder; None for standard output."""
    if _to_pipe(options):
        return None
    return options.output or output_for(options.medium, options.content, styles, quality)


def output_for(medium: str, content: Path | None, styles: Sequence[StyleOrder], quality: str = "visual") -> Path:
    """The name of a result that nobody named, for a content of any medium: IN-STYLE in the current folder."""
    return default_output(medium_named(medium), content, [style.path for style in styles], quality)


def _to_pipe(options: ImageOptions) -> bool:
    """Whether a picture goes to standard output, which is the default for one that came through standard input."""
    is_picture = not isinstance(options, VideoOptions)
    return is_picture and (options.output or options.content) == PIPE
