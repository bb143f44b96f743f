"""The colors of a clip, followed from frame to frame."""

from __future__ import annotations

import math

from torch import Tensor

from volstyle.grid.color import Colors

_FRAMES = 100
"""Over how many frames the colors of a shot are averaged."""

_UNLIKE = 0.2
"""How far the colors of a frame may lie from those that last and still belong to them, in samples of [0, 1]; from
one that lies twice as far away they are nearly its own."""


class LastingColors:
    """The colors that a clip has had for some time. What maps them to others moves the same things to the same
    colors in all frames of a shot, though something else comes into sight.

    They are the mean over the frames of a shot, at first over those there are. The farther a frame's colors lie
    from it the more they count, so that a cut is followed at once, a fade as it goes on, and what wanders about
    hardly at all. No cut has to be known, so that a stream is painted as a file is.
    """

    def __init__(self) -> None:
        self._now: Colors | None = None
        self._count = 0
        self._number = 0

    def __call__(self, frame: Tensor, number: int) -> Colors:
        """Those after a frame (C, H, W). number: of the frame; one that does not follow the frame before it begins
        anew."""
        own = Colors.of(frame)
        if self._now is None or number != self._number + 1:
            self._now, self._count = own, 0
        new = 1 - math.exp(-((self._now.apart(own) / _UNLIKE) ** 4))
        self._count = min(self._count + 1, _FRAMES)
        share = new + (1 - new) / self._count
        self._count = max(1, round(1 / share))
        self._now, self._number = Colors.blended((self._now, own), (1 - share, share)), number
        return self._now
