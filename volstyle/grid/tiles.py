"""Where a field is cut, in integers only.

A tile owns a core and looks at a window, the core and a halo around it. Cores are disjoint, cover the field
and start at multiples of the stride, so each feature is owned by one tile; windows are padded by the network
only where they end with the field. Cores are gathered into blocks: a block is a set of tiles whose statistics
belong together, because they hold all the positions of the groups in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

Shape = tuple[int, ...]
Box = tuple[slice, ...]


@dataclass(frozen=True)
class Tile:
    """core: samples whose features it owns; window: samples those features need. Slices of the field."""

    core: Box
    window: Box

    @property
    def window_size(self) -> int:
        return prod(side.stop - side.start for side in self.window)

    def core_in_window(self) -> Box:
        """The core as slices of the window."""
        return tuple(
            slice(core.start - window.start, core.stop - window.start)
            for core, window in zip(self.core, self.window, strict=True)
        )

    def owned(self, stride: Shape, features: Shape, field: Shape) -> Box:
        """The features it owns, as slices of its window's features.

        stride: of the features; features: shape of those of the window; field: shape of the field. The last
        tile along an axis owns all that is left; that of a continued field the cell that its end cuts too.
        """
        return tuple(
            slice(
                (core.start - window.start) // step,
                count if core.stop == end else -(-(core.stop - window.start) // step),
            )
            for core, window, step, count, end in zip(self.core, self.window, stride, features, field, strict=True)
        )

    def features(self, stride: Shape) -> Box:
        """The core's features as slices of the whole field's; the end may lie beyond the last one."""
        return tuple(
            slice(core.start // step, -(-core.stop // step)) for core, step in zip(self.core, stride, strict=True)
        )


@dataclass(frozen=True)
class Block:
    """Tiles that hold all positions of some groups of frames, or of other slices.

    groups: the samples along one axis of each group, disjoint and in order; a single tile may hold many.
    along: that axis, 0 the first. first: the number of its first group among those of all blocks. elsewhere: how
    many more tiles the block has, which other processes see to.
    """

    tiles: tuple[Tile, ...]
    groups: tuple[slice, ...]
    along: int = 0
    first: int = 0
    elsewhere: int = 0

    @property
    def share(self) -> float:
        """The part of the block's tiles that are here, from 0 to 1."""
        return len(self.tiles) / (len(self.tiles) + self.elsewhere)

    @property
    def work(self) -> float:
        """Samples that run through a network and back; several tiles run forward twice, which is a third more."""
        return sum(tile.window_size for tile in self.tiles) * (4 / 3 if len(self.tiles) > 1 else 1)


def plan(
    field: Shape, core: Shape, stride: Shape, halo: Shape, group: int | None = None, along: int = 0
) -> list[Block]:
    """Cut a field into blocks of tiles.

    core: the largest core, at least one stride; stride, halo: of the features, halo a multiple of stride.
    group: how many samples along an axis share statistics, a multiple of its stride; None is all of them.
    """
    frames = field[along]
    group = frames if group is None else min(group, frames)
    # A block is as many whole groups as one core holds, or one group however many cores that takes.
    span = max(core[along] // group, 1) * group
    blocks: list[Block] = []
    for start in range(0, frames, span):
        stop = min(start + span, frames)
        spans = [slice(start, stop) if axis == along else slice(0, size) for axis, size in enumerate(field)]
        sides = [_cut(*axis) for axis in zip(spans, field, core, stride, halo, strict=True)]
        tiles = tuple(Tile(tuple(c for c, _ in place), tuple(w for _, w in place)) for place in product(*sides))
        groups = tuple(slice(at, min(at + group, stop)) for at in range(start, stop, group))
        blocks.append(Block(tiles, groups, along, first=start // group))
    return blocks


def dealt(blocks: Sequence[Block], index: int, count: int) -> list[Block]:
    """What the process of an index, from 0, sees to when `count` of them share some blocks.

    Whole blocks if there are enough, since the sums of a block need not leave the process that has all of its
    tiles; else tiles of each block, and then every process gets all blocks that are cut, with few tiles or none.
    """
    if len(blocks) >= count:
        return [block for number, block in enumerate(blocks) if number * count // len(blocks) == index]
    found = []
    for number, block in enumerate(blocks):
        every = len(block.tiles)
        own = tuple(t for at, t in enumerate(block.tiles) if (number + at * count // every) % count == index)
        if own or every > 1:
            found.append(replace(block, tiles=own, elsewhere=every - len(own)))
    return found


def spread(
    field: Shape, count: int, stride: Shape, halo: Shape, group: int | None = None, along: int = 0
) -> Shape:
    """The largest core with which `count` processes are done soonest: of the ways to cut axes into as many pieces,
    that in which the one with most to do has least."""
    if count == 1:
        return field
    steps = tuple(
        step if group is None or axis != along else min(group, field[along]) for axis, step in enumerate(stride)
    )
    cores = [
        tuple(-(-size // (many * step)) * step for size, many, step in zip(field, pieces, steps, strict=True))
        for pieces in _factored(count, len(field))
    ]

    def longest(core: Shape) -> float:
        blocks = plan(field, core, stride, halo, group, along)
        return max(sum(block.work for block in dealt(blocks, index, count)) for index in range(count))

    return min(cores, key=longest)


def _factored(number: int, axes: int) -> Iterator[Shape]:
    """All ways to write a number as a product of as many factors as there are axes."""
    if axes == 1:
        yield (number,)
        return
    for factor in range(1, number + 1):
        if number % factor == 0:
            yield from ((factor, *rest) for rest in _factored(number // factor, axes - 1))


def wrapped(blocks: Iterable[Block], margin: Shape, halo: Shape) -> list[Block]:
    """The same cores in a field continued by `margin` on every side, with whole windows: none is at an end.

    margin: at least the halo, a multiple of the stride.
    """

    def moved(span: slice, by: int, around: int = 0) -> slice:
        return slice(span.start + by - around, span.stop + by + around)

    return [
        replace(
            block,
            tiles=tuple(
                Tile(
                    tuple(moved(side, by) for side, by in zip(tile.core, margin, strict=True)),
                    tuple(moved(*sides) for sides in zip(tile.core, margin, halo, strict=True)),
                )
                for tile in block.tiles
            ),
            groups=tuple(moved(group, margin[block.along]) for group in block.groups),
        )
        for block in blocks
    ]


def _cut(span: slice, size: int, most: int, stride: int, halo: int) -> list[tuple[slice, slice]]:
    """Cores of at most `most` samples, as equal as the stride allows, and their windows."""
    length = span.stop - span.start
    pieces = max(1, -(-length // max(most, stride)))
    step = -(-length // (pieces * stride)) * stride
    return [
        (slice(at, min(at + step, span.stop)), slice(max(0, at - halo), min(at + step + halo, size)))
        for at in range(span.start, span.stop, step)
    ]


def shrink(
    core: Shape, field: Shape, stride: Shape, halo: Shape, group: int | None, along: int = 0
) -> Iterator[Shape]:
    """Smaller and smaller cores: first fewer groups, then the axis whose halving adds the least halo."""
    core = tuple(min(c, f) for c, f in zip(core, field, strict=True))
    while True:
        yield core
        costs = {}
        for axis, (size, step, around) in enumerate(zip(core, stride, halo, strict=True)):
            half = -(-(size // 2) // step) * step
            if group is not None and axis == along and half > group:
                half = half // group * group
            if 0 < half < size:
                costs[(half + 2 * around) / (size + 2 * around), axis] = half
        if not costs:
            return
        (_, axis), half = min(costs.items())
        core = (*core[:axis], half, *core[axis + 1 :])
