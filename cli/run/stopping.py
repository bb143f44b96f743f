"""Stopping by Ctrl-C: pressed once, it asks to stop and keep the result so far; pressed again, it stops at
once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """A context that yields a function, which tells whether Ctrl-C was pressed. When it is pressed again, it
    raises KeyboardInterrupt as usual."""
    usual = signal.getsignal(signal.SIGINT)
    asked = False

    def ask(_: int, __: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, usual)
