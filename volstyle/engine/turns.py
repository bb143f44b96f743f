"""Every so many-th slice of a volume at each step: a step costs a part, and all slices have their turn.

A volume has as many slices along each axis as it has samples, and neighbors ask for almost the same. So a step
looks at a comb of slices along each axis, shifted at random, and what lies between goes with them (`between`).
Gutierrez et al. 2020 train their generator of solids with random slices, whose gradient a network carries on to
all others. Terms of the samples themselves cost little and count whole. What was tried stands in
tests/benchmarks/slices.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from volstyle.engine.blockwise import Plans
from volstyle.grid.tiles import Block, Box, Tile
from volstyle.loss.objective import Objective

LEAST = 16
"""Slices along an axis that a step looks at, at least, where those between go with them. Groups of several slices
leave no slice near enough to go with them: what is found stays where it is."""


def comb(groups: int, share: float, least: int) -> int:
    """One in how many groups of slices along an axis a step looks at. share, least: what part of the groups, and
    how many of them, at least."""
    return max(1, min(round(1 / share), groups // least))


def fewest(group: int | None) -> int:
    """How many groups of so many slices a step looks at, at least."""
    return LEAST if group == 1 else 1


def turns(objective: Objective, plans: Plans, share: float, seed: int) -> Iterator[tuple[Objective, Plans]]:
    """What to evaluate at each step, without an end: of each view a comb of its groups of slices, whose shifts
    take turns in a random order. Costs are scaled, so that their mean over steps is the whole's.

    plans: of this process, where several share the evaluation: all choose the same, and each sees to those of the
    chosen that it has. share: of the slices, at least; 1 is all at each step. seed: of which come when.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = [comb(len(view.groups), share, fewest(view.group)) for view in objective.views]
    shifts = [_shifts(step, generator) for step in steps]
    while True:
        yield _seen(objective, plans, steps, [next(each) for each in shifts])


def turn(objective: Objective, plans: Plans, share: float, seed: int) -> tuple[Objective, Plans]:
    """Such a comb, once, of the share and no more, whose gradient stays where it is found: for samples that are
    made of few numbers, which carry it on to all."""
    generator = torch.Generator().manual_seed(seed)
    steps = [comb(len(view.groups), share, 1) for view in objective.views]
    found, chosen = _seen(objective, plans, steps, [next(_shifts(step, generator)) for step in steps])
    return replace(found, views=tuple(replace(view, seen=None) for view in found.views)), chosen


def _shifts(step: int, generator: torch.Generator) -> Iterator[int]:
    while True:
        yield from torch.randperm(step, generator=generator).tolist()


def _seen(objective: Objective, plans: Plans, steps: list[int], shifts: list[int]) -> tuple[Objective, Plans]:
    """One in so many groups of each view, with the weights of all."""
    views, chosen = [], []
    for view, blocks, step, shift in zip(objective.views, plans, steps, shifts, strict=True):
        groups = range(shift, len(view.groups), step)
        if step == 1:
            views.append(view)
            chosen.append(blocks)
            continue
        style = view.style and replace(view.style, weight=view.style.weight * step)
        content = view.content and replace(view.content, weight=view.content.weight * step)
        seen = range(view.groups[shift].start, view.groups[-1].stop, step) if view.group == 1 else None
        views.append(replace(view, style=style, content=content, seen=seen))
        chosen.append(tuple(block for block in groups_of(blocks) if block.first in groups))
    return replace(objective, views=tuple(views)), tuple(chosen)


def groups_of(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks that have their turn: of one group each, where a tile sees no slice beyond those that it owns."""
    for block in blocks:
        along = block.along
        if any(tile.core[along] != tile.window[along] for tile in block.tiles):
            yield block
            continue
        for number, group in enumerate(block.groups, start=block.first):
            tiles = tuple(Tile(_cut(t.core, along, group), _cut(t.window, along, group)) for t in block.tiles)
            yield Block(tiles, (group,), along, number, block.elsewhere)


def _cut(box: Box, along: int, group: slice) -> Box:
    return (*box[:along], group, *box[along + 1 :])
