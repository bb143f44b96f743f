"""Where a clip is cut in time, in integers only.

A shot is what lies between two cuts, a problem of its own. A long shot goes in windows: each begins with frames
that the one before has finished. They are held as they are, and its own frames fit to them along the motion, so
memory is that of a window however long the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import Tensor

from volstyle.field import Field
from volstyle.resample import resize
from volstyle.scene import Style


@dataclass(frozen=True)
class Window:
    """Frames start to stop of a clip, optimized together; the first `held` of them are finished already."""

    start: int
    stop: int
    held: int = 0

    @property
    def own(self) -> slice:
        """The frames it finishes, in the clip."""
        return slice(self.start + self.held, self.stop)


def plan_windows(count: int, cuts: Sequence[int], length: int, held: int) -> tuple[Window, ...]:
    """Windows whose own frames are disjoint, in order, and all frames of a clip.

    count: frames of the clip. cuts: first frames of shots but the first, in order. length: frames a window
    finishes at most, 0 for any number; those of a shot are about equally long. held: frames looked back at.
    """
    windows = []
    for start, stop in pairwise([0, *cuts, count]):
        pieces = -(-(stop - start) // length) if length else 1
        ends = [start + (stop - start) * i // pieces for i in range(pieces + 1)]
        for first, last in pairwise(ends):
            back = min(held, first - start)
            windows.append(Window(first - back, last, back))
    return tuple(windows)


def frames_of(clip: Field, window: Window) -> Field:
    """The window of a clip (C, T, H, W)."""
    return replace(clip, samples=clip.samples[:, window.start : window.stop].contiguous())


def style_in(style: Style, window: Window, count: int) -> Style:
    """A style whose target mask, if it moves, is that of the window. count: frames of the clip."""
    mask = style.target_mask
    if mask is None or mask.dim() < 3:
        return style
    return replace(style, target_mask=_lasting(mask[None], count)[0, window.start : window.stop])


def init_in(init: Field, window: Window, count: int) -> Field:
    """The window of a clip to start from, which may have another number of frames than the content's count."""
    return frames_of(init.with_samples(_lasting(init.samples, count)), window)


def _lasting(samples: Tensor, count: int) -> Tensor:
    """(C, T', *S) over `count` frames."""
    return resize(samples, (count, *samples.shape[2:]), kind="linear")
