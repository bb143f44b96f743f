"""Learned styles, which need no optimizing: their network makes a picture at once, at any strength.

This is where they join the page: `live` gives the function that the page calls whenever strength is dragged. As
long as it gives None, the slider takes effect with the next run.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .wish import Wish

SUFFIX = ".safetensors"

Live = Callable[[float], Tensor]
"""From a strength in [0, 1] to the picture (3, H, W) in [0, 1] that the page shows of the result."""


def live(wish: Wish) -> Live | None:
    """How the result of a wish is shown at once; None unless each of its styles is a learned one."""
    return None
