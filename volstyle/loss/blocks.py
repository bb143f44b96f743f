"""Means over blocks of samples: what a field is, seen broadly."""

from __future__ import annotations

from torch import Tensor

from volstyle.networks.inflation import pool


def block_means(slab: Tensor, side: int, known: Tensor | None = None) -> Tensor:
    """The mean of each block of `side` samples along all axes of (N, C, *S), there: (N, C, *S) again.

    known: (N, 1, *S), 1 for samples that count; the others are 0 in the result. A block may be cut at an end. It
    is a projection, so that Σ slab · means is Σ means², and the gradient of that twice the means.
    """
    sides = (side,) * (slab.dim() - 2)
    means = pool(slab if known is None else slab * known, "average", sides, partial=True)
    if known is not None:
        means = means / pool(known, "average", sides, partial=True).clamp_min(1e-6)
    for axis, size in enumerate(slab.shape[2:], start=2):
        means = means.repeat_interleave(side, axis).narrow(axis, 0, size)
    return means if known is None else means * known
