"""What is beside the pictures, carried from one file to another: sound, subtitles, titles, chapters, a cover,
fonts and the time code. Whatever cannot be carried is noted."""

from __future__ import annotations

import io
import itertools
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard, Disposition

_RATES = {"libopus": 48000}
_USUAL_RATE = 48000
_OF_THE_FILE = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
"""Tags on how the file was written, which are not true of the new one."""

_WITH_COVER = ("mp4", "ipod")
_WITH_FILES = ("matroska",)
_WITH_TIME_CODE = ("mov", "mp4", "matroska")
"""Names of FFmpeg's writers that keep a cover in a stream, attached files, and a time code."""

_MP4 = ("mp4", "ipod")


class SoundTrack:
    """The other streams of a clip on their way into a new one.

    source: the clip they are taken from, or the open container of a stream, whose packets are given to `take` by
    whoever reads it. container: the new one, which has its stream of pictures; its header must not be written yet.
    start, length: the range in the source, in seconds; length None is all there is after
    start. Times are moved so that start becomes 0, whole packets are kept, so a cut is exact to a packet (some
    20 ms), never out of sync. main: the number of the source's stream that became the pictures, or None. notes:
    gets a line for each stream that could not be copied bit for bit.
    """

    def __init__(
        self,
        source: Path | Any,
        container: Any,
        suffix: str,
        start: Fraction,
        length: Fraction | None,
        main: int | None,
        notes: list[str],
    ) -> None:
        self._start, self._length, self._notes, self._suffix = start, length, notes, suffix
        self._container, self._path = container, source if isinstance(source, Path) else None
        # A whole track begins before 0 with what its decoder needs to warm up, but in AVI, which cannot say so; a
        # part of one begins at 0.
        self._warms_up = length is None and suffix != ".avi"
        self._source = _container(source)
        self._label(container)
        self._coming: Iterator[Any] = iter(())
        self._waiting: deque[tuple[Fraction, Any]] = deque()
        self._ended = False
        self._targets: dict[int, Any] = {}
        self._encoders: dict[int, tuple[Any, Any]] = {}
        self._keep_time_code(main)
        for stream in self._source.streams:
            if stream.index != main:
                self._add(stream)
        if self._path is not None and (self._targets or self._encoders):
            streams = [self._source.streams[index] for index in (*self._targets, *self._encoders)]
            self._coming = self._source.demux(streams)

    def _add(self, stream: Any) -> None:
        """Make room for a stream in the new file, or note that the format has none for it."""
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "of an unknown codec"
        if stream.type == "video" and stream.disposition & Disposition.attached_pic:
            self._add_cover(stream)
        elif stream.type == "attachment":
            name = stream.metadata.get("filename", "attachment")
            if self._container.format.name in _WITH_FILES:
                mime = stream.metadata.get("mimetype", "application/octet-stream")
                self._container.add_attachment(name, mime, bytes(stream.data))
            else:
                self._notes.append(f"attachment: {name} left out; .mkv keeps it")
        elif stream.type not in ("audio", "subtitle"):
            # Tracks of the time code, and of chapters, which nobody is to read, are made anew by the writer.
            if "timecode" not in stream.metadata and stream.discard != Discard.all:
                self._notes.append(f"{stream.type}: stream {stream.index}, {codec}, left out")
        elif self._is_taken(stream, codec):
            self._targets[stream.index] = self._container.add_stream_from_template(stream)
            _relabel(stream, self._targets[stream.index])
        elif stream.type == "audio" and stream.codec_context and self._container.default_audio_codec != "none":
            self._add_encoder(stream, codec)
        else:
            self._notes.append(f"{stream.type}: {codec} does not fit into {self._suffix}, left out")

    def _is_taken(self, stream: Any, codec: str) -> bool:
        """Whether the new file can hold the packets of a stream as they are: its writer is asked."""
        name = self._container.format.name
        from_mp4 = self._path is not None and self._path.suffix.lower() in (".mp4", ".m4v")
        if codec.startswith("pcm_") and name in _MP4 and not from_mp4:
            return False  # FFmpeg writes it, most players do not play it
        try:
            with av.open(io.BytesIO(), "w", format=name) as trial:
                trial.add_stream_from_template(stream)
                trial.start_encoding()
        except (av.error.FFmpegError, ValueError):
            return False
        return True

    def _add_encoder(self, stream: Any, codec: str) -> None:
        """Encode a sound anew, at its own rate and layout of speakers or at the nearest that the encoder takes."""
        name = "libopus" if self._suffix == ".webm" else "aac"
        wanted = _RATES.get(name, stream.codec_context.sample_rate), stream.layout.name
        rate, layout = _encodable(name, *wanted, stream.layout.nb_channels)
        target = self._container.add_stream(name, rate=rate, layout=layout)
        _relabel(stream, target)
        resampler = av.AudioResampler(target.codec_context.format, layout, rate)
        self._encoders[stream.index] = (target, resampler)
        named = not wanted[1].endswith("channels")  # else the file says how many there are, not which
        changed = [f", {wanted[1]} remixed to {layout}"] if named and layout != wanted[1] else []
        changed += [f", {wanted[0]} Hz resampled to {rate}"] if rate != wanted[0] else []
        self._notes.append(
            f"sound: {codec} does not fit into {self._suffix}, encoded anew as {name}{''.join(changed)}"
        )

    def _add_cover(self, stream: Any) -> None:
        """A picture attached to the clip: MP4 has a place for it, Matroska keeps it as a file."""
        data = self._picture(stream)
        codec = stream.codec_context.name if stream.codec_context else ""
        name = self._container.format.name
        if data and name in _WITH_COVER:
            target = self._container.add_stream_from_template(stream)
            target.disposition = stream.disposition
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts = target, 0, 0
            self._waiting.append((Fraction(0), packet))
        elif data and name in _WITH_FILES:
            ending = {"mjpeg": ("jpg", "jpeg")}.get(codec, (codec, codec))
            named = stream.metadata.get("filename", f"cover.{ending[0]}")
            self._container.add_attachment(named, stream.metadata.get("mimetype", f"image/{ending[1]}"), data)
        else:
            self._notes.append(f"cover: does not fit into {self._suffix}, left out; .mp4 and .mkv keep it")

    def _picture(self, stream: Any) -> bytes:
        """A picture attached to a clip that can be read again; none of a stream."""
        if self._path is None:
            return b""
        with av.open(str(self._path), metadata_errors="replace") as again:
            packets = again.demux(again.streams[stream.index])
            return next((bytes(packet) for packet in packets if packet.size), b"")

    def _keep_time_code(self, main: int | None) -> None:
        """The time code of the first frame; that of a later one is not worked out."""
        streams = self._source.streams
        places = (*([] if main is None else [streams[main]]), *streams, self._source)
        tags = ({key.lower(): text for key, text in place.metadata.items()} for place in places)
        code = next((each["timecode"] for each in tags if "timecode" in each), None)
        if code is None:
            return
        if self._length is not None and self._start > 0:
            self._notes.append(f"time code: {code} is of the first frame, which is cut off; left out")
        elif self._container.format.name in _WITH_TIME_CODE:
            self._container.streams.video[0].metadata["timecode"] = code
        else:
            self._notes.append(f"time code: does not fit into {self._suffix}, left out")

    def until(self, seconds: Fraction | None) -> Iterator[Any]:
        """Packets up to a time of the new clip, in order; None is all that are left."""
        while self._waiting or self._read(to_end=seconds is None):
            if seconds is not None and self._waiting[0][0] > seconds:
                return
            yield self._waiting.popleft()[1]

    def take(self, packet: Any) -> None:
        """The next packet of the source, of any stream but that of the pictures."""
        self._waiting.extend(self._carried(packet))

    def _read(self, *, to_end: bool) -> bool:
        """Whether something waits once a clip was read on. to_end: nobody gives more packets of a stream."""
        for packet in self._coming:
            self.take(packet)
            if self._waiting:
                return True
        if not self._ended and (to_end or self._path is not None):
            self._ended = True
            self._waiting.extend(self._held_back())
        return bool(self._waiting)

    def close(self) -> None:
        if self._path is not None:
            self._source.close()

    def _label(self, container: Any) -> None:
        """Tags of the whole file, and the chapters of the range."""
        tags = self._source.metadata.items()
        container.metadata.update(
            {key: text for key, text in tags if key.lower() not in (*_OF_THE_FILE, "timecode")}
        )
        chapters = []
        for chapter in self._source.chapters():
            unit = chapter["time_base"]
            bounds = [max(chapter[side] * unit - self._start, Fraction(0)) for side in ("start", "end")]
            begin, end = (bound if self._length is None else min(bound, self._length) for bound in bounds)
            if begin < end:
                chapters.append(chapter | {"start": round(begin / unit), "end": round(end / unit)})
        if chapters:
            container.set_chapters(chapters)

    def _decoded(self, packet: Any) -> list[Any]:
        """A packet that is damaged is silence, said once: not worth the pictures."""
        try:
            return list(packet.decode())
        except av.error.FFmpegError:
            note = "sound: damaged in places, silent there"
            if note not in self._notes:
                self._notes.append(note)
            return []

    def _carried(self, packet: Any) -> Iterator[tuple[Fraction, Any]]:
        """What becomes of a packet in the new clip, and when; nothing of a stream that has no place there."""
        index = packet.stream.index
        if packet.dts is None or (index not in self._targets and index not in self._encoders):
            return
        at = packet.dts * packet.time_base - self._start
        if (at < 0 and not self._warms_up) or (self._length is not None and at >= self._length):
            return
        if index in self._targets:
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = (packet.pts or packet.dts) - shift, packet.dts - shift
            packet.stream = self._targets[index]
            yield at, packet
            return
        target, resampler = self._encoders[index]
        for frame in self._decoded(packet):
            if frame.pts is not None:
                frame.pts -= round(self._start / frame.time_base)
            for ready in resampler.resample(frame):
                yield from ((at, made) for made in target.encode(ready))

    def _held_back(self) -> Iterator[tuple[Fraction, Any]]:
        """What encoders have not given yet."""
        for target, resampler in self._encoders.values():
            for ready in resampler.resample(None):
                yield from ((Fraction(0), made) for made in target.encode(ready))
            yield from ((Fraction(0), made) for made in target.encode(None))


def _container(source: Path | Any) -> Any:
    return av.open(str(source), metadata_errors="replace") if isinstance(source, Path) else source


def _encodable(name: str, rate: int, layout: str, channels: int) -> tuple[int, str]:
    """The first of the rates and layouts near to what is wanted that an encoder opens with.

    The usual layout for the number of channels comes first: decoders name no speakers of the others.
    """
    for hertz, speakers in itertools.product((rate, _USUAL_RATE), (f"{channels}c", layout, "stereo")):
        context: Any = av.CodecContext.create(name, "w")
        try:
            context.sample_rate, context.layout = hertz, av.AudioLayout(speakers)
            context.format = context.codec.audio_formats[0]
            context.time_base = Fraction(1, hertz)
            context.open()
        except (av.error.FFmpegError, ValueError):
            continue
        return hertz, str(context.layout.name)
    return _USUAL_RATE, "stereo"


def _relabel(stream: Any, target: Any) -> None:
    """The name of a stream, its language, and what it is for."""
    target.metadata.update({key: text for key, text in stream.metadata.items() if key in ("language", "title")})
    target.disposition = stream.disposition
