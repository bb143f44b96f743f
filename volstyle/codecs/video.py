"""Clips, by PyAV: time stamps, color, depth, transparency and sound as they were.

A clip is looked through once to know its time stamps, and decoded again for its frames. They are upright: a
rotation or a mirror in the file is applied when reading and not written again. Pictures attached to a clip, such
as a cover, are not taken for the clip. A picture whose color tags are missing is taken as players take it, BT.709
from 720 lines up and BT.601 below, and the result says so: a smaller one would be taken otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import Any

import av
import torch

from volstyle.codecs.api import WHOLE, Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room
from volstyle.codecs.clip import Clip, ClipOrigin, Look, PictureOrigin
from volstyle.codecs.decoder import (
    Pose,
    Seen,
    brief,
    decoded,
    left_out,
    opened,
    origin_of,
    rate_of,
    seconds_of,
    sides_of,
    undamaged,
    upright,
)
from volstyle.codecs.decoder import VideoOrigin as VideoOrigin
from volstyle.codecs.encoder import Encoder, check_size, choose_format
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

_GLANCE = 256
"""Long side of the frames that a `Look` gets. FFmpeg makes them, ten times as quickly as frames of exact color."""

_COUNTED = 1000
"""Frames that are counted, one by one but not decoded, where a header does not tell their number."""

_END_WITHIN_S = Fraction(1, 600)
"""How far the end that an MP4 says may be off: the file counts the time of all that it holds in units of its own,
which are 600ths of a second in QuickTime and milliseconds in FFmpeg, and not in the ticks of its frames."""


def probe(path: Path) -> Facts:
    with opened(path) as (container, stream):
        context = stream.codec_context
        count = stream.frames or _counted(path, float(seconds_of(container, stream) * rate_of(stream)))
        sides = (context.height, context.width)
        first = next(decoded(container, stream, WHOLE, Seen()), None)  # PyAV gives the pose of a frame alone
        height, width = sides[::-1] if isinstance(first, av.VideoFrame) and Pose.of(first).swapped else sides
        rate, lasts = float(rate_of(stream)), float(seconds_of(container, stream))
        entries = {
            "size": f"{width}x{height}",
            "frames": f"{count}, {rate:.6g} a second, {lasts:.2f} s",
            "codec": f"{context.name}, {context.pix_fmt}",
        }
        for other in container.streams:
            if other.type in ("audio", "subtitle") and other.codec_context:
                entries[other.type] = other.codec_context.codec.canonical_name
        axes = (Axis("t", float(1 / rate_of(stream)), "s"), Axis("y"), Axis("x"))
        return Facts("video", (count, height, width), entries, axes)


def _counted(path: Path, said: float) -> int:
    """The number of frames of a clip whose header does not tell it, exact below `_COUNTED`. said: their number
    after the rate and how long the file lasts, which is wrong where its sound is longer, or where a frame is shown
    for seconds."""
    with opened(path) as (container, stream):
        try:
            count = sum(1 for packet in islice(container.demux(stream), _COUNTED) if packet.size)
        except av.error.FFmpegError:  # what is damaged is said when it is read
            return round(said)
    return count if 0 < count < _COUNTED else max(count, round(said))


def read(path: Path, selection: Selection) -> Field:
    """(3, T, H, W)."""
    return open_clip(path, selection).whole()


def open_clip(path: Path, selection: Selection, look: Look | None = None) -> Clip:
    """Frames are made smaller while they are decoded."""
    ticks: list[int | None] = []
    places: list[int] = []
    seen = Seen()
    see_through, sides, pose = False, (0, 0), Pose()
    with opened(path) as (container, stream):
        origin = origin_of(path, stream)
        pixels = stream.codec_context.width * stream.codec_context.height
        check_room(path, 8 * pixels, 8 * pixels)  # of a frame as it is decoded, and as it is made smaller
        is_avi = container.format.name == "avi"
        for frame in undamaged(path, container, stream, selection, seen):
            ticks.append(frame.pts)
            places.append(seen.place)
            # A GIF or a PNG codec has a place for transparency whether it is used or not.
            if not see_through and any(component.is_alpha for component in frame.format.components):
                see_through = bool((upright(frame, origin, selection.size)[..., 3] < 1).any())
            if look is not None:
                width, height = sides_of(frame, _GLANCE)
                look(frame.reformat(width=width, height=height, format="rgb24").to_ndarray())
            last, pose = _shown(frame, container, stream), Pose.of(frame)
            seen.notes += [note for note in left_out(path, frame, pose) if note not in seen.notes]
            now = sides_of(frame, selection.size)
            now = now[::-1] if pose.swapped else now
            sides = sides if any(sides) else now
            if now != sides:
                size, first = ("x".join(map(str, each)) for each in (now, sides))
                raise InputError(f"{path}: frame {len(ticks) - 1} is {size}, must be {first} as the first is")
    width, height = sides
    begin = seen.begin or Fraction(0)
    usual = round(1 / (origin.rate * origin.time_base))
    times, finer = _in_order(ticks, usual)
    if finer > 1 or (not is_avi and times != ticks):
        seen.notes.append(f"{path.name}: frames at one time stamp or out of order, moved apart")
    time_base = origin.time_base / finer
    durations = [b - a for a, b in pairwise(times)]
    durations.append(last * finer or (sorted(durations)[len(durations) // 2] if durations else usual * finer))
    cut = selection.start is not None or selection.end is not None
    length = (times[-1] - times[0] + durations[-1]) * time_base
    # AVI shows its first picture at once, whatever its decoder needs to hold back.
    offset = times[0] * time_base - (begin if is_avi else 0)
    origin = _steady(
        replace(
            origin,
            time_base=time_base,
            ticks=tuple(time - times[0] for time in times),
            durations=tuple(durations),
            places=tuple(places),
            begin=Fraction(0) if is_avi else begin,
            offset=offset,
            length=length if cut else None,
            aspect=1 / origin.aspect if pose.swapped else origin.aspect,
        )
    )
    axes = (Axis("t", float(1 / origin.rate), "s"), Axis("y"), Axis("x"))
    frames = partial(_fields, path, selection, origin, see_through)
    return Clip((len(ticks), height, width), axes, origin, frames, see_through, brief(seen.notes))


def _shown(frame: Any, container: Any, stream: Any) -> int:
    """Ticks that a frame is shown for, as its file says; 0 if it does not.

    MP4 says how long after each frame the next one in the order of decoding comes, which is another where frames
    are out of order and held for unequal times. So none is shown past the end that it says of all, as far as that
    end is exact."""
    lasts = int(frame.duration or 0)
    if frame.pts is None or stream.duration is None or "mp4" not in container.format.name:
        return lasts
    left = int((stream.start_time or 0) + stream.duration - frame.pts)
    return left if 0 < left < lasts - _END_WITHIN_S / stream.time_base else lasts


def _in_order(ticks: Sequence[int | None], usual: int) -> tuple[list[int], int]:
    """Time stamps that go up from frame to frame, and by how much finer their unit is than the given one.

    Frames come in the order in which they are shown: time stamps that are out of order are put in order, frames
    without one are shown at the usual rate, and those that share one are spread until the next.
    """
    known = [tick for tick in ticks if tick is not None]
    if len(known) < len(ticks):
        known = [index * max(usual, 1) for index in range(len(ticks))]
    known.sort()
    runs = [(tick, len(list(same))) for tick, same in groupby(known)]
    ends = [tick for tick, _ in runs[1:]] + [runs[-1][0] + max(usual, 1) * runs[-1][1]]
    finer = max(-(-count // (end - tick)) for (tick, count), end in zip(runs, ends, strict=True))
    spread = (
        finer * tick + index * finer * (end - tick) // count
        for (tick, count), end in zip(runs, ends, strict=True)
        for index in range(count)
    )
    return list(spread), finer


def _fields(path: Path, selection: Selection, origin: VideoOrigin, see_through: bool) -> Iterator[Field]:
    with opened(path) as (container, stream):
        for frame in undamaged(path, container, stream, selection, Seen()):
            samples = torch.from_numpy(upright(frame, origin, selection.size)).permute(2, 0, 1)
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
    times = dict(zip(shown, zip(origin.ticks, origin.durations, strict=True), strict=True))
    with arriving(path, encoding.force) as temporary:
        with Encoder(path, temporary, clip.shape, origin, encoding, alpha=clip.see_through) as encoder:
            for index, frame in enumerate(clip.frames()):
                if index in times:
                    encoder.add(frame, *times[index])
        return [*notes, *encoder.notes]


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    choose_format(path, encoding.quality, deep=False, alpha=False, even=True)
    if field is not None:
        check_axes(path, field, ("t", "y", "x"))
        height, width = field.shape[1:]
        deep = isinstance(field.origin, VideoOrigin) and field.origin.bits > 8
        even = height % 2 == 0 and width % 2 == 0
        chosen = choose_format(path, encoding.quality, deep=deep, alpha=False, even=even)
        check_size(path, chosen, width, height)


def _timed(clip: Clip) -> VideoOrigin:
    """The origin of a clip, completed so that each frame has a time."""
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
    """The origin of a clip of so many frames at a constant rate."""
    return replace(origin, time_base=1 / origin.rate, ticks=tuple(range(count)), durations=(1,) * count)


def _steady(origin: VideoOrigin) -> VideoOrigin:
    """The exact constant rate, for a clip that has one but for the milliseconds to which Matroska rounds its
    times."""
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
    """The numbers of the frames that a GIF can show, and their times in hundredths of a second. A frame needs 2 of
    them, since players show a shorter one for 10."""
    scale = 100 * origin.time_base
    shown, ticks = [0], [0]
    for index, tick in enumerate(origin.ticks):
        if round(tick * scale) >= ticks[-1] + 2:
            shown.append(index)
            ticks.append(round(tick * scale))
    end = max(round((origin.ticks[-1] + origin.durations[-1]) * scale), ticks[-1] + 2)
    durations = tuple(b - a for a, b in pairwise([*ticks, end]))
    return shown, replace(origin, time_base=Fraction(1, 100), ticks=tuple(ticks), durations=durations)
