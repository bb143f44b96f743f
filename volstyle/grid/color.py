"""How bright colored samples are, and what colors they have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.errors import ShapeError

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in luma (ITU-R BT.601)."""

NOISE = 0.02**2
"""The variance of what is noise rather than color in a photograph: more than that of eight bits in JPEG."""

_LEAST = 1e-6
"""Added to variances where there is no noise, since what does not vary cannot be made to."""


def luma(samples: Tensor) -> Tensor:
    """The luma (1, *S) of samples in color (3, *S); gray samples (1, *S) are their own. Raises ShapeError for any
    other number of channels."""
    if samples.shape[0] == 1:
        return samples
    if samples.shape[0] != len(LUMA):
        raise ShapeError(f"luma: samples have {samples.shape[0]} channels, must be 3 or 1")
    weights = torch.tensor(LUMA).to(samples)
    combined: Tensor = torch.tensordot(weights, samples, dims=([0], [0]))
    return combined[None]


@dataclass(frozen=True)
class Colors:
    """The colors of samples, in float64. mean: (C,), of channels. spread: (C, C), their covariance."""

    mean: Tensor
    spread: Tensor

    @staticmethod
    def of(samples: Tensor) -> Colors:
        """Those of samples (C, *S)."""
        values = samples.flatten(1).double()
        mean = values.mean(1)
        apart = values - mean[:, None]
        return Colors(mean, apart @ apart.T / values.shape[1])

    def apart(self, other: Colors) -> float:
        """How far they are from others: the root of the squared distance of their means and of the roots of their
        spreads, which is Wasserstein's where the spreads have the same axes. In samples of [0, 1]."""
        least = _LEAST * torch.eye(len(self.mean)).to(self.spread)
        deep = _power(self.spread + least, 0.5) - _power(other.spread + least, 0.5)
        return math.sqrt(float((self.mean - other.mean).square().sum() + deep.square().sum()))

    @staticmethod
    def blended(colors: Sequence[Colors], shares: Sequence[float]) -> Colors:
        """Those of a blend. shares: how much of each, with a sum of 1."""
        weights = torch.tensor(shares, dtype=torch.float64)
        mean, spread = (torch.stack([getattr(each, name) for each in colors]) for name in ("mean", "spread"))
        return Colors(torch.tensordot(weights, mean, 1), torch.tensordot(weights, spread, 1))

    def given_to(self, samples: Tensor, own: Colors | None = None, noise: float = 0.0) -> Tensor:
        """Samples (C, *S) that take these colors, by the linear map that moves them least (Monge and
        Kantorovich's; Pitié & Kokaram 2007).

        own: the colors that are to become these; None are those of the samples. noise: a variance that is added to
        all on both sides, so that what varies less is not raised to what varies; this is ours. Raises ShapeError
        for samples with other channels.
        """
        if samples.shape[0] != len(self.mean):
            raise ShapeError(f"colors: samples have {samples.shape[0]} channels, must be {len(self.mean)}")
        own = own or Colors.of(samples)
        least = max(noise, _LEAST) * torch.eye(len(own.mean)).to(own.spread)
        goal = _power(self.spread + least, 0.5)
        move = goal @ _power(goal @ (own.spread + least) @ goal, -0.5) @ goal
        offset = (self.mean - move @ own.mean).to(samples)[:, None]
        return torch.addmm(offset, move.to(samples), samples.flatten(1)).reshape(samples.shape)


def _power(spread: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(spread)
    power: Tensor = (vectors * values.pow(exponent)) @ vectors.T
    return power
