"""Sounds drawn by formula: rain, and the harbor with surf, a tune, and a ball that thuds on the ground."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from .harbor import BEAT, FRAMES, RATE

SOUND_RATE_HZ = 44100
_TUNE = (0, 7, 12, 16, 12, 7, 5, 12, 17, 21, 17, 12, 3, 10, 15, 19)
"""The notes of the tune, in half tones above the lowest."""


def harbor_sound() -> NDArray[np.float32]:
    """The sound of the harbor (2, T), in [-1, 1], as long as the clip."""
    rng = np.random.default_rng(5)
    count = round(FRAMES / RATE * SOUND_RATE_HZ)
    t = np.arange(count) / SOUND_RATE_HZ
    total = np.stack([_surf(rng, t, phase) for phase in (0.0, 1.2)])
    step = FRAMES / RATE / len(_TUNE)
    for place, tone in enumerate(_TUNE):
        note = _note(t - place * step, 196 * 2 ** (tone / 12))
        total += np.stack((note * (0.65 + 0.35 * math.sin(place)), note * (0.65 - 0.35 * math.sin(place))))
    touches = np.arange(0, FRAMES / RATE, BEAT)
    for touch in touches:
        total += 0.8 * _thud(t - touch)
    fade = np.clip(np.minimum(t, t[-1] - t) / 0.02, 0, 1)
    return np.asarray(0.7 * np.tanh(total * fade), np.float32)


def _surf(rng: np.random.Generator, t: NDArray[np.float64], phase: float) -> NDArray[np.float64]:
    """Noise with a spectrum of 1/f that swells and falls."""
    spectrum = np.fft.rfft(rng.standard_normal(t.size))
    hertz = np.fft.rfftfreq(t.size, 1 / SOUND_RATE_HZ).clip(40)
    wave = np.fft.irfft(spectrum / hertz, t.size)
    return np.asarray(0.12 * wave / wave.std() * (0.55 + 0.45 * np.sin(2 * math.pi * 0.4 * t + phase)))


def _note(t: NDArray[np.float64], hertz: float) -> NDArray[np.float64]:
    """A string that is plucked at t = 0."""
    there = t.clip(0)
    partials = [
        np.sin(2 * math.pi * k * hertz * there) * np.exp(-(2.2 + 1.5 * k) * there) / k for k in (1, 2, 3, 4)
    ]
    return np.asarray(0.22 * sum(partials) * (t >= 0) * (there / 0.004).clip(0, 1))


def rain(seconds: float = 4.0) -> NDArray[np.float32]:
    """The sound of rain (1, T), in [-1, 1]: drops on leaves and in puddles over a hiss, alike at all times."""
    rng = np.random.default_rng(8)
    count = round(seconds * SOUND_RATE_HZ)
    hiss = rng.standard_normal(count)
    total = 0.012 * (hiss - 0.7 * np.roll(hiss, 1))
    for _ in range(round(150 * seconds)):
        # A drop that reaches beyond the end goes on at the beginning, so that neither end is special.
        place, hertz, loud = rng.integers(count), rng.uniform(900, 6500), 0.1 * rng.gamma(1.5)
        t = np.arange(round(0.05 * SOUND_RATE_HZ)) / SOUND_RATE_HZ
        rising = hertz * (t + rng.uniform(0, 4) * t**2)
        drop = np.sin(2 * math.pi * rising) * np.exp(-t / rng.uniform(0.001, 0.009))
        total[(place + np.arange(len(t))) % count] += loud * drop
    return np.asarray(np.tanh(total)[None], np.float32)


def _thud(t: NDArray[np.float64]) -> NDArray[np.float64]:
    there = t.clip(0)
    return np.asarray(np.sin(2 * math.pi * (70 * there - 60 * there**2)) * np.exp(-14 * there) * (t >= 0))


def write_sound(path: Path, wave: NDArray[np.float32]) -> None:
    """Write a sound as AAC in an .m4a file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=SOUND_RATE_HZ, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = SOUND_RATE_HZ, 0
        for ready in (frame, None):
            container.mux(stream.encode(ready))
