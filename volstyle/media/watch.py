"""Contents that arrive while one waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from volstyle.codecs import files
from volstyle.codecs.suffixes import by_suffix
from volstyle.errors import InputError
from volstyle.media.gather import Found, gather, is_pattern, root_of

SETTLED_S = 2.0
"""How long a file must have kept its size before it is taken for whole."""

_State = tuple[int, int]
"""Bytes, and the time of the last change in nanoseconds, of all files of a content."""


class Arrivals:
    """What is there, has come or has changed since it was last asked for, and has stood still since.

    Raises InputError when a folder that is to be watched is not there."""

    def __init__(
        self,
        words: Sequence[str],
        output: Path,
        styles: Collection[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.roots = tuple(dict.fromkeys(map(_watched, words)))
        self._gather = partial(gather, output=output, styles=styles)
        self._words, self._clock = words, clock
        self._given: dict[Path, _State] = {}
        self._seen: dict[Path, tuple[_State, float]] = {}
        self._check_roots()

    @property
    def waiting(self) -> bool:
        """Whether something has come that has not stood still for long enough."""
        return bool(self._seen)

    def settled(self) -> list[Found]:
        """Contents that have not changed for some seconds, each once. Raises InputError when a folder that is
        watched is gone."""
        now, ready = self._clock(), []
        there = {content.path: content for content in self._there()}
        self._seen = {path: seen for path, seen in self._seen.items() if path in there}
        for path, content in there.items():
            state = _state(path)
            if self._given.get(path) == state:
                continue
            before, since = self._seen.get(path, (None, now))
            if before != state:
                self._seen[path] = state, now
            elif now - since >= SETTLED_S:
                self._given[path] = state
                del self._seen[path]
                ready.append(content)
        return ready

    def _check_roots(self) -> None:
        for root in self.roots:
            if not root.is_dir():
                raise InputError(f"{root}: no such file or folder to watch; make it first")

    def _there(self) -> list[Found]:
        self._check_roots()
        found: list[Found] = []
        for word in self._words:
            with suppress(InputError):  # nothing is there yet
                found += self._gather([word]).found
        return found


def arriving(arrivals: Arrivals) -> Iterator[list[Found]]:
    """Contents as they arrive, for ever. Raises InputError when a folder that is watched is gone, or without the
    package watchfiles."""
    try:
        from watchfiles import watch
    except ModuleNotFoundError as error:
        raise InputError("watch: needs watchfiles; install it: pip install 'volstyle[watch]'") from error
    if ready := arrivals.settled():
        yield ready
    turns = watch(*arrivals.roots, watch_filter=None, rust_timeout=1000, yield_on_timeout=True)
    for changes in turns:
        if (changes or arrivals.waiting) and (ready := arrivals.settled()):
            yield ready


def _watched(word: str) -> Path:
    """The folder to watch for what a word stands for. A word that is not there yet is a file that is to come if it
    has the suffix of one, or is a pattern; any other is a folder, which must be there."""
    to_come = is_pattern(word) or by_suffix(Path(word)) is not None
    return root_of(word) if to_come or Path(word).exists() else Path(word)


def _state(path: Path) -> _State:
    try:
        stats = [file.stat() for file in files(path)]
    except (OSError, InputError):  # it is gone again
        return 0, 0
    return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
