"""Frames that are made one at a time, each held to those before it along the motion of their content."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.grid.resample import fitted, resize
from volstyle.motion.flow import dis, inside, warp
from volstyle.networks.inflation import mean_around

_BACK = 8
"""How many frames back the farther of the two frames lies that a frame is held to. Held to the one before it
alone, a frame slides along with what flow gets wrong in each step."""

_NEAR = 2.0
"""How many times as much the frame before counts as the one farther back."""

_LONGEST = 448
"""The longest side of the pictures in which flow is found. In those of 640 samples it takes twice as long, and
what is carried looks the same."""

_UNLIKE = 0.1
"""How far two frames may differ, in samples of [0, 1], where they show one thing: at this distance the
frame before counts 1/e as much. Flow finds something everywhere, over a cut too."""

_AROUND = 5
"""Side of the squares over which means are taken: of how far two frames differ, in samples of the pictures in
which flow is found, and of the power of an octave, in pairs of its samples."""

_BROAD = 160
"""Frames are halved, octave by octave, until their long side has this many samples or fewer. What is left then is
broader than a stroke, and its power is not restored."""

_KEPT = 0.75
"""The part of the share that is mixed of what is broader than a stroke. Broad forms flicker least, and those that
a network puts where nothing is, as stars on a wall, are drawn out if mixed along the camera's motion."""

_MOST = 2.0
"""How many times an octave is raised at most, to have the power again that it had before it was averaged."""


@dataclass(frozen=True, eq=False)
class _Before:
    """A frame that was made, in float16. seen: its content, no larger than motion is looked for in."""

    number: int
    seen: Tensor
    made: Tensor


class Carrier:
    """Mixes each frame that was made of a content with the one before it and with one farther back, both moved to
    where their things are now.

    What differs from frame to frame without a cause, as strokes that follow the noise of a film, is averaged over
    about 1 / (1 − share) frames, and each octave of the strokes is then raised to the power that it had in the new
    frame, so that they grow steady and not pale. What came into sight, or changed, is the new frame's own. It is a
    recursive filter along the motion, as video denoisers have it (Dubois & Sabri 1984), of what was painted rather
    than of the film; that it reaches back twice, and that the power is restored, are ours.
    """

    def __init__(self, share: float) -> None:
        """share: of the frames before, in [0, 1); at 0 frames are left as they are."""
        self._share = share
        self._before: deque[_Before] = deque(maxlen=_BACK)

    def __call__(self, content: Tensor, made: Tensor, number: int) -> Tensor:
        """The frame `made` (C, H, W) of a content (C, H, W), both in [0, 1]; number: of the frame in its clip. One
        that does not follow the frame before it begins anew."""
        if not self._share:
            return made
        picture = tuple(content.shape[1:])
        seen = resize(content, fitted(picture, min(_LONGEST, max(picture)), (False, False))).clamp(0, 1)
        if self._before and (self._before[-1].number != number - 1 or self._before[-1].made.shape != made.shape):
            self._before.clear()
        if self._before:
            made = self._held(seen, made)
        self._before.append(_Before(number, seen, made.half()))
        return made

    def _held(self, seen: Tensor, made: Tensor) -> Tensor:
        near, alike = _carried(self._before[-1], seen, made)
        if len(self._before) > 1:
            far, too = _carried(self._before[0], seen, made)
            near = near.lerp(far, too / (_NEAR * alike + too).clamp_min(1e-6))
            alike = alike.maximum(too)
        mixed = made.lerp(near, self._share * alike)
        return _raised(mixed[None], made[None])[0].clamp(0, 1)


def _carried(before: _Before, seen: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """A frame (C, H, W) that was made before, moved to where its things are now, and (1, H, W) in [0, 1], how much
    its content is like what is seen there."""
    sides = tuple(made.shape[1:])
    flow = dis(torch.stack((before.seen, seen), dim=1))(1, -1)[None]
    apart = (warp(before.seen[None], flow) - seen).square().mean(1, keepdim=True)
    alike = torch.exp(-mean_around(apart, _AROUND) / _UNLIKE**2) * inside(flow)
    scale = torch.tensor([side / have for side, have in zip(sides[::-1], flow.shape[:1:-1], strict=True)])
    large = _brought_up(flow, sides) * scale.view(2, 1, 1)
    moved = warp(before.made[None].float(), large, "bicubic")
    return moved[0], _brought_up(alike, sides)[0]


def _raised(mixed: Tensor, made: Tensor) -> Tensor:
    """A mixture (1, C, H, W), octave by octave as strong as what was made: of a Laplacian pyramid (Burt & Adelson
    1983) all but the broadest, of which only a share is taken."""
    sides = tuple(mixed.shape[2:])
    broad, broad_made = _halved(mixed), _halved(made)
    fine, fine_made = mixed - _brought_up(broad, sides), made - _brought_up(broad_made, sides)
    times = (_power(fine_made) / _power(fine).clamp_min(1e-6)).sqrt().clamp(1, _MOST)
    broad = _raised(broad, broad_made) if max(broad.shape[2:]) > _BROAD else broad_made.lerp(broad, _KEPT)
    return _brought_up(times, sides) * fine + _brought_up(broad, sides)


def _power(fine: Tensor) -> Tensor:
    """The mean square around each pair of samples, (1, 1, H/2, W/2)."""
    return mean_around(_halved(fine.square().mean(1, keepdim=True)), _AROUND)


def _halved(slab: Tensor) -> Tensor:
    """Means of samples on a grid of half the size, rounded up: of pairs along an axis of an even one."""
    return functional.interpolate(slab, size=tuple(-(-side // 2) for side in slab.shape[2:]), mode="area")


def _brought_up(slab: Tensor, sides: tuple[int, ...]) -> Tensor:
    """(1, C, H, W) on a larger grid."""
    return resize(slab[0], sides, kind="linear")[None]
