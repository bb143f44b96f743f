"""White noise on an endless grid: each sample is a hash of where it lies, so that any window can be had without
the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from volstyle.grid.tiles import Box

_WORD = 2**32 - 1
"""The low 32 bits."""


def noise(keys: Sequence[int], box: Box, channels: int = 1, period: Sequence[int] | None = None) -> Tensor:
    """Samples (C, *S) from 0 to below 1, evenly spread, in a window of an endless grid.

    keys: whole numbers that tell one noise from another, as a seed and the number of a stage do. box: the window,
    whose ends may lie anywhere from -2**31 to 2**31. period: along each axis, after how many samples the noise
    begins again; None for never. The same on any machine: it is reckoned in whole numbers. Of a million lines
    along the last axis some hundred pairs are alike, since what tells them apart has 32 bits.

    Source: a generator that is a function of a counter (Salmon et al. 2011, "Parallel random numbers: as easy as
    1, 2, 3"), with the mixing of Wellons 2018 ("lowbias32").
    """
    found = torch.zeros(1, *(1 for _ in box), dtype=torch.int64)
    for key in keys:
        found = _mixed(found ^ (key & _WORD))
        found = _mixed(found ^ (key >> 32 & _WORD))
    found = _mixed(found ^ torch.arange(channels).view(-1, *(1 for _ in box)))
    for axis, side in enumerate(box):
        places = torch.arange(side.start, side.stop)
        if period is not None:
            places = places.remainder(period[axis])
        found = _mixed(found ^ (places & _WORD).view(-1, *(1 for _ in box[axis + 1 :])))
    return (found >> 8).float() / 2**24


def _mixed(words: Tensor) -> Tensor:
    """Words of 32 bits in int64, each bit of which depends on all bits that were there."""
    words = (words ^ words >> 16) * 0x7FEB352D & _WORD
    words = (words ^ words >> 15) * 0x846CA68B & _WORD
    return words ^ words >> 16
