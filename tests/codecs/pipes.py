"""Streams in memory, for the tests of streams: what writes and reads them, and clips to send."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from tests.clips import HEIGHT, WIDTH, smooth, times
from volstyle.codecs import DEFAULT, WHOLE, Encoding, Selection
from volstyle.codecs.stream import Passed, styled
from volstyle.grid.field import Field

LOSSLESS = Encoding("lossless")


def same(frame: Field) -> Field:
    return frame


def inverted(frame: Field) -> Field:
    return replace(frame, samples=1 - frame.samples)


class Pipe(io.RawIOBase):
    """What cannot seek, and gives at most so many bytes at a time."""

    def __init__(self, data: bytes, most: int = 5000) -> None:
        self._data, self._most = memoryview(data), most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._most, len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


class Sink(io.RawIOBase):
    """What cannot seek, and takes at most 3000 bytes at a time, as a pipe may."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data[:3000])
        return min(len(data), 3000)


def through(
    source: Path | bytes,
    out: Path,
    turn: Callable[[Field], Field] = same,
    encoding: Encoding = DEFAULT,
    selection: Selection = WHOLE,
) -> Passed:
    """A clip through two pipes; what came out of the second is kept in a file."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    sink = Sink()
    try:
        return styled(Pipe(data), sink, (turn,), encoding, selection)  # type: ignore[arg-type]
    finally:
        out.write_bytes(sink.data)


def frames(path: Path, pixels: str = "rgb24") -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format=pixels) for frame in container.decode(video=0)])


def read_nut(path: Path) -> torch.Tensor:
    """(3, T, H, W) by the decoder of files."""
    found: list[torch.Tensor] = []

    def look(frame: Field) -> Field:
        found.append(frame.samples)
        return frame

    styled(Pipe(path.read_bytes()), Sink(), (look,))  # type: ignore[arg-type]
    return torch.stack(found, dim=1)


def since_first(path: Path) -> list[Fraction]:
    """When each picture is shown after the first, in seconds."""
    found = times(path)
    return [at - found[0] for at in found]


def see_through(index: int) -> np.ndarray:
    """Clear where it is left of its middle."""
    opaque = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    opaque[:, : WIDTH // 2] = 7 * index
    return np.concatenate((smooth(index), opaque), axis=2)


def clear_clip(path: Path, codec: str, pixels: str) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=12)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(see_through(index), format="rgba").reformat(format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
