"""Frames that are made one at a time, each held to the one before it along the motion of their content."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.motion.flow import warp
from volstyle.motion.links import estimate_motion
from volstyle.networks.inflation import mean_around

_UNLIKE = 0.1
"""How far two frames may be from another, in samples of [0, 1], where they show one thing: at this distance the
frame before counts 1/e as much. Flow finds something everywhere, over a cut too."""

_FINE = 5
"""Side of the square, in samples: what differs from its mean is fine. Strokes are, and the noise of a film."""

_AROUND = 9
"""Side of the square over which the power of what is fine is taken."""

_MOST = 2.0
"""How many times what is fine is raised at most, to have the power again that it had before it was averaged."""


@dataclass(frozen=True)
class _Before:
    number: int
    content: Tensor
    made: Tensor


class Carrier:
    """Mixes each frame that was made of a content with the one before it, moved to where its things are now.

    What differs from frame to frame without a cause, as strokes that follow the noise of a film, is averaged over
    about 1 / (1 − share) frames, and what is fine is then raised to the power that it had in the new frame, so
    that strokes grow steady and not pale. What came into sight, or changed, is the new frame's own. It is a
    recursive filter along the motion, as video denoisers have it (Dubois & Sabri 1984), of what was painted rather
    than of the film; that the power is restored is ours.
    """

    def __init__(self, share: float) -> None:
        """share: of the frame before, in [0, 1); at 0 frames are left as they are."""
        self._share = share
        self._before: _Before | None = None

    def __call__(self, content: Tensor, made: Tensor, number: int) -> Tensor:
        """The frame `made` (C, H, W) of a content (C, H, W), both in [0, 1]; number: of the frame in its clip. One
        that does not follow the frame before it begins anew."""
        before = self._before
        if before is not None and before.number == number - 1 and before.made.shape == made.shape and self._share:
            made = self._held(before, content, made)
        self._before = _Before(number, content, made)
        return made

    def _held(self, before: _Before, content: Tensor, made: Tensor) -> Tensor:
        pair = torch.stack((before.content, content), dim=1)
        (back,) = (link for link in estimate_motion(pair, (1,), borders=True) if link.gap < 0)
        back = back.resized(*content.shape[1:])
        flow, known = back.flow.float(), back.trust.float()
        apart = (warp(before.content[None], flow) - content).square().mean(1, keepdim=True)
        alike = torch.exp(-mean_around(apart, _FINE) / _UNLIKE**2)
        carried = warp(before.made[None], flow, "bicubic")
        mixed = made[None].lerp(carried, self._share * known * alike)
        fine = _fine(mixed)
        raised = (_power(_fine(made[None])) / _power(fine).clamp_min(1e-6)).sqrt().clamp(1, _MOST)
        return (mixed + (raised - 1) * fine)[0].clamp(0, 1)


def _fine(slab: Tensor) -> Tensor:
    return slab - mean_around(slab, _FINE)


def _power(fine: Tensor) -> Tensor:
    """(N, 1, H, W), the mean square around each sample."""
    return mean_around(fine.square().mean(1, keepdim=True), _AROUND)
