"""A clip that can be read only once, as it comes: its pictures, and the packets of other streams between them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import torch

from volstyle.codecs.api import Selection
from volstyle.codecs.borders import check_room
from volstyle.codecs.clip import PictureOrigin
from volstyle.codecs.decoder import (
    LEFT_OUT,
    Pose,
    Seen,
    VideoOrigin,
    brief,
    decoded,
    left_out,
    opened,
    origin_of,
    pictures_of,
    upright,
)
from volstyle.codecs.reading import Reading
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

STREAM = Path("-")
"""The path that stands for a stream, on the command line and in messages."""

_READ = {"format_whitelist": "nut,matroska,webm,yuv4mpegpipe", "fpsprobesize": "0"}
"""Options of FFmpeg. Left alone, it takes any text for a clip of letters, follows playlists to other files, and
waits for many frames to find the rate before it gives the first."""

_BUFFER = 2**16
_MOST_BESIDE = 2**26
"""How many bytes of sound may come between two pictures."""


@dataclass(frozen=True)
class Picture:
    """A frame of a clip, and when it is shown, in ticks of the time base of its origin. origin: that of the clip,
    with the time stamp of the first frame."""

    field: Field
    tick: int
    duration: int
    origin: VideoOrigin


@dataclass(frozen=True)
class End:
    """The end of a clip. notes: what the user should know of what was read. why: what has ended it too early, ""
    for a proper end."""

    notes: tuple[str, ...] = ()
    why: str = ""


@contextmanager
def opened_once(source: Path | BinaryIO) -> Iterator[tuple[Any, Any, Callable[[int], str]]]:
    """The container, its stream of pictures, and a function that says what is missing from a file whose last
    packet ends at a given place."""
    if isinstance(source, Path):
        if not source.is_file():
            raise InputError(f"{source}: {'is a folder' if source.is_dir() else 'no such file'}; give a clip")
        with opened(source) as (container, stream):
            yield container, stream, lambda _: ""
        return
    reading = Reading(source)
    try:
        container = av.open(reading, "r", metadata_errors="replace", container_options=_READ, buffer_size=_BUFFER)
    except (av.error.FFmpegError, OSError) as error:
        what = "not a stream of NUT, Matroska or Y4M" if reading.count else "nothing comes in"
        raise InputError(f"{STREAM}: {what}; pipe one in, as by ffmpeg -i in.mp4 -f nut -") from error
    with container:
        stream = pictures_of(STREAM, container)
        # Threads that each decode a frame would hold the first one back until all of them have a frame.
        stream.thread_type = "SLICE"
        yield container, stream, reading.missing


def coming(
    name: Path, container: Any, stream: Any, selection: Selection, missing: Callable[[int], str]
) -> Generator[Any, None, None]:
    """Yield each Picture, and each packet of another stream, in the order in which they come, and last an End."""
    seen, beside = Seen(), _Beside(name)
    pictures = _Pictures(name, origin_of(name, stream), selection.size, container.format.name, seen.notes)
    for frame in decoded(container, stream, selection, seen, beside.add):
        yield from beside.taken()
        wrong = frame if isinstance(frame, str) else pictures.wrong(frame, seen.place)
        if not wrong:
            yield pictures.picture(frame)
        elif selection.keep_going:
            seen.notes.append(f"{name}: {wrong}{LEFT_OUT}")
        else:
            yield End(brief(seen.notes), f"{wrong}; --keep-going leaves it out")
            return
    yield from beside.taken()
    wrong = missing(seen.place_in_file)
    yield End(brief(seen.notes), wrong and f"ends in the middle, {wrong}")


class _Beside:
    """Packets of other streams, such as sound, that have come since the last picture."""

    def __init__(self, name: Path) -> None:
        self._name, self._bytes = name, 0
        self._packets: list[Any] = []

    def add(self, packet: Any) -> None:
        """Take a packet. Raises InputError for more bytes than should come between two pictures."""
        self._packets.append(packet)
        self._bytes += packet.size
        if self._bytes > _MOST_BESIDE:
            raise InputError(f"{self._name}: {self._bytes >> 20} MB of sound without a picture; give a clip")

    def taken(self) -> list[Any]:
        """Give the packets that came since the last call."""
        packets, self._packets, self._bytes = self._packets, [], 0
        return packets


class _Pictures:
    """Makes decoded frames the pictures that are styled. notes: where it says what it leaves out, each thing
    once."""

    def __init__(
        self, name: Path, origin: VideoOrigin, size: int | None, container: str, notes: list[str]
    ) -> None:
        self._name, self._origin, self._size, self._notes = name, origin, size, notes
        self._is_avi = container == "avi"
        self._usual = max(round(1 / (origin.rate * origin.time_base)), 1)
        self._sides: tuple[int, int] | None = None
        self._first = self._last = 0

    def wrong(self, frame: Any, place: int) -> str:
        """Why a frame cannot stand in one clip with the first one; "" if it can."""
        if self._sides in (None, (frame.width, frame.height)):
            return ""
        size, first = ("x".join(map(str, sides)) for sides in ((frame.width, frame.height), self._sides or ()))
        return f"frame {place} is {size}, must be {first} as the first is"

    def picture(self, frame: Any) -> Picture:
        pose = Pose.of(frame)
        for note in left_out(self._name, frame, pose):
            self._note(note)
        if self._sides is None:
            check_room(self._name, 8 * frame.width * frame.height, 8 * frame.width * frame.height)
            self._sides, self._first = (frame.width, frame.height), frame.pts or 0
            self._last = self._first - 1
            # In an AVI the first picture is shown at once, however many frames its decoder holds back.
            begin = Fraction(0) if self._is_avi else self._first * self._origin.time_base
            aspect = 1 / self._origin.aspect if pose.swapped else self._origin.aspect
            self._origin = replace(self._origin, begin=begin, offset=begin, aspect=aspect)
        self._last = self._next(frame.pts)
        samples = torch.from_numpy(upright(frame, self._origin, self._size)).permute(2, 0, 1)
        alpha = samples[3] if samples.shape[0] == 4 else None
        field = Field(samples[:3].contiguous(), (Axis("y"), Axis("x")), PictureOrigin(self._name, alpha))
        return Picture(field, self._last - self._first, frame.duration or self._usual, self._origin)

    def _next(self, tick: int | None) -> int:
        """When a frame is shown: as its file says, or at the usual rate where it says none, and after the one
        before it."""
        if tick is None:
            return self._last + (self._usual if self._last >= self._first else 1)
        if tick <= self._last:
            self._note(f"{self._name}: frames at one time stamp or out of order, moved apart")
        return max(tick, self._last + 1)

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)
