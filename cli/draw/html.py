"""Web pages in a single file, with pictures, clips and sounds as part of it: a browser fetches nothing else."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.errors import OutputError

_LOSSLESS_BELOW = 24
"""A picture whose long side has fewer samples than this is kept exactly, and shown sample by sample."""
_WEBP_QUALITY = 82
_MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:"
)

STYLE = """
:root { --paper: #f7f6f2; --card: #fff; --ink: #23211d; --dim: #7b766c; --line: #e3e0d8; --accent: #b4472e;
  color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system,
  "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1560px; margin: 0 auto; padding: 44px 36px 64px; }
h1 { font: 600 32px/1.2 Georgia, "Times New Roman", serif; margin: 0 0 10px; letter-spacing: -.01em; }
h2 { font: 600 20px/1.3 Georgia, "Times New Roman", serif; margin: 34px 0 8px; }
p { max-width: 78ch; margin: 0 0 12px; }
.dim { color: var(--dim); }
dl.facts { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 20px 0 0; padding: 14px 0;
  border: solid var(--line); border-width: 1px 0; }
dl.facts div { display: flex; flex-direction: column; }
dl.facts dt { font-size: 11px; letter-spacing: .07em; text-transform: uppercase; color: var(--dim); }
dl.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
"""
"""The style sheet that all pages share; each page adds its own."""


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """A whole HTML document. title: plain text. body: HTML in which the caller has escaped all texts."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n{f'<script>{script}</script>' if script else ''}\n</body>\n</html>\n"
    )


def facts(entries: dict[str, str]) -> str:
    """A line of names, each with a text about it; both are plain text."""
    rows = (f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in entries.items())
    return f'<dl class="facts">{"".join(rows)}</dl>'


def data_uri(kind: str, data: bytes) -> str:
    """A data: URI that holds the bytes of a file. kind: its media type, such as image/png."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture_uri(picture: Tensor, quality: int = _WEBP_QUALITY) -> str:
    """A data: URI of a picture (3, H, W), or (4, H, W) with alpha, in [0, 1]. It is PNG for a picture so small
    that its samples can be told apart, and else WebP."""
    if max(picture.shape[1:]) < _LOSSLESS_BELOW:
        return data_uri("image/png", _encoded(".png", _bytes(picture), []))
    return data_uri("image/webp", webp(picture, quality))


def webp(picture: Tensor, quality: int = _WEBP_QUALITY) -> bytes:
    """A picture (3, H, W), or (4, H, W) with alpha, in [0, 1], as the bytes of a WebP file."""
    return _encoded(".webp", _bytes(picture), [cv2.IMWRITE_WEBP_QUALITY, quality])


def animation_uri(frames: Sequence[Tensor], frame_s: float) -> str:
    """A data: URI of an animation that shows pictures, like those of `picture_uri`, in an endless loop."""
    if len(frames) == 1:
        return picture_uri(frames[0])
    animation = cv2.Animation()
    animation.frames = [_bytes(frame) for frame in frames]
    animation.durations = [max(20, round(1000 * frame_s))] * len(frames)
    done, data = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])
    if not done:
        raise OutputError("animation: this OpenCV cannot encode WebP; install opencv-python-headless")
    return data_uri("image/webp", data.tobytes())


def sound_uri(samples: Tensor, rate_hz: float) -> str:
    """A data: URI of a sound (T,) in [-1, 1]. It is MP3, since a page may hold hundreds of sounds; or WAV of 16
    bits, where MP3 does not have the rate, or volstyle[signals] is not installed."""
    if find_spec("soundfile") and round(rate_hz) in _MP3_RATES_HZ:
        import soundfile

        file = io.BytesIO()
        soundfile.write(file, samples.clamp(-1, 1).numpy(), round(rate_hz), format="MP3")
        return data_uri("audio/mpeg", file.getvalue())
    whole = (samples.clamp(-1, 1) * 32767).round().to(torch.int16).numpy()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(round(rate_hz))
        writer.writeframes(whole.astype("<i2").tobytes())
    return data_uri("audio/wav", file.getvalue())


def _bytes(picture: Tensor) -> NDArray[np.uint8]:
    """A picture as OpenCV takes it: (H, W, 3 or 4), blue first, whole numbers."""
    order = [2, 1, 0, 3][: picture.shape[0]]
    whole = (picture[order].clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(whole.permute(1, 2, 0).numpy())


def _encoded(suffix: str, array: NDArray[np.uint8], settings: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, array, settings)
    if not done:
        raise OutputError(f"picture: this OpenCV cannot encode {suffix}; install opencv-python-headless")
    return bytes(data)
