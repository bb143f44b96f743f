"""The gradient of a volume that was found on some of its slices, for those that lie between.

Two slices near each other ask for nearly the same, but only in what is broad: what is finer than the way from one
to the other is no news for it. So the gradient of a slice is parted by a triangle as wide as that way. Its broad
part is interpolated to the slices between, which makes the triangle one of all axes: in the mean over turns the
broad gradient of all slices is smoothed by it, whose spectrum is not negative, so that it leads down to the same
minima. Its fine part stays on the slice. Interpolated whole, it would draw lines as long as the way, across all
others: a weave. Moved on its own slice alone, what is broad would be a stack of slices that differ.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor

from volstyle.networks.inflation import mean_around


def add_between(gradient: Tensor, found: Tensor, along: int, seen: Sequence[int], span: slice) -> None:
    """Add to a gradient (C, z, y, x) what was found on the slices `seen` across an axis: there, and between.

    found: (C, z, y, x), 0 elsewhere, of costs that count for all slices. span: the slices that there are; beyond
    the last that was seen the gradient is as there. The fine part comes in one of so many steps and counts the
    root of that, which is as much for Adam, who divides by the root of the mean of squares.
    """
    axis = 1 + along
    share = len(seen) / (span.stop - span.start)
    slices = found.index_select(axis, torch.tensor(seen, device=found.device)).movedim(axis, 0)
    side = round(1 / share) | 1
    broad = mean_around(mean_around(slices, side), side)
    fine = slices.sub_(broad)
    for place in range(span.start, span.stop):
        after = min(bisect_left(seen, place), len(seen) - 1)
        before = max(after - 1, 0) if seen[after] > place else after
        apart = max(seen[after] - seen[before], 1)
        there = torch.lerp(broad[before], broad[after], (place - seen[before]) / apart)
        gradient.select(axis, place).add_(there, alpha=share)
        if seen[after] == place:
            gradient.select(axis, place).add_(fine[after], alpha=sqrt(share))
