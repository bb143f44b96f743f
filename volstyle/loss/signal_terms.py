"""What a series must have to be plausible and not just similar: its values' distribution and its memory.

These are terms of the samples themselves, with targets from a style of any length. Nothing here depends on the
rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_BINS = 24
"""Into how many bins values are sorted where a term holds in the mean."""


@dataclass(frozen=True)
class QuantileTerm:
    """How far the distribution of values is from the style's: weight · mean over channels of ∫ (Q(p) − Q̂(p))² dp
    / variance, the squared Wasserstein-2 distance, which sorting gives exactly in one dimension.

    target: (C, Q), ascending: the quantiles of the style at (i + ½) / Q.
    """

    weight: float
    target: Tensor

    @staticmethod
    def of(weight: float, style: Tensor) -> QuantileTerm:
        """The term that a style (C, *S) is the target of."""
        return QuantileTerm(weight, style.flatten(1).sort(1).values)

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, *S); its gradient is added to gradient."""
        values, order = samples.flatten(1).sort(1)
        wanted = _stretched(self.target.to(samples), values.shape[1])
        variance = self.target.to(samples).var(1, correction=0, keepdim=True).clamp_min(1e-12)
        apart = (values - wanted) / variance
        scale = self.weight / samples.numel()
        gradient.view(len(gradient), -1).scatter_add_(1, order, 2 * scale * apart)
        return float(scale * (apart * (values - wanted)).sum())

    def measure(self, samples: Tensor) -> tuple[Tensor]:
        """The shares of samples (C, *S) in [0, 1] that lie below so many values, (C, `_BINS`), each by a ramp to
        the next: of many pieces together they are the mean of those of each, as quantiles are not."""
        place = samples.flatten(1) * _BINS
        return (torch.stack([(n + 1 - place).clamp(0, 1).mean(1) for n in range(_BINS)], 1),)

    def cost(self, measured: Sequence[Tensor]) -> Tensor:
        """The cost of what `measure` gives: weight · mean over channels and values of (F − F̂)² / variance, the
        distance of Cramér 1928 in place of Wasserstein's."""
        (shares,) = measured
        target = self.target.to(shares)
        variance = target.var(1, correction=0, keepdim=True).clamp_min(1e-12)
        return self.weight * ((shares - self.measure(target)[0]).square() / variance).mean()


@dataclass(frozen=True)
class AutocorrelationTerm:
    """How far the autocorrelation is from the style's: weight · ‖R − R̂‖² / ‖R̂‖², where R_cd(k) is the mean over
    t of x_c(t) x_d(t + k), about the style's mean, for lags 0 ≤ k < L and all pairs of channels.

    mean: (C, 1), the mean of the style. target: (C, C, L), R̂.
    """

    weight: float
    mean: Tensor
    target: Tensor

    @staticmethod
    def of(weight: float, style: Tensor, lags: int) -> AutocorrelationTerm:
        """The term that a style (C, T) is the target of. lags: L, at most half of T."""
        mean = style.mean(1, keepdim=True)
        return AutocorrelationTerm(weight, mean, _correlations(style - mean, min(lags, style.shape[1] // 2)))

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, T); its gradient is added to gradient."""
        leaf = samples.detach().clone().requires_grad_()
        lags = min(self.target.shape[2], samples.shape[1] // 2)
        target = self.target.to(samples)[:, :, :lags]
        apart = _correlations(leaf - self.mean.to(samples), lags) - target
        cost = self.weight * apart.square().sum() / target.square().sum().clamp_min(1e-30)
        (slope,) = torch.autograd.grad(cost, leaf)
        gradient += slope
        return float(cost.detach())


def _stretched(quantiles: Tensor, count: int) -> Tensor:
    """Quantiles (C, Q) at `count` other probabilities, (C, count), linear between those that are known."""
    have = quantiles.shape[1]
    if have == count:
        return quantiles
    place = ((torch.arange(count, dtype=torch.float64) + 0.5) * have / count - 0.5).clamp(0, have - 1)
    low = place.floor().long().clamp_max(max(have - 2, 0))
    share = (place - low).to(quantiles)
    return quantiles[:, low] * (1 - share) + quantiles[:, (low + 1).clamp_max(have - 1)] * share


def _correlations(samples: Tensor, lags: int) -> Tensor:
    """Mean products (C, C, lags) of samples (C, T) that lie each lag apart."""
    count = samples.shape[1]
    spectrum = torch.fft.rfft(samples, count + lags)
    products: Tensor = torch.fft.irfft(spectrum.conj()[:, None] * spectrum[None], count + lags)[:, :, :lags]
    return products / (count - torch.arange(lags, device=samples.device))
