"""Clips of every container, for the tests of their faults."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition

from volstyle.codecs import Encoding

WIDTH, HEIGHT, RATE = 64, 48, 24
FORCED = Encoding(force=True)


def picture(index: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """Red above, blue below, dark to the right, so that the way it lies can be told."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    rows = np.stack((0.9 * (1 - y), 0.02 * index + 0 * y, 0.9 * y), axis=-1) * (1 - 0.6 * x)[..., None]
    return np.rint(255 * rows).astype(np.uint8)


def make(
    path: Path,
    *,
    count: int = 8,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, RATE),
    lasts: int | None = None,
    sound: str | None = None,
    layout: str = "stereo",
    rate: int = 44100,
    seconds: float = 0.3,
    second: bool = False,
    font: bool = False,
    time_code: str | None = None,
    cover: bool = False,
) -> Path:
    """A clip of `picture`. stamps: of its packets, in ticks; lasts: how long each is, in ticks."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE, options={"bf": "0"} if options is None else options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.time_base = stream.codec_context.time_base = time_base
        if time_code:
            stream.metadata["timecode"] = time_code
        others: list[Any] = [container.add_stream("libx264", rate=RATE)] if second else []
        for other in others:
            other.width, other.height, other.pix_fmt = 32, 32, "yuv420p"
        if font:
            container.add_attachment("font.ttf", "font/ttf", bytes(100))
        picture_packet = None
        if cover:
            data = cv2.imencode(".jpg", np.full((80, 80, 3), (0, 0, 255), np.uint8))[1].tobytes()
            if path.suffix == ".mkv":
                container.add_attachment("cover.jpg", "image/jpeg", data)
            else:
                cover_stream: Any = container.add_stream("mjpeg", rate=RATE)
                cover_stream.width, cover_stream.height, cover_stream.pix_fmt = 80, 80, "yuvj420p"
                cover_stream.disposition = Disposition.attached_pic
                picture_packet = av.Packet(data)
                picture_packet.stream, picture_packet.pts, picture_packet.dts = cover_stream, 0, 0
        voice: Any = container.add_stream(sound, rate=rate, layout=layout) if sound else None
        packets = []
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = (stamps[index] if stamps else index), time_base
            packets += stream.encode(frame)
            for other in others:
                small = av.VideoFrame.from_ndarray(picture(index, 32, 32), format="rgb24").reformat(
                    format="yuv420p"
                )
                small.pts, small.time_base = index, Fraction(1, RATE)
                packets += other.encode(small)
        for each in (stream, *others):
            packets += each.encode(None)
        for packet in packets:
            packet.duration = lasts or packet.duration
            container.mux(packet)
        if picture_packet is not None:
            container.mux(picture_packet)
        if voice is not None:
            time = np.arange(round(seconds * rate)) / rate
            waves = np.stack([0.2 * np.sin(2 * np.pi * 330 * time)] * voice.layout.nb_channels).astype(np.float32)
            resampler = av.AudioResampler(voice.codec_context.format, layout, rate)
            heard = av.AudioFrame.from_ndarray(waves, format="fltp", layout=layout)
            heard.sample_rate, heard.pts = rate, 0
            for ready in [*resampler.resample(heard), *resampler.resample(None), None]:
                container.mux(voice.encode(ready))
    return path


def streams(path: Path) -> list[tuple[str, str]]:
    """The kind and the codec of each stream of a file."""
    with av.open(str(path)) as container:
        return [
            ("cover", s.codec_context.name)
            if s.disposition & Disposition.attached_pic
            else (s.type, s.codec_context.name if s.codec_context else "")
            for s in container.streams
        ]


def times(path: Path) -> list[float]:
    """When each frame is shown, from the first on, in seconds, as FFmpeg says."""
    with av.open(str(path)) as container:
        found = [float(frame.time) for frame in container.decode(video=0)]
    return [round(time - found[0], 3) for time in found]
