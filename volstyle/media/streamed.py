"""An order whose clip comes from another program, or whose result goes to one: it is painted as it comes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import count

from torch import Tensor

from volstyle.codecs.stream import Turn
from volstyle.errors import RecipeError
from volstyle.grid.field import Field
from volstyle.media.order import Order
from volstyle.media.painted import Painting, is_learned


def turns_of(order: Order) -> tuple[Turn, ...]:
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
    paint = Painting.prepare(order).on((), 1)
    drafted: deque[tuple[int, Tensor]] = deque()  # numbers and contents of frames that are not finished yet
    numbers = count()

    def draft(frame: Field) -> Field:
        number = next(numbers)
        drafted.append((number, frame.samples))
        return replace(frame, samples=paint.draft(frame.samples, number))

    def finish(frame: Field) -> Field:
        number, content = drafted.popleft()
        return replace(frame, samples=paint.mixed(content, paint.finish(content, frame.samples, number)))

    return draft, finish
