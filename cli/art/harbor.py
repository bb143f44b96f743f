"""A harbor in the evening, in layers that each move by a map of their own, so that the true motion is known.

The camera pans, a boat rolls, a windmill turns, a balloon rises and a ball bounces.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .paintings import Picture, color, noise

HEIGHT, WIDTH, FRAMES, RATE = 360, 640, 96, 24
_FINE = 2
"""How many times larger than they are seen the layers are drawn."""
_PAN = 110.0
"""How far the camera moves from the first frame to the last, in pixels of the nearest layer."""

Map = NDArray[np.float64]
"""An affine map (2, 3) from places on the sheet of a layer, in its samples, to places in the frame, in pixels."""


@dataclass(frozen=True)
class Layer:
    """A sheet that moves through the frame. sheet: (h, w, 4), its color and its cover (opacity) in [0, 1]. motion:
    gives its map at a time in seconds."""

    sheet: Picture
    motion: Callable[[float], Map]


@dataclass(frozen=True)
class Frame:
    """A frame as it is seen. picture: (H, W, 3) in [0, 1]. owner: (H, W), the number of the layer that is seen at
    each pixel."""

    picture: Picture
    owner: NDArray[np.int32]


def draw_frame(layers: list[Layer], index: int) -> Frame:
    """Draw the layers of a frame from the back to the front."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    owner = np.zeros((HEIGHT, WIDTH), np.int32)
    for number, layer in enumerate(layers):
        matrix = layer.motion(index / RATE)
        # Each pixel is the mean of four samples, since the affine maps of OpenCV do not average.
        fine = matrix.copy() * 2
        fine[:, 2] += 0.5
        seen = cv2.warpAffine(layer.sheet, fine, (2 * WIDTH, 2 * HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.resize(seen, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        cover = seen[..., 3:]
        picture += seen[..., :3] - cover * picture
        owner[cover[..., 0] > 0.5] = number
    return Frame(np.clip(picture, 0, 1).astype(np.float32), owner)


def true_motion(layers: list[Layer], index: int, gap: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How far each pixel of a frame has moved `gap` frames later, (2, H, W), x and y in pixels; and whether it is
    still visible there, (H, W)."""
    now, then = draw_frame(layers, index).owner, draw_frame(layers, index + gap).owner
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    places = np.stack((x, y, np.ones_like(x)))
    moved = np.zeros((2, HEIGHT, WIDTH))
    for number, layer in enumerate(layers):
        here, there = (_square(layer.motion((index + k) / RATE)) for k in (0, gap))
        step = (there @ np.linalg.inv(here))[:2]
        own = now == number
        moved[:, own] = np.tensordot(step, places[:, own], axes=1)
    column, row = (np.round(moved[k]).astype(int) for k in (0, 1))
    inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
    seen = inside & (then[row.clip(0, HEIGHT - 1), column.clip(0, WIDTH - 1)] == now)
    return (moved - places[:2]).astype(np.float32), seen


def bounce(seconds: float) -> float:
    """How high the ball is, 0 on the ground and 1 at its highest; it touches the ground every `BEAT` seconds."""
    phase = seconds / BEAT % 1
    return 4 * phase * (1 - phase)


BEAT = 0.75


def harbor() -> list[Layer]:
    """The layers, from the back to the front."""
    rng = np.random.default_rng(7)
    return [
        Layer(_sky(rng), _panned(0.15)),
        Layer(_sun(), _panned(0.15, 470, 128)),
        Layer(_ridge(rng, 182, 42, "#7d86b0", "#a9a6c6"), _panned(0.3)),
        Layer(_ridge(rng, 210, 26, "#4f6a7c", "#7a8f8c"), _panned(0.5)),
        Layer(_sea(rng), _panned(0.7)),
        Layer(_boat(), _sailing),
        Layer(_shore(rng), _panned(1.0)),
        Layer(_tower(), _panned(1.0, 590, 252)),
        Layer(_sails(), lambda t: _turned(590 - _pan(t), 207, 1.3 * t)),
        Layer(_balloon(), lambda t: _turned(236 - 0.45 * _pan(t) + 9 * t, 118 - 11 * t, 0.06 * math.sin(1.5 * t))),
        Layer(_ball(), lambda t: _turned(60 + 95 * t - _pan(t), 328 - 70 * bounce(t), 3.4 * t)),
    ]


def _pan(seconds: float) -> float:
    """How far the camera has moved, in pixels of the nearest layer; it starts and stops softly."""
    share = seconds * RATE / (FRAMES - 1)
    return _PAN * (share - math.sin(2 * math.pi * share) / (2 * math.pi))


def _placed(x: float, y: float, turn: float, center: tuple[float, float]) -> Map:
    """The map that brings the center of a sheet to (x, y) in the frame, and turns the sheet about it."""
    scale = 1 / _FINE
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    cx, cy = center
    return np.array([[cos, -sin, x - cos * cx + sin * cy], [sin, cos, y - sin * cx - cos * cy]])


def _panned(depth: float, x: float | None = None, y: float = 0.0) -> Callable[[float], Map]:
    """The motion of a layer that only the camera moves. depth: 1 for the nearest layer, less for farther ones. x,
    y: where the center of a small sheet lies at first; None is a sheet as wide as the whole view."""
    if x is None:
        return lambda t: _placed(-depth * _pan(t), 0, 0, (0, 0))
    return lambda t: _placed(x - depth * _pan(t), y, 0, (_SMALL, _SMALL))


def _turned(x: float, y: float, turn: float) -> Map:
    return _placed(x, y, turn, (_SMALL, _SMALL))


def _sailing(seconds: float) -> Map:
    x = 150 + 62 * seconds - 0.7 * _pan(seconds)
    return _turned(x, 246 + 2.5 * math.sin(2.2 * seconds), 0.07 * math.sin(2.2 * seconds + 0.8))


def _square(matrix: Map) -> Map:
    return np.vstack((matrix, (0, 0, 1)))


_SMALL = 120.0
"""Half the side of a small sheet, which holds a single thing, in its samples."""
_LONG = (HEIGHT * _FINE, round((WIDTH + _PAN) * _FINE))


def _wide(rgb: Picture, cover: NDArray[np.float32]) -> Picture:
    """A sheet of colors that are multiplied by their cover, and the cover. In this form samples can be
    averaged."""
    return np.asarray(np.concatenate((rgb * cover[..., None], cover[..., None]), axis=2), np.float32)


def _rows() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[0 : _LONG[0], 0 : _LONG[1]].astype(np.float32) / _FINE
    return y, x


def _between(low: str, high: str, share: NDArray[Any]) -> Picture:
    mixed = color(low) + np.clip(share, 0, 1)[..., None] * (color(high) - color(low))
    return np.asarray(mixed, np.float32)


def _sky(rng: np.random.Generator) -> Picture:
    y, _ = _rows()
    rgb = _between("#47679f", "#f3b68a", (y / 215) ** 1.3)
    cloud = noise(rng, (_LONG[0], _LONG[1] // 4), 90, 5)
    wide = cv2.resize(cloud, _LONG[::-1], interpolation=cv2.INTER_CUBIC)
    share = 1 / (1 + np.exp(-5 * (wide - 0.9)))
    rgb += 0.75 * share[..., None] * (color("#fff0dc") - rgb)
    return _wide(rgb, np.ones(_LONG, np.float32))


def _ridge(rng: np.random.Generator, base: float, tall: float, low: str, high: str) -> Picture:
    y, _ = _rows()
    line = noise(rng, (1, _LONG[1]), 300, 7)[0]
    top = base - tall * (0.5 + 0.55 * line)
    shade = 0.5 + 0.22 * noise(rng, _LONG, 70, 6) + (y - top) / 120
    return _wide(_between(low, high, shade), np.clip((y - top) * 2, 0, 1))


def _sea(rng: np.random.Generator) -> Picture:
    y, _ = _rows()
    depth = np.clip((y - 214) / 146, 0, 1)
    columns = np.mgrid[0 : _LONG[0], 0 : _LONG[1]][1].astype(np.float32)
    field = noise(rng, (_LONG[0], _LONG[1]), 150, 6)
    # Waves look flatter far away, so rows are squeezed together towards the horizon.
    along = 420 * np.sqrt(depth)
    ripples = cv2.remap(field, columns * (1.6 - 0.9 * depth) % (_LONG[1] - 1), along, cv2.INTER_LINEAR)
    crests = np.sin(along / 6 + 2.2 * ripples)
    rgb = _between("#c98f86", "#234a63", 0.25 + 0.9 * depth)
    rgb += (0.08 * crests + 0.05 * ripples)[..., None] * color("#fff0dc")
    return _wide(np.clip(rgb, 0, 1), np.clip((y - 214) * 2, 0, 1))


def _shore(rng: np.random.Generator) -> Picture:
    y, x = _rows()
    top = 292 + 16 * np.sin(x / 120) + 7 * np.sin(x / 37 + 1) - 34 * np.exp(-(((x - 590) / 95) ** 2))
    grass = noise(rng, _LONG, 9, 2) + 0.8 * noise(rng, _LONG, 80, 3)
    rgb = _between("#2c4a2a", "#8fa04c", 0.45 + 0.16 * grass - (y - top) / 150)
    path = np.exp(-(((y - top - 34 - 4 * np.sin(x / 60)) / 8) ** 2))
    rgb += path[..., None] * (_between("#b08a5c", "#d9bd8a", 0.5 + 0.2 * grass) - rgb)
    return _wide(np.clip(rgb, 0, 1), np.clip((y - top) * 2, 0, 1))


def _sheet() -> tuple[Picture, NDArray[np.float32], NDArray[np.float32]]:
    """An empty sheet for a thing, and the x and y of its samples, counted from its middle in pixels of the
    frame."""
    side = int(2 * _SMALL)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.zeros((side, side, 4), np.float32), (x - _SMALL) / _FINE, (y - _SMALL) / _FINE


def _fill(sheet: Picture, points: list[tuple[float, float]], tone: str) -> None:
    """Fill a polygon. points: counted from the middle of the sheet, in pixels of the frame."""
    fixed = [np.round((np.array(points) * _FINE + _SMALL) * 8).astype(np.int32)]
    cv2.fillPoly(sheet, fixed, (*(float(v) for v in color(tone)), 1.0), cv2.LINE_AA, 3)


def _disk(x: NDArray[np.float32], y: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    return np.clip((radius - np.hypot(x, y)) * _FINE + 0.5, 0, 1).astype(np.float32)


def _sun() -> Picture:
    _, x, y = _sheet()
    glow = 0.45 * np.exp(-((np.hypot(x, y) / 30) ** 2)) * _disk(x, y, 56)
    cover = np.maximum(_disk(x, y, 24), glow)
    return _wide(_between("#ffd27a", "#fff6d8", 1 - np.hypot(x, y) / 26), cover)


def _boat() -> Picture:
    sheet, _, _ = _sheet()
    _fill(sheet, [(-1.2, -52), (1.2, -52), (1.2, 2), (-1.2, 2)], "#4a3426")
    _fill(sheet, [(3, -50), (34, -4), (3, -4)], "#f6efe2")
    _fill(sheet, [(3, -30), (19, -27), (27, -14), (3, -14)], "#d6402f")
    _fill(sheet, [(-3, -46), (-26, -5), (-3, -5)], "#e9dfcc")
    _fill(sheet, [(-34, 0), (38, 0), (27, 14), (-26, 14)], "#7b2d26")
    _fill(sheet, [(-34, 0), (38, 0), (36, 4), (-33, 4)], "#f2e8d5")
    return sheet


def _tower() -> Picture:
    sheet, _, _ = _sheet()
    _fill(sheet, [(-15, 18), (-10, -44), (10, -44), (15, 18)], "#e8dcc4")
    _fill(sheet, [(3, 18), (3, -44), (10, -44), (15, 18)], "#b9a78a")
    _fill(sheet, [(-13, -42), (0, -58), (13, -42)], "#9c3b2e")
    _fill(sheet, [(-4, 18), (-4, 2), (4, 2), (4, 18)], "#5a3d2b")
    _fill(sheet, [(-4, -26), (-4, -16), (4, -16), (4, -26)], "#38506b")
    return sheet


def _sails() -> Picture:
    sheet, _, _ = _sheet()
    for quarter in range(4):
        cos, sin = math.cos(quarter * math.pi / 2), math.sin(quarter * math.pi / 2)

        def at(u: float, v: float, cos: float = cos, sin: float = sin) -> tuple[float, float]:
            return (u * cos - v * sin, u * sin + v * cos)

        _fill(sheet, [at(0, -1.3), at(48, -1.3), at(48, 1.3), at(0, 1.3)], "#4a3426")
        _fill(sheet, [at(10, 1.3), at(47, 1.3), at(47, 12), at(10, 10)], "#f4ead2")
        for u in (19, 28, 37):
            _fill(sheet, [at(u, 1.3), at(u + 1, 1.3), at(u + 1, 11.2), at(u, 11)], "#9a8466")
    return sheet


def _balloon() -> Picture:
    sheet, x, y = _sheet()
    inside = _disk(x, (y + 12) * np.where(y < -12, 1.0, 0.78), 30)
    girth = 30 * np.sqrt(np.clip(1 - ((y + 12) / 40) ** 2, 0.05, 1))
    stripes = np.floor(6 * np.arcsin(np.clip(x / girth, -1, 1)) / math.pi)
    tones = np.stack([color(t) for t in ("#e63946", "#f1faee", "#2a6f97")])
    rgb = tones[stripes.astype(int) % 3] * (1.08 - 0.012 * np.hypot(x - 9, y + 22))[..., None]
    sheet = _wide(np.clip(rgb, 0, 1).astype(np.float32), inside)
    for side in (-5, 5):
        _fill(
            sheet, [(side - 0.5, 24), (side + 0.5, 24), (side * 0.8 + 0.5, 36), (side * 0.8 - 0.5, 36)], "#5a4632"
        )
    _fill(sheet, [(-5, 36), (5, 36), (4, 44), (-4, 44)], "#8a5a33")
    return sheet


def _ball() -> Picture:
    _, x, y = _sheet()
    tones = np.stack([color(t) for t in ("#fffaf0", "#e76f51", "#fffaf0", "#2a9d8f", "#fffaf0", "#e9c46a")])
    sector = np.floor((np.arctan2(y, x) / (2 * math.pi) + 0.5) * 6).astype(int) % 6
    rgb = tones[sector] * (1.05 - 0.03 * np.hypot(x, y))[..., None]
    return _wide(np.clip(rgb, 0, 1).astype(np.float32), _disk(x, y, 14))
