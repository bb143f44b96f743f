"""How each medium is drawn while it is styled, and what is printed about its result."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from torch import Tensor

from volstyle.codecs import Encoding, write
from volstyle.grid.field import Field
from volstyle.media.medium import nothing_earlier
from volstyle.media.result import Result
from volstyle.media.signal import Signal
from volstyle.media.volume import Volume

from ..run.hearing import say_hearing
from ..run.order import Errand
from ..screen import Screen

Draw = Callable[[Tensor], Field]
"""A function that makes a picture of the samples of a step."""


@singledispatch
def drawing(opened: object) -> Draw | None:
    """The function that draws the steps of a content; None where its samples are pictures already."""
    return None


@drawing.register
def _(opened: Volume) -> Draw:
    from .volume import before_and_after

    return before_and_after(opened.part(0, nothing_earlier).content)


@drawing.register
def _(opened: Signal) -> Draw:
    from .signal import signal_drawing

    return signal_drawing(opened)


@singledispatch
def said_after(opened: object, result: Result, errand: Errand, screen: Screen) -> None:
    """Print the numbers of a result, and write the drawings that were asked for."""
    if errand.turn:  # which volumes alone have
        _turn(result, errand, screen)


@said_after.register
def _(opened: Signal, result: Result, errand: Errand, screen: Screen) -> None:
    if not screen.quiet:
        say_hearing(screen, opened, result.field)


def _turn(result: Result, errand: Errand, screen: Screen) -> None:
    from .volume import turning

    assert errand.turn is not None
    write(errand.turn, turning(result.field), Encoding(force=errand.order.encoding.force))
    screen.entry("wrote", f"{errand.turn}")
