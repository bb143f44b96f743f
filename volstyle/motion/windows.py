"""Where a clip is cut in time, in integers only.

A shot is what lies between two cuts, a problem of its own. A long shot goes in windows: each begins with frames
that the one before has finished. They are held as they are, and its own frames fit to them along the motion, so
memory is that of a window however long the clip. It ends with a few frames that it leaves to the next, so that
its own last ones know what comes; where the clip loops, the last one ends with frames that the first has finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from volstyle.errors import RecipeError
from volstyle.motion.links import GAPS

HELD, BEYOND = max(GAPS), 4
"""Frames of other windows that a window sees before and after its own. Without the latter, and with pairs across
the border counted like others, the warping error where two join is three to five times that within them."""


@dataclass(frozen=True)
class Span:
    """The frames of a clip from start to before stop, which are optimized together.

    held: how many of the first of them an earlier window has finished. beyond: how many of the last of them are
    left to the next window. ahead: in a clip that loops, how many finished frames from its beginning follow on
    them."""

    start: int
    stop: int
    held: int = 0
    beyond: int = 0
    ahead: int = 0

    @property
    def own(self) -> slice:
        """The frames that this window finishes, by their numbers in the clip."""
        return slice(self.start + self.held, self.stop - self.beyond)

    @property
    def finished(self) -> slice:
        """The frames that this window finishes, by their numbers in the window."""
        return slice(self.held, self.stop - self.start - self.beyond)

    @property
    def count(self) -> int:
        """The number of frames that are optimized together."""
        return self.stop - self.start + self.ahead


def plan_windows(
    count: int, cuts: Sequence[int], length: int, held: int, beyond: int = 0, *, loop: bool = False
) -> tuple[Span, ...]:
    """Windows whose own frames are disjoint, in order, and all frames of a clip.

    count: frames of the clip. cuts: first frames of shots but the first, in order. length: frames a window
    finishes at most, 0 for any number; those of a shot are about equally long. held, beyond: frames looked back
    at, and ahead. loop: of one shot, the last frame is followed by the first. Raises RecipeError for a loop with
    cuts.
    """
    if loop and cuts:
        raise RecipeError(
            f"loop: the clip cuts at frame {', '.join(map(str, cuts))}, a loop is one shot; "
            "--shots none if there is no cut"
        )
    windows = []
    for start, stop in pairwise([0, *cuts, count]):
        pieces = -(-(stop - start) // length) if length else 1
        ends = [start + (stop - start) * i // pieces for i in range(pieces + 1)]
        for first, last in pairwise(ends):
            back = min(held, first - start)
            more = min(beyond, stop - last)
            windows.append(Span(first - back, last + more, back, more))
    if loop and len(windows) > 1:
        windows[-1] = replace(windows[-1], ahead=min(held, windows[0].own.stop))
    return tuple(windows)
