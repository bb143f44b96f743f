"""Means over blocks of samples, which say what a field looks like from afar."""

from __future__ import annotations

from torch import Tensor

from volstyle.networks.inflation import pool


def block_means(slab: Tensor, side: int, known: Tensor | None = None) -> Tensor:
    """A slab (N, C, *S) with each sample replaced by the mean of its block, of `side` samples along each axis.

    known: (N, 1, *S), 1 for samples that count; the others do not enter the means and are 0 in the result. The
    last block along an axis may be shorter. The map is a projection, so that Σ slab · means equals Σ means², and
    the gradient of that is twice the means.
    """
    sides = (side,) * (slab.dim() - 2)
    means = pool(slab if known is None else slab * known, "average", sides, partial=True)
    if known is not None:
        means = means / pool(known, "average", sides, partial=True).clamp_min(1e-6)
    for axis, size in enumerate(slab.shape[2:], start=2):
        means = means.repeat_interleave(side, axis).narrow(axis, 0, size)
    return means if known is None else means * known
