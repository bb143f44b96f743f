"""An order whose styles were learned before, carried out: each picture is painted in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from volstyle.codecs import check, write
from volstyle.codecs.clip import Clip
from volstyle.engine.learned_solid import LearnedSolid, is_solid
from volstyle.engine.machine import Machine
from volstyle.engine.network_file import SUFFIX
from volstyle.engine.painting import Brush, LearnedStyle
from volstyle.engine.scene import Style, shares_over_time
from volstyle.errors import RecipeError
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.media.choices import nested
from volstyle.media.command import save_record
from volstyle.media.defaults import composed
from volstyle.media.follower import Follower, PaintPlan
from volstyle.media.medium import Medium, Paint
from volstyle.media.order import NO_PICTURE, Order, StyleOrder
from volstyle.media.result import Result, in_units
from volstyle.media.table import MEDIA, medium_named, open_order
from volstyle.motion.carry import Carrier
from volstyle.motion.lasting import LastingColors
from volstyle.networks.inflation import standard_placement
from volstyle.recipe import Recipe
from volstyle.record import Record, threads, versions


def painted_axes(medium: Medium) -> int:
    """How many axes a network has that paints a medium: a clip is painted frame by frame. 0 for a signal."""
    return sum(name != "t" for name in medium.axes)


def is_learned(style: StyleOrder) -> bool:
    """Whether a style is a file of networks that learned one."""
    return not isinstance(style.source, Field) and style.source.suffix.lower() == SUFFIX


def sized(medium: Medium, asked: int | None, styles: Sequence[StyleOrder]) -> tuple[int | None, Mapping[str, Any]]:
    """What a size that is asked for means, as `Medium.size` says it; a style that was learned paints a content at
    its own size unless one is asked for. Raises RecipeError."""
    size, choices = medium.size(asked)
    if not any(map(is_learned, styles)):
        return size, choices
    if choices:
        raise RecipeError(
            f"size: {asked} is asked for, but a learned style paints {medium.called} at its own size"
        )
    return asked, {}


@dataclass(frozen=True)
class Painting:
    """What paints the pictures of an order. learned: its networks. styles: name, weight and frame of each style
    that is asked for; frames are None where styles have no times. machine: where they run."""

    learned: LearnedStyle
    styles: tuple[tuple[str, float, float | None], ...]
    machine: Machine
    order: Order

    @staticmethod
    def prepare(order: Order) -> Painting:
        """Raises RecipeError for options that a learned style has no use for, InputError for a file that is none
        or is for another medium."""
        _check(order)
        _refuse_solids(order)
        paths = {style.path for style in order.styles}
        learned = LearnedStyle.load(order.styles[0].path)
        if len(paths) > 1:
            names = ", ".join(path.name for path in sorted(paths))
            raise RecipeError(f"style: {names} are learned apart; learn them in one file to blend them")
        own = learned.plan.axes
        if painted_axes(medium_named(order.kind)) != own:
            media = " and ".join(f"{name}s" for name, medium in MEDIA.items() if painted_axes(medium) == own)
            raise RecipeError(
                f"style: {order.styles[0].path.name} was learned for {media}, not for a {order.kind}"
            )
        _check_choices(order)
        machine = Machine.choose(order.recipe.device, order.recipe.precision, order.recipe.memory)
        styles = tuple(
            (_name(style, learned), style.weight, None if style.at is None else style.at.value)
            for style in order.styles
        )
        for name, *_ in styles:
            learned.shares({name: 1.0})
        return Painting(learned, styles, machine, order)

    def on(self, styles: Sequence[Style], count: int) -> Paint:
        """What paints the frame of a number, or a part of another medium; frames that follow one another are held
        together, and one map makes the colors of all. count: of frames. styles: those of the order with the frames
        they are taken at."""
        axes = len(medium_named(self.order.kind).axes)
        placement = standard_placement(self.learned.plan.axes, axes, "center")

        @lru_cache(maxsize=2)
        def brush(shares: tuple[float, ...]) -> Brush:
            return self.learned.brush(placement, torch.tensor(shares), self.machine)

        each = shares_over_time(styles, count)
        carrier, lasting = Carrier(self.order.recipe.learn.carry), LastingColors()

        def is_frame(content: Tensor) -> bool:
            """Whether it is a frame alone, whose axis of time is not there."""
            return content.dim() - 1 < axes

        def draft(content: Tensor, number: int) -> Tensor:
            weights: dict[str, float] = {}
            for index, (name, weight, _) in enumerate(self.styles):
                share = weight if each is None else float(each[number, index])
                weights[name] = weights.get(name, 0.0) + share
            shares = tuple(self.learned.shares(weights).tolist())
            if not is_frame(content):
                return brush(shares)(content)
            own = lasting(content, number) if self.learned.colors else None
            return brush(shares)(content[:, None], own=own)[:, 0]

        def finish(content: Tensor, made: Tensor, number: int) -> Tensor:
            made = carrier(content, made, number) if is_frame(content) else made
            if self.order.recipe.colors == "content":
                made = (content + (luma(made) - luma(content))).clamp(0, 1)
            return made

        return Paint(draft, finish, self.order.recipe.strength)

    def record(self, notes: tuple[str, ...]) -> Record:
        """What happened, without the command."""
        precision = str(self.machine.dtype).removeprefix("torch.")
        return learned_record(self.order, self.learned, self.machine, precision, notes)


def learned_record(
    order: Order, learned: LearnedStyle | LearnedSolid, machine: Machine, precision: str, notes: tuple[str, ...]
) -> Record:
    """What happened where a learned file did an order, without the command. precision: in which networks ran."""
    recipe = replace(order.recipe, device=str(machine.device), precision=precision, memory=f"{machine.budget}B")
    return Record(
        recipe=recipe,
        network=f"learned with {learned.network}",
        weights=learned.digest,
        device=recipe.device,
        precision=recipe.precision,
        threads=threads(),
        versions=versions(),
        stages=(),
        notes=notes,
    )


def paint_order(order: Order, follower: Follower) -> Result:
    """Paint what an order asks for. A clip is painted while it is written, frame by frame, in memory of a frame;
    after a stop the rest of it stays as it was. Raises VolstyleError, and leaves nothing half-written."""
    painting = Painting.prepare(order)
    unseen = tuple(replace(style, source=NO_PICTURE) for style in order.styles)
    opened = open_order(replace(order, styles=unseen))
    expected = opened.expected()
    if order.output is not None:
        check(order.output, expected, order.encoding)
    count = expected.shape[0] if isinstance(expected, Clip) else len(opened.grids)
    follower.painting(PaintPlan(order, opened, painting.learned, painting.machine, count))
    paint = painting.on(opened.styles, opened.shape[0])
    done, stopped = 0, False

    def draft(content: Tensor, number: int) -> Tensor:
        return content if stopped else paint.draft(content, number)

    def finish(content: Tensor, drafted: Tensor, number: int) -> Tensor:
        nonlocal done, stopped
        if stopped:
            return content
        made, done = paint.finish(content, drafted, number), done + 1
        stopped = follower.painted(done, paint.mixed(content, made)) or (0, done) == order.stop_after
        return made

    with follower:
        result = opened.painted(Paint(draft, finish, paint.strength))
        if order.output is None:
            field = result if isinstance(result, Field) else result.whole()
            made = partial(in_units, field, order)
            return Result(painting.record(opened.notes), None, (0, done), stopped, made)
        notes = (*opened.notes, *write(order.output, result, order.encoding))
    record = save_record(order, painting.record(notes), (0, done) if stopped else None)
    return Result(record, order.output, (0, done), stopped, partial(in_units, result, order))


def _name(style: StyleOrder, learned: LearnedStyle) -> str:
    if style.named:
        return style.named
    if len(learned.names) > 1:
        given, names = style.path.name, ", ".join(learned.names)
        raise RecipeError(
            f"style: {given} knows {names}; say which, as in {given}#{learned.names[0]}, or several to blend them"
        )
    return learned.names[0]


def _check(order: Order) -> None:
    """Raises RecipeError for what a learned style leaves no choice of."""
    others = [style.source for style in order.styles if not is_learned(style)]
    if others:
        raise RecipeError(f"style: {others[0]} is a picture and another style is learned; give one kind of them")
    given = {
        "--init": order.init is not None,
        "--mask": order.mask is not None or any(style.mask is not None for style in order.styles),
        "--style-mask": any(style.source_mask is not None for style in order.styles),
        "--loop": order.recipe.temporal.loop,
        "--flow": order.flow is not None,
        "--style-size": order.style_size is not None,
        "--periodic": order.recipe.periodic,
        "--shape": order.content is None,
    }
    for name, is_given in given.items():
        if is_given:
            raise RecipeError(f"{name}: does nothing with a style that was learned; leave it out")


def _refuse_solids(order: Order) -> None:
    """Raises RecipeError for a learned solid that is to paint a content."""
    for style in order.styles:
        if is_solid(style.path):
            raise RecipeError(
                f"style: {style.path.name} is a learned solid, which paints no content; leave the content out and "
                "give --shape Z,Y,X"
            )


def _check_choices(order: Order) -> None:
    """Raises RecipeError for choices that painting has no use for."""
    usual, asked = (by_keys(recipe) for recipe in (composed(order.kind), order.recipe))
    for key, value in asked.items():
        if key not in _PAINTED_BY and value != usual[key]:
            raise RecipeError(f"{key}: does nothing with a style that was learned; leave it out, or learn with it")


_PAINTED_BY = (
    "colors",
    "device",
    "learn.carry",
    "memory",
    "precision",
    "strength",
    "volume.color",
    "volume.window",
)
"""The choices that matter where a style that was learned paints."""


def painting_recipe(kind: str, recipe: Recipe) -> Recipe:
    """The usual recipe of a medium, by its name, with those choices of another that matter to painting."""
    choices = {key: value for key, value in by_keys(recipe).items() if key in _PAINTED_BY}
    return composed(kind, *nested(choices))


def by_keys(recipe: Recipe) -> dict[str, Any]:
    """All choices by their keys, tables of taps whole: "learn.steps" and so on."""
    return _by_keys(dataclasses.asdict(recipe))


def _by_keys(choices: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested choices by their keys: {"learn": {"steps": 3}} is {"learn.steps": 3}."""
    found: dict[str, Any] = {}
    for name, value in choices.items():
        inner = isinstance(value, Mapping) and not name.endswith("taps")
        found |= _by_keys(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found
