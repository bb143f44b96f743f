"""Whether a content is optimized, or a style is learned on it first and then paints it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from volstyle.codecs import Moment, probe
from volstyle.codecs.frames import RATE
from volstyle.codecs.incoming import STREAM
from volstyle.engine.network_file import SUFFIX
from volstyle.errors import InputError, RecipeError, nearest
from volstyle.grid.field import Field
from volstyle.media.command import command_of
from volstyle.media.lesson import lesson, style_names
from volstyle.media.order import Order, StyleOrder
from volstyle.media.painted import is_learned, painting_recipe
from volstyle.media.table import medium_named, medium_of
from volstyle.recipe import AUTO, Recipe, merged
from volstyle.record import Record

METHODS = (AUTO, "optimize", "learn")

LONG = 24
"""Frames of a clip from which on a style is learned: optimizing takes some 200 steps for each frame, learning some
3000 whatever the length, and paints a clip at its own size."""


def with_method(
    order: Order,
    asked: str,
    size: int | None,
    given: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
) -> Order:
    """An order to optimize, as it was made of options, or one that learns first. asked: one of `METHODS`; "auto"
    learns on a clip of `LONG` frames or more, unless something is asked for that only optimizing can do. size: the
    long side that is asked for. given, chosen: choices, as `Medium.recipe` takes them. Raises RecipeError."""
    if asked not in METHODS:
        raise RecipeError(f"method: {asked!r} is unknown; {nearest(asked, METHODS)}")
    if any(map(is_learned, order.styles)):
        if asked != AUTO:
            raise RecipeError(f"method: {asked} is asked for, but the style was learned already; leave it out")
        return order
    axes = medium_named(order.kind).axes
    is_moving = "t" in axes and len(axes) > 1
    if asked == "learn" and not is_moving:
        raise RecipeError("method: learn is for clips; `volstyle learn` learns on pictures and volumes too")
    if asked == "optimize" or not is_moving:
        return order
    if asked == AUTO and (needs_optimizing(order) or _frames(order) < LONG):
        return order
    return learned_first(order, size, given, chosen)


def _frames(order: Order) -> int:
    """About how many frames are styled, 0 for a clip in memory, a stream, or a result that stays in memory."""
    if not isinstance(order.content, Path) or STREAM in (order.content, order.output) or order.output is None:
        return 0
    if medium_of(order.content).axes != medium_named(order.kind).axes:
        return 0  # what it is instead is said when it is opened
    facts = probe(order.content)
    step = facts.axes[0].step if facts.axes else 1 / RATE

    def place(moment: Moment | None, otherwise: int) -> int:
        if moment is None:
            return otherwise
        return min(otherwise, round(moment.value if moment.unit == "f" else moment.value / step))

    count = facts.shape[0]
    return place(order.selection.end, count) - (
        0 if order.selection.start is None else place(order.selection.start, count)
    )


def needs_optimizing(order: Order) -> str:
    """What an order asks for that a learned style cannot do, "" for nothing."""
    given = {
        "an init": order.recipe.init != "content",
        "masks": any(style.mask is not None or style.source_mask is not None for style in order.styles),
        "a loop": order.recipe.temporal.loop,
        "given flow": order.flow is not None,
        "styles over time": any(style.at is not None for style in order.styles),
        "--full-size": order.full_size,
    }
    return next((name for name, is_given in given.items() if is_given), "")


def learned_first(
    order: Order, size: int | None, given: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]]
) -> Order:
    """The order to paint a clip with a style that is learned on it, at `size` or its own, and kept beside the
    result.

    given, chosen: choices, as `Medium.recipe` takes them. Raises VolstyleError.
    """
    if order.output is None or isinstance(order.content, Field) or order.content is None:
        raise RecipeError("method: learn keeps the style beside the result; name files for content and output")
    hindrance = needs_optimizing(order)
    if hindrance:
        raise RecipeError(f"method: learn cannot do {hindrance}; leave that out, or --method optimize")
    first = lesson(
        order.styles,
        (order.content,),
        order.output.with_suffix(SUFFIX),
        kind=order.kind,
        size=size,
        given=merged({"learn": {"others": 0.0}}, given),  # all that will be painted is shown
        chosen=chosen,
        selection=order.selection,
        encoding=order.encoding,
        resume=order.resume,
    )
    # How frames are held together when they are painted is not learned: another carry learns nothing anew.
    unpainted = replace(first.recipe.learn, carry=Recipe().learn.carry)
    first = replace(first, recipe=replace(first.recipe, learn=unpainted))
    assert first.output is not None
    names = style_names(order.styles)
    styles = tuple(
        StyleOrder(first.output, style.weight, named=name if len(names) > 1 else "")
        for style, name in zip(order.styles, names, strict=True)
    )
    return replace(
        order,
        recipe=painting_recipe(order.kind, order.recipe),
        styles=styles,
        selection=replace(order.selection, size=size),
        lesson=first,
    )


def is_done(order: Order) -> bool:
    """Whether the style of a lesson lies at its output, whole and learned by the same order."""
    assert order.output is not None
    if not (order.output.exists() and order.record_path.exists()):
        return False
    try:
        record = Record.load(order.record_path)
    except InputError:
        return False
    # As JSON has it, in which the record was read: without tuples.
    asked = json.loads(json.dumps(command_of(order, None)))
    return bool(record.command == asked and _unresolved(record.recipe, order.recipe) == order.recipe)


def _unresolved(resolved: Recipe, asked: Recipe) -> Recipe:
    """A recipe of a record without what was found out because it was not asked for."""
    found: dict[str, Any] = {key: AUTO for key in ("device", "precision") if getattr(asked, key) == AUTO}
    found["memory"] = asked.memory  # which was written out in bytes
    for part in ("content", "style"):
        choices = {key: getattr(getattr(asked, part), key) for key in ("taps", "fine_taps")}
        found[part] = {key: taps for key, taps in choices.items() if not taps}
    return resolved.updated(found)
