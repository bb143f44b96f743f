"""A clip that is styled as it comes: read once, frame after frame, each written as soon as it is done.

For styles that turn one frame after the other. Source and target may be pipes, which cannot seek. Nobody knows
what comes in a clip that is read once: its pictures are see-through where their format has a place for that, each
lasts as long as it says itself, and what is damaged ends the clip there. All else is as for files, by the same
decoder and encoder.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import torch
from torch import Tensor

from volstyle.codecs import DEFAULT, WHOLE, Encoding, Selection, check_writable
from volstyle.codecs.ahead import ahead
from volstyle.codecs.atomic import arriving
from volstyle.codecs.clip import AXES, PictureOrigin
from volstyle.codecs.color import Color
from volstyle.codecs.encoder import Encoder, Writable, choose_format
from volstyle.codecs.high_range import PAINTED_NOTE, in_range_of, in_srgb, is_high_range
from volstyle.codecs.incoming import STREAM, End, Picture, coming, opened_once
from volstyle.errors import InputError, OutputError, ShapeError
from volstyle.grid.field import Field

TARGETS = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""Suffixes of files that can be written picture by picture: AVI and GIF must know all times before."""

_WRITTEN = Path("stream.nut")
"""How notes call a stream that is written; by its suffix the encoder is chosen."""

_WAITING = 2
"""Frames that are read before they are styled, and styled before they are written."""

Turn = Callable[[Field], Field]
"""From a frame (3, H, W) in [0, 1], with a PictureOrigin, to its result of the same shape. It is called in
order, in one thread of its own, never in the thread that called `styled`."""


@dataclass(frozen=True)
class Passed:
    """A clip that has passed. frames: how many were written. notes: for the user, on what could not be kept. cut:
    why it ended before its end, in one line; "" if it did not. stopped: somebody asked to. unread: whoever reads
    the target went away."""

    frames: int = 0
    notes: tuple[str, ...] = ()
    cut: str = ""
    stopped: bool = False
    unread: bool = False


def _go_on(_: int) -> bool:
    return False


def styled(
    source: Path | BinaryIO,
    target: Path | BinaryIO,
    turns: Sequence[Turn],
    encoding: Encoding = DEFAULT,
    selection: Selection = WHOLE,
    watch: Callable[[int], bool] = _go_on,
) -> Passed:
    """Read a clip once, turn each frame, and write it with its sound, time stamps, transparency, depth and color.

    source: a file, or a stream of NUT, Matroska or Y4M. target: a file, or a stream that becomes NUT: of H.264
    without delay or, lossless, of FFV1. A stream is a binary file, which need not seek. turns: what is done to a
    frame, one after the other; while the second works on a frame, the first works on the next. selection: size and
    keep_going; a range is for files. watch: is told the number of frames after each, True asks to stop.

    NUT begins at 0: where sound begins before that, as AAC does, all is later by as much. Whatever ends the clip,
    what came before is written and the target is complete. Memory does not grow: a few frames wait, and the source
    is read no faster than the target takes.

    Raises InputError for what is no clip or has no frame, OutputError for what cannot be written, and what turns
    raise.
    """
    if selection.start or selection.end:
        raise InputError("start, end: are for files; cut a stream where it is made, by ffmpeg -ss and -to")
    if isinstance(source, Path) and isinstance(target, Path) and source.resolve() == target.resolve():
        raise OutputError(f"{target}: is read and would be written over; give another --output")
    name, end, stopped = source if isinstance(source, Path) else STREAM, End(), False
    with _written(target, encoding) as (path, place), opened_once(source) as (container, stream, missing):
        writer = _Writer(path, place, encoding, container)
        items = ahead(coming(name, container, stream, selection, missing), _WAITING)
        items = _recolored(items, in_srgb)
        for turn in turns:
            items = ahead(_turned(items, turn), _WAITING)
        items = _recolored(items, in_range_of)
        try:
            with writer, closing(items):
                for item in items:
                    if isinstance(item, End):
                        end = item
                        break
                    writer.give(item)
                    if isinstance(item, Picture) and (stopped := watch(writer.count)):
                        break
        except (OSError, OutputError):
            error = place.error if isinstance(place, _Writing) else None
            if isinstance(error, BrokenPipeError):
                return Passed(writer.count, tuple(writer.notes), unread=True)
            if error is not None:
                raise OutputError(f"{STREAM}: cannot be written ({error.strerror or error})") from error
            raise
        if not writer.count:
            raise InputError(f"{name}: {end.why or 'ends before its first frame'}; give a clip that has frames")
    cut = end.why and f"{name}: {end.why}; the {writer.count} frames before it are written"
    return Passed(writer.count, (*writer.notes, *end.notes), cut, stopped)


@contextmanager
def _written(target: Path | BinaryIO, encoding: Encoding) -> Iterator[tuple[Path, Path | Writable]]:
    """How a target is called, and where it is written."""
    if not isinstance(target, Path):
        choose_format(_WRITTEN, encoding.quality, deep=False, alpha=False, even=True)
        yield _WRITTEN, _Writing(target)
        return
    check_writable(target, encoding, AXES)
    if target.suffix.lower() not in TARGETS:
        raise OutputError(
            f"{target}: cannot be written frame by frame; give {', '.join(TARGETS)}, or - for a stream"
        )
    with arriving(target, encoding.force) as temporary:
        yield target, temporary


class _Writing:
    """A binary file as FFmpeg writes it: forwards, all of it at once. error: why no more could be written, of
    which FFmpeg only says that something went wrong."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes, /) -> int:
        left = memoryview(data)
        try:
            while left:
                written = self._file.write(left)
                if written is None:  # there is no room yet, and the file does not wait
                    select.select([], [self._file], [])
                left = left[written or 0 :]
            self._file.flush()
        except OSError as error:
            self.error = self.error or error
            raise
        return len(data)


def _turned(items: Generator[Any, None, None], turn: Turn) -> Generator[Any, None, None]:
    """Pictures turned, and all else as it is. Raises ShapeError for a result of another shape."""
    with closing(items), torch.no_grad():
        for item in items:
            if isinstance(item, Picture):
                result = turn(item.field)
                if result.shape != item.field.shape:
                    have, need = ("x".join(map(str, field.shape)) for field in (result, item.field))
                    raise ShapeError(f"style: made {have} of a frame of {need}, must be of the same size")
                yield replace(item, field=result)
            else:
                yield item


def _recolored(
    items: Generator[Any, None, None], change: Callable[[Tensor, Color], Tensor]
) -> Generator[Any, None, None]:
    """Pictures of high dynamic range changed to sRGB, or back, and all else as it is."""
    with closing(items):
        for item in items:
            if isinstance(item, Picture) and is_high_range(item.origin.color):
                samples = change(item.field.samples, item.origin.color)
                item = replace(item, field=replace(item.field, samples=samples))
            yield item


class _Writer:
    """An encoder that begins with the first picture, when it is known of what kind pictures are. count: of
    pictures. notes: for the user."""

    def __init__(self, path: Path, place: Path | Writable, encoding: Encoding, container: Any) -> None:
        self.count = 0
        self.notes: list[str] = []
        self._path, self._place, self._encoding, self._container = path, place, encoding, container
        self._stack = ExitStack()
        self._encoder: Encoder | None = None
        self._waiting: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def give(self, item: Picture | Any) -> None:
        """The next picture, or the next packet of another stream."""
        if isinstance(item, Picture):
            if self._encoder is None:
                self._encoder = self._begun(item)
            self._encoder.add(item.field, item.tick, item.duration)
            self.count += 1
        elif self._encoder is None:
            self._waiting.append(item)
        else:
            self._encoder.carry(item)

    def _begun(self, first: Picture) -> Encoder:
        alpha = isinstance(first.field.origin, PictureOrigin) and first.field.origin.alpha is not None
        encoder = Encoder(
            self._path,
            self._place,
            first.field.shape,
            first.origin,
            self._encoding,
            alpha=alpha,
            beside=self._container,
        )
        self._stack.enter_context(encoder)
        if is_high_range(first.origin.color):
            encoder.notes.append(PAINTED_NOTE)
        self.notes = encoder.notes
        for packet in self._waiting:
            encoder.carry(packet)
        return encoder

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)
