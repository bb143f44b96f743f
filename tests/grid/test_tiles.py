"""Tiles are integers, so whatever the shape: every sample in one core, every feature owned once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, pairwise, product
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny import CPU, TAPS, tiny_network
from volstyle.engine.machine import Machine, bytes_per_sample, choose_core
from volstyle.errors import CapacityError
from volstyle.grid.tiles import Block, Shape, Tile, dealt, plan, shrink, spread


@dataclass(frozen=True)
class Plan:
    """A plan and what it was made of, for 1, 2 and 3 axes."""

    shape: Shape
    core: Shape
    stride: Shape
    halo: Shape
    group: int | None
    blocks: list[Block]

    def first(self, block: Block) -> int:
        """Which of the blocks has the same first group."""
        return [one.first for one in self.blocks].index(block.first)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    axes = draw(st.integers(1, 3))

    def each(of: st.SearchStrategy[int]) -> Shape:
        return tuple(draw(st.lists(of, min_size=axes, max_size=axes)))

    shape = each(st.integers(1, (300, 40, 20)[axes - 1]))
    stride = each(st.sampled_from((1, 2, 4, 8)))
    halo = tuple(step * count for step, count in zip(stride, each(st.integers(0, 3)), strict=True))
    core = tuple(step * count for step, count in zip(stride, each(st.integers(1, 5)), strict=True))
    along = draw(st.integers(0, axes - 1))
    group = draw(st.none() | st.integers(1, 6).map(lambda count: count * stride[along]))
    return Plan(shape, core, stride, halo, group, plan(shape, core, stride, halo, group, along))


def tiles(blocks: list[Block]) -> list[Tile]:
    return [tile for block in blocks for tile in block.tiles]


@given(plans())
def test_every_sample_is_in_one_core(found: Plan) -> None:
    shape, blocks = found.shape, found.blocks
    seen = torch.zeros(shape)
    for tile in tiles(blocks):
        seen[tile.core] += 1
    assert (seen == 1).all(), shape


@given(plans())
def test_cores_are_small_and_start_at_the_stride(found: Plan) -> None:
    core, stride, group, blocks = found.core, found.stride, found.group, found.blocks
    for tile in tiles(blocks):
        for side, most, step in zip(tile.core, core, stride, strict=True):
            assert side.start % step == 0
            # A group that is not larger than a core shares it with others, as far as they fit.
            assert 0 < side.stop - side.start <= (most if group is None else max(most, step))


@given(plans())
def test_windows_are_cores_with_halos_within_the_field(found: Plan) -> None:
    shape, stride, halo, blocks = found.shape, found.stride, found.halo, found.blocks
    for tile in tiles(blocks):
        for core, window, size, around, step in zip(tile.core, tile.window, shape, halo, stride, strict=True):
            assert window.start == max(0, core.start - around)
            assert window.start % step == 0
            assert min(core.stop + around, size) <= window.stop <= size
        inner = tile.core_in_window()
        assert torch.equal(torch.arange(prod(shape)).reshape(shape)[tile.window][inner],
                           torch.arange(prod(shape)).reshape(shape)[tile.core])  # fmt: skip
        assert tile.window_size == prod(side.stop - side.start for side in tile.window)


@pytest.mark.parametrize("ceil", [False, True], ids=["pooled", "strided"])
@given(found=plans())
def test_every_feature_is_owned_once(ceil: bool, found: Plan) -> None:
    """For the coarsest tap and all finer ones; pooling drops what is left at an end, a strided convolution not."""

    def features(size: int, step: int) -> int:
        return -(-size // step) if ceil else size // step

    shape, coarsest, blocks = found.shape, found.stride, found.blocks
    for divisor in (1, 2, 4, 8):
        stride = tuple(max(step // divisor, 1) for step in coarsest)
        seen = torch.zeros([features(size, step) for size, step in zip(shape, stride, strict=True)])
        for tile in tiles(blocks):
            sides = [features(w.stop - w.start, step) for w, step in zip(tile.window, stride, strict=True)]
            owned = tile.owned(stride, tuple(sides), shape)
            first = [w.start // step for w, step in zip(tile.window, stride, strict=True)]
            place = tuple(slice(o.start + f, o.stop + f) for o, f in zip(owned, first, strict=True))
            seen[place] += 1
            assert seen[place].shape == seen[tile.features(stride)].shape
        assert (seen == 1).all(), (shape, stride)


@given(plans())
def test_blocks_hold_whole_groups(found: Plan) -> None:
    shape, core, group, blocks = found.shape, found.core, found.group, found.blocks
    along = blocks[0].along
    frames = shape[along]
    size = min(group or frames, frames)
    groups = [frame for block in blocks for frame in block.groups]
    assert groups == [slice(at, min(at + size, frames)) for at in range(0, frames, size)]
    for block in blocks:
        within = {(tile.core[along].start, tile.core[along].stop) for tile in block.tiles}
        assert min(a for a, _ in within) == block.groups[0].start
        assert max(b for _, b in within) == block.groups[-1].stop
        assert len(block.groups) == 1 or block.groups[-1].stop - block.groups[0].start <= core[along]


def test_a_core_holds_as_many_groups_as_fit() -> None:
    """Groups of 3 frames in cores of 8: two to a block, and what is left."""
    blocks = plan((10, 4), (8, 4), (1, 1), (0, 0), 3)
    assert [[(g.start, g.stop) for g in block.groups] for block in blocks] == [[(0, 3), (3, 6)], [(6, 9), (9, 10)]]
    assert [len(block.tiles) for block in blocks] == [1, 1]


def test_a_field_that_fits_is_one_tile() -> None:
    ((tile,),) = (block.tiles for block in plan((5, 30, 40), (5, 32, 40), (1, 8, 8), (0, 16, 16)))
    assert tile.core == tile.window == (slice(0, 5), slice(0, 30), slice(0, 40))


def test_by_hand() -> None:
    """10 samples, cores of at most 4, stride 2, halo 2."""
    (block,) = plan((10,), (4,), (2,), (2,))
    assert [(t.core[0].start, t.core[0].stop) for t in block.tiles] == [(0, 4), (4, 8), (8, 10)]
    assert [(t.window[0].start, t.window[0].stop) for t in block.tiles] == [(0, 6), (2, 10), (6, 10)]
    assert block.tiles[1].owned((2,), (4,), (10,)) == (slice(1, 3),)
    assert block.groups == (slice(0, 10),)


@given(st.data())
def test_shrinking_ends_and_never_grows(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 3))

    def each(of: st.SearchStrategy[int]) -> Shape:
        return tuple(data.draw(st.lists(of, min_size=axes, max_size=axes)))

    field, stride = each(st.integers(1, 500)), each(st.sampled_from((1, 2, 8, 16)))
    halo = tuple(step * count for step, count in zip(stride, each(st.integers(0, 4)), strict=True))
    along = data.draw(st.integers(0, axes - 1))
    group = data.draw(st.sampled_from((None, stride[along], 3 * stride[along])))
    cores = list(islice(shrink(field, field, stride, halo, group, along), 200))
    assert len(cores) < 200
    assert cores[0] == field
    for before, after in pairwise(cores):
        assert sum(a < b for a, b in zip(after, before, strict=True)) == 1
        assert all(0 < a <= b for a, b in zip(after, before, strict=True))
    assert all(size <= max(step, 1) for size, step in zip(cores[-1], stride, strict=True))


def test_shrinking_takes_groups_apart_before_it_cuts_frames() -> None:
    """Frames of their own have no halo along time: halving them costs nothing."""
    cores = islice(shrink((8, 64, 64), (8, 64, 64), (1, 8, 8), (0, 16, 16), 1), 5)
    assert list(cores) == [(8, 64, 64), (4, 64, 64), (2, 64, 64), (1, 64, 64), (1, 32, 64)]


def test_smaller_tiles_are_chosen_for_less_memory() -> None:
    extractor = tiny_network(2).on(2)
    each = bytes_per_sample(extractor, TAPS, torch.float32)
    for windows in (64 * 64, 40 * 40, 20 * 20):
        machine = Machine(CPU, torch.float32, int(windows * each))
        core = choose_core(extractor, TAPS, machine, (64, 64), None)
        halo = extractor.reach(TAPS).halo
        largest = max(t.window_size for t in tiles(plan((64, 64), core, *extractor.reach(TAPS))))
        assert largest <= windows
        assert windows < 64 * 64 or core == (64, 64)
        assert all(h == 8 for h in halo)
    with pytest.raises(CapacityError, match="the smallest tile takes"):
        choose_core(extractor, TAPS, Machine(CPU, torch.float32, 1000), (64, 64), None)


def test_no_two_axes_are_mixed_up() -> None:
    """Strides, halos and cores that differ by axis stay with theirs."""
    blocks = plan((6, 40), (2, 16), (1, 8), (1, 8))
    assert [(t.core[0].start, t.core[1].start) for t in tiles(blocks)] == list(product((0, 2, 4), (0, 16, 32)))
    assert tiles(blocks)[4].window == (slice(1, 5), slice(8, 40))


# ---- several processes


@given(plans(), st.integers(1, 5))
def test_every_tile_is_dealt_once(found: Plan, count: int) -> None:
    """And a block of which a process has only a share is known to all of them, in one order."""
    hands = [dealt(found.blocks, index, count) for index in range(count)]
    of_all = [tile for hand in hands for tile in tiles(hand)]
    assert sorted(map(repr, of_all)) == sorted(map(repr, tiles(found.blocks)))
    cut = [[(block.first, block.groups) for block in hand if block.elsewhere] for hand in hands]
    assert all(one == cut[0] for one in cut)
    for hand in hands:
        for block in hand:
            assert len(block.tiles) + block.elsewhere == len(found.blocks[found.first(block)].tiles)
    assert sum(block.share for hand in hands for block in hand) == pytest.approx(len(found.blocks))


@pytest.mark.parametrize("count", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("field", [(4000,), (240, 320), (64, 80, 72), (24, 90, 160)], ids=len)
def test_all_have_about_as_much_to_do(field: Shape, count: int) -> None:
    stride, halo = (8,) * len(field), (8,) * len(field)
    core = spread(field, count, stride, halo)
    blocks = plan(field, core, stride, halo)
    work = [sum(block.work for block in dealt(blocks, index, count)) for index in range(count)]
    assert min(work) > 0.5 * max(work)
    assert max(work) < 2.5 * prod(field) / count  # halos


def test_frames_with_statistics_of_their_own_are_not_cut() -> None:
    """So that nothing but gradients must be exchanged."""
    core = spread((12, 96, 128), 4, (1, 8, 8), (0, 16, 16), 1)
    assert core == (3, 96, 128)
    assert [[block.elsewhere for block in dealt(plan((12, 96, 128), core, (1, 8, 8), (0, 16, 16), 1), index, 4)]
            for index in range(4)] == [[0]] * 4  # fmt: skip


def test_one_process_cuts_nothing() -> None:
    assert spread((30, 40), 1, (8, 8), (8, 8)) == (30, 40)
    blocks = plan((30, 40), (16, 16), (8, 8), (8, 8))
    assert dealt(blocks, 0, 1) == blocks
