"""What is beside the pictures, carried from one file to another: sound, subtitles, titles and chapters."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

_RATES = {"libopus": 48000}
_OF_THE_FILE = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
"""Tags that say how a file was written, not what it is."""


class SoundTrack:
    """The other streams of a clip on their way into a new one.

    source: the clip they are taken from. container: the new one; its header must not be written yet.
    start, length: the range in the source, in seconds; length None is all there is after start. Times are moved
    so that start becomes 0, whole packets are kept, so a cut is exact to a packet (some 20 ms), never out of sync.
    notes: gets a line for each stream that could not be copied bit for bit.
    """

    def __init__(
        self, source: Path, container: Any, suffix: str, start: Fraction, length: Fraction | None, notes: list[str]
    ) -> None:
        self._start, self._length, self._notes = start, length, notes
        # A whole track begins before 0 with what its decoder needs to warm up, but in AVI, which cannot say so; a
        # part of one begins at 0.
        self._warms_up = length is None and suffix != ".avi"
        self._source: Any = av.open(str(source), metadata_errors="replace")
        self._label(container)
        self._packets: Iterator[tuple[Fraction, Any]] = iter(())
        self._next: tuple[Fraction, Any] | None = None
        targets: dict[int, Any] = {}
        encoders: dict[int, tuple[Any, Any]] = {}
        stream: Any
        for stream in self._source.streams:
            if stream.type not in ("audio", "subtitle"):
                continue
            codec = stream.codec_context.codec.canonical_name
            if suffix == source.suffix.lower() or codec in container.supported_codecs:
                targets[stream.index] = container.add_stream_from_template(stream)
                _relabel(stream, targets[stream.index])
            elif stream.type == "audio" and container.default_audio_codec != "none":
                name = "libopus" if suffix == ".webm" else "aac"
                rate = _RATES.get(name, stream.codec_context.sample_rate)
                target = container.add_stream(name, rate=rate, layout=stream.layout)
                _relabel(stream, target)
                encoders[stream.index] = (
                    target,
                    av.AudioResampler(target.codec_context.format, target.layout, rate),
                )
                notes.append(f"sound: {codec} does not fit into {suffix}, encoded anew as {name}")
            else:
                notes.append(f"{stream.type}: {codec} does not fit into {suffix}, left out")
        if targets or encoders:
            self._packets = self._carried(targets, encoders)

    def until(self, seconds: Fraction | None) -> Iterator[Any]:
        """Packets up to a time of the new clip, in order; None is all that are left."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None or (seconds is not None and self._next[0] > seconds):
                return
            packet = self._next[1]
            self._next = None
            yield packet

    def close(self) -> None:
        self._source.close()

    def _label(self, container: Any) -> None:
        """Tags of the whole file, and the chapters of the range."""
        tags = self._source.metadata.items()
        container.metadata.update({key: text for key, text in tags if key.lower() not in _OF_THE_FILE})
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

    def _carried(
        self, targets: dict[int, Any], encoders: dict[int, tuple[Any, Any]]
    ) -> Iterator[tuple[Fraction, Any]]:
        streams = [self._source.streams[index] for index in (*targets, *encoders)]
        for packet in self._source.demux(streams):
            if packet.dts is None:
                continue
            at = packet.dts * packet.time_base - self._start
            if (at < 0 and not self._warms_up) or (self._length is not None and at >= self._length):
                continue
            if packet.stream.index in targets:
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = (packet.pts or packet.dts) - shift, packet.dts - shift
                packet.stream = targets[packet.stream.index]
                yield at, packet
            else:
                target, resampler = encoders[packet.stream.index]
                for frame in self._decoded(packet):
                    frame.pts -= round(self._start / frame.time_base)
                    for ready in resampler.resample(frame):
                        yield from ((at, made) for made in target.encode(ready))
        for target, resampler in encoders.values():
            for ready in resampler.resample(None):
                yield from ((Fraction(0), made) for made in target.encode(ready))
            yield from ((Fraction(0), made) for made in target.encode(None))


def _relabel(stream: Any, target: Any) -> None:
    """The name of a stream, its language, and what it is for."""
    target.metadata.update({key: text for key, text in stream.metadata.items() if key in ("language", "title")})
    target.disposition = stream.disposition
