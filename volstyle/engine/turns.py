"""A part of a volume's slices at each step, at random: a step costs a part, and all have their turn.

A solid has as many slices along each axis as it has samples; what one step does to a few of them the next does to
others, long before the optimizer is done (Gutierrez et al. 2020 train their generator of solids so). Terms of the
samples themselves cost little and count whole at each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from volstyle.engine.blockwise import Plans
from volstyle.grid.tiles import Block, Box, Tile
from volstyle.loss.objective import Objective, View


def turns(objective: Objective, plans: Plans, share: float, seed: int) -> Iterator[tuple[Objective, Plans]]:
    """What to evaluate at each step, without an end: a share of the groups of slices of all views, at least one,
    none again before all others had their turn. Their costs are scaled, so that their mean over steps is the
    whole's.

    plans: of this process, where several share the evaluation: all choose the same, and each sees to those of the
    chosen that it has. share: 1 is all at each step. seed: of which come when.
    """
    own = {(view, block.first): block for view, blocks in enumerate(plans) for block in groups_of(blocks)}
    each = [(view, group) for view, look in enumerate(objective.views) for group in range(look.groups)]
    count = max(1, round(share * len(each)))
    generator = torch.Generator().manual_seed(seed)
    waiting: list[int] = []
    while True:
        if share >= 1 or not each:
            yield objective, plans
            continue
        while len(waiting) < count:
            waiting += torch.randperm(len(each), generator=generator).tolist()
        now, waiting = sorted(waiting[:count]), waiting[count:]
        chosen: dict[int, list[Block]] = {}
        for place in (each[number] for number in now):
            if place in own:
                chosen.setdefault(place[0], []).append(own[place])
        views = tuple(_scaled(objective.views[view], len(each) / count) for view in chosen)
        yield replace(objective, views=views), tuple(map(tuple, chosen.values()))


def groups_of(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks that have their turn: of one group each, where a tile sees no slice beyond those that it owns."""
    for block in blocks:
        along = block.along
        if len(block.tiles) + block.elsewhere > 1 or block.tiles[0].core[along] != block.tiles[0].window[along]:
            yield block
            continue
        for number, group in enumerate(block.groups, start=block.first):
            tiles = tuple(Tile(_cut(t.core, along, group), _cut(t.window, along, group)) for t in block.tiles)
            yield Block(tiles, (group,), along, first=number)


def _cut(box: Box, along: int, group: slice) -> Box:
    return (*box[:along], group, *box[along + 1 :])


def _scaled(view: View, by: float) -> View:
    style = view.style and replace(view.style, weight=view.style.weight * by)
    content = view.content and replace(view.content, weight=view.content.weight * by)
    return replace(view, style=style, content=content)
