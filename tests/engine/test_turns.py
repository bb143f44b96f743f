"""A part of the slices at each step: all have their turn, and what lies between them goes with them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.engine.blockwise import Plans, evaluate, plan_views
from volstyle.engine.estimate import stage_work
from volstyle.engine.outline import outline
from volstyle.engine.scene import Scene, Style
from volstyle.engine.targets import stage_objective
from volstyle.engine.turns import comb, fewest, groups_of, turn, turns
from volstyle.errors import RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.tiles import plan
from volstyle.loss.objective import Objective
from volstyle.networks.inflation import mean_around
from volstyle.recipe import Recipe

SPACE = tuple(Axis(name) for name in "zyx")
RECIPE = Recipe().updated(
    {
        "network": {"name": "random", "inflation": "planes"},
        "content": {"weight": 0.0},
        "style": {"share": 0.25},
        "smoothness": 0.0,
        "precision": "float32",
    }
)


def turned(
    share: float, size: int = 16, frames: int = 1, periodic: bool = False, by: int = 0
) -> tuple[Objective, Plans, Tensor]:
    """What is minimized for a volume, rolled by so many slices."""
    content = Field(numbers(1, size, 16, 16).roll(by, 1), SPACE)
    style = Style(Field(numbers(1, 24, 24, seed=1), SPACE[1:]))
    choices = {"style": {"share": share, "frames": frames}, "periodic": periodic}
    run = outline(content, RECIPE.updated(choices))
    scene = Scene.prepare(content, [style], keep_colors=False, coherent=False)
    fixed = torch.zeros(size, dtype=torch.bool)
    return *stage_objective(scene, run.stages[-1], run, (), fixed), content.samples


def one_view(objective: Objective, plans: Plans, number: int) -> tuple[Objective, Plans]:
    return replace(objective, views=objective.views[number : number + 1]), plans[number : number + 1]


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small volumes, too, are seen by a part of their slices."""
    monkeypatch.setattr("volstyle.engine.turns.LEAST", 4)


@pytest.mark.usefixtures("few_are_enough")
def test_costs_of_all_turns_are_those_of_the_whole() -> None:
    objective, plans, samples = turned(0.25)
    whole = evaluate(samples, objective, plans)
    few = [evaluate(samples, *now) for now in islice(turns(objective, plans, 0.25, seed=0), 4)]
    assert sum(found.cost for found in few) / 4 == pytest.approx(whole.cost, rel=1e-4)
    assert len({found.cost for found in few}) == 4
    (same,) = islice(turns(objective, plans, 1.0, seed=0), 1)
    assert same == (objective, plans)


def test_groups_of_several_slices_keep_their_gradient() -> None:
    """No slice is near enough to the others to go with them: the mean over all turns is the whole's."""
    objective, plans, samples = turned(0.25, frames=4)
    whole = evaluate(samples, objective, plans)
    few = [evaluate(samples, *now) for now in islice(turns(objective, plans, 0.25, seed=0), 4)]
    assert_same(torch.stack([found.gradient for found in few]).mean(0), whole.gradient)
    assert sum(found.cost for found in few) / 4 == pytest.approx(whole.cost, rel=1e-4)


def test_slices_in_several_tiles_have_their_turn_together() -> None:
    """As when several processes share them."""
    objective, _, samples = turned(0.5)
    objective = replace(objective, views=objective.views[:1])
    plans = plan_views(objective, (16, 16, 16), (4, 16, 8))
    assert {len(block.groups) for block in plans[0]} == {4}
    assert {len(block.tiles) for block in plans[0]} == {2}
    whole = evaluate(samples, objective, plans)
    found = [evaluate(samples, *turn(objective, plans, 0.5, seed)) for seed in range(8)]
    costs = sorted({round(one.cost, 6) for one in found})
    assert len(costs) == 2
    assert min(costs) > 0.5 * max(costs)  # neither is all of the slices, or none
    assert sum(costs) / 2 == pytest.approx(whole.cost, rel=1e-4)


@pytest.mark.usefixtures("few_are_enough")
def test_what_lies_between_goes_with_the_slices_that_are_seen() -> None:
    """In what is broad, and there alone; the last one stands for those beyond it."""
    objective, plans, samples = turned(0.25)
    objective, plans = one_view(objective, plans, 1)
    whole = evaluate(samples, objective, plans).gradient.movedim(2, 0)
    objective, plans = next(turns(objective, plans, 0.25, seed=0))
    seen = objective.views[0].seen
    assert seen is not None
    assert (len(seen), seen.step) == (4, 4)
    assert objective.views[0].along == 1
    found = evaluate(samples, objective, plans).gradient.movedim(2, 0)
    # Costs count 4 times, and what is broad on a slice goes to 4 slices; what is fine comes every 4th time.
    broad = mean_around(mean_around(whole, 5), 5)
    assert_same(found[list(seen)], broad[list(seen)] + 2 * (whole - broad)[list(seen)])
    assert_same(found[seen[0] + 1], 0.75 * broad[seen[0]] + 0.25 * broad[seen[1]])
    beyond = 0 if seen[0] else 15
    assert_same(found[beyond], broad[seen[0 if seen[0] else -1]])


@pytest.mark.usefixtures("few_are_enough")
def test_where_ends_meet_it_is_the_same_wherever_they_are() -> None:
    """Rolling a periodic volume rolls its gradient."""
    found = []
    for by in (0, 8):
        objective, plans, samples = turned(0.25, periodic=True, by=by)
        objective, plans = one_view(objective, plans, 0)
        few = [evaluate(samples, *now).gradient for now in islice(turns(objective, plans, 0.25, seed=0), 4)]
        found.append(torch.stack(few).mean(0).roll(-by, 1))
    assert_same(*found)


@pytest.mark.parametrize("size", [16, 18])
def test_a_single_turn_leaves_the_gradient_where_it_is_found(size: int) -> None:
    """So that the mean over all shifts is the whole's, for samples that a network makes."""
    objective, plans, samples = turned(0.25, size)
    objective, plans = one_view(objective, plans, 0)
    whole = evaluate(samples, objective, plans)
    found = {}
    for seed in range(40):
        one = evaluate(samples, *turn(objective, plans, 0.25, seed))
        seen = one.gradient.abs().sum((0, 2, 3)) > 0
        assert seen.sum() in (4, 5)
        found[tuple(seen.tolist())] = one
    assert len(found) == 4
    assert sum(one.cost for one in found.values()) / 4 == pytest.approx(whole.cost, rel=1e-4)
    assert_same(torch.stack([one.gradient for one in found.values()]).mean(0), whole.gradient)
    assert turn(objective, plans, 1.0, 0) == (objective, plans)


def test_a_step_looks_at_enough_slices_of_each_axis() -> None:
    assert [comb(slices, 0.1, 32) for slices in (16, 48, 64, 128, 256, 512)] == [1, 1, 2, 4, 8, 10]
    assert comb(256, 0.5, 32) == 2
    assert [comb(groups, 0.1, fewest(16)) for groups in (1, 4, 16)] == [1, 4, 10]


def test_a_group_that_has_its_turn_keeps_its_number() -> None:
    """By which it takes its own of styles that change over time."""
    blocks = plan((8, 4, 4), (4, 4, 4), (1, 1, 1), (0, 1, 1), 2)
    assert [block.first for block in blocks] == [0, 2]
    found = list(groups_of(blocks))
    assert [(block.first, block.groups) for block in found] == [
        (number, (slice(2 * number, 2 * number + 2),)) for number in range(4)
    ]


def test_what_no_share_is_is_said() -> None:
    for changes, message in (
        ({"style": {"share": 0.0}}, "style.share is 0.0, must be above 0 and at most 1"),
        ({"style": {"share": 0.5}, "optimizer": {"name": "lbfgs"}}, "lbfgs must look at all slices"),
    ):
        with pytest.raises(RecipeError, match=message):
            Recipe().updated(changes).check()


def test_a_clip_is_looked_at_whole() -> None:
    clip = Field(numbers(3, 4, 24, 24), (Axis("t"), *SPACE[1:]))
    with pytest.raises(RecipeError, match="must be 1 for a clip"):
        outline(clip, Recipe().updated({"network": {"name": "random"}, "style": {"share": 0.5}}))


def test_work_is_that_of_the_slices_that_have_their_turn() -> None:
    """Along each axis of 48 samples a third is enough, and when a style is learned the share alone counts."""
    volume = Field(torch.empty(1, 48, 48, 48, device="meta"), SPACE)
    whole, few = (outline(volume, RECIPE.updated({"style": {"share": share}})) for share in (1.0, 0.1))
    assert stage_work(few)[-1] == pytest.approx(stage_work(whole)[-1] / 3)
    assert stage_work(few, least=1)[-1] == pytest.approx(stage_work(whole)[-1] / 10)
