"""One picture of the world, or one solid, by its number."""

from __future__ import annotations

import torch
from torch import Tensor

from volstyle.world.leaves import paint
from volstyle.world.programs import Programs, draw_palettes


def picture(seed: int, size: int, *, axes: int = 2, zoom: float = 1.0) -> Tensor:
    """A picture of its own for each seed, (3, size, …) in [0, 1], with as many sides as axes.

    zoom: how many times larger everything in it is.
    """
    seed %= 2**63
    generator = torch.Generator().manual_seed(seed)
    program = Programs.draw(1, seed).zoomed(torch.tensor([zoom])).stacked()
    salt = torch.randint(2**31 - 1, (1,), generator=generator).int()
    scene = torch.rand(1, 12, generator=generator)
    palette = draw_palettes(1, generator)
    return paint(program, palette, scene, salt, size, axes=axes)[0].clamp(0, 1)
