"""Any part of an endless solid, whichever other parts are made."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.tiny import CPU, numbers
from volstyle.engine import endless
from volstyle.engine.endless import EndlessSolid, doubled
from volstyle.engine.machine import Machine
from volstyle.errors import ShapeError
from volstyle.grid.resample import resize
from volstyle.grid.tiles import Box
from volstyle.networks.generator import Plan, StageGenerator

MACHINE = Machine(CPU, torch.float32, 2**30)


def generators(*plans: Plan) -> list[StageGenerator]:
    """Networks whose kernels are all random, so that they look as far as they can."""
    made = []
    for number, plan in enumerate(plans):
        generator = StageGenerator.new(plan, number)
        weights = {
            name: 0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
            for name, weight in generator.weights.items()
        }
        made.append(StageGenerator(plan, weights))
    return made


def solid(plans: Sequence[Plan], seed: int = 0, period: tuple[int, ...] | None = None) -> EndlessSolid:
    return EndlessSolid.of(generators(*plans), seed, MACHINE, period)


def at(*starts: int, size: int = 12) -> Box:
    return tuple(slice(start, start + size) for start in starts)


PLANES = (Plan(2, 1, width=4, residuals=1),) * 2
SPACE = (
    Plan(3, 1, width=3, residuals=1),
    Plan(3, 1, width=3, residuals=1),
    Plan(3, 1, block=1, width=3, residuals=1),
)
DEEP = (Plan(3, 2, width=3, deep=4, residuals=1), Plan(3, 2, width=3, residuals=1))


@pytest.mark.parametrize("plans", [PLANES, SPACE, DEEP], ids=["planes", "space", "deep"])
def test_parts_that_overlap_agree(plans: tuple[Plan, ...]) -> None:
    axes = plans[0].axes
    made = solid(plans)
    one, other = made.part(at(*[-5] * axes, size=16)), made.part(at(*[2] * axes, size=11))
    inner = (slice(None), *[slice(7, 16)] * axes)
    assert one.std() > 0.01
    assert torch.allclose(one[inner], other[(slice(None), *[slice(0, 9)] * axes)], atol=1e-5)


def test_a_part_by_pieces_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    made, box = solid(SPACE), (slice(-3, 20), slice(0, 9), slice(100, 117))
    whole = made.part(box)
    monkeypatch.setattr(endless, "_TILE", 8)
    pieces = torch.full_like(whole, -1)
    for place, samples in made.pieces(box):
        pieces[(slice(None), *place)] = samples
    assert made.count(box) == 3 * 2 * 3
    assert torch.allclose(pieces, whole, atol=1e-5)


def test_far_away_and_with_another_seed_it_is_another() -> None:
    made = solid(SPACE)
    here = made.part(at(0, 0, 0))
    others: list[Tensor] = [made.part(at(2**29, 0, -(2**29))), solid(SPACE, seed=1).part(at(0, 0, 0))]
    for other in others:
        assert (other - here).abs().mean() > 0.1 * here.std()


@pytest.mark.parametrize("plans", [SPACE, DEEP])
def test_a_periodic_solid_begins_again(plans: tuple[Plan, ...]) -> None:
    period = (16, 8, 24)
    made = solid(plans, period=period)
    one = made.part(tuple(slice(0, side) for side in period))
    for axis, side in enumerate(period):
        begins = [0, 0, 0]
        begins[axis] = side
        other = made.part(tuple(slice(start, start + size) for start, size in zip(begins, period, strict=True)))
        assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(one, solid(plans).part(tuple(slice(0, side) for side in period)), atol=1e-3)


def test_a_period_that_cuts_a_block_is_refused() -> None:
    assert solid(SPACE).grain == 8 and solid(DEEP).grain == 8
    with pytest.raises(ShapeError, match="periodic: 16x16x12 samples, each side must be a multiple of 8"):
        solid(SPACE, period=(16, 16, 12))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_grid_twice_as_fine_is_that_of_lines(axes: int) -> None:
    coarse = numbers(2, *[7] * axes)
    inner = (slice(None), *[slice(2, -2)] * axes)
    wanted = resize(coarse, (14,) * axes, kind="linear")[inner]
    assert torch.allclose(doubled(coarse), wanted, atol=1e-6)


def test_the_finest_samples_are_not_held_and_what_they_are_made_of_is() -> None:
    """Phases are cut of them, and samples that are held to [0, 1] are alike."""
    made = solid(SPACE)
    finest, (_, coarse) = made.part(at(0, 0, 0)), made.given(at(0, 0, 0), 2)
    assert finest.min() < -0.01 or finest.max() > 1.01
    assert coarse.min() >= 0 and coarse.max() <= 1
