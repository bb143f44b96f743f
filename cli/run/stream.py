"""`volstyle video - … -o -`: a clip that comes from another program, or goes to one, styled frame after frame."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import MISSING, fields
from typing import Any, BinaryIO

from volstyle.codecs.incoming import STREAM
from volstyle.codecs.stream import styled
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.media.streamed import turns_of

from ..options import VideoOptions
from ..screen import Screen
from .order import errand_of
from .stopping import stoppable

_STOPPED, _UNREAD = 130, 141
"""Exit codes after Ctrl-C and after a closed pipe, as shells have them: 128 plus the number of the signal."""

_TAKEN = {
    *("content", "style", "output", "size", "quality", "keep_going", "force", "quiet"),
    *("recipe", "set_", "keep_colors", "device", "precision", "memory"),
}
"""Options that mean something for a stream."""

_LINE_EVERY_S = 10.0


def is_stream(options: VideoOptions) -> bool:
    """Whether the clip, or its result, is a stream."""
    return STREAM in (options.content, options.output)


def pass_stream(options: VideoOptions, screen: Screen) -> int:
    """Returns the exit code. Raises VolstyleError; what came before is written, and a stream is complete."""
    _check(options)
    order = errand_of(options).order
    turns = turns_of(order)
    with ExitStack() as stack:
        source = stack.enter_context(_standard_input()) if options.content == STREAM else options.content
        target = options.output or STREAM
        place = stack.enter_context(_standard_output()) if target == STREAM else target
        asked = stack.enter_context(stoppable())
        progress = _Progress(screen)

        def watch(count: int) -> bool:
            progress(count)
            return asked()

        done = styled(source, place, turns, order.encoding, order.selection, watch)
    for note in done.notes:
        screen.entry("note", note)
    if done.unread:
        return _UNREAD
    if done.cut:
        raise InputError(done.cut)
    screen.entry("wrote", f"{target}, {done.frames} frames")
    return _STOPPED if done.stopped else 0


def _check(options: VideoOptions) -> None:
    """Raise RecipeError for options that a stream has no use for."""
    for option in fields(options):
        usual: Any = option.default if option.default_factory is MISSING else option.default_factory()
        if option.name not in _TAKEN and getattr(options, option.name) != usual:
            name = option.name.rstrip("_").replace("_", "-")
            raise RecipeError(f"--{name}: is for files, which can be read twice; leave it out of a stream")


class _Progress:
    """Prints a line about the stream now and then."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._said, self._count = time.monotonic(), 0

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if now - self._said >= _LINE_EVERY_S:
            rate = (count - self._count) / (now - self._said)
            self._screen.print(f"frame {count}: {rate:.3g} a second")
            self._said, self._count = now, count


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    if os.isatty(0):
        raise InputError("-: is a terminal, must be a stream; pipe one in, as by ffmpeg -i in.mp4 -f nut -")
    with open(0, "rb", buffering=0, closefd=False) as file:
        yield file


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Standard output for the stream alone: what anything else prints meanwhile, even a library, goes to standard
    error."""
    if os.isatty(1):
        raise OutputError("-: is a terminal, must be a pipe or a file; pipe it on, as into | ffplay -")
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(kept, "wb", buffering=0, closefd=False) as file:
            yield file
    finally:
        os.dup2(kept, 1)
        os.close(kept)
