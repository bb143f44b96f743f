"""The streams beside the pictures, carried from one file to another: sound and subtitles."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

_RATES = {"libopus": 48000}


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
        self._start, self._length = start, length
        self._source: Any = av.open(str(source))
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
            elif stream.type == "audio" and container.default_audio_codec != "none":
                name = "libopus" if suffix == ".webm" else "aac"
                rate = _RATES.get(name, stream.codec_context.sample_rate)
                target = container.add_stream(name, rate=rate, layout=stream.layout)
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

    def _carried(
        self, targets: dict[int, Any], encoders: dict[int, tuple[Any, Any]]
    ) -> Iterator[tuple[Fraction, Any]]:
        streams = [self._source.streams[index] for index in (*targets, *encoders)]
        for packet in self._source.demux(streams):
            if packet.dts is None:
                continue
            at = packet.dts * packet.time_base - self._start
            # A whole track begins before 0 with what its decoder needs to warm up; a part of one begins at 0.
            if self._length is not None and not 0 <= at < self._length:
                continue
            if packet.stream.index in targets:
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = (packet.pts or packet.dts) - shift, packet.dts - shift
                packet.stream = targets[packet.stream.index]
                yield at, packet
            else:
                target, resampler = encoders[packet.stream.index]
                for frame in packet.decode():
                    frame.pts -= round(self._start / frame.time_base)
                    for ready in resampler.resample(frame):
                        yield from ((at, made) for made in target.encode(ready))
        for target, resampler in encoders.values():
            for ready in resampler.resample(None):
                yield from ((Fraction(0), made) for made in target.encode(ready))
            yield from ((Fraction(0), made) for made in target.encode(None))
