"""How bright colored samples are."""

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
