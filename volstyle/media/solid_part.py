"""A part of a learned solid, made on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import torch

from volstyle.codecs import check, write
from volstyle.codecs.stored import Stored
from volstyle.engine.endless import EndlessSolid
from volstyle.engine.learned_solid import LearnedSolid, is_solid
from volstyle.engine.machine import Machine
from volstyle.engine.part import Part
from volstyle.errors import RecipeError
from volstyle.grid.field import Axis, Field, Origin
from volstyle.grid.tiles import Box
from volstyle.media.command import save_record
from volstyle.media.defaults import composed
from volstyle.media.follower import Follower, PaintPlan
from volstyle.media.order import Order
from volstyle.media.painted import by_keys, learned_record
from volstyle.media.result import Result
from volstyle.media.single import Single
from volstyle.media.solid import AXES
from volstyle.record import Record

_FARTHEST = 2**30
"""Samples from the origin within which parts lie: the noise is a hash of 32 bits along each axis."""

_MADE_BY = ("device", "memory", "periodic", "precision", "seed")
"""The choices that matter where a part of a learned solid is made."""


def begins_at(place: str | tuple[int, ...]) -> tuple[int, ...]:
    """The place (z, y, x) in "1000,0,-64", in samples. Raises RecipeError."""
    text = (place if isinstance(place, str) else ",".join(map(str, place))).replace(", ", ",")
    if not re.fullmatch(r"-?[0-9]{1,12}(,-?[0-9]{1,12}){2}", text):
        raise RecipeError(f"origin: {text!r} must be Z,Y,X in samples, as in 1000,0,0")
    return tuple(int(number) for number in text.split(","))


def make_part(order: Order, follower: Follower) -> Result:
    """Make the part of a learned solid that an order asks for, piece by piece. After a stop, what was not made is
    0. Raises VolstyleError, and leaves nothing half-written."""
    making = _Making.prepare(order)
    blank = making.expected()
    if order.output is not None:
        check(order.output, blank, order.encoding)
    pieces = making.solid.count(making.box)
    opened = Single(Part(blank, ()), blank.shape)
    follower.painting(PaintPlan(order, opened, making.learned, making.machine, pieces))
    samples = torch.zeros(blank.channels, *blank.shape)
    done, stopped = 0, False
    with follower:
        for place, made in making.learned.told(making.solid, making.box):
            samples[(slice(None), *place)] = made
            done += 1
            stopped = follower.painted(done, made) or (0, done) == order.stop_after
            if stopped:
                break
    result = replace(blank, samples=samples)
    if order.output is None:
        return Result(making.record(()), None, (0, done), stopped, lambda: result)
    record = making.record(tuple(write(order.output, result, order.encoding)))
    record = save_record(order, record, (0, done) if stopped else None)
    return Result(record, order.output, (0, done), stopped, lambda: result)


@dataclass(frozen=True)
class _Making:
    """What makes a part. box: where it lies in the solid."""

    order: Order
    learned: LearnedSolid
    solid: EndlessSolid
    machine: Machine
    box: Box

    @staticmethod
    def prepare(order: Order) -> _Making:
        """Raises RecipeError for options that a learned solid has no use for, InputError for a file that is none,
        ShapeError for a periodic part that does not fit its networks."""
        _check(order)
        learned = LearnedSolid.load(order.styles[0].path)
        recipe, shape = order.recipe, order.shape or ()
        machine = Machine.choose(recipe.device, recipe.precision, recipe.memory)
        period = shape if recipe.periodic else None
        solid = EndlessSolid.of(learned.generators, recipe.seed, machine, period)
        begins = order.begins or (0,) * len(shape)
        box = tuple(slice(place, place + side) for place, side in zip(begins, shape, strict=True))
        return _Making(order, learned, solid, machine, box)

    def expected(self) -> Field:
        """The grid of the part, with samples on the meta device."""
        shape = tuple(side.stop - side.start for side in self.box)
        samples = torch.empty(self.learned.channels, *shape, device="meta")
        return Field(samples, tuple(Axis(name) for name in AXES), self._origin)

    @property
    def _origin(self) -> Origin:
        """Gives a part the number type of the sections, in which it is then written."""
        kind = self.learned.material.stored
        if not kind:
            return Origin()
        channels = self.learned.channels
        return Stored(array=np.zeros((channels, 1, 1, 1), np.dtype(kind)), color=channels == 3)

    def record(self, notes: tuple[str, ...]) -> Record:
        """What happened, without the command."""
        return learned_record(self.order, self.learned, self.machine, "float32", notes)


def _check(order: Order) -> None:
    """Raises RecipeError for what a learned solid leaves no choice of."""
    first, *others = order.styles
    if others:
        raise RecipeError(f"style: {len(order.styles)} are given, must be one learned solid")
    if not is_solid(first.path):
        raise RecipeError(
            f"style: {first.path.name} was learned to paint contents, and makes no solid; give a content instead "
            "of --shape, or learn one by `volstyle learn SECTION --shape 64,64,64`"
        )
    for name, is_given in {
        "@AXIS": first.across is not None,
        "#NAME": bool(first.named),
        "@WEIGHT": first.weight != 1,
        "--style-mask": first.source_mask is not None,
        "--mask": order.mask is not None or first.mask is not None,
        "--style-size": order.style_size is not None,
    }.items():
        if is_given:
            raise RecipeError(f"{name}: does nothing with a learned solid; leave it out")
    for place, side in zip(order.begins or (), order.shape or (), strict=False):
        if not -_FARTHEST <= place <= _FARTHEST - side:
            raise RecipeError(f"origin: {place} is too far, must be from -{_FARTHEST} to {_FARTHEST - side}")
    usual, asked = (by_keys(recipe) for recipe in (composed("solid"), order.recipe))
    if order.recipe.solid.phases != "none":
        raise RecipeError("solid.phases: a learned solid has those it learned; leave --phases out")
    for key, value in asked.items():
        if key not in _MADE_BY and value != usual[key]:
            raise RecipeError(f"{key}: does nothing with a learned solid; leave it out, or learn with it")
