"""Frames that are made one at a time, each held to the one before it along the motion of their content."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.grid.resample import fitted, resize
from volstyle.motion.flow import warp
from volstyle.motion.links import LONGEST, estimate_motion
from volstyle.networks.inflation import mean_around

_UNLIKE = 0.1
"""How far two frames may differ, in samples of [0, 1], where they show one thing: at this distance the
frame before counts 1/e as much. Flow finds something everywhere, over a cut too."""

_FINE = 5
"""Side of the square, in samples: what differs from its mean is fine. Strokes are, and the noise of a film."""

_AROUND = 9
"""Side of the square over which the power of what is fine is taken."""

_MOST = 2.0
"""How many times what is fine is raised at most, to have the power again that it had before it was averaged."""


@dataclass(frozen=True)
class _Before:
    """A frame that was made. seen: its content, no larger than motion is looked for in."""

    number: int
    seen: Tensor
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
        if not self._share:
            return made
        picture = tuple(content.shape[1:])
        seen = resize(content, fitted(picture, min(LONGEST, max(picture)), (False, False))).clamp(0, 1)
        before = self._before
        if before is not None and before.number == number - 1 and before.made.shape == made.shape:
            made = self._held(before, seen, made)
        self._before = _Before(number, seen, made)
        return made

    def _held(self, before: _Before, seen: Tensor, made: Tensor) -> Tensor:
        pair = torch.stack((before.seen, seen), dim=1)
        (back,) = (link for link in estimate_motion(pair, (1,), borders=True) if link.gap < 0)
        apart = (warp(before.seen[None], back.flow.float()) - seen).square().mean(1, keepdim=True)
        alike = torch.exp(-mean_around(apart, _FINE) / _UNLIKE**2)
        shares = resize((self._share * back.trust * alike)[0], tuple(made.shape[1:]), kind="linear")
        carried = warp(before.made[None], back.resized(*made.shape[1:]).flow.float(), "bicubic")
        mixed = made[None].lerp(carried, shares)
        fine = _fine(mixed)
        raised = (_power(_fine(made[None])) / _power(fine).clamp_min(1e-6)).sqrt().clamp(1, _MOST)
        return (mixed + (raised - 1) * fine)[0].clamp(0, 1)


def _fine(slab: Tensor) -> Tensor:
    return slab - mean_around(slab, _FINE)


def _power(fine: Tensor) -> Tensor:
    """(N, 1, H, W), the mean square around each sample."""
    return mean_around(fine.square().mean(1, keepdim=True), _AROUND)
