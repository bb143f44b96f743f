"""Learned styles on the page: they paint once, and the page mixes them with the content at any strength."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from volstyle.media.picture import picture
from volstyle.media.style import style

from .views import first_look
from .wish import Wish

FULL = 100.0
"""The strength at which a learned style is painted. The page then mixes content and result, as the strength of a
recipe does."""


def live(wish: Wish) -> tuple[Tensor, Tensor] | None:
    """The content, and what learned styles make of it at full strength, as pictures (3, H, W) in [0, 1]; of a clip
    only the first frame. None for styles that were not learned, and for volumes, which take longer than a moment.
    Raises VolstyleError."""
    if not wish.learned or "y" not in wish.medium.axes or "z" in wish.medium.axes:
        return None
    content = first_look(wish.content, wish.size)
    made = style(content, wish.style_names(), choices=replace(wish, strength=FULL).choices())
    return picture(content), picture(made.field)
