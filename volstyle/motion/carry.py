"""Frames that are made one at a time, each held to the one before it along the motion of their content."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.motion.flow import warp
from volstyle.motion.links import estimate_motion

_UNLIKE = 0.1
"""How far two frames may be from another, in samples of [0, 1], where they show one thing: at this distance the
frame before counts 1/e as much. Flow finds something everywhere, over a cut too."""

_AROUND = 5
"""Side of the square, in samples, over which two frames are compared, so that noise of single ones does not
count."""


@dataclass(frozen=True)
class _Before:
    number: int
    content: Tensor
    made: Tensor


class Carrier:
    """Mixes each frame that was made of a content with the one before it, moved to where its things are now.

    What differs from frame to frame without a cause, as strokes that follow the noise of a film, is averaged over
    about 1 / (1 − share) frames; what came into sight, or changed, is the new frame's own. It is a recursive
    filter along the motion, as video denoisers have it (Dubois & Sabri 1984), of what was painted rather than of
    the film.
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
            made = self._mixed(before, content, made)
        self._before = _Before(number, content, made)
        return made

    def _mixed(self, before: _Before, content: Tensor, made: Tensor) -> Tensor:
        pair = torch.stack((before.content, content), dim=1)
        (back,) = (link for link in estimate_motion(pair, (1,), borders=True) if link.gap < 0)
        back = back.resized(*content.shape[1:])
        flow, known = back.flow.float(), back.trust.float()
        apart = (warp(before.content[None], flow) - content).square().mean(1, keepdim=True)
        apart = functional.avg_pool2d(apart, _AROUND, 1, _AROUND // 2, count_include_pad=False)
        alike = torch.exp(-apart / _UNLIKE**2)
        carried = warp(before.made[None], flow, "bicubic")
        return made.lerp(carried[0], (self._share * known * alike)[0]).clamp(0, 1)
