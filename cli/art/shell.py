"""A CT scan of a nautilus shell, drawn by formula. It has thin curved walls around chambers, as anatomy has
them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SHAPE, STEP_MM = (56, 112, 128), 1.4
_AIR, _WALL, _BODY = -1000.0, 1500.0, 40.0
"""Intensities of the materials, in Hounsfield units."""
_LEVEL = 16.0
"""The step between intensities of the scan, and the deviation of its noise, in Hounsfield units. A finer step
would only make the file larger."""
_GROWTH = math.log(3.0)
"""How many times larger a whorl is than the one inside it, as in Nautilus pompilius."""
_TUBE = (3 - 1) / (3 + 1)
"""The radius of the tube divided by that of the spiral. At this ratio whorls touch."""
_CHAMBERS = 13
"""How many chambers a whorl has."""
_LIVED_IN = 0.4
"""How many whorls the last chamber takes up, in which the animal lives."""


def shell() -> NDArray[np.int16]:
    """The scan (z, y, x) in Hounsfield units. The shell follows the spiral R = a exp(bθ) (Raup 1966)."""
    z, y, x = np.meshgrid(
        *((np.arange(size, dtype=np.float64) + 0.5 - size / 2) * STEP_MM for size in SHAPE), indexing="ij"
    )
    x, y = x - 22.0, y + 17.0
    far, angle = np.hypot(x, y), np.arctan2(y, x)
    mouth = 0.39 * SHAPE[2] * STEP_MM
    canvas = np.full(SHAPE, _AIR)
    for whorl in range(3, -1, -1):
        turns = angle / (2 * math.pi) - 0.5 - whorl
        canvas = _whorl(canvas, z, far, turns, mouth * np.exp(_GROWTH * turns))
    grain = np.random.default_rng(4).normal(0.0, _LEVEL, SHAPE)
    return np.asarray((np.rint((canvas + grain) / _LEVEL) * _LEVEL).clip(-1024, 3071), np.int16)


def _whorl(
    canvas: NDArray[np.float64],
    z: NDArray[np.float64],
    far: NDArray[np.float64],
    turns: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The canvas with one whorl drawn over it. turns: how many turns from the mouth, negative inward. radius: that
    of the spiral, in mm."""
    tube = _TUBE * radius
    across = np.hypot(far - radius, z * 0.92) / tube
    ribs = 1 + 0.012 * np.sin(2 * math.pi * 44 * turns)
    outside, wall_mm = (across / ribs - 1) * tube, 0.6 + 0.025 * radius
    chamber = (turns + _LIVED_IN - 0.05 * across**2) * _CHAMBERS
    lived_in = chamber > 0
    apart = np.abs(chamber - np.minimum(np.rint(chamber), 0)) / _CHAMBERS * 2 * math.pi * radius
    siphuncle = np.hypot(far - radius, z) - 0.11 * tube
    shade = np.where(lived_in, _BODY, _AIR)
    for distance, half in (
        (apart, 0.013 * radius),
        (np.where(lived_in, np.inf, np.abs(siphuncle)), 0.01 * radius),
    ):
        share = _covered(distance - half)
        shade = shade + share * (0.8 * _WALL - shade)
    share = _covered(np.abs(outside + wall_mm / 2) - wall_mm / 2)
    shade = shade + share * (_WALL - shade)
    inside = _covered(outside)
    return np.asarray(canvas + inside * (shade - canvas))


def _covered(distance_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a sample that lies inside of a surface at a signed distance, as the blur of a scanner has
    it."""
    return np.asarray((0.5 - distance_mm / (1.2 * STEP_MM)).clip(0, 1))
