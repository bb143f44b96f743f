"""Resampling for any number of axes, one after the other, each as a small matrix."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_SLICE = 8

_BAND = 64
"""New samples along an axis that are made at once. All at once take as many products as there are old samples, and
fewer at once are products too small to be fast."""


def resize(samples: Tensor, shape: tuple[int, ...], *, kind: str = "cubic") -> Tensor:
    """The same extent on a grid of another size.

    samples: (C, *S). shape: as many sizes as S. kind: "cubic" (Keys 1981, a = -1/2; may overshoot by a few
    percent at edges) or "linear" (never leaves the range: for masks). Both are widened when making smaller, so
    that nothing aliases; an axis that keeps its size is left alone. Returns (C, *shape).
    """
    for axis, (old, new) in enumerate(zip(samples.shape[1:], shape, strict=True), start=1):
        if old != new:
            pieces = []
            for first, matrix in _bands(old, new, kind):
                taken = samples.narrow(axis, first, matrix.shape[1])
                pieces.append(torch.tensordot(taken, matrix.to(samples), dims=([axis], [1])).movedim(-1, axis))
            samples = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=axis)
    return samples.contiguous()


@lru_cache(maxsize=64)
def _bands(old: int, new: int, kind: str) -> tuple[tuple[int, Tensor], ...]:
    """`resampling` for `_BAND` new samples at a time, each of which is made of the few old ones near it."""
    return tuple(
        resampling(old, new, kind, slice(start, min(start + _BAND, new))) for start in range(0, new, _BAND)
    )


def transfer(full: Tensor, content: Tensor, result: Tensor) -> Tensor:
    """Bring what was done at a smaller size to the full one: full + upsampled (result − content), in [0, 1].

    full: (C, *S), changed and returned, so that the fine structure of the source stays. content, result: (C, *S').
    Works in slices along the first axis, in memory of a slice beside the small samples.
    """
    size, *others = full.shape[1:]
    change = resize(result - content, (size, *content.shape[2:]))
    for start in range(0, size, _SLICE):
        piece, into = change[:, start : start + _SLICE], full[:, start : start + _SLICE]
        into.add_(resize(piece, (piece.shape[1], *others))).clamp_(0, 1)
    return full


def fitted(shape: tuple[int, ...], size: int, kept: tuple[bool, ...]) -> tuple[int, ...]:
    """Shape scaled so that the longest axis that is not kept has `size` samples, none fewer than 1."""
    longest = max(s for s, keep in zip(shape, kept, strict=True) if not keep)
    return tuple(s if keep else max(1, round(s * size / longest)) for s, keep in zip(shape, kept, strict=True))


def resampling(old: int, new: int, kind: str, part: slice | None = None) -> tuple[int, Tensor]:
    """How new samples along an axis are made of old ones, as `resize` does.

    part: of the new samples, start and stop; None is all. Returns the first of the old samples it takes, and
    (part, taken) float64, the weights of each in each new one; rows sum to 1, ends are repeated.
    """
    scale = old / new
    widen = max(scale, 1.0)
    start, stop = (part.start, part.stop) if part else (0, new)
    centers = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * scale - 0.5
    reach = widen * _REACH[kind]
    first = max(0, int((centers[0] - reach).floor()) + 1)
    last = min(old, int((centers[-1] + reach).ceil()))
    distance = (torch.arange(first, last, dtype=torch.float64)[None, :] - centers[:, None]).abs() / widen
    if kind == "linear":
        weights = (1 - distance).clamp_min(0)
    else:
        near = (1.5 * distance - 2.5) * distance.square() + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        weights = torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros(())))
    return first, weights / weights.sum(1, keepdim=True)


_REACH = {"linear": 1, "cubic": 2}
