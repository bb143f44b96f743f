"""Two scenes to be styled, with the light and shade of photographs: a still life and a valley."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .paintings import Picture, color, noise

HEIGHT, WIDTH = 480, 640
_FINE = 2

Points = NDArray[np.float32]
"""N places or directions, (N, 3): x points to the right, y up, z away from the viewer."""

_BALLS = (
    ((-1.15, 0.62, 4.3), 0.62, "#d1495b", 40.0),
    ((0.05, 0.95, 5.2), 0.95, "#2e6f95", 120.0),
    ((1.25, 0.5, 4.1), 0.5, "#edae49", 25.0),
    ((0.28, 0.34, 3.3), 0.34, "#66a182", 80.0),
    ((-0.42, 0.22, 3.0), 0.22, "#f4e9cd", 200.0),
    ((2.15, 0.8, 5.6), 0.8, "#8d5a97", 60.0),
)
"""For each ball its middle, its radius, its color, and how sharply it mirrors a light."""
_LAMP = np.array((-3.2, 5.0, 0.6), np.float32)


def still_life() -> Picture:
    """Balls on a checkered cloth under a lamp, drawn by ray tracing (Whitted 1980, without reflections)."""
    y, x = np.mgrid[0 : HEIGHT * _FINE, 0 : WIDTH * _FINE].astype(np.float32)
    across = (x / (WIDTH * _FINE) - 0.5) * 1.35
    up = (0.5 - y / (HEIGHT * _FINE)) * 1.35 * HEIGHT / WIDTH - 0.21
    rays = np.stack((across, up, np.ones_like(across)), -1).reshape(-1, 3)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    eye = np.array((0.25, 1.75, -0.4), np.float32)
    origin = np.broadcast_to(eye, rays.shape).astype(np.float32)
    depth, owner = _nearest(origin, rays)
    place = origin + depth[:, None] * rays
    normal = np.zeros_like(place)
    tone = np.zeros_like(place)
    mirror = np.zeros(len(place), np.float32)
    wall, floor = owner == -2, owner == -1
    normal[wall], normal[floor] = (0, 0, -1), (0, 1, 0)
    paper = 0.04 * noise(np.random.default_rng(1), (HEIGHT * _FINE, WIDTH * _FINE), 120, 5).reshape(-1, 1)
    tone[wall] = (color("#b8a99a") * (1 + paper))[wall]
    checks = (np.floor(place[:, 0] * 1.6) + np.floor(place[:, 2] * 1.6)) % 2
    cloth = np.where(checks[:, None] > 0, color("#e8dfd0"), color("#5c6b73"))
    tone[floor] = cloth[floor]
    for index, (middle, radius, name, sharp) in enumerate(_BALLS):
        mine = owner == index
        normal[mine] = (place[mine] - np.array(middle, np.float32)) / radius
        tone[mine] = color(name)
        mirror[mine] = sharp
    to_lamp = _LAMP - place
    away = np.linalg.norm(to_lamp, axis=1, keepdims=True)
    to_lamp /= away
    lit = _light(place + 1e-3 * normal) * np.clip((normal * to_lamp).sum(1), 0, None)
    bright = 0.3 + 1.15 * lit * np.clip(30 / away[:, 0] ** 2, 0, 1.4)
    canvas = tone * bright[:, None]
    half = to_lamp - rays
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = np.clip((half * normal).sum(1), 0, 1) ** np.maximum(mirror, 1) * (mirror > 0) * (lit > 0)
    canvas += 0.7 * shine[:, None]
    return _reduced(canvas.reshape(HEIGHT * _FINE, WIDTH * _FINE, 3))


def _nearest(origin: Points, rays: Points) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """How far each ray goes, and what it meets: the number of a ball, -1 for the floor, -2 for the wall."""
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(rays[:, 1] < 0, -origin[:, 1] / rays[:, 1], np.inf)
        wall = np.where(rays[:, 2] > 0, (8 - origin[:, 2]) / rays[:, 2], np.inf)
    depth = np.minimum(floor, wall)
    owner = np.where(floor < wall, -1, -2)
    for index, (middle, radius, *_) in enumerate(_BALLS):
        found = _to_ball(origin, rays, np.array(middle, np.float32), radius)
        owner = np.where(found < depth, index, owner)
        depth = np.minimum(depth, found)
    return depth.astype(np.float32), owner.astype(np.int32)


def _to_ball(origin: Points, rays: Points, middle: Points, radius: float) -> NDArray[np.float32]:
    offset = origin - middle
    half = (offset * rays).sum(1)
    root = half**2 - ((offset**2).sum(1) - radius**2)
    found = np.where(root > 0, -half - np.sqrt(np.clip(root, 0, None)), np.inf)
    return np.where(found > 1e-4, found, np.inf).astype(np.float32)


def _light(place: Points) -> NDArray[np.float32]:
    """The share of the lamp, which is a small square, that each place sees."""
    total = np.zeros(len(place), np.float32)
    offsets = [(u, v) for u in (-0.3, 0.0, 0.3) for v in (-0.3, 0.0, 0.3)]
    for u, v in offsets:
        rays = _LAMP + np.array((u, 0, v), np.float32) - place
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        blocked = np.zeros(len(place), bool)
        for middle, radius, *_ in _BALLS:
            blocked |= np.isfinite(_to_ball(place, rays, np.array(middle, np.float32), radius))
        total += ~blocked
    return np.asarray(total / len(offsets), np.float32)


def valley() -> Picture:
    """Mountains over a lake in the haze of morning: a fractal height field, drawn column by column."""
    rng = np.random.default_rng(11)
    side = 1024
    far = np.linspace(0, 1, side, dtype=np.float32)[:, None]
    middle = np.abs(np.linspace(-1, 1, side, dtype=np.float32))[None]
    heights = 62 * noise(rng, (side, side), 300, 9) * (0.25 + far) + 150 * far * middle - 34
    lake = heights < -12
    ground = np.where(lake, -12, heights)
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(ground, (0, 0), 1.0))
    light = np.clip(0.62 - 0.42 * slope_x + 0.2 * slope_y, 0.12, 1.4)
    share = np.clip((ground + 12) / 190 + 0.05 * noise(rng, (side, side), 30, 4), 0, 1)
    tones = np.stack([color(t) for t in ("#42612f", "#6f7f3f", "#8a7a5c", "#9a938c", "#f3f4f6")])
    place = share * (len(tones) - 1)
    low = np.floor(place).astype(int).clip(0, len(tones) - 2)
    rgb = tones[low] + (place - low)[..., None] * (tones[low + 1] - tones[low])
    rgb = np.where(lake[..., None], color("#3d6b85"), rgb * light[..., None]).astype(np.float32)
    height, width = HEIGHT * _FINE, WIDTH * _FINE
    rows = np.arange(height, dtype=np.float32)[:, None]
    haze = color("#d9dfe6")
    sky = color("#5f93c9") + (rows / (0.5 * height)).clip(0, 1)[..., None] * (haze - color("#5f93c9"))
    canvas = np.broadcast_to(sky, (height, width, 3)).astype(np.float32).copy()
    cloud = noise(rng, (height, width // 2), 170, 6)
    wide = cv2.resize(cloud, (width, height), interpolation=cv2.INTER_CUBIC)
    canvas += (0.8 / (1 + np.exp(-4 * (wide - 0.8))))[..., None] * (1 - canvas)
    eye, horizon, reach = 75.0, 0.42 * height, 0.9 * width
    top = np.full(width, height, np.int32)
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    for z in np.geomspace(60, 950, 1400).astype(np.float32):
        column = ((0.5 * side + across * z) % side).astype(np.float32)
        row = np.full(width, min(z, side - 2), np.float32)
        level = cv2.remap(ground.astype(np.float32), column[None], row[None], cv2.INTER_LINEAR)[0]
        tone = cv2.remap(rgb, column[None], row[None], cv2.INTER_LINEAR)[0]
        tone = haze + np.exp(-z / 620) * (tone - haze)
        screen = ((eye - level) / z * reach + horizon).astype(np.int32).clip(0, height)
        for x in np.flatnonzero(screen < top):
            canvas[screen[x] : top[x], x] = tone[x]
        top = np.minimum(top, screen)
    return _reduced(canvas)


def _reduced(canvas: Picture) -> Picture:
    small = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small, 0, 1), np.float32)
