"""Clips as PyAV decodes them: their stream, their frames in the order in which they are shown, and their pose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.stream import Disposition
from numpy.typing import NDArray

from volstyle.codecs.api import Moment, Selection
from volstyle.codecs.clip import ClipOrigin, briefly
from volstyle.codecs.color import BT709, Color, to_samples
from volstyle.codecs.gif import is_whole
from volstyle.errors import InputError

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

LEFT_OUT = ", left out"
"""The end of each note on a damaged frame, by which such notes are found."""

_NOT_CARRIED = {
    Type.MASTERING_DISPLAY_METADATA: "the description of the display it was mastered on",
    Type.CONTENT_LIGHT_LEVEL: "its content light level",
    Type.DYNAMIC_HDR_PLUS: "its HDR10+ metadata",
    Type.DOVI_METADATA: "its Dolby Vision metadata",
    Type.SPHERICAL: "its spherical projection",
    Type.STEREO3D: "its stereoscopic layout",
    Type.A53_CC: "its closed captions",
}
"""What a frame may carry beside its samples and is not written again -> how a note calls it."""


@dataclass(frozen=True)
class VideoOrigin(ClipOrigin):
    """rate: frames per second. time_base: seconds per tick. begin: the time stamp of the file's first frame, in
    seconds. offset: the time stamp of the first frame that was read, in seconds. length: of the range that was
    read, in seconds, or None for the whole clip. stream: the number of its stream in the file, None where the
    pictures are not from there. codec: FFmpeg's name of the one they came by. bits: 8 or more. aspect: width over
    height of a sample."""

    rate: Fraction = Fraction(25)
    time_base: Fraction = Fraction(1, 25)
    begin: Fraction = Fraction(0)
    offset: Fraction = Fraction(0)
    length: Fraction | None = None
    stream: int | None = None
    codec: str = ""
    bits: int = 8
    aspect: Fraction = Fraction(1)
    color: Color = BT709


@dataclass
class Seen:
    """What has been met so far while a clip is read. notes: what the user should know, one line each. begin: the
    time stamp of the first frame, in seconds. place: the number of the last frame. packets: the number of packets
    of the pictures' stream. ticks: where the last of them ends, in ticks of that stream. end: where the last
    packet of any stream ends, in seconds."""

    notes: list[str] = field(default_factory=list)
    begin: Fraction | None = None
    place: int = -1
    packets: int = 0
    ticks: int = 0
    end: Fraction = Fraction(0)
    place_in_file: int = 0


@dataclass(frozen=True)
class Pose:
    """How a player shows the samples of a frame. swapped: rows and columns are exchanged, before the mirrors.
    from_right, from_below: the columns, or the rows, are mirrored. exact: whether the file asks for just that, and
    not for an angle between quarter turns."""

    swapped: bool = False
    from_right: bool = False
    from_below: bool = False
    exact: bool = True

    @staticmethod
    def of(frame: Any) -> Pose:
        """The multiple of a quarter turn, mirrored or not, that is nearest to the frame's display matrix."""
        data = frame.side_data.get(Type.DISPLAYMATRIX)
        if data is None:
            return Pose()
        # ISO/IEC 14496-12: x' = a x + c y, y' = b x + d y.
        a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).astype(float)
        straight, turned = abs(a) + abs(d), abs(b) + abs(c)
        exact = min(straight, turned) <= 0.01 * max(straight, turned)
        if turned > straight:
            return Pose(True, c < 0, b < 0, exact)
        return Pose(False, a < 0, d < 0, exact)

    def applied(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W, C) -> (H', W', C)."""
        if self.swapped:
            samples = samples.transpose(1, 0, 2)
        return np.ascontiguousarray(samples[:: -1 if self.from_below else 1, :: -1 if self.from_right else 1])


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: damaged, or not a clip FFmpeg knows; give MP4, MOV, MKV, WebM or GIF"
        ) from error
    with container:
        stream = pictures_of(path, container)
        stream.thread_type = "AUTO"
        yield container, stream


def pictures_of(path: Path, container: Any) -> Any:
    """The stream of an open container that is the clip. path: how messages call it. Raises InputError."""
    stream = _main_stream(container)
    if stream is None:
        kinds = {"attached picture" if s.type == "video" else s.type for s in container.streams}
        raise InputError(f"{path}: no video stream (found: {', '.join(sorted(kinds)) or 'nothing'}); give a clip")
    if stream.codec_context is None:
        raise InputError(f"{path}: damaged, or its pictures are of a kind that FFmpeg cannot decode")
    return stream


def _main_stream(container: Any) -> Any | None:
    """The video stream that players show: the first that is marked as the default, else the first. Attached
    pictures, such as a cover, and thumbnails are none."""
    aside = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & aside]
    return next(
        (stream for stream in streams if stream.disposition & Disposition.default), next(iter(streams), None)
    )


def origin_of(path: Path, stream: Any) -> VideoOrigin:
    """What a stream says of itself before its frames are decoded; their time stamps are not in it."""
    context = stream.codec_context
    return VideoOrigin(
        path=path,
        stream=stream.index,
        codec=context.name,
        rate=rate_of(stream),
        time_base=Fraction(stream.time_base),
        bits=context.format.components[0].bits if context.format else 8,
        aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        color=Color.of(context),
    )


def brief(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes on frames that were left out in two lines, the others as they are."""
    frames = [note for note in notes if note.endswith(LEFT_OUT)]
    return (*briefly(frames), *(note for note in notes if note not in frames))


def left_out(path: Path, frame: Any, pose: Pose) -> Iterator[str]:
    """What a frame says that its samples do not, and that is not written again."""
    if frame.interlaced_frame:
        yield f"{path.name}: is interlaced; its frames are styled and written as progressive ones"
    if not pose.exact:
        yield f"{path.name}: is turned by an angle that is no quarter turn; the nearest one is taken"
    for kind, name in _NOT_CARRIED.items():
        if frame.side_data.get(kind) is not None:
            yield f"{path.name}: {name} is left out"


def rate_of(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or 25)


def seconds_of(container: Any, stream: Any) -> Fraction:
    if stream.duration is not None:
        return Fraction(stream.duration * stream.time_base)
    return Fraction(container.duration or 0, av.time_base)


def undamaged(path: Path, container: Any, stream: Any, selection: Selection, seen: Seen) -> Iterator[Any]:
    """The frames of the range. What is damaged raises InputError or, to keep going, is left out with a note."""
    given = 0
    for frame in decoded(container, stream, selection, seen):
        if not isinstance(frame, str):
            given += 1
            yield frame
        elif selection.keep_going:
            seen.notes.append(f"{path.name}: {frame}{LEFT_OUT}")
        else:
            raise InputError(f"{path}: {frame}; use --end before it, or --keep-going to leave it out")
    if not given:
        lasts = float(seconds_of(container, stream))
        raise InputError(f"{path}: no frame between --start and --end; the clip lasts {lasts:.2f} s")


def _ignored(_: Any) -> None:
    """Drop packets of other streams, which nobody asked for."""


def decoded(
    container: Any, stream: Any, selection: Selection, seen: Seen, aside: Callable[[Any], None] = _ignored
) -> Iterator[Any]:
    """The frames of the range, decoded one by one; in place of one that is damaged, text that says so.

    The range counts from the first frame of the file, whatever its time stamp. aside: is given each packet of the
    other streams when it comes."""
    seconds = Fraction(0)
    for frame in _all_decoded(container, stream, seen, aside):
        seen.place += 1
        if not isinstance(frame, str):
            now = Fraction((frame.pts or 0) * stream.time_base)
            seen.begin = now if seen.begin is None else seen.begin
            seconds = max(seconds, now - seen.begin)
        if selection.start is not None and _before(seen.place, seconds, selection.start):
            continue
        if selection.end is not None and not _before(seen.place, seconds, selection.end):
            return
        if isinstance(frame, str):
            # A decoder that puts frames in order says of one it has held back what it should say of a later one.
            yield f"frame {seen.place}, or one soon after it, cannot be decoded ({frame})"
        else:
            yield f"frame {seen.place} is damaged" if frame.is_corrupt else frame
    if missing := _missing(container, stream, seen):
        yield missing


def _all_decoded(container: Any, stream: Any, seen: Seen, aside: Callable[[Any], None]) -> Iterator[Any]:
    """All frames, by the decoder that knows transparency where FFmpeg's own does not; in place of one that cannot
    be decoded, the reason. Frames that an edit list hides do not come."""
    decoder = stream.codec_context
    knowing = _ALPHA_DECODERS.get(decoder.name) if stream.metadata.get("alpha_mode") == "1" else None
    if knowing is not None:
        decoder = av.CodecContext.create(knowing, "r")
        decoder.extradata = stream.codec_context.extradata
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:  # behind it comes nothing
            yield error.strerror
            return
        if packet is None:
            return
        if packet.pts is not None:
            seen.end = max(seen.end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            seen.place_in_file = (packet.pos or 0) + packet.size
        if packet.stream.index != stream.index:
            aside(packet)
            continue
        if packet.dts is not None:
            seen.packets += 1
            seen.ticks = max(seen.ticks, packet.dts + 1)
        try:
            frames = decoder.decode(packet)
        except av.error.FFmpegError as error:
            frames = [error.strerror]
        yield from frames


def _missing(container: Any, stream: Any, seen: Seen) -> str:
    """What a clip read to its end lacks of what its header says, since FFmpeg ends quietly; "" for nothing.

    MP4 lists its frames, and AVI says about how many it has. The others say how long they last, which holds for
    the longest of their streams. GIF says neither, but how it ends.
    """
    name = container.format.name
    if name == "gif":
        return "" if is_whole(Path(container.name)) else "the end of the file is missing; cut off, or damaged"
    if "mp4" in name and (listed := len(stream.index_entries)):
        whole, came = listed, seen.packets
    else:
        listed = stream.frames if name == "avi" else 0
        whole, came = round(0.9 * listed), seen.ticks  # a frame that AVI shows twice is there once
    if listed:
        return f"what comes after {came} of {listed} frames is cut off, or damaged" if came < whole else ""
    promised = Fraction(container.duration or 0, av.time_base)
    if float(seen.end) < 0.9 * float(promised) - 0.5:
        return f"what comes after {float(seen.end):.2f} of {float(promised):.2f} s is cut off, or damaged"
    return ""


def _before(frame: int, seconds: Fraction, moment: Moment) -> bool:
    """Whether a frame comes before a moment; half a millisecond of rounding is allowed."""
    return frame < moment.value if moment.unit == "f" else float(seconds) < moment.value - 5e-4


def sides_of(frame: Any, size: int | None) -> tuple[int, int]:
    """Width and height of a frame as it lies in the file, made smaller so that the long side is at most size."""
    sides = (frame.width, frame.height)
    if size is None or size >= max(sides):
        return sides
    width, height = (max(2, 2 * round(side * size / max(sides) / 2)) for side in sides)
    return width, height


def upright(frame: Any, origin: VideoOrigin, size: int | None) -> NDArray[np.float32]:
    """(H, W, 3), or 4 with alpha, in [0, 1]."""
    samples = to_samples(frame, origin.color, origin.bits, *sides_of(frame, size))
    return Pose.of(frame).applied(samples)
