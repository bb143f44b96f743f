"""Clips, by PyAV: time stamps, color, depth, transparency and sound as they were.

The Field holds upright pictures: a rotation in the file is applied when reading and not written again. A picture
whose color tags are missing is taken as players take it, BT.709 from 720 lines up and BT.601 below, and the
result says so, since a smaller picture would be taken otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.codecs import Encoding, Facts, Moment, Selection
from volstyle.codecs.atomic import arriving
from volstyle.codecs.color import BT709, Color, to_samples
from volstyle.errors import InputError, OutputError
from volstyle.field import Axis, Field, Origin

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True)
class VideoOrigin(Origin):
    """rate: frames per second. time_base: seconds per tick. ticks, durations: of each frame, from the start of the
    range that was read. offset: that start in the file, in seconds, and length, in seconds, or None for all.
    bits: 8 or more. aspect: width over height of a sample. alpha: (T, H, W) in [0, 1]."""

    rate: Fraction = Fraction(25)
    time_base: Fraction = Fraction(1, 25)
    ticks: tuple[int, ...] = ()
    durations: tuple[int, ...] = ()
    offset: Fraction = Fraction(0)
    length: Fraction | None = None
    bits: int = 8
    aspect: Fraction = Fraction(1)
    color: Color = BT709
    alpha: Tensor | None = None


@dataclass(frozen=True)
class Picture:
    """One frame. rgb: (H, W, 3) in [0, 1] float32. alpha: (H, W) or None. tick: its time in the file."""

    rgb: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    tick: int
    duration: int


def probe(path: Path) -> Facts:
    with _opened(path) as (container, stream):
        context = stream.codec_context
        count = stream.frames or round(float(_seconds(container, stream) * _rate(stream)))
        entries = {
            "size": f"{context.width}x{context.height}",
            "frames": f"{count}, {float(_rate(stream)):.6g} a second, {float(_seconds(container, stream)):.2f} s",
            "codec": f"{context.name}, {context.pix_fmt}",
        }
        for other in container.streams:
            if other.type in ("audio", "subtitle"):
                entries[other.type] = other.codec_context.codec.canonical_name
        return Facts("video", (count, context.height, context.width), entries)


def read(path: Path, selection: Selection) -> Field:
    """(3, T, H, W). Frames are made smaller while they are decoded."""
    with _opened(path) as (container, stream):
        origin = _origin(path, stream)
        pictures: deque[Picture] = deque()
        for frame in _frames(path, container, stream, selection):
            pictures.append(_picture(frame, origin, selection.size))
            turned = round(frame.rotation / 90) % 2 == 1
    ticks = [picture.tick for picture in pictures]
    durations = [b - a for a, b in pairwise(ticks)]
    usual = round(1 / (origin.rate * origin.time_base))
    durations.append(pictures[-1].duration or (sorted(durations)[len(durations) // 2] if durations else usual))
    cut = selection.start is not None or selection.end is not None
    length = (ticks[-1] - ticks[0] + durations[-1]) * origin.time_base
    # A GIF or a PNG codec has a place for transparency whether it is used or not.
    alphas = [picture.alpha for picture in pictures if picture.alpha is not None]
    if all(bool((alpha == 1).all()) for alpha in alphas):
        alphas = []
    origin = _steady(
        replace(
            origin,
            ticks=tuple(tick - ticks[0] for tick in ticks),
            durations=tuple(durations),
            offset=ticks[0] * origin.time_base,
            length=length if cut else None,
            aspect=1 / origin.aspect if turned else origin.aspect,
            alpha=torch.from_numpy(np.stack(alphas)) if alphas else None,
        )
    )
    samples = torch.empty(3, len(pictures), *pictures[0].rgb.shape[:2])
    for index in range(len(pictures)):  # each is let go when it is copied
        samples[:, index] = torch.from_numpy(pictures.popleft().rgb).permute(2, 0, 1)
    return Field(samples, (Axis("t", float(1 / origin.rate), "s"), Axis("y"), Axis("x")), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """A clip (C, T, H, W), at the time stamps of its origin, with its sound; what could not be kept is noted."""
    if [axis.name for axis in field.axes] != ["t", "y", "x"]:
        names = ", ".join(axis.name for axis in field.axes)
        raise OutputError(f"{path}: a clip has axes t, y, x, the result has {names}; choose a suffix for those")
    origin = field.origin if isinstance(field.origin, VideoOrigin) else VideoOrigin()
    if len(origin.ticks) != field.shape[0]:
        rate = Fraction(1 / field.axes[0].step).limit_denominator(1001)
        origin = _constant(replace(origin, rate=rate), field.shape[0])
    notes = []
    if path.suffix.lower() == ".avi":
        if len(set(origin.durations[:-1])) > 1:
            notes.append(f"{path.name}: AVI has no variable frame rate; MP4 and MKV keep the time stamps")
        origin = _constant(origin, field.shape[0])
    shown: Sequence[int] = range(field.shape[0])
    if path.suffix.lower() == ".gif":
        shown, origin = _hundredths(origin)
        if left := field.shape[0] - len(shown):
            notes.append(f"{path.name}: a GIF shows 50 frames a second at most, {left} left out; MP4 keeps them")
    from volstyle.codecs.encoder import Encoder  # imports what is above

    with arriving(path, encoding.force) as temporary:
        with Encoder(path, temporary, field.shape, origin, encoding) as encoder:
            for index, tick, duration in zip(shown, origin.ticks, origin.durations, strict=True):
                alpha = None if origin.alpha is None else origin.alpha[index].numpy()
                rgb = field.samples[:, index].clamp(0, 1).expand(3, -1, -1).permute(1, 2, 0).numpy()
                encoder.add(Picture(rgb, alpha, tick, duration))
        return [*notes, *encoder.notes]


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


def _frames(path: Path, container: Any, stream: Any, selection: Selection) -> Iterator[Any]:
    """The frames of the range, decoded one by one. Raises InputError, naming the frame, for damage."""
    decoded = given = 0
    seconds = Fraction(0)
    try:
        for frame in _decoded(container, stream):
            place, seconds = decoded, Fraction((frame.pts or 0) * stream.time_base)
            decoded += 1
            if selection.start is not None and _before(place, seconds, selection.start):
                continue
            if selection.end is not None and not _before(place, seconds, selection.end):
                break
            if frame.is_corrupt:
                raise InputError(f"{path}: frame {place} is damaged; use --end before it, or --start behind it")
            given += 1
            yield frame
        else:
            _check_whole(path, container, stream, decoded, seconds)
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path}: frame {decoded} cannot be decoded ({error.strerror}); use --end before it"
        ) from error
    if not given:
        lasts = float(_seconds(container, stream))
        raise InputError(f"{path}: no frame between --start and --end; the clip lasts {lasts:.2f} s")


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """All frames, by the decoder that knows transparency where FFmpeg's own does not."""
    knowing = _ALPHA_DECODERS.get(stream.codec_context.name) if stream.metadata.get("alpha_mode") == "1" else None
    if knowing is None:
        yield from container.decode(stream)
        return
    decoder: Any = av.CodecContext.create(knowing, "r")
    decoder.extradata = stream.codec_context.extradata
    for packet in container.demux(stream):
        yield from decoder.decode(packet)


def _check_whole(path: Path, container: Any, stream: Any, decoded: int, seconds: Fraction) -> None:
    """Raises InputError when a clip read to its end is shorter than its header says: FFmpeg ends quietly."""
    if "mp4" in container.format.name and decoded < 0.9 * stream.frames:
        raise InputError(f"{path}: ends after {decoded} of {stream.frames} frames; cut off, or damaged there")
    promised = float(_seconds(container, stream))
    if float(seconds) < 0.9 * promised - 0.5:
        raise InputError(f"{path}: ends after {float(seconds):.2f} of {promised:.2f} s; cut off, or damaged there")


def _before(frame: int, seconds: Fraction, moment: Moment) -> bool:
    """Whether a frame comes before a moment; half a millisecond of rounding is allowed."""
    return frame < moment.value if moment.unit == "f" else float(seconds) < moment.value - 5e-4


def _picture(frame: Any, origin: VideoOrigin, size: int | None) -> Picture:
    width, height = frame.width, frame.height
    if size is not None and size < max(width, height):
        width, height = (max(2, 2 * round(side * size / max(width, height) / 2)) for side in (width, height))
    samples = to_samples(frame, origin.color, origin.bits, width, height)
    if frame.rotation:
        samples = np.ascontiguousarray(np.rot90(samples, round(frame.rotation / 90)))
    alpha = samples[..., 3] if samples.shape[2] == 4 else None
    return Picture(samples[..., :3], alpha, frame.pts or 0, frame.duration or 0)
