"""What is styled at once: a picture, a window of a clip, a channel of a volume, a signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from torch import Tensor

from volstyle.engine.scene import Style
from volstyle.grid.field import Field
from volstyle.motion.flow import Flows
from volstyle.motion.windows import Span


@dataclass(frozen=True)
class Problem:
    """What the engine is given. content: in [0, 1]. styles: as they are for it. init: where to start from, if a
    file says so. where: (*S), 1 where it may change; None is everywhere. flows: how it moves, if files say so."""

    content: Field
    styles: tuple[Style, ...] = ()
    init: Field | None = None
    where: Tensor | None = None
    flows: Flows | None = None


@dataclass(frozen=True)
class Part:
    """A part of a run, which may be read only when its turn comes. grid: as its content, but maybe without the
    samples. window: of a clip, which frames these are."""

    grid: Field
    read: Callable[[], Problem]
    window: Span | None = None

    @property
    def size(self) -> int:
        """Samples of a channel."""
        return prod(self.grid.shape)
