"""Exact conversion between Y'CbCr, in which clips are stored, and R'G'B'.

FFmpeg's own conversion is off by up to a level, always to the same side, and its scaler reads chroma half a sample
from where it writes it, so that a clip read and written again drifts. The planes are taken as they are decoded;
the matrix and the resolution of chroma are ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

UNSPECIFIED = 2
"""The value by which each color tag says nothing."""

_LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Matrix tag of ISO/IEC 23091-2 -> the weights of red and blue in luma."""

_RGB, _BT709, _BT601 = 0, 1, 6
_CENTERED = ("mjpeg", "mpeg1video")
"""Codecs that put a sample of chroma in the middle of the samples of luma that share it. The others put it on the
left one of them, as we do."""

_SUBSAMPLED = {(8, 8): "444", (4, 8): "422", (4, 4): "420", (8, 4): "440", (2, 8): "411", (2, 2): "410"}
"""Width and height of the chroma of 8x8 pixels -> FFmpeg's name."""

_PLANAR = re.compile(r"(yuvj?|yuva)4\d\dp(\d+le)?|gray(\d+le)?")


@dataclass(frozen=True)
class Color:
    """How a file writes color, by the tags of ISO/IEC 23091-2.

    centered: whether a sample of chroma lies in the middle of the samples of luma that share it, not on the left
    one; such files are only read, never written.
    """

    matrix: int = _BT709
    full_range: bool = False
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    centered: bool = False

    @property
    def is_special(self) -> bool:
        """Whether players that know neither primaries nor transfer would show other colors: those of BT.709 and
        BT.601 are what they take."""
        usual = (_BT709, UNSPECIFIED, 5, _BT601)
        return self.primaries not in usual or self.transfer not in usual

    @staticmethod
    def of(context: Any) -> Color:
        """The color of a stream, from its codec context. Where the matrix is not tagged, or is one that nobody
        uses, it is the one that players take: BT.709 from 720 lines up, BT.601 below."""
        matrix = int(context.colorspace)
        if matrix not in _LUMA:
            matrix = _BT709 if context.height >= 720 else _BT601
        pixels, levels = context.pix_fmt or "", int(context.color_range)
        full = levels == int(ColorRange.JPEG) or pixels.startswith("yuvj")
        # Gray is a picture's, not a broadcaster's, unless it says so.
        full = full or (pixels.startswith("gray") and levels != int(ColorRange.MPEG))
        centered = context.name in _CENTERED
        return Color(matrix, full, int(context.color_primaries), int(context.color_trc), centered)

    def tag(self, context: Any, *, rgb: bool) -> None:
        """Write the tags to an encoder's context."""
        context.color_primaries, context.color_trc = self.primaries, self.transfer
        context.colorspace = _RGB if rgb else self.matrix
        context.color_range = ColorRange.JPEG if rgb or self.full_range else ColorRange.MPEG

    def to_rgb(self, planes: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
        """Y, Cb, Cr (H, W, 3) in levels of `bits` -> R, G, B (H, W, 3) in [0, 1]."""
        luma, blue, red = np.moveaxis(planes, -1, 0)
        floor, span, half, reach = self._levels(bits)
        y, cb, cr = (luma - floor) / span, (blue - half) / reach, (red - half) / reach
        kr, kb = _LUMA[self.matrix]
        r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
        g = (y - kr * r - kb * b) / (1 - kr - kb)
        rgb: NDArray[np.float32] = np.clip(np.stack((r, g, b), axis=-1), 0, 1)
        return rgb

    def to_planes(self, rgb: NDArray[np.float32], bits: int) -> list[NDArray[np.float32]]:
        """R, G, B (H, W, 3) in [0, 1] -> Y, Cb, Cr, each (H, W), in levels of `bits`, not rounded."""
        r, g, b = np.moveaxis(rgb, -1, 0)
        floor, span, half, reach = self._levels(bits)
        kr, kb = _LUMA[self.matrix]
        y = kr * r + (1 - kr - kb) * g + kb * b
        cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
        return [y * span + floor, cb * reach + half, cr * reach + half]

    def _levels(self, bits: int) -> tuple[float, float, float, float]:
        """Four levels: black of luma, white of luma above black, the zero of chroma, and the width of its
        range."""
        step = 2.0 ** (bits - 8)
        if self.full_range:
            return 0.0, 2.0**bits - 1, 128 * step, 2.0**bits - 1
        return 16 * step, 219 * step, 128 * step, 224 * step


BT709 = Color()


def to_samples(frame: Any, color: Color, bits: int, width: int, height: int) -> NDArray[np.float32]:
    """A decoded frame as (height, width, 3), or 4 with alpha, in [0, 1]; made smaller by averaging areas."""
    form = frame.format
    alpha = any(component.is_alpha for component in form.components)
    packed = form.is_rgb or form.has_palette or len(form.components) == 2 or bits < 8
    samples = _packed(frame, bits, alpha) if packed else _stacked(_planar(frame, bits, alpha), color, bits)
    if (width, height) != (frame.width, frame.height):
        samples = np.asarray(cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    if packed:
        return samples
    rgb = color.to_rgb(samples[..., :3], bits)
    return np.concatenate((rgb, samples[..., 3:] / (2**bits - 1)), axis=2) if alpha else rgb


def to_frame(samples: NDArray[np.float32], color: Color, pixels: str) -> Any:
    """Samples (H, W, 3), or 4 with alpha, in [0, 1] as a frame in a pixel format of FFmpeg; chroma on the left."""
    wanted = av.VideoFormat(pixels)
    bits = wanted.components[0].bits
    alpha = samples.shape[2] == 4
    if wanted.is_rgb:
        if bits > 8:
            channels = [samples[..., index] * (2**bits - 1) for index in ((1, 2, 0, 3) if alpha else (1, 2, 0))]
            return _filled(pixels, channels, bits)
        whole = np.ascontiguousarray(np.rint(samples * 255).astype(np.uint8))
        return av.VideoFrame.from_ndarray(whole, format="rgba" if alpha else "rgb24").reformat(format=pixels)
    luma, *chroma = color.to_planes(samples[..., :3], bits)
    height, width = luma.shape
    down, across = 8 // wanted.chroma_height(8), 8 // wanted.chroma_width(8)
    rows = _resampling(height, wanted.chroma_height(height), down, (down - 1) / 2)
    columns = _resampling(width, wanted.chroma_width(width), across, 0)
    planes = [luma, *(_resampled(plane, rows, columns) for plane in chroma)]
    return _filled(pixels, [*planes, samples[..., 3] * (2**bits - 1)] if alpha else planes, bits)


def _packed(frame: Any, bits: int, alpha: bool) -> NDArray[np.float32]:
    """A frame in R, G, B or a format that FFmpeg unpacks exactly, as (H, W, 3), or 4 with alpha, in [0, 1]."""
    name, top = (f"rgb{'a64' if alpha else '48'}le", 65535) if bits > 8 else (f"rgb{'a' if alpha else '24'}", 255)
    array = frame.reformat(format=name).to_ndarray()
    samples: NDArray[np.float32] = array.astype(np.float32) / np.float32(top)
    return samples


def _planar(frame: Any, bits: int, alpha: bool) -> Any:
    """The frame with its samples unchanged, each component in a plane of its own."""
    form = frame.format
    if _PLANAR.fullmatch(form.name):
        return frame
    chroma = _SUBSAMPLED[form.chroma_width(8), form.chroma_height(8)]
    return frame.reformat(format=f"yuv{'a' if alpha else ''}{chroma}p{'' if bits == 8 else f'{bits}le'}")


def _stacked(frame: Any, color: Color, bits: int) -> NDArray[np.float32]:
    """Y, Cb, Cr, and alpha if there is, (H, W, 3 or 4) in levels of `bits`, from planes of a frame."""
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
    luma, *others = (
        np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width].astype(np.float32)
        for plane in frame.planes
    )
    if not others:
        return np.stack((luma, *[np.full_like(luma, 2 ** (bits - 1))] * 2), axis=-1)
    form, (height, width) = frame.format, luma.shape
    down, across = 8 // form.chroma_height(8), 8 // form.chroma_width(8)
    rows = _resampling(others[0].shape[0], height, 1 / down, (1 / down - 1) / 2)
    columns = _resampling(others[0].shape[1], width, 1 / across, (1 / across - 1) / 2 if color.centered else 0)
    chroma = (_resampled(plane, rows, columns) for plane in others[:2])
    return np.stack((luma, *chroma, *others[2:]), axis=-1)


@lru_cache(maxsize=16)
def _resampling(given: int, wanted: int, step: float, first: float) -> csr_array:
    """A matrix (wanted, given) that takes the samples at first, first + step, … of a row, whose ends are repeated.

    It interpolates by the cubic of Keys 1981, widened where samples become fewer. The weights of each new sample
    add up to 1.
    """
    wide = max(step, 1)
    places = first + step * np.arange(wanted)[:, None]
    taps = np.floor(places) + np.arange(-2 * wide + 1, 2 * wide + 1)
    x = np.abs(places - taps) / wide
    weights = np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    weights /= weights.sum(1, keepdims=True)
    rows = np.broadcast_to(np.arange(wanted)[:, None], taps.shape)
    columns = np.clip(taps, 0, given - 1).astype(int)
    entries = weights.astype(np.float32).ravel(), (rows.ravel(), columns.ravel())
    from scipy.sparse import csr_array  # most of a second of import, which only clips need

    return csr_array(entries, shape=(wanted, given))


def _resampled(plane: NDArray[np.float32], rows: csr_array, columns: csr_array) -> NDArray[np.float32]:
    """A plane (H, W) on another grid, (H', W')."""
    changed: NDArray[np.float32] = rows @ (columns @ plane.T).T
    return changed


def _filled(pixels: str, planes: list[NDArray[np.float32]], bits: int) -> Any:
    """A frame made of planes, whose levels are rounded."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixels)
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        rows[:, : plane.width] = np.clip(np.rint(values), 0, 2**bits - 1)
        plane.update(rows.tobytes())
    return frame
