"""The short-time spectrum of a signal, as a layer: frequencies become channels, frames the new grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.errors import NetworkError
from volstyle.networks.inflation import Placement
from volstyle.networks.layers import Context, Layer, Reach


@dataclass(frozen=True)
class Spectrum(Layer):
    """Windowed Fourier transform along the one own axis: (N, C, T) -> (N, K, T // hop).

    size: how many samples the Hann window has. hop: how many samples lie from one frame to the next. Both must be
    even, and hop at most size. A frame is centered on the `hop` samples that it owns, and sees (size − hop) / 2
    samples beyond them on either side; where the signal ends, its last sample is repeated. The window has unit
    energy, so that the mean of |X|² is 1 for white noise of variance 1, whatever the size. gain: what magnitudes
    are multiplied by before they are compressed. It is a constant, since signals come with unit variance;
    Caracalla & Roebel take 30 / max|x| of the whole sound, which no tile could know. bands: 0 gives the real and
    imaginary parts, squashed as 2σ(gain x) − 1, so that K = 2C (size / 2 + 1) (Caracalla & Roebel). Any other
    number gives log(1 + gain |X|) with frequencies as channels (Ulyanov & Lebedev 2016), their power gathered in
    that many bands, so that K = C bands. Bands keep the layer behind cheap: to tell all channels apart it needs as
    many random filters as there are channels, and bins would be hundreds.

    Raises NetworkError for other sizes than these.
    """

    size: int
    hop: int
    gain: float
    bands: int = 0
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.size % 2 or self.hop % 2 or not 0 < self.hop <= self.size:
            raise NetworkError(f"spectrum: size {self.size} and hop {self.hop}, must be even, hop at most size")

    def run(self, slab: Tensor, at: Context) -> Tensor:
        # There is no transform in half precision.
        slab = slab if slab.dtype == torch.float64 else slab.float()
        # The window is shifted by half a sample, so that it is symmetric about the frame and nowhere zero.
        phase = (torch.arange(self.size, dtype=slab.dtype, device=slab.device) + 0.5) * (math.pi / self.size)
        window = phase.sin().square()
        beyond = (self.size - self.hop) // 2
        frames = functional.pad(slab, (beyond, beyond), mode="replicate").unfold(2, self.size, self.hop)
        bins = torch.view_as_real(torch.fft.rfft(frames * (window / window.norm())))
        if self.bands:
            power = bins.square().sum(-1) @ band_weights(self.size, self.bands).to(slab)
            # The small number keeps the slope of the root finite at zero.
            values = (self.gain * (power + 1e-12).sqrt()).log1p().transpose(2, 3)
        else:
            values = torch.tanh(0.5 * self.gain * bins).permute(0, 1, 4, 3, 2).flatten(1, 2)
        return values.flatten(1, 2).to(self.dtype)

    def channels(self, into: int) -> int:
        """How many channels come out for `into` channels that go in."""
        return into * (self.bands or 2 * (self.size // 2 + 1))

    def reach(self, before: Reach, placement: Placement) -> Reach:
        (axis,) = placement.own
        stride, first, last = (list(side) for side in before)
        beyond = (self.size - self.hop) // 2
        first[axis] += stride[axis] * beyond
        last[axis] += stride[axis] * (beyond + self.hop - 1)
        stride[axis] *= self.hop
        return Reach(tuple(stride), tuple(first), tuple(last))

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        return replace(self, dtype=dtype)


@cache
def band_weights(size: int, bands: int) -> Tensor:
    """How much each bin of a spectrum counts in each band, (size / 2 + 1, bands).

    A band is a triangle over the bins, of sum 1, that reaches to the centers of its neighbors. Centers are equally
    far apart on log(1 + 64 f), f in cycles per sample: like the mel scale (linear below 700 Hz, logarithmic above)
    at 44.1 kHz, and its shape at any other rate. No triangle is narrower than a bin.
    """
    frequency = torch.fft.rfftfreq(size, dtype=torch.float64)
    centers = torch.linspace(0, math.log1p(64 / 2), bands, dtype=torch.float64).expm1() / 64
    reach = torch.maximum(centers.diff(), torch.tensor(1 / size, dtype=torch.float64))
    below = torch.cat((reach[:1], reach))
    above = torch.cat((reach, reach[-1:]))
    away = frequency[:, None] - centers
    weights = (1 - torch.where(away < 0, -away / below, away / above)).clamp_min(0)
    return weights / weights.sum(0)
