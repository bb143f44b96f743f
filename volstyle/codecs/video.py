"""Clips, by PyAV: time stamps, color, depth, transparency and sound as they were.

A clip is looked through once to know its time stamps, and decoded again for its frames. They are upright: a
rotation in the file is applied when reading and not written again. A picture whose color tags are missing is taken
as players take it, BT.709 from 720 lines up and BT.601 below, and the result says so: a smaller one would be taken
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from volstyle.codecs import WHOLE, Encoding, Facts, Moment, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.clip import Clip, ClipOrigin, Look, PictureOrigin, briefly
from volstyle.codecs.color import BT709, Color, to_samples
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

_GLANCE = 256
"""Long side of what is shown when a clip is looked through: by FFmpeg, ten times as quick as its true colors."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True)
class VideoOrigin(ClipOrigin):
    """rate: frames per second. time_base: seconds per tick. offset: where in the file the range that was read
    starts, in seconds, and length, in seconds, or None for all. bits: 8 or more. aspect: width over height of a
    sample."""

    rate: Fraction = Fraction(25)
    time_base: Fraction = Fraction(1, 25)
    offset: Fraction = Fraction(0)
    length: Fraction | None = None
    bits: int = 8
    aspect: Fraction = Fraction(1)
    color: Color = BT709


def probe(path: Path) -> Facts:
    with _opened(path) as (container, stream):
        context = stream.codec_context
        count = stream.frames or round(float(_seconds(container, stream) * _rate(stream)))
        sides = (context.height, context.width)
        first = next(_frames(container, stream, WHOLE), None)  # the file has its rotation, PyAV only a frame's
        height, width = sides[::-1] if isinstance(first, av.VideoFrame) and _is_turned(first) else sides
        entries = {
            "size": f"{width}x{height}",
            "frames": f"{count}, {float(_rate(stream)):.6g} a second, {float(_seconds(container, stream)):.2f} s",
            "codec": f"{context.name}, {context.pix_fmt}",
        }
        for other in container.streams:
            if other.type in ("audio", "subtitle"):
                entries[other.type] = other.codec_context.codec.canonical_name
        return Facts("video", (count, height, width), entries)


def read(path: Path, selection: Selection) -> Field:
    """(3, T, H, W)."""
    return open_clip(path, selection).whole()


def open_clip(path: Path, selection: Selection, look: Look | None = None) -> Clip:
    """Frames are made smaller while they are decoded."""
    ticks: list[int] = []
    notes: list[str] = []
    see_through, sides = False, (0, 0)
    with _opened(path) as (container, stream):
        origin = _origin(path, stream)
        for frame in _undamaged(path, container, stream, selection, notes):
            ticks.append(frame.pts or 0)
            # A GIF or a PNG codec has a place for transparency whether it is used or not.
            if not see_through and any(component.is_alpha for component in frame.format.components):
                see_through = bool((_upright(frame, origin, selection.size)[..., 3] < 1).any())
            if look is not None:
                width, height = _sides(frame, _GLANCE)
                look(frame.reformat(width=width, height=height, format="rgb24").to_ndarray())
            last, turned = frame.duration or 0, _is_turned(frame)
            now = _sides(frame, selection.size)
            sides = sides if any(sides) else now
            if now != sides:
                size, first = ("x".join(map(str, each)) for each in (now, sides))
                raise InputError(f"{path}: frame {len(ticks) - 1} is {size}, must be {first} as the first is")
    width, height = sides[::-1] if turned else sides
    durations = [b - a for a, b in pairwise(ticks)]
    usual = round(1 / (origin.rate * origin.time_base))
    durations.append(last or (sorted(durations)[len(durations) // 2] if durations else usual))
    cut = selection.start is not None or selection.end is not None
    length = (ticks[-1] - ticks[0] + durations[-1]) * origin.time_base
    origin = _steady(
        replace(
            origin,
            ticks=tuple(tick - ticks[0] for tick in ticks),
            durations=tuple(durations),
            offset=ticks[0] * origin.time_base,
            length=length if cut else None,
            aspect=1 / origin.aspect if turned else origin.aspect,
        )
    )
    axes = (Axis("t", float(1 / origin.rate), "s"), Axis("y"), Axis("x"))
    frames = partial(_fields, path, selection, origin, see_through)
    return Clip((len(ticks), height, width), axes, origin, frames, see_through, briefly(notes))


def _fields(path: Path, selection: Selection, origin: VideoOrigin, see_through: bool) -> Iterator[Field]:
    with _opened(path) as (container, stream):
        for frame in _undamaged(path, container, stream, selection, []):
            samples = torch.from_numpy(_upright(frame, origin, selection.size)).permute(2, 0, 1)
            alpha = samples[3] if see_through else None
            yield Field(samples[:3].contiguous(), (Axis("y"), Axis("x")), PictureOrigin(path, alpha))


def write(path: Path, clip: Field | Clip, encoding: Encoding) -> list[str]:
    """A clip, at the time stamps of its origin, with its sound; what could not be kept is noted."""
    check_axes(path, clip, ("t", "y", "x"))
    clip = clip if isinstance(clip, Clip) else Clip.of(clip)
    count = clip.shape[0]
    origin = _timed(clip)
    notes = []
    if path.suffix.lower() == ".avi":
        if len(set(origin.durations[:-1])) > 1:
            notes.append(f"{path.name}: AVI has no variable frame rate; MP4 and MKV keep the time stamps")
        origin = _constant(origin, count)
    shown = list(range(count))
    if path.suffix.lower() == ".gif":
        shown, origin = _hundredths(origin)
        if left := count - len(shown):
            notes.append(f"{path.name}: a GIF shows 50 frames a second at most, {left} left out; MP4 keeps them")
    from volstyle.codecs.encoder import Encoder  # imports what is above

    times = dict(zip(shown, zip(origin.ticks, origin.durations, strict=True), strict=True))
    with arriving(path, encoding.force) as temporary:
        with Encoder(path, temporary, clip.shape, origin, encoding, alpha=clip.see_through) as encoder:
            for index, frame in enumerate(clip.frames()):
                if index in times:
                    encoder.add(frame, *times[index])
        return [*notes, *encoder.notes]


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    from volstyle.codecs.encoder import choose_format  # imports what is above

    check_target(path, encoding.force)
    choose_format(path, encoding.quality, deep=False, alpha=False, even=True)
    if field is not None:
        check_axes(path, field, ("t", "y", "x"))


def _timed(clip: Clip) -> VideoOrigin:
    """Its origin, with a time for each frame."""
    timed = isinstance(clip.origin, ClipOrigin) and len(clip.origin.ticks) == clip.shape[0]
    if timed and isinstance(clip.origin, VideoOrigin):
        return clip.origin
    origin = clip.origin if isinstance(clip.origin, VideoOrigin) else VideoOrigin()
    rate = Fraction(1 / clip.axes[0].step).limit_denominator(1001)
    origin = _constant(replace(origin, rate=rate), clip.shape[0])
    if timed and isinstance(clip.origin, ClipOrigin):
        return replace(origin, ticks=clip.origin.ticks, durations=clip.origin.durations)
    return origin


def _constant(origin: VideoOrigin, count: int) -> VideoOrigin:
    """At its rate throughout."""
    return replace(origin, time_base=1 / origin.rate, ticks=tuple(range(count)), durations=(1,) * count)


def _steady(origin: VideoOrigin) -> VideoOrigin:
    """Matroska rounds times to milliseconds: a clip that has its rate but for such rounding gets it exactly."""
    step = 1 / (origin.rate * origin.time_base)
    off = [tick - index * step for index, tick in enumerate(origin.ticks)]
    if len(set(origin.durations)) == 1 or max(off) - min(off) >= 1:
        return origin
    fine = origin.rate.numerator * -(-1000 // origin.rate.numerator)
    even = fine // origin.rate.numerator * origin.rate.denominator
    count, last = len(origin.ticks), origin.durations[-1]
    last = even if abs(last - step) <= 1 else round(last * origin.time_base * fine)
    ticks, durations = tuple(range(0, count * even, even)), (even,) * (count - 1) + (last,)
    return replace(origin, time_base=Fraction(1, fine), ticks=ticks, durations=durations)


def _hundredths(origin: VideoOrigin) -> tuple[list[int], VideoOrigin]:
    """The frames that a GIF can show, and their times: players take less than 2 hundredths of a second for 10."""
    scale = 100 * origin.time_base
    shown, ticks = [0], [0]
    for index, tick in enumerate(origin.ticks):
        if round(tick * scale) >= ticks[-1] + 2:
            shown.append(index)
            ticks.append(round(tick * scale))
    end = max(round((origin.ticks[-1] + origin.durations[-1]) * scale), ticks[-1] + 2)
    durations = tuple(b - a for a, b in pairwise([*ticks, end]))
    return shown, replace(origin, time_base=Fraction(1, 100), ticks=tuple(ticks), durations=durations)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: damaged, or not a clip FFmpeg knows; give MP4, MOV, MKV, WebM or GIF"
        ) from error
    with container:
        if not container.streams.video:
            found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            raise InputError(f"{path}: no video stream (found: {found}); give a clip")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _rate(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or 25)


def _seconds(container: Any, stream: Any) -> Fraction:
    if stream.duration is not None:
        return Fraction(stream.duration * stream.time_base)
    return Fraction(container.duration or 0, av.time_base)


def _origin(path: Path, stream: Any) -> VideoOrigin:
    context = stream.codec_context
    return VideoOrigin(
        path=path,
        rate=_rate(stream),
        time_base=Fraction(stream.time_base),
        bits=context.format.components[0].bits if context.format else 8,
        aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        color=Color.of(context),
    )


def _undamaged(path: Path, container: Any, stream: Any, selection: Selection, notes: list[str]) -> Iterator[Any]:
    """The frames of the range. What is damaged raises InputError or, to keep going, is left out with a note."""
    given = 0
    for frame in _frames(container, stream, selection):
        if not isinstance(frame, str):
            given += 1
            yield frame
        elif selection.keep_going:
            notes.append(f"{path.name}: {frame}, left out")
        else:
            raise InputError(f"{path}: {frame}; use --end before it, or --keep-going to leave it out")
    if not given:
        lasts = float(_seconds(container, stream))
        raise InputError(f"{path}: no frame between --start and --end; the clip lasts {lasts:.2f} s")


def _frames(container: Any, stream: Any, selection: Selection) -> Iterator[Any]:
    """The frames of the range, decoded one by one; in place of one that is damaged, text that says so."""
    seconds = Fraction(0)
    place = -1
    for place, frame in enumerate(_decoded(container, stream)):
        if not isinstance(frame, str):
            seconds = Fraction((frame.pts or 0) * stream.time_base)
        if selection.start is not None and _before(place, seconds, selection.start):
            continue
        if selection.end is not None and not _before(place, seconds, selection.end):
            return
        if isinstance(frame, str):
            # A decoder that puts frames in order says of one it has held back what it should say of a later one.
            yield f"frame {place}, or one soon after it, cannot be decoded ({frame})"
        else:
            yield f"frame {place} is damaged" if frame.is_corrupt else frame
    if missing := _missing(container, stream, place + 1, seconds):
        yield missing


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """All frames, by the decoder that knows transparency where FFmpeg's own does not; in place of one that cannot
    be decoded, the reason."""
    decoder = stream.codec_context
    knowing = _ALPHA_DECODERS.get(decoder.name) if stream.metadata.get("alpha_mode") == "1" else None
    if knowing is not None:
        decoder = av.CodecContext.create(knowing, "r")
        decoder.extradata = stream.codec_context.extradata
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:  # behind it comes nothing
            yield error.strerror
            return
        if packet is None:
            return
        try:
            frames = decoder.decode(packet)
        except av.error.FFmpegError as error:
            frames = [error.strerror]
        yield from frames


def _missing(container: Any, stream: Any, decoded: int, seconds: Fraction) -> str:
    """What a clip read to its end lacks of what its header says, since FFmpeg ends quietly; "" for nothing."""
    if "mp4" in container.format.name and decoded < 0.9 * stream.frames:
        return f"what comes after {decoded} of {stream.frames} frames is cut off, or damaged"
    promised = float(_seconds(container, stream))
    if float(seconds) < 0.9 * promised - 0.5:
        return f"what comes after {float(seconds):.2f} of {promised:.2f} s is cut off, or damaged"
    return ""


def _before(frame: int, seconds: Fraction, moment: Moment) -> bool:
    """Whether a frame comes before a moment; half a millisecond of rounding is allowed."""
    return frame < moment.value if moment.unit == "f" else float(seconds) < moment.value - 5e-4


def _is_turned(frame: Any) -> bool:
    return bool(round(frame.rotation / 90) % 2)


def _sides(frame: Any, size: int | None) -> tuple[int, int]:
    """Width and height as it lies in the file."""
    sides = (frame.width, frame.height)
    if size is None or size >= max(sides):
        return sides
    width, height = (max(2, 2 * round(side * size / max(sides) / 2)) for side in sides)
    return width, height


def _upright(frame: Any, origin: VideoOrigin, size: int | None) -> NDArray[np.float32]:
    """(H, W, 3), or 4 with alpha, in [0, 1]."""
    samples = to_samples(frame, origin.color, origin.bits, *_sides(frame, size))
    if frame.rotation:
        samples = np.ascontiguousarray(np.rot90(samples, round(frame.rotation / 90)))
    return samples
