"""From the options of a command to the order that it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from volstyle.codecs import CODECS, SIGNALS, Encoding, Selection, is_sequence, suffix_of
from volstyle.errors import RecipeError
from volstyle.media.choices import load_choices
from volstyle.media.method import with_method
from volstyle.media.order import Order, StyleOrder, moment_of, style_named
from volstyle.media.painted import sized
from volstyle.media.table import medium_named
from volstyle.media.volume import shape_of
from volstyle.recipe import Recipe, assigned

from ..options import ImageOptions, SignalOptions, StyleOptions, VideoOptions, VolumeOptions
from ..recipes import recipe_of


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
    quality, shots = "visual", "none"
    size, recipe = _sized(options, options.content)
    selection = Selection(size)
    if isinstance(options, VideoOptions):
        quality, shots = options.quality.value, options.shots
        start, end = moment_of("start", options.start), moment_of("end", options.end)
        selection = replace(selection, start=start, end=end, keep_going=options.keep_going)
    styles = _styles(options.style, options.mask, options.style_mask)
    order = Order(
        kind=options.medium,
        content=options.content,
        styles=styles,
        output=options.output or _default_output(options.medium, options.content, styles, quality),
        recipe=recipe,
        selection=selection,
        encoding=Encoding(quality, options.force),
        full_size=options.full_size,
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
    styles = _styles(options.style, (), ())
    _, recipe = _sized(options, options.content, styles[0].path)
    return Order(
        kind=options.medium,
        content=options.content,
        styles=styles,
        output=options.output or _default_volume(options.content, styles),
        recipe=recipe,
        selection=Selection(),
        encoding=Encoding(force=options.force),
        mask=options.mask,
        shape=None if options.shape is None else shape_of(options.shape),
        style_size=options.style_size,
    )


_ONE_FILE = {".mhd": ".mha", ".nhdr": ".nrrd"}


def _default_volume(content: Path | None, styles: Sequence[StyleOrder]) -> Path:
    """The default output for a volume: IN-STYLE in the current folder, in the format of the source."""
    names = [stem_of(style.path) for style in styles]
    if content is None:
        return Path(f"{'-'.join(('solid', *names))}.nii.gz")
    suffix = suffix_of(content)
    if content.is_dir() and suffix.lower() not in CODECS["ngff"]:
        suffix = ""  # a folder of slices, whatever its name
        names = [name.replace(".", "_") for name in names]
    return Path(f"{'-'.join((stem_of(content), *names))}{_ONE_FILE.get(suffix.lower(), suffix)}")


def stem_of(path: Path) -> str:
    """The name of a file without its suffix, or the name of a folder, as a part of another file's name. Characters
    that would make that name a pattern become "_"."""
    is_folder = path.is_dir() and suffix_of(path).lower() not in CODECS["ngff"]
    stem = path.name if is_folder else path.name.removesuffix(suffix_of(path))
    return re.sub(r"[%*?]+", "_", stem or path.absolute().name)


def _signal_order(options: SignalOptions) -> Order:
    if options.content is not None and options.seconds is not None:
        raise RecipeError("seconds: is for a texture, without IN; give --start and --end to style a part of IN")
    styles = _styles(options.style, (), ())
    source = options.content or styles[0].path
    _, recipe = _sized(options, options.content, styles[0].path)
    return Order(
        kind=options.medium,
        content=options.content,
        styles=styles,
        output=options.output or _default_signal(source, options.content, styles),
        recipe=recipe,
        selection=Selection(None, moment_of("start", options.start), moment_of("end", options.end), signal=True),
        encoding=Encoding(force=options.force),
        seconds=options.seconds,
    )


def _default_signal(source: Path, content: Path | None, styles: Sequence[StyleOrder]) -> Path:
    """The default output for a signal: IN-STYLE in the current folder. A series has the format of its source, a
    sound is a WAV."""
    suffix = ".wav" if source.suffix.lower() in SIGNALS["audio"] else source.suffix
    first = stem_of(content) if content else "texture"
    return Path("-".join([first, *(stem_of(style.path) for style in styles)]) + suffix)


def _styles(texts: Sequence[str], masks: Sequence[Path], source_masks: Sequence[Path]) -> tuple[StyleOrder, ...]:
    for name, files in (("mask", masks), ("style-mask", source_masks)):
        if files and len(files) != len(texts):
            raise RecipeError(f"--{name}: {len(files)} for {len(texts)} styles, must be one for each or none")
    nothing = [None] * len(texts)
    return tuple(
        replace(style_named(text), mask=mask, source_mask=source)
        for text, mask, source in zip(texts, masks or nothing, source_masks or nothing, strict=True)
    )


_SUFFIXES = {"image": ".png", "video": ".mp4"}


def _default_output(medium: str, content: Path, styles: Sequence[StyleOrder], quality: str) -> Path:
    """The default output for an image or a clip: IN-STYLE in the current folder, as PNG, MP4 or, for ProRes,
    MOV."""
    suffix = ".mov" if quality == "prores" else _SUFFIXES[medium]
    if is_sequence(content) and not content.is_dir():
        name = re.sub(r"[^\w-]*%.*|[^\w-]*[*?].*", "", content.stem) or stem_of(content.absolute().parent)
    else:
        name = stem_of(content)
    return Path("-".join([name, *(stem_of(style.path) for style in styles)]) + suffix)


def output_for(medium: str, content: Path, styles: Sequence[StyleOrder]) -> Path:
    """The name of a result that nobody named, for a content of any medium: IN-STYLE in the current folder."""
    usual = partial(_default_output, medium, quality="visual")
    named: dict[str, Callable[[Path, Sequence[StyleOrder]], Path]] = {
        "volume": _default_volume,
        "signal": partial(_default_signal, content),
    }
    return named.get(medium, usual)(content, styles)
