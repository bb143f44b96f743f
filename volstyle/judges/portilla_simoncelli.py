"""Statistics of a texture that need no network: those of Portilla & Simoncelli.

Source: Portilla & Simoncelli 2000, "A parametric texture model based on joint statistics of complex wavelet
coefficients", IJCV 40, section 2. Departures: luma only; bands are not subsampled, so any size will do, and lags
grow with the scale instead; products are taken inside a mirrored margin instead of around a torus; covariances
are divided by standard deviations, which are statistics of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.errors import ShapeError

SCALES, ORIENTATIONS, LAG = 4, 4, 2
"""The scales and orientations of the pyramid, and the largest lag of autocorrelations, in samples of a scale."""

_LEAST = 16
"""Samples on the short side for one scale; each further one takes twice as many."""


def scales_of(*shapes: tuple[int, ...]) -> int:
    """How many scales the statistics of pictures (H, W) can have in common. Raises ShapeError for none."""
    short = min(min(shape) for shape in shapes)
    if short < _LEAST:
        raise ShapeError(f"texture: a side of {short} samples, must be at least {_LEAST}")
    return min(SCALES, 1 + int(math.log2(short / _LEAST)))


def texture_statistics(luma: Tensor, scales: int = SCALES) -> dict[str, Tensor]:
    """Groups of statistics of a picture (H, W), each a vector; levels and energies alone know its contrast."""
    margin = min(2 ** (scales + 1), min(luma.shape) // 2)
    bands, lows = _pyramid(luma, scales, margin)
    sizes = [band.abs() for band in bands]
    correlations = []
    for i, (band, size) in enumerate(zip(bands, sizes, strict=True)):
        correlations.append(_correlation(size, size)[*torch.triu_indices(ORIENTATIONS, ORIENTATIONS, 1)])
        if i + 1 < scales:
            correlations.append(_correlation(size, sizes[i + 1]).flatten())
            # The coarser band at twice its phase turns as fast over space as the finer one does.
            coarse = bands[i + 1].square() / sizes[i + 1].clamp_min(1e-12)
            correlations += [_correlation(band.real, part).flatten() for part in (coarse.real, coarse.imag)]
    return {
        "levels": torch.stack([luma.mean(), luma.std()]),
        "energies": torch.cat([band.real.std(dim=(1, 2)) for band in bands]),
        "moments": torch.cat([_moments(low) for low in lows]),
        "autocorrelations": torch.cat([_autocorrelation(low, 2**i) for i, low in enumerate(lows[:scales])]),
        "magnitudes": torch.cat([_autocorrelation(m, 2**i) for i, size in enumerate(sizes) for m in size]),
        "correlations": torch.cat(correlations),
    }


def texture_distance(found: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> float:
    """Mean over groups of ‖s − ŝ‖² / (‖s‖² + ‖ŝ‖²): 0 for the same statistics, 1 for nothing in common."""
    apart = [
        float((found[name] - wanted).square().sum() / (found[name].square().sum() + wanted.square().sum() + 1e-12))
        for name, wanted in target.items()
    ]
    return sum(apart) / len(apart)


def _pyramid(luma: Tensor, scales: int, margin: int) -> tuple[list[Tensor], list[Tensor]]:
    """Complex bands (ORIENTATIONS, H, W) of each scale, fine to coarse, and low-pass pictures, the whole first.

    Raised cosines of an octave in log frequency, cos^(K-1) in angle over half of the plane (section 2.1).
    """
    padded = functional.pad((luma - luma.mean())[None, None], (margin,) * 4, mode="reflect")[0, 0]
    height, width = padded.shape
    spectrum = torch.fft.fft2(padded)
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None, :]
    radius = (down.square() + across.square()).sqrt().clamp_min(1e-9)
    angle = torch.atan2(down, across).expand(height, width)

    def low_pass(cut: float) -> Tensor:
        """1 below half of cut (cycles a sample), 0 above it."""
        passed: Tensor = torch.cos(math.pi / 2 * (torch.log2(radius / cut) + 1).clamp(0, 1))
        return passed

    def inside(spectra: Tensor) -> Tensor:
        pictures: Tensor = torch.fft.ifft2(spectra)
        return pictures[..., margin:-margin, margin:-margin]

    lows = [spectrum, *(spectrum * low_pass(0.5 / 2**i) for i in range(scales))]
    turns = torch.arange(ORIENTATIONS)[:, None, None] * (math.pi / ORIENTATIONS)
    apart = torch.remainder(angle - turns + math.pi, 2 * math.pi) - math.pi
    wedges = 2 * torch.cos(apart).clamp_min(0) ** (ORIENTATIONS - 1)
    bands = [
        inside(lows[i + 1] * (1 - low_pass(0.25 / 2**i).square()).clamp_min(0).sqrt() * wedges)
        for i in range(scales)
    ]
    return bands, [inside(low).real for low in lows]


def _moments(picture: Tensor) -> Tensor:
    """Skewness and kurtosis."""
    apart = picture - picture.mean()
    spread = apart.square().mean().sqrt().clamp_min(1e-12)
    return torch.stack([(apart / spread).pow(3).mean(), (apart / spread).pow(4).mean()])


def _autocorrelation(picture: Tensor, step: int) -> Tensor:
    """The autocorrelation at lags of up to LAG steps, in half of the plane and without the lag 0."""
    height, width = picture.shape
    apart = picture - picture.mean()
    found = []
    for down in range(LAG + 1):
        for across in range(-LAG if down else 1, LAG + 1):
            y, x = min(down * step, height - 1), max(-width + 1, min(across * step, width - 1))
            a = apart[y:, max(x, 0) : width + min(x, 0)]
            b = apart[: height - y, max(-x, 0) : width - max(x, 0)]
            found.append((a * b).mean())
    return torch.stack(found) / apart.square().mean().clamp_min(1e-12)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """(J, K) of pictures (J, H, W) and (K, H, W)."""
    rows = []
    for pictures in (a, b):
        flat = pictures.flatten(1) - pictures.flatten(1).mean(1, keepdim=True)
        rows.append(flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-12))
    correlation: Tensor = rows[0] @ rows[1].T
    return correlation
