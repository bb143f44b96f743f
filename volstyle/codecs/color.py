"""Y'CbCr and R'G'B', exactly.

FFmpeg's own conversion is off by up to a level, always to the same side, so that a clip read and written again
drifts. It is used here for what it does well, to scale and to change the chroma's resolution; the matrix is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

UNSPECIFIED = 2
"""The value of each color tag that says nothing."""

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
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class Color:
    """How a file writes color, by the tags of ISO/IEC 23091-2."""

    matrix: int = _BT709
    full_range: bool = False
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @staticmethod
    def of(context: Any) -> Color:
        """Of a stream's codec context. A matrix that is not tagged is the one players take: BT.709 from 720 lines
        up, BT.601 below; so is one that nobody uses."""
        matrix = int(context.colorspace)
        if matrix not in _LUMA:
            matrix = _BT709 if context.height >= 720 else _BT601
        full = int(context.color_range) == int(ColorRange.JPEG) or (context.pix_fmt or "").startswith("yuvj")
        return Color(matrix, full, int(context.color_primaries), int(context.color_trc))

    def tag(self, context: Any, *, rgb: bool) -> None:
        """Write the tags to an encoder's context."""
        context.color_primaries, context.color_trc = self.primaries, self.transfer
        context.colorspace = _RGB if rgb else self.matrix
        context.color_range = ColorRange.JPEG if rgb or self.full_range else ColorRange.MPEG

    def to_rgb(self, planes: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
        """Y, Cb, Cr (3, H, W) in levels of `bits` -> R, G, B (H, W, 3) in [0, 1]."""
        luma, blue, red = planes
        floor, span, half, reach = self._levels(bits)
        y, cb, cr = (luma - floor) / span, (blue - half) / reach, (red - half) / reach
        kr, kb = _LUMA[self.matrix]
        r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
        g = (y - kr * r - kb * b) / (1 - kr - kb)
        rgb: NDArray[np.float32] = np.clip(np.stack((r, g, b), axis=-1), 0, 1)
        return rgb

    def to_planes(self, rgb: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
        """R, G, B (H, W, 3) in [0, 1] -> Y, Cb, Cr (3, H, W) in whole levels of `bits`."""
        r, g, b = np.moveaxis(rgb, -1, 0)
        floor, span, half, reach = self._levels(bits)
        kr, kb = _LUMA[self.matrix]
        y = kr * r + (1 - kr - kb) * g + kb * b
        cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
        planes = np.stack((y * span + floor, cb * reach + half, cr * reach + half))
        whole: NDArray[np.float32] = np.clip(np.rint(planes), 0, 2**bits - 1).astype(np.float32)
        return whole

    def _levels(self, bits: int) -> tuple[float, float, float, float]:
        """Black, and white above black, of luma; zero, and twice the reach, of chroma."""
        step = 2.0 ** (bits - 8)
        if self.full_range:
            return 0.0, 2.0**bits - 1, 128 * step, 2.0**bits - 1
        return 16 * step, 219 * step, 128 * step, 224 * step


BT709 = Color()


def to_samples(frame: Any, color: Color, bits: int, width: int, height: int) -> NDArray[np.float32]:
    """A decoded frame as (height, width, 3), or 4 with alpha, in [0, 1]."""
    scaling = (Interpolation.AREA if width < frame.width else Interpolation.BICUBIC) | _EXACT
    size = {"width": width, "height": height, "interpolation": scaling}
    deep = bits > 8
    has_alpha = any(component.is_alpha for component in frame.format.components)
    if frame.format.is_rgb or frame.format.has_palette:
        array = frame.reformat(format="rgb48le" if deep else "rgb24", **size).to_ndarray()
        samples: NDArray[np.float32] = array.astype(np.float32) / (65535 if deep else 255)
    else:
        # The same range on both sides, or swscale would stretch it.
        levels = ColorRange.JPEG if color.full_range else ColorRange.MPEG
        same = {"src_color_range": levels, "dst_color_range": levels}
        if deep:
            planes = frame.reformat(format="yuv444p16le", **size, **same).to_ndarray().transpose(2, 0, 1)
            samples = color.to_rgb(planes.astype(np.float32) / 2.0 ** (16 - bits), bits)
        else:
            planes = frame.reformat(format="yuv444p", **size, **same).to_ndarray()
            samples = color.to_rgb(planes.astype(np.float32), bits)
    if has_alpha:
        name, top = ("rgba64le", 65535) if deep else ("rgba", 255)
        alpha = frame.reformat(format=name, **size).to_ndarray()[..., 3:].astype(np.float32) / top
        samples = np.concatenate((samples, alpha), axis=2)
    return samples


def to_frame(samples: NDArray[np.float32], color: Color, pixels: str) -> Any:
    """Samples (H, W, 3), or 4 with alpha, in [0, 1] as a frame in a pixel format of FFmpeg."""
    wanted = av.VideoFormat(pixels)
    bits = wanted.components[0].bits
    alpha = samples.shape[2] == 4
    if wanted.is_rgb:
        if bits > 8:
            channels = [samples[..., index] * (2**bits - 1) for index in ((1, 2, 0, 3) if alpha else (1, 2, 0))]
            return _filled(pixels, np.rint(np.stack(channels)), bits)
        whole = np.ascontiguousarray(np.rint(samples * 255).astype(np.uint8))
        return av.VideoFrame.from_ndarray(whole, format="rgba" if alpha else "rgb24").reformat(format=pixels)
    planes = color.to_planes(samples[..., :3], bits)
    if alpha:
        planes = np.concatenate((planes, np.rint(samples[..., 3:] * (2**bits - 1)).transpose(2, 0, 1)))
    name = f"yuv{'a' if alpha else ''}444p{'' if bits == 8 else f'{bits}le'}"
    levels = ColorRange.JPEG if color.full_range else ColorRange.MPEG
    frame = _filled(name, planes, bits)
    return frame.reformat(
        format=pixels,
        src_color_range=levels,
        dst_color_range=levels,
        interpolation=Interpolation.BICUBIC | _EXACT,
    )


def _filled(pixels: str, planes: NDArray[np.float32], bits: int) -> Any:
    """A frame whose planes, all of full size, are given (P, H, W)."""
    _, height, width = planes.shape
    frame = av.VideoFrame(width, height, pixels)
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((height, plane.line_size // kind.itemsize), kind)
        rows[:, :width] = values
        plane.update(rows.tobytes())
    return frame
