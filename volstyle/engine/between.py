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
from math import sqrt

import torch
from torch import Tensor

from volstyle.networks.inflation import mean_around


def add_between(gradient: Tensor, found: Tensor, along: int, seen: range, span: slice, *, around: bool) -> None:
    """Add to a gradient (C, z, y, x) what was found on every so many-th slice across an axis: there, and between.

    found: (C, z, y, x), 0 on other slices, of costs that count for all of them. seen: the slices, span: those that
    there are. Between the last one and the end the gradient is as there; around: whether the ends meet instead.
    The fine part comes in one of so many steps and counts the root of that, which is as much for Adam, who divides
    by the root of the mean of squares.
    """
    axis, share = 1 + along, 1 / seen.step
    slices = found.index_select(axis, torch.tensor(seen, device=found.device)).movedim(axis, 0)
    side = seen.step | 1
    broad = mean_around(mean_around(slices, side), side)
    fine = slices.sub_(broad)
    places, numbers = list(seen), list(range(len(seen)))
    if around:
        size = span.stop - span.start
        places, numbers = [places[-1] - size, *places, places[0] + size], [-1, *numbers, 0]
    for place in range(span.start, span.stop):
        after = min(bisect_left(places, place), len(places) - 1)
        before = after if places[after] <= place else max(after - 1, 0)
        way = max(places[after] - places[before], 1)
        there = torch.lerp(broad[numbers[before]], broad[numbers[after]], (place - places[before]) / way)
        gradient.select(axis, place).add_(there, alpha=share)
    for place, detail in zip(seen, fine, strict=True):
        gradient.select(axis, place).add_(detail, alpha=sqrt(share))
