"""An order whose clip comes from another program, or whose result goes to one: it is painted as it comes."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from volstyle.codecs.stream import Turn
from volstyle.errors import RecipeError
from volstyle.grid.field import Field
from volstyle.media.order import Order
from volstyle.media.painted import Painting, is_learned


def turn_of(order: Order) -> Turn:
    """What turns one frame of a stream after the other. order: its content and output are not looked at.

    Raises RecipeError for a style that takes the whole clip, since it is optimized or has a time, and what
    `Painting.prepare` raises.
    """
    for style in order.styles:
        if not is_learned(style):
            raise RecipeError(
                f"style: {style.source} is optimized, which takes the whole clip; give files instead of -, or a "
                "style that was learned"
            )
        if style.at is not None:
            raise RecipeError(f"style: {style.path.name} has a time, which is for files; leave it out of a stream")
    paint, numbers = Painting.prepare(order).on((), 1), count()

    def turn(frame: Field) -> Field:
        return replace(frame, samples=paint(frame.samples, next(numbers)))

    return turn
