"""Clips and images to test with, made without the package, and what of them is compared."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from volstyle.codecs import WHOLE, Encoding, Selection, read, write
from volstyle.codecs.clip import PictureOrigin
from volstyle.codecs.video import VideoOrigin
from volstyle.grid.field import Axis, Field

WIDTH, HEIGHT = 64, 48
CLIP = (Axis("t", 1 / 12, "s"), Axis("y"), Axis("x"))
IMAGE = (Axis("y"), Axis("x"))
UNEVEN = (0, 3, 4, 9, 20, 21, 22, 40)
SOUND_RATE = 48000
PACKET = 1024 / SOUND_RATE

LOSSLESS, FORCED = Encoding("lossless"), Encoding(force=True)

Draw = Callable[[int], np.ndarray]


def smooth(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A moving gradient of soft color, away from black and white."""
    y, x = np.mgrid[:height, :width]
    red, green = 60 + 120 * x / width, 70 + 100 * y / height
    blue = 128 + 50 * np.sin(x / 12 + y / 17 + index / 4)
    return np.rint(np.stack((red, green, blue), axis=-1)).astype(np.uint8)


def waves(index: int) -> np.ndarray:
    """Soft color that moves, the same on opposite edges."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    phases = x / WIDTH + index / 8, y / HEIGHT + index / 8, x / WIDTH + y / HEIGHT - index / 8
    return np.rint(128 + 60 * np.sin(2 * np.pi * np.stack(phases, axis=-1))).astype(np.uint8)


def flash(index: int) -> np.ndarray:
    """Black, but for frame 15."""
    return np.full((HEIGHT, WIDTH, 3), 255 if index == 15 else 0, np.uint8)


def tone(seconds: np.ndarray) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * seconds)


def click(seconds: np.ndarray) -> np.ndarray:
    """4 ms of noise where frame 15 of 12 a second is shown."""
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, seconds.shape)
    return np.where(np.abs(seconds - 1.25) < 0.002, noise, 0)


def make_clip(
    path: Path,
    ticks: Sequence[int] = range(8),
    time_base: Fraction = Fraction(1, 24),
    *,
    draw: Draw = smooth,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    tags: tuple[int, int, int, int] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    sound: Callable[[np.ndarray], np.ndarray] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip made without the package. tags: matrix, range, primaries, transfer."""
    end = float((ticks[-1] + 1) * time_base)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=1 / time_base, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = time_base
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if tags:
            context = stream.codec_context
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = tags
        if rotation:
            stream.set_display_rotation(rotation)
        track: Any = container.add_stream("aac", rate=SOUND_RATE, layout="stereo") if sound else None
        for index, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(draw(index), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = tick, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track is not None and sound is not None:
            for at in range(0, round(end * SOUND_RATE), 1024):
                wave = sound((at + np.arange(1024)) / SOUND_RATE).astype(np.float32)
                heard = av.AudioFrame.from_ndarray(wave[None].repeat(2, 0), format="fltp", layout="stereo")
                heard.sample_rate, heard.pts = SOUND_RATE, at
                container.mux(track.encode(heard))
            container.mux(track.encode(None))
    return path


def clip_field(levels: np.ndarray | None = None, count: int = 5, top: int = 255, **origin: Any) -> Field:
    """(3, T, H, W) of whole levels, random unless given (T, H, W, 3)."""
    if levels is None:
        levels = np.random.default_rng(0).integers(0, top + 1, (count, HEIGHT, WIDTH, 3))
    samples = torch.from_numpy(levels.astype(np.float32) / np.float32(top)).permute(3, 0, 1, 2).contiguous()
    count = samples.shape[1]
    kept = VideoOrigin(
        rate=Fraction(12), time_base=Fraction(1, 12), ticks=tuple(range(count)), durations=(1,) * count, **origin
    )
    return Field(samples, CLIP, kept)


def video_origin(field: Field) -> VideoOrigin:
    assert isinstance(field.origin, VideoOrigin)
    return field.origin


def levels_of(samples: Tensor, top: int = 255) -> Tensor:
    return (samples * top).round().int()


def times(path: Path) -> list[Fraction]:
    """When each picture is shown, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [Fraction(frame.pts or 0) * Fraction(stream.time_base or 0) for frame in container.decode(stream)]


def packets(path: Path) -> list[tuple[bytes, float]]:
    """Each packet of sound and when it is heard, in seconds."""
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(audio=0) if packet.size and packet.pts is not None]
        return [(bytes(packet), float((packet.pts or 0) * packet.time_base)) for packet in found]


def heard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The times of the decoded sound's samples, in seconds, and their values, of the first channel."""
    at, values = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = frame.to_ndarray()[0]
            at.append(float(frame.pts * frame.time_base) + np.arange(wave.size) / frame.sample_rate)
            values.append(wave)
    return np.concatenate(at), np.concatenate(values)


def first_video(path: Path) -> Any:
    """A closed clip's stream, as tags: pixels, rate, aspect, matrix, range, primaries, transfer."""
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        context = stream.codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        return {
            "codec": context.codec.canonical_name,
            "pixels": context.pix_fmt,
            "rate": stream.average_rate,
            "aspect": stream.sample_aspect_ratio,
            "tags": tuple(int(tag) for tag in tags),
        }


def again(source: Path, target: Path, selection: Selection = WHOLE, encoding: Encoding = FORCED) -> list[str]:
    return write(target, read(source, selection), encoding)


def one_line(error: pytest.ExceptionInfo[Exception], path: Path) -> str:
    """The message, which is one line that names the file."""
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def alpha_field() -> Field:
    """Opaque on the left, clear on the right, half between; a smooth picture."""
    alpha = torch.ones(4, HEIGHT, WIDTH)
    alpha[..., 24:40], alpha[..., 40:] = 0.5, 0
    pictures = tuple(PictureOrigin(alpha=each) for each in alpha)
    return clip_field(np.stack([smooth(index) for index in range(4)]), pictures=pictures)


def alpha_of(field: Field) -> Tensor | None:
    """(T, H, W), of a clip whose frames all have it."""
    alphas = [
        p.alpha for p in video_origin(field).pictures if isinstance(p, PictureOrigin) and p.alpha is not None
    ]
    return torch.stack(alphas) if alphas else None


def make_images(folder: Path, names: Sequence[str], kind: type = np.uint8, channels: int = 3) -> list[np.ndarray]:
    folder.mkdir()
    numbers = np.random.default_rng(0)
    arrays = [
        numbers.integers(0, np.iinfo(kind).max, (HEIGHT, WIDTH, channels), kind, endpoint=True) for _ in names
    ]
    for name, array in zip(names, arrays, strict=True):
        assert cv2.imwrite(str(folder / name), array)
    return arrays


NAMES = ["shot_2.png", "shot_9.png", "shot_10.png", "shot_100.png"]


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


class Stop(BaseException):
    """As KeyboardInterrupt: no Exception."""


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def no_room_by_ffmpeg(*_: object) -> None:
    av.error.err_check(-errno.ENOSPC)
