"""A lesson as it is asked for: which styles are learned, and on what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from volstyle.codecs import PICTURES, Encoding, Selection, is_clip, open_clip, read, suffix_of
from volstyle.codecs.atomic import check_target
from volstyle.codecs.clip import Clip
from volstyle.engine.network_file import SUFFIX
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.grid.field import Field
from volstyle.media.defaults import composed, learned
from volstyle.media.order import Order, Source, StyleOrder
from volstyle.media.painted import painted_axes
from volstyle.media.ranges import clip_in_srgb
from volstyle.media.table import medium_named, medium_of
from volstyle.media.volume import Volume
from volstyle.motion.shots import CutFinder
from volstyle.recipe import Recipe


@dataclass(frozen=True)
class Studied:
    """A content that a style is learned on. opened: gives it, a picture or a volume whole, or a clip. shape: along
    its axes. channels: of it. cuts: first frames of the shots of a clip but the first. notes: for the user."""

    source: Source
    opened: Callable[[], Field | Clip]
    shape: tuple[int, ...]
    channels: int = 3
    cuts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def lesson(
    styles: tuple[StyleOrder, ...],
    examples: tuple[Source, ...],
    output: Path | None,
    *,
    kind: str | None,
    size: int | None,
    given: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    selection: Selection,
    encoding: Encoding,
    resume: bool,
) -> Order:
    """The order to learn styles on examples. kind: the medium's name; None is that of the first example, and of a
    folder of pictures each picture for itself. size: the long side of contents at most. given, chosen: choices, as
    `Medium.recipe` takes them. Raises VolstyleError."""
    if not examples:
        raise RecipeError(
            "on: names nothing to learn on, must be a clip, pictures or volumes; or give the --shape of a solid"
        )
    if kind is None:
        first = examples[0]
        is_folder = isinstance(first, Path) and first.is_dir() and is_clip(first)
        kind = "image" if is_folder else medium_of(first).name
    if not painted_axes(medium_named(kind)):
        raise RecipeError(f"learn: is for pictures, clips and volumes, not for a {kind}")
    sizes = () if size is None else ({"learn": {"largest": size}},)
    recipe = composed(kind, learned(kind), given, *sizes, *chosen)
    # What is learned on is read no larger than it is learned; the stages make it smaller.
    read_at = None if "z" in medium_named(kind).axes else recipe.learn.largest
    return Order(
        kind=kind,
        content=None,
        styles=styles,
        output=output,
        recipe=recipe,
        selection=replace(selection, size=read_at),
        encoding=encoding,
        resume=resume,
        examples=examples,
    )


def check_lesson(order: Order) -> None:
    """Raises OutputError or RecipeError for an order to learn that cannot be carried out."""
    check_file_and_styles(order, "a learned style is a file, as in starry.safetensors")
    for name, is_given in {
        "@TIME": any(style.at for style in order.styles),
        "--style-mask": any(style.source_mask is not None for style in order.styles),
        "--keep-colors": order.recipe.colors == "content",
        "--loop": order.recipe.temporal.loop,
        "--periodic": order.recipe.periodic,
        "learn.carry": order.recipe.learn.carry != Recipe().learn.carry,
    }.items():
        if is_given:
            raise RecipeError(f"{name}: is for what is painted, not for what is learned; leave it out here")
    if order.init is not None and not (order.init.is_file() and order.init.suffix.lower() == SUFFIX):
        wrong = "is none" if order.init.exists() else "there is no such file"
        raise InputError(f"init {order.init}: {wrong}; must be a file of learned styles ({SUFFIX}), or content")
    if order.recipe.solid != Recipe().solid:
        raise RecipeError("solid: phases and its other choices are for a solid that is learned; give its --shape")
    if order.recipe.init == "noise":
        raise RecipeError("init: noise is for samples; a lesson starts from content or a learned style")
    if order.recipe.learn.others and "z" in medium_named(order.kind).axes:
        raise RecipeError("learn.others: is for pictures and clips, not for volumes; leave it out")


def check_file_and_styles(order: Order, is_a_file: str) -> None:
    """Raises OutputError unless a file of networks can be written where an order wants it, and RecipeError for an
    order without styles. is_a_file: what to say where no file is named."""
    if order.output is None:
        raise OutputError(f"output: none is named; {is_a_file}")
    if order.output.suffix.lower() != SUFFIX:
        raise OutputError(f"{order.output}: suffix {order.output.suffix!r}, must be {SUFFIX}")
    check_target(order.output, order.encoding.force)
    if not order.styles:
        raise RecipeError("style: none given, must be at least one")


def style_names(styles: Sequence[StyleOrder]) -> tuple[str, ...]:
    """What each style is called: its file's name without suffix, and a number where two are alike."""
    names: list[str] = []
    for style in styles:
        stem = "style" if isinstance(style.source, Field) else style.source.stem
        alike = sum(name == stem or name.startswith(f"{stem}-") for name in names)
        names.append(f"{stem}-{alike + 1}" if stem in names else stem)
    return tuple(names)


def studied(order: Order, source: Source) -> list[Studied]:
    """What an example to learn on holds, as the order's medium sees it. Raises InputError."""
    axes = medium_named(order.kind).axes
    if isinstance(source, Field):
        return [_in_memory(source, clip_in_srgb(Clip.of(source)) if "t" in axes else source)]
    if "t" in axes:
        if not is_clip(source):
            raise InputError(f"{source}: is no clip; say --medium image or volume")
        finder = CutFinder()
        clip = clip_in_srgb(open_clip(source, order.selection, finder.look))
        return [replace(_in_memory(source, clip), cuts=finder.cuts(), notes=clip.notes)]
    if len(axes) > 2:
        volume = Volume.prepare(read(source), None, order.recipe).checked()
        return [_in_memory(source, volume.part(number).content) for number in range(len(volume.grids))]
    files = [source]
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if suffix_of(file).lower() in PICTURES)
    if not files:
        raise InputError(f"{source}: no pictures in it")
    found = []
    for file in files:
        picture = read(file, order.selection)  # looked at now, and read again when its turn comes
        if len(picture.axes) != len(axes):
            raise InputError(f"{file}: is no picture; say --medium video or volume")
        found.append(Studied(file, partial(read, file, order.selection), picture.shape, picture.channels))
    return found


def _in_memory(source: Source, whole: Field | Clip) -> Studied:
    channels = whole.channels if isinstance(whole, Field) else 3
    return Studied(source, lambda: whole, whole.shape, channels)
