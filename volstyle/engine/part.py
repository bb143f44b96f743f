"""The part of a content that is optimized at once: a picture, a window of a clip, a channel of a volume, a
signal."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from volstyle.engine.scene import Style
from volstyle.grid.field import Field
from volstyle.motion.flow import Flows
from volstyle.motion.rest import Rest


@dataclass(frozen=True)
class Part:
    """A content, or a part of one, with everything beside the recipe that its result depends on.

    content: samples in [0, 1], any number of axes. styles: at least one. init: where the optimization starts,
    instead of what the recipe says. where: (*S) of the content, 1 where it may change; None is everywhere.
    flows: how a clip moves, instead of what the recipe says. held, ahead: (C', n, *S') samples that an earlier
    part reached, which the first n frames and the last n frames of this part keep. rest: what a volume over time
    was made a time before, which it stays where its content is at rest. is_whole: whether this is
    all of the content; a loop closes only in a part that is.
    """

    content: Field
    styles: tuple[Style, ...]
    init: Field | None = None
    where: Tensor | None = None
    flows: Flows | None = None
    held: Tensor | None = None
    ahead: Tensor | None = None
    rest: Rest | None = None
    is_whole: bool = True
