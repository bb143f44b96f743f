"""Work done beside other work: what is next is made while what came before it is used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_LOOKS_UP_S = 0.1
"""How often one who waits for room asks whether anybody still wants what is made."""


def ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """The items, in their order. Up to `count` of them wait, made in a thread of their own before they are asked
    for; more are not made, so that memory is bounded and a slow user slows the maker. What the maker raises is
    raised here. The end of this iterator waits for the thread."""
    ready: Queue[T | _End] = Queue(count)
    left = Event()

    def give(item: T | _End) -> None:
        while not left.is_set():
            with suppress(Full):
                ready.put(item, timeout=_LOOKS_UP_S)
                return

    def make() -> None:
        error: BaseException | None = None
        try:
            with closing(items):
                for item in items:
                    give(item)
                    if left.is_set():
                        break
        except BaseException as raised:
            error = raised
        give(_End(error))

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        left.set()
        thread.join()


class _End:
    """What comes last. error: why, if something went wrong."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
