"""A part of the slices at each step: all have their turn, and what lies between them goes with them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.engine.blockwise import Plans, evaluate
from volstyle.engine.outline import outline
from volstyle.engine.scene import Scene, Style
from volstyle.engine.targets import stage_objective
from volstyle.engine.turns import comb, groups_of, turn, turns
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


def turned(share: float, size: int = 16, frames: int = 1) -> tuple[Objective, Plans, Tensor]:
    content = Field(numbers(1, size, size, size), SPACE)
    style = Style(Field(numbers(1, 24, 24, seed=1), SPACE[1:]))
    run = outline(content, RECIPE.updated({"style": {"share": share, "frames": frames}}))
    scene = Scene.prepare(content, [style], keep_colors=False, coherent=False)
    fixed = torch.zeros(size, dtype=torch.bool)
    return *stage_objective(scene, run.stages[-1], run, (), fixed), content.samples


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small volumes, too, are seen by a part of their slices."""
    monkeypatch.setattr("volstyle.engine.turns.LEAST", 4)


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.parametrize("frames", [1, 4])
def test_turns_add_up_to_the_whole(frames: int) -> None:
    """Their costs, and the sums of their gradients."""
    objective, plans, samples = turned(0.25, frames=frames)
    whole = evaluate(samples, objective, plans)
    few = [evaluate(samples, *now) for now in islice(turns(objective, plans, 0.25, seed=0), 4)]
    assert sum(found.cost for found in few) / 4 == pytest.approx(whole.cost, rel=1e-4)
    assert len({found.cost for found in few}) == 4
    (same,) = islice(turns(objective, plans, 1.0, seed=0), 1)
    assert same == (objective, plans)


@pytest.mark.usefixtures("few_are_enough")
def test_what_lies_between_goes_with_the_slices_that_are_seen() -> None:
    """In what is broad, and there alone; the last one stands for those beyond it."""
    objective, plans, samples = turned(0.25)
    objective, plans = replace(objective, views=objective.views[1:2]), plans[1:2]
    whole = evaluate(samples, objective, plans).gradient.movedim(2, 0)
    objective, plans = next(turns(objective, plans, 0.25, seed=0))
    seen = objective.views[0].seen
    assert seen is not None
    assert len(seen) == 4
    assert objective.views[0].along == 1
    found = evaluate(samples, objective, plans).gradient.movedim(2, 0)
    # Costs count 4 times, and what is broad on a slice goes to 4 slices; what is fine comes every 4th time.
    broad = mean_around(mean_around(whole, 5), 5)
    assert_same(found[list(seen)], broad[list(seen)] + 2 * (whole - broad)[list(seen)])
    assert_same(found[seen[0] + 1], 0.75 * broad[seen[0]] + 0.25 * broad[seen[1]])
    beyond = 0 if seen[0] else 15
    assert_same(found[beyond], broad[seen[0 if seen[0] else -1]])


def test_a_single_turn_leaves_the_gradient_where_it_is_found() -> None:
    """So that the mean over all shifts is the whole's, for samples that a network makes."""
    objective, plans, samples = turned(0.25)
    objective, plans = replace(objective, views=objective.views[:1]), plans[:1]
    whole = evaluate(samples, objective, plans)
    found = {}
    for seed in range(40):
        one = evaluate(samples, *turn(objective, plans, 0.25, seed))
        seen = one.gradient.abs().sum((0, 2, 3)) > 0
        assert seen.sum() == 4
        found[tuple(seen.tolist())] = one
    assert len(found) == 4
    assert sum(one.cost for one in found.values()) / 4 == pytest.approx(whole.cost, rel=1e-4)
    assert_same(torch.stack([one.gradient for one in found.values()]).mean(0), whole.gradient)
    assert turn(objective, plans, 1.0, 0) == (objective, plans)


def test_a_step_looks_at_enough_slices_of_each_axis() -> None:
    assert [comb(slices, 1, 0.1, 32) for slices in (16, 48, 64, 128, 256, 512)] == [1, 1, 2, 4, 8, 10]
    assert comb(256, 1, 0.5, 32) == 2
    assert [comb(groups, 16, 0.1, 32) for groups in (1, 4, 16)] == [1, 2, 8]


@pytest.mark.usefixtures("few_are_enough")
def test_opposite_ends_that_meet_are_no_slices_of_their_own() -> None:
    """What lies beyond an end is the other end, and gets no gradient of slices across it."""
    content = Field(numbers(1, 16, 16, 16), SPACE)
    run = outline(content, RECIPE.updated({"periodic": True, "style": {"frames": 1}}))
    style = Style(Field(numbers(1, 24, 24, seed=1), SPACE[1:]))
    scene = Scene.prepare(content, [style], keep_colors=False, coherent=False)
    objective, plans = stage_objective(scene, run.stages[-1], run, (), torch.zeros(16, dtype=torch.bool))
    objective, plans = replace(objective, views=objective.views[:1]), plans[:1]
    whole = evaluate(content.samples, objective, plans).gradient
    objective, plans = next(turns(objective, plans, 0.25, seed=0))
    assert objective.margin is not None
    assert objective.views[0].seen is not None
    seen = [place - objective.margin[0] for place in objective.views[0].seen]
    found = evaluate(content.samples, objective, plans).gradient
    sums, own = found.sum((0, 2, 3)), whole.sum((0, 2, 3))
    torch.testing.assert_close(sums[[0, -1]], own[[seen[0], seen[-1]]], rtol=0.02, atol=0)


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
