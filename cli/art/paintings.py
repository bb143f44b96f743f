"""Five paintings drawn by formula. Each has a manner of its own, which styling should catch."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""An array (H, W, 3) with values in [0, 1]."""

_HEIGHT, _WIDTH, _FINE = 480, 640, 2
"""The height and width of a painting, and how many times larger it is drawn at first, so that edges are smooth."""


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 4) -> NDArray[np.float32]:
    """Smooth noise (H, W) about 0, of about unit size: a sum of octaves, each with half the cell and half the
    height of the one before it. cell: the distance between independent values of the first octave, in samples."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        coarse = tuple(max(2, round(side / step) + 2) for side in shape)
        grid = rng.standard_normal(coarse).astype(np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def color(text: str) -> NDArray[np.float32]:
    """The red, green and blue (3,) in [0, 1] of a text such as "#1b2a49"."""
    return np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def _palette(*texts: str) -> NDArray[np.float32]:
    return np.stack([color(text) for text in texts])


def _grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The y and x of each sample of a large drawing, in its samples."""
    y, x = np.mgrid[0 : _HEIGHT * _FINE, 0 : _WIDTH * _FINE].astype(np.float32)
    return y, x


def _reduced(canvas: Picture) -> Picture:
    small = cv2.resize(canvas, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small, 0, 1), np.float32)


def swirl() -> Picture:
    """A night of thick strokes that follow whirls of wind around lights."""
    rng = np.random.default_rng(1)
    y, x = _grid()
    height, width = y.shape
    ridge = height * (0.74 + 0.05 * np.sin(x / width * 7) + 0.06 * np.sin(x / width * 2.6 + 1))
    lights = [(0.8, 0.2, 90.0), (0.14, 0.16, 44.0), (0.36, 0.1, 34.0), (0.55, 0.27, 40.0), (0.26, 0.44, 36.0)]
    angle = 0.5 * np.sin(y / height * 5 + 2 * np.sin(x / width * 3)) + 0.3 * noise(rng, y.shape, 260, 2)
    sky = _palette("#0f1f4b", "#1d3f8a", "#3f74b5", "#8fb8d6")
    shade = np.clip(0.38 + 0.2 * noise(rng, y.shape, 220, 3), 0, 0.999)
    under = sky[(shade * len(sky)).astype(int)]
    for cx, cy, radius in [*lights, (0.47, 0.4, 0.0)]:
        dx, dy = x - cx * width, y - cy * height
        away = np.hypot(dx, dy)
        reach = 3.2 * radius if radius else 190.0
        pull = np.exp(-((away / reach) ** 2))
        angle = (1 - pull) * angle + pull * (np.arctan2(dy, dx) + math.pi / 2 + (0.0 if radius else 0.35))
        if radius:
            ring = np.exp(-((away / (2.0 * radius)) ** 2)) * (0.72 + 0.28 * np.cos(away / radius * 5))
            under = under + ring[..., None] * (color("#f4d35e") - under)
            core = (away < 0.5 * radius)[..., None]
            under = np.where(core, color("#fff3b0"), under)
    land = _palette("#0b1d26", "#173a3a", "#24564a", "#3f7a54")
    ground = np.clip(0.35 + 0.25 * noise(rng, y.shape, 150, 3), 0, 0.999)
    below = y > ridge
    under = np.where(below[..., None], land[(ground * len(land)).astype(int)], under)
    angle = np.where(below, 0.5 * np.sin(x / 130 + y / 90) - 0.25, angle)
    return _brushed(rng, under.astype(np.float32), angle.astype(np.float32), length=78, width=13, count=9000)


def _brushed(
    rng: np.random.Generator, under: Picture, angle: NDArray[np.float32], *, length: float, width: int, count: int
) -> Picture:
    """Curved strokes along `angle` in the colors of `under`, each of a few bristles that catch the light."""
    canvas = (0.6 * under).copy()
    height, across = angle.shape
    starts = rng.random((count, 2)) * (height - 1, across - 1)
    for start in starts:
        tone = under[int(start[0]), int(start[1])] * rng.uniform(0.84, 1.16) + rng.normal(0, 0.02, 3)
        path, place = [], start.copy()
        for _ in range(9):
            path.append((place[1], place[0]))
            turn = angle[int(np.clip(place[0], 0, height - 1)), int(np.clip(place[1], 0, across - 1))]
            place += (math.sin(turn) * length / 9, math.cos(turn) * length / 9)
        points = np.array(path, np.float32)
        side = np.array([-math.sin(turn), math.cos(turn)], np.float32)
        _line(canvas, points, tone, width)
        for offset in np.linspace(-0.42, 0.42, 5):
            _line(canvas, points + side * offset * width, tone * rng.uniform(0.78, 1.28), 2)
    return _reduced(canvas)


def _line(canvas: Picture, points: NDArray[np.float32], tone: NDArray[np.float32], width: int) -> None:
    fixed = [np.round(points * 8).astype(np.int32)]
    cv2.polylines(canvas, fixed, False, tuple(float(v) for v in tone), width, cv2.LINE_AA, 3)


def glass() -> Picture:
    """A window of colored panes in dark lead, brighter where the sun stands behind it."""
    rng = np.random.default_rng(2)
    y, x = _grid()
    height, width = y.shape
    cx, cy = 0.5 * width, 0.55 * height
    seeds = [(cx, cy)]
    for ring, count in enumerate((8, 14, 20, 28, 36, 44), start=1):
        turns = (np.arange(count) + 0.5 * (ring % 2)) * 2 * math.pi / count
        radius = 112.0 * ring
        seeds += [(cx + radius * math.cos(a), cy + radius * math.sin(a)) for a in turns]
    places = np.array(seeds, np.float32) + rng.normal(0, 9, (len(seeds), 2)).astype(np.float32)
    first = np.full(y.shape, np.inf, np.float32)
    second, owner = first.copy(), np.zeros(y.shape, np.int32)
    for index, (px, py) in enumerate(places):
        away = np.hypot(x - px, y - py)
        nearer = away < first
        second = np.where(nearer, first, np.minimum(second, away))
        owner = np.where(nearer, index, owner)
        first = np.where(nearer, away, first)
    panes = _palette("#c1121f", "#f77f00", "#fcbf49", "#003f88", "#00a6a6", "#5f0f40", "#2a9d3a", "#e9d8a6")
    chosen = panes[rng.integers(0, len(panes), len(places))] * rng.uniform(0.8, 1.15, (len(places), 1))
    canvas = chosen[owner].astype(np.float32)
    light = 1.15 - 0.5 * np.hypot(x - cx, y - cy) / height + 0.1 * noise(rng, y.shape, 60, 4)
    canvas *= light[..., None]
    lead = 1 / (1 + np.exp(-((second - first) - 13) / 1.6))
    canvas = color("#14110f") + lead[..., None] * (canvas - color("#14110f"))
    return _reduced(canvas.astype(np.float32))


def woodcut() -> Picture:
    """Waves, hills and a sun cut into wood: black lines that swell with the shade, on warm paper."""
    rng = np.random.default_rng(3)
    y, x = _grid()
    height, width = y.shape
    u, v = x / width, y / height
    paper, ink, red = color("#f2e3c6"), color("#1a1814"), color("#c8321f")
    horizon = 0.58
    hill = horizon - 0.2 * np.exp(-(((u - 0.28) / 0.13) ** 2)) - 0.13 * np.exp(-(((u - 0.62) / 0.2) ** 2))
    sea, land = v > horizon, (v > hill) & (v <= horizon)
    wave = 0.035 * np.sin(9 * u + 22 * (v - horizon)) + 0.014 * np.sin(31 * u - 9 * v)
    lines = np.where(
        sea,
        (v + wave) * 30 * (1.7 - v),
        np.where(land, (v - hill) * 46 + 15 * u, 26 * v + 2.2 * np.sin(4 * u + 5 * v)),
    )
    shade = np.where(
        sea,
        0.52 + 0.3 * np.sin(9 * u + 22 * (v - horizon) + 1.2),
        np.where(land, 0.78 - 1.5 * (v - hill), 0.34 - 0.42 * v),
    )
    shade = np.clip(shade + 0.06 * noise(rng, y.shape, 40, 3), 0.03, 0.93)
    phase = np.abs(2 * ((lines + 0.06 * noise(rng, y.shape, 26, 2)) % 1) - 1)
    slope = np.hypot(*np.gradient(lines)).clip(1e-4)
    cut = np.clip(0.5 + (shade - phase) / (4 * slope), 0, 1)
    canvas = np.broadcast_to(paper, (*y.shape, 3)).copy()
    away = np.hypot(x - 0.74 * width, y - 0.24 * height)
    disk = np.clip((0.125 * height - away) / 2 + 0.5, 0, 1)[..., None]
    canvas += disk * (red - canvas)
    canvas += (cut * (1 - disk[..., 0]))[..., None] * (ink - canvas)
    edges = (np.abs(v - hill) * height < 3.5) & (v <= horizon + 0.004)
    canvas[edges & (hill < horizon - 0.004)] = ink
    grain = noise(rng, y.shape, 5, 2)
    return _reduced((canvas * (1 + 0.035 * grain[..., None])).astype(np.float32))


def dots() -> Picture:
    """A pond in pure dots of neighboring and opposite hues, which mix in the eye."""
    rng = np.random.default_rng(4)
    height, width = _HEIGHT * _FINE, _WIDTH * _FINE
    stops = _palette("#ffd9a0", "#ffb0a0", "#c89ad0", "#6f9fd8", "#3fa0a0", "#4f8f4f", "#98b84a")
    canvas = np.broadcast_to(color("#efe6d2"), (height, width, 3)).astype(np.float32).copy()
    drift = noise(rng, (height, width), 240, 3)
    jitter = rng.random((26000, 2))
    for along, across in jitter:
        row, column = int(along * (height - 1)), int(across * (width - 1))
        place = along * (len(stops) - 1) + 0.75 * drift[row, column]
        if math.hypot(across - 0.3, 1.4 * (along - 0.25)) < 0.1:
            place = 0.0
        reed = abs(across - 0.78 - 0.05 * math.sin(9 * along)) < 0.06 * (along - 0.2)
        if reed:
            place = 5.2 + 0.5 * math.sin(60 * across)
        index = int(np.clip(round(place + rng.normal(0, 0.45)), 0, len(stops) - 1))
        tone = stops[index] if rng.random() > 0.13 else 1 - 0.75 * stops[index]
        radius = int(rng.integers(5, 10) * 4)
        center = (int(column * 8), int(row * 8))
        cv2.circle(canvas, center, radius * 2, tuple(float(v) for v in tone), -1, cv2.LINE_AA, 3)
    return _reduced(canvas)


def cutouts() -> Picture:
    """Leaves cut from painted paper, laid on blocks of flat color."""
    rng = np.random.default_rng(5)
    height, width = _HEIGHT * _FINE, _WIDTH * _FINE
    blocks = _palette("#f7f3e3", "#1d4e89", "#f2c14e", "#e4572e", "#7fb7a3", "#f4b6c2", "#2a2a2a")
    canvas = np.broadcast_to(blocks[0], (height, width, 3)).astype(np.float32).copy()
    columns, rows = (0, 0.24, 0.5, 0.72, 1.0), (0, 0.36, 0.68, 1.0)
    fields = rng.permutation([1, 2, 3, 4, 5, 0, 2, 1, 3, 4, 6, 5])
    for i in range(3):
        for j in range(4):
            top, bottom = int(rows[i] * height), int(rows[i + 1] * height)
            left, right = int(columns[j] * width), int(columns[j + 1] * width)
            canvas[top:bottom, left:right] = blocks[fields[4 * i + j]]
    for _ in range(26):
        center = rng.random(2) * (width, height)
        _leaf(canvas, center, rng.uniform(0, 2 * math.pi), rng.uniform(90, 190), blocks[rng.integers(0, 7)], rng)
    brushed = 1 + 0.02 * noise(rng, (height, width), 90, 5)
    return _reduced((canvas * brushed[..., None]).astype(np.float32))


def _leaf(
    canvas: Picture,
    center: NDArray[np.float64],
    turn: float,
    size: float,
    tone: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """A frond of rounded lobes on both sides of a stem."""
    lobes = int(rng.integers(4, 7))
    along = np.linspace(0, 1, 400)
    fingers = 0.18 + 0.34 * np.abs(np.sin(math.pi * lobes * along)) ** 0.7
    half = size * np.sin(math.pi * along**0.8) ** 0.6 * fingers
    spine = size * 2 * (along - 0.5)
    outline = np.concatenate((np.stack((spine, half), 1), np.stack((spine, -half), 1)[::-1]))
    bent = outline + np.stack((np.zeros(800), 0.0012 * outline[:, 0] ** 2), 1)
    cos, sin = math.cos(turn), math.sin(turn)
    placed = bent @ np.array([[cos, sin], [-sin, cos]]) + center
    fixed = [np.round(placed * 8).astype(np.int32)]
    cv2.fillPoly(canvas, fixed, tuple(float(v) for v in tone), cv2.LINE_AA, 3)


PAINTINGS: dict[str, Callable[[], Picture]] = {
    "swirl": swirl,
    "glass": glass,
    "woodcut": woodcut,
    "dots": dots,
    "cutouts": cutouts,
}
"""Names of the paintings -> the functions that draw them."""
