"""How bright colored samples are, and how their colors are spread."""

from __future__ import annotations

import torch
from torch import Tensor

from volstyle.errors import ShapeError

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in luma (ITU-R BT.601)."""


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


def in_colors_of(samples: Tensor, others: Tensor) -> Tensor:
    """Samples (C, *S) with the means and covariances of the channels of others (C, *T), by the linear map that
    moves them least (Monge and Kantorovich's; Pitié & Kokaram 2007)."""
    (mean, spread), (wanted, goal) = _spread(samples), _spread(others)
    root = _power(spread, 0.5)
    inverse = _power(spread, -0.5)
    move = inverse @ _power(root @ goal @ root, 0.5) @ inverse
    moved = move @ (samples.flatten(1).double() - mean) + wanted
    return moved.to(samples.dtype).reshape(samples.shape)


_LEAST_SPREAD = 1e-6
"""Added to variances of channels, since what does not vary cannot be made to."""


def _spread(samples: Tensor) -> tuple[Tensor, Tensor]:
    """The means (C, 1) of channels and their covariance (C, C), in float64."""
    values = samples.flatten(1).double()
    mean = values.mean(1, keepdim=True)
    apart = values - mean
    least = _LEAST_SPREAD * torch.eye(len(values)).to(values)
    return mean, apart @ apart.T / values.shape[1] + least


def _power(spread: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(spread)
    power: Tensor = (vectors * values.pow(exponent)) @ vectors.T
    return power
