"""Things to style that are drawn by formula, for the demo, the samples and the benchmarks: a clip with sound,
paintings and scenes, a volume, and rain."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from volstyle.codecs import Encoding, write
from volstyle.codecs.stored import Stored
from volstyle.codecs.video import VideoOrigin
from volstyle.grid.field import Axis, Field

from . import harbor, scenes
from .paintings import PAINTINGS, Picture
from .shell import STEP_MM, shell
from .sound import SOUND_RATE_HZ, harbor_sound, rain, write_sound

SCENES = {"still-life": scenes.still_life, "valley": scenes.valley}
"""Names of the scenes -> the functions that draw them."""

_FORCED = Encoding(force=True)


def picture_field(picture: Picture) -> Field:
    """A picture as a field (3, H, W)."""
    return Field(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))), (Axis("y"), Axis("x")))


def draw_pictures(folder: Path, names: Collection[str], suffix: str) -> None:
    """Draw the paintings and scenes of these names, and write each to a file of its name."""
    painters = {**PAINTINGS, **SCENES}
    for name in names:
        write(folder / f"{name}{suffix}", picture_field(painters[name]()), _FORCED)


def draw_clip(path: Path) -> None:
    """Write the harbor as a clip of 4 s with sound."""
    layers = harbor.harbor()
    samples = torch.empty(3, harbor.FRAMES, harbor.HEIGHT, harbor.WIDTH)
    for index in range(harbor.FRAMES):
        samples[:, index] = torch.from_numpy(harbor.draw_frame(layers, index).picture).permute(2, 0, 1)
    axes = (Axis("t", 1 / harbor.RATE, "s"), Axis("y"), Axis("x"))
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.m4a"
        write_sound(sound, harbor_sound())
        rate = Fraction(harbor.RATE)
        ticks = tuple(range(harbor.FRAMES))
        durations = (1,) * harbor.FRAMES
        origin = VideoOrigin(sound, rate=rate, time_base=1 / rate, ticks=ticks, durations=durations)
        write(path, Field(samples, axes, origin), _FORCED)


def draw_shell(path: Path) -> None:
    """Write a CT scan of a nautilus shell as NIfTI, in Hounsfield units."""
    array = shell()[None]
    axes = tuple(Axis(name, STEP_MM, "mm") for name in "zyx")
    origin = Stored(path, array=array, affine=np.diag([STEP_MM] * 3 + [1.0]))
    write(path, Field(torch.from_numpy(array.astype(np.float32)), axes, origin), _FORCED)


def draw_rain(path: Path) -> None:
    """Write four seconds of rain as a sound."""
    write(path, Field(torch.from_numpy(rain()), (Axis("t", 1 / SOUND_RATE_HZ, "s"),)), _FORCED)
