"""Writing a clip, picture after picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import av
import numpy as np

from volstyle.codecs.api import Encoding
from volstyle.codecs.clip import PictureOrigin
from volstyle.codecs.color import to_frame
from volstyle.codecs.decoder import VideoOrigin
from volstyle.codecs.sound import SoundTrack
from volstyle.errors import OutputError, nearest
from volstyle.grid.field import Field

QUALITIES = ("visual", "lossless", "prores")

# A run that is done again must give the same bytes, whatever the processors; encoding is quick beside styling.
_SAME_BYTES = {"threads": "1"}

_FIRST = {"movflags": "+faststart"}
# Sound begins before 0 with what its decoder needs to warm up; all else would be moved behind it. Matroska's
# identifiers are random unless it is to be bit-exact.
_AS_GIVEN = {"avoid_negative_ts": "disabled", "fflags": "+bitexact"}
# What a stream is given goes out at once: whoever gives it has put it in order. NUT cannot say that something is
# before 0; all is moved then.
_AT_ONCE = {"fflags": "+bitexact", "flush_packets": "1", "max_interleave_delta": "1"}
_CONTAINERS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov"), _FIRST),
    **dict.fromkeys((".mkv", ".webm", ".avi"), _AS_GIVEN),
    ".nut": _AT_ONCE,
}
"""Suffix -> options of FFmpeg's writer."""

_SOUND_AHEAD = Fraction(5)
"""Seconds that sound of a stream waits at most for the pictures it is heard with."""


_ASKED_FROM = 8192
"""The longest side that every encoder takes; for longer ones it is asked."""


@dataclass(frozen=True)
class Format:
    """An encoder and how samples are given to it."""

    codec: str
    pixels: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_rgb(self) -> bool:
        return self.pixels.startswith(("rgb", "bgr", "gbr", "pal"))


def choose_format(path: Path, quality: str, *, deep: bool, alpha: bool, even: bool) -> Format:
    """The format for a suffix and a quality. deep: more than 8 bits; even: width and height both.

    H.264 is near the quality where eyes see no difference (crf 16), its chroma finer than usual, since a style is
    made of color and coarse chroma shifts the mean of gentle ones by half a level a generation. Raises OutputError
    for what does not go together.
    """
    suffix = path.suffix.lower()
    if quality not in QUALITIES:
        raise OutputError(f"quality: {quality!r} is unknown; {nearest(quality, QUALITIES)}")
    if suffix == ".gif":
        return Format("gif", "pal8")
    chroma = "420" if even else "444"
    depth = "10le" if deep else ""
    if quality == "prores":
        if suffix not in (".mov", ".mkv"):
            instead = "lossless" if suffix == ".nut" else ".mov"
            raise OutputError(f"{path}: ProRes does not fit into {suffix}; use {instead}")
        return Format("prores_ks", "yuva444p10le" if alpha else "yuv422p10le", {"profile": "4" if alpha else "3"})
    if quality == "lossless":
        if suffix in (".mkv", ".avi", ".nut"):
            return Format("ffv1", f"gbr{'a' if alpha else ''}p10le" if deep else ("bgra" if alpha else "bgr0"))
        if suffix == ".webm":
            return Format("libvpx-vp9", "gbrp", {"lossless": "1"} | _SAME_BYTES)
        return Format("libx264rgb", "rgb24", {"qp": "0", "preset": "medium"} | _SAME_BYTES)
    if suffix == ".webm":
        pixels = "yuva420p" if alpha and even else f"yuv{chroma}p"
        return Format("libvpx-vp9", pixels, {"crf": "16", "b": "0", "cpu-used": "4"} | _SAME_BYTES)
    # Macroblock trees give other bytes each time for small pictures, unless x264 goes without its assembly.
    visual = {
        "crf": "16",
        "preset": "medium",
        "x264-params": "chroma-qp-offset=-8:no-dct-decimate=1:no-mbtree=1",
    } | _SAME_BYTES
    if suffix == ".nut":  # a stream, out of which each picture comes before the next one goes in
        return Format("libx264", f"yuv{chroma}p{depth}", visual | {"tune": "zerolatency"})
    # AVI has no time stamps: pictures are shown in the order in which they are written.
    return Format("libx264", f"yuv{chroma}p{depth}", visual | ({"bf": "0"} if suffix == ".avi" else {}))


def check_size(path: Path, chosen: Format, width: int, height: int) -> None:
    """Raises OutputError for pictures that are too large for an encoder, which is asked."""
    if max(width, height) <= _ASKED_FROM:
        return
    context: Any = av.CodecContext.create(chosen.codec, "w")
    context.width, context.height, context.pix_fmt = width, height, chosen.pixels
    context.time_base, context.options = Fraction(1, 25), chosen.options
    try:
        context.open()
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError(
            f"{path}: pictures of {width}x{height} are too large for {chosen.codec}; choose a smaller --size"
        ) from error


class Writable(Protocol):
    """What a stream is written to."""

    def write(self, data: bytes, /) -> int | None:
        """All of data. Raises OSError."""
        ...


class Encoder:
    """A clip being written; a context manager that completes it.

    path: what it will be called. target: where it is written, a file under another name for now, or an object with
    `write`, which need not seek. shape: (…, H, W). origin: time stamps, color and the clip whose sound is carried
    over. alpha: whether frames are see-through. beside: the container of a stream, whose sound is carried over as
    it is given to `carry`. notes: lines for the user on what could not be kept.
    """

    def __init__(
        self,
        path: Path,
        target: Path | Writable,
        shape: tuple[int, ...],
        origin: VideoOrigin,
        encoding: Encoding,
        *,
        alpha: bool,
        beside: Any | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._path, self._origin = path, origin
        self._deep = origin.bits > 8
        height, width = shape[-2:]
        even = width % 2 == 0 and height % 2 == 0
        self._format = choose_format(path, encoding.quality, deep=self._deep, alpha=alpha, even=even)
        self._alpha = alpha and any(c.is_alpha for c in av.VideoFormat(self._format.pixels).components)
        if alpha and not self._alpha:
            instead = "--quality lossless keeps" if path.suffix == ".nut" else "WebM and --quality prores keep"
            self.notes.append(f"{path.name}: no transparency in this format, left out; {instead} it")
        # Decoders give 12 bits of what ProRes made of 10.
        kept = 12 if self._format.codec == "prores_ks" and origin.codec == "prores" else 10
        if origin.bits > kept and "10" in self._format.pixels:
            self.notes.append(f"{path.name}: {origin.bits}-bit samples written as 10 bit")
        if self._deep and self._format.pixels in ("rgb24", "gbrp", "pal8", "yuv420p", "yuva420p"):
            self.notes.append(f"{path.name}: {origin.bits}-bit samples written as 8 bit")
        if path.suffix == ".nut" and self._format.codec == "ffv1" and origin.color.is_special:
            self.notes.append(
                f"{path.name}: no place for color tags, left out: primaries {origin.color.primaries}, transfer "
                f"{origin.color.transfer}"
            )
        with _said(path):
            settings = _CONTAINERS.get(path.suffix.lower(), {})
            place = str(target) if isinstance(target, Path) else target
            kind = None if isinstance(target, Path) else path.suffix[1:]
            self._container: Any = av.open(place, "w", kind, container_options=settings)
            self._stream = self._add_stream(width, height)
        self._graph = _palette(width, height, origin.time_base) if self._format.codec == "gif" else None
        # A range that was cut out begins at 0; a whole clip keeps its first time stamp.
        self._first = 0 if origin.length is not None else round(origin.offset / origin.time_base)
        self._durations: dict[int, int] = {}
        self._reached = Fraction(0)
        self._sound = self._add_sound(path, beside)

    def __enter__(self) -> Encoder:
        return self

    def add(self, picture: Field, tick: int, duration: int) -> None:
        """The next picture (C, H, W) and its time. Raises OutputError when the encoder will not take it."""
        frame = self._frame(picture)
        frame.pts, frame.time_base = self._first + tick, self._origin.time_base
        self._durations[frame.pts] = duration
        with _said(self._path):
            if self._graph is not None:
                self._graph.push(frame)
            else:
                self._mux(self._stream.encode(frame))

    def carry(self, packet: Any) -> None:
        """A packet of another stream than that of the pictures, from the container `beside`; it waits until they
        have come as far."""
        if self._sound is None or packet.dts is None:
            return
        with _said(self._path):
            self._sound.take(packet)
            for other in self._sound.until(max(self._reached, packet.dts * packet.time_base - _SOUND_AHEAD)):
                self._container.mux(other)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with _said(self._path):
            try:
                if kind is None:
                    self._complete()
            finally:
                self._container.close()
                if self._sound is not None:
                    self._sound.close()

    def _complete(self) -> None:
        if self._graph is not None:
            self._graph.push(None)
            while True:
                try:
                    self._mux(self._stream.encode(self._graph.pull()))
                except (av.error.EOFError, av.error.BlockingIOError):
                    break
        self._mux(self._stream.encode(None))
        if self._sound is not None:
            for packet in self._sound.until(None):
                self._container.mux(packet)

    def _add_stream(self, width: int, height: int) -> Any:
        origin, chosen = self._origin, self._format
        options = dict(chosen.options)
        if "420" in chosen.pixels:
            options["chroma_sample_location"] = "left"
        stream = self._container.add_stream(chosen.codec, rate=origin.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, chosen.pixels
        stream.time_base = origin.time_base
        context = stream.codec_context
        context.time_base = origin.time_base
        if origin.aspect != 1:
            context.sample_aspect_ratio = origin.aspect
        if chosen.codec != "gif":
            origin.color.tag(context, rgb=self._format.is_rgb)
        return stream

    def _add_sound(self, path: Path, beside: Any | None) -> SoundTrack | None:
        source = self._origin.path if beside is None else beside
        if source is None or (isinstance(source, Path) and not source.is_file()):
            return None
        start = self._origin.offset if self._origin.length is not None else Fraction(0)
        main, length = self._origin.stream, self._origin.length
        return SoundTrack(source, self._container, path.suffix.lower(), start, length, main, self.notes)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._sound is not None and packet.dts is not None:
                self._reached = packet.dts * packet.time_base
                for other in self._sound.until(self._reached):
                    self._container.mux(other)
            self._container.mux(packet)

    def _frame(self, picture: Field) -> Any:
        samples = picture.samples.clamp(0, 1).expand(3, -1, -1).permute(1, 2, 0).numpy()
        if self._alpha:
            alpha = picture.origin.alpha if isinstance(picture.origin, PictureOrigin) else None
            opaque = np.ones(samples.shape[:2], np.float32) if alpha is None else alpha.numpy()
            samples = np.concatenate([samples, opaque[..., None]], axis=2)
        return to_frame(samples, self._origin.color, "rgb24" if self._graph else self._format.pixels)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What FFmpeg cannot write as OutputError; errors of the disk go on, they are known where the file arrives."""
    try:
        yield
    except OSError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be written ({reason}); try .mp4, .mov, .mkv or .webm") from error


def _palette(width: int, height: int, time_base: Fraction) -> Any:
    """A filter that finds the best 256 colors of the whole clip and dithers with them."""
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=time_base)
    split, use = graph.add("split"), graph.add("paletteuse", "dither=sierra2_4a")
    palette, sink = graph.add("palettegen", "stats_mode=full"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
