"""Networks that paint: what they are built of, and that they look no further than they say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.tiny import numbers
from volstyle.engine.painting import in_tiles
from volstyle.errors import ShapeError
from volstyle.networks.generator import Plan, StageGenerator, _enlarging, _steepened
from volstyle.networks.inflation import Placement, from_blocks, to_blocks

ONE = torch.ones(1)


def painted(plan: Plan, seed: int = 0) -> StageGenerator:
    """A network that does something: one that is new adds nothing."""
    new = StageGenerator.new(plan, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    weights = {name: w + 0.05 * torch.randn(w.shape, generator=generator) for name, w in new.weights.items()}
    return replace(new, weights=weights)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_blocks_and_back(axes: int) -> None:
    slab = numbers(2, 3, *(8, 6, 4)[:axes])
    blocks = to_blocks(slab, (2,) * axes)
    assert blocks.shape == (2, 3 * 2**axes, *(4, 3, 2)[:axes])
    assert torch.equal(from_blocks(blocks, (2,) * axes), slab)


def test_blocks_of_two_axes_are_those_of_torch() -> None:
    slab = numbers(1, 3, 8, 12)
    assert torch.equal(to_blocks(slab, (2, 2)), torch.nn.functional.pixel_unshuffle(slab, 2))
    assert torch.equal(from_blocks(to_blocks(slab, (4, 4)), (4, 4)), slab)


@pytest.mark.parametrize("deep", [0, 8])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_new_network_adds_nothing(axes: int, deep: int) -> None:
    plan = Plan(axes=axes, width=4, deep=deep, residuals=1)
    painter = StageGenerator.new(plan, 0).painter(Placement(tuple(range(axes))), ONE)
    content, before = numbers(3, *(9, 10, 11)[:axes]), numbers(3, *(9, 10, 11)[:axes], seed=1)
    assert torch.equal(painter(content, before), before)


@pytest.mark.parametrize("deep", [0, 8])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_where_nothing_changes_nothing_is_painted(axes: int, deep: int) -> None:
    """No pattern that repeats with the blocks a network works in."""
    painter = painted(Plan(axes=axes, width=4, deep=deep, residuals=1)).painter(Placement(tuple(range(axes))), ONE)
    flat = torch.full((3, *(16,) * axes), 0.3)
    made = painter(flat, flat)
    assert (made - flat).abs().max() > 1e-3
    assert made.flatten(1).std(1).max() < 1e-6


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_kernel_that_enlarges_is_one_after_linear_interpolation(axes: int, times: int) -> None:
    kernel, slab = numbers(2, 4, *(3,) * axes).double(), numbers(1, 4, *(5, 6, 7)[:axes]).double()
    ones = (1,) * axes
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    kind = ("linear", "bilinear", "trilinear")[axes - 1]

    def convolved(slab: Tensor, kernel: Tensor) -> Tensor:
        return convolve(functional.pad(slab, 2 * ones, mode="replicate"), kernel)

    at_once = from_blocks(convolved(slab, _enlarging(kernel, times)), (times,) * axes)
    enlarged = functional.interpolate(slab, scale_factor=times, mode=kind, align_corners=False)
    torch.testing.assert_close(at_once, convolved(enlarged, kernel), atol=1e-12, rtol=0)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gains_grow_what_is_made_of_changes_and_nothing_else(axes: int) -> None:
    kernel, gains = numbers(4, 2, *(3,) * axes), torch.tensor([0.0, 0.5, -0.25, 1.0])
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    steep, slab = _steepened(kernel, gains), numbers(1, 2, *(9,) * axes)
    flat = torch.full_like(slab, 0.7)
    torch.testing.assert_close(convolve(flat, steep), convolve(flat, kernel))
    averages = convolve(slab, kernel.mean(tuple(range(2, 2 + axes)), keepdim=True).expand_as(kernel))
    grown = (1 + gains).view(-1, *(1,) * axes) * (convolve(slab, kernel) - averages)
    torch.testing.assert_close(convolve(slab, steep), averages + grown, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gains_can_take_the_pattern_of_blocks_away(axes: int) -> None:
    """What is rectified after linear interpolation has a mean for each place in a block, unless all vary alike."""
    kernel = _enlarging(numbers(1, 3, *(3,) * axes) - 0.5, 2)
    widths = tuple(range(2, 2 + axes))
    flat = kernel.mean(widths, keepdim=True).expand_as(kernel)
    still, moving = (each.square().flatten(1).sum(1) for each in (flat, kernel - flat))
    alike = ((1.2 * (still + moving).max() - still) / moving).sqrt() - 1  # the same variance under white noise
    sides = ((20_000,), (150, 150), (30, 30, 30))[axes - 1]
    noise = torch.randn(1, 3, *sides, generator=torch.Generator().manual_seed(0))
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]

    def pattern(gains: Tensor) -> float:
        made = convolve(noise, _steepened(kernel, gains)).relu()
        return float(made.mean((0, *widths)).var() / made.var())

    assert pattern(torch.zeros(2**axes)) > 100 * pattern(alike)


def test_a_deep_network_paints_by_its_gains() -> None:
    network, content = painted(Plan(width=4, deep=6, residuals=1)), numbers(3, 12, 16)
    weights = {**network.weights, "up.gain": network.weights["up.gain"] + 0.5}
    made, other = (
        each.painter(Placement((0, 1)), ONE)(content, content)
        for each in (network, replace(network, weights=weights))
    )
    assert (made - other).abs().max() > 1e-4


def test_frames_of_a_clip_are_painted_each_for_itself() -> None:
    painter = painted(Plan(width=4, residuals=1)).painter(Placement(("center", 0, 1)), ONE)
    clip = numbers(3, 4, 12, 16)
    alone = torch.cat([painter(clip[:, t : t + 1], clip[:, t : t + 1]) for t in range(4)], dim=1)
    assert torch.allclose(painter(clip, clip), alone, atol=1e-6)


@pytest.mark.parametrize("deep", [0, 6])
@pytest.mark.parametrize("shape", [(301,), (70, 93), (203, 5, 6)])
def test_a_large_field_in_tiles_is_the_same_as_at_once(shape: tuple[int, ...], deep: int) -> None:
    axes = len(shape)
    painter = painted(Plan(axes=axes, width=4, deep=deep, residuals=1)).painter(Placement(tuple(range(axes))), ONE)
    content, before = numbers(3, *shape), numbers(3, *shape, seed=1)
    whole = in_tiles(painter, content, before)
    tiles = in_tiles(painter, content, before, most=content[0].numel() // 5)
    assert torch.allclose(tiles, whole, atol=1e-5)


def test_a_tile_needs_its_halo() -> None:
    """What lies beyond the halo is not seen; what lies within it, but for a stride or two, is."""
    painter = painted(Plan(axes=1, width=4, residuals=1)).painter(Placement((0,)), ONE)
    (stride,), (halo,) = painter.cut
    content = numbers(3, 200)
    changed = content.clone()
    changed[:, 100] += 0.5
    apart = (painter(changed, content) - painter(content, content)).abs().sum(0).nonzero()[:, 0]
    assert 100 - halo <= int(apart.min()) <= 100 - halo + 2 * stride
    assert 100 + halo - 2 * stride <= int(apart.max()) <= 100 + halo


def test_styles_blend_by_their_shares() -> None:
    network = painted(Plan(width=4, residuals=1, styles=2))
    placement = Placement((0, 1))
    content = numbers(3, 12, 16)

    def made(*shares: float) -> Tensor:
        return network.painter(placement, torch.tensor(shares, dtype=torch.float32))(content, content)

    first, second, half = made(1, 0), made(0, 1), made(0.5, 0.5)
    assert (first - second).abs().max() > 1e-3
    assert (half - first).abs().max() > 1e-4


def test_a_style_goes_on_as_it_was_and_another_begins_as_the_mean_of_all() -> None:
    placement, content = Placement((0, 1)), numbers(3, 12, 16)
    network = painted(Plan(width=4, deep=6, residuals=1, styles=3))
    begun = network.begun([None, 2])
    assert {name: tuple(weight.shape) for name, weight in begun.weights.items()} == begun.plan.shapes()

    def made(by: StageGenerator, *shares: float) -> Tensor:
        return by.painter(placement, torch.tensor(shares))(content, content)

    torch.testing.assert_close(made(begun, 1.0, 0.0), made(network, 1 / 3, 1 / 3, 1 / 3))
    torch.testing.assert_close(made(begun, 0.0, 1.0), made(network, 0.0, 0.0, 1.0))


def test_other_channels_are_refused() -> None:
    painter = StageGenerator.new(Plan(), 0).painter(Placement((0, 1)), ONE)
    with pytest.raises(ShapeError, match="1 channels, must be 3"):
        painter(numbers(1, 8, 8), numbers(1, 8, 8))
