"""A part of the slices at each step: all have their turn, and the mean over turns is the whole."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from tests.tiny import numbers
from volstyle.engine.blockwise import evaluate
from volstyle.engine.outline import outline
from volstyle.engine.scene import Scene, Style
from volstyle.engine.targets import stage_objective
from volstyle.engine.turns import groups_of, turns
from volstyle.errors import RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.tiles import plan
from volstyle.recipe import Recipe

SPACE = tuple(Axis(name) for name in "zyx")
RECIPE = Recipe().updated(
    {
        "network": {"name": "random", "inflation": "planes"},
        "content": {"weight": 0.0},
        "style": {"frames": 4, "share": 0.25},
        "smoothness": 0.0,
        "precision": "float32",
    }
)


def test_turns_add_up_to_the_whole() -> None:
    content = Field(numbers(1, 16, 16, 16), SPACE)
    style = Style(Field(numbers(1, 24, 24, seed=1), SPACE[1:]))
    run = outline(content, RECIPE)
    scene = Scene.prepare(content, [style], keep_colors=False, coherent=False)
    objective, plans = stage_objective(scene, run.stages[-1], run, (), torch.zeros(16, dtype=torch.bool))
    whole = evaluate(content.samples, objective, plans)
    few = [evaluate(content.samples, *now) for now in islice(turns(objective, plans, 0.25, seed=0), 4)]
    assert sum(found.cost for found in few) / 4 == pytest.approx(whole.cost, rel=1e-4)
    mean = torch.stack([found.gradient for found in few]).mean(0)
    torch.testing.assert_close(mean, whole.gradient, rtol=1e-3, atol=1e-5 * float(whole.gradient.abs().max()))
    assert len({found.cost for found in few}) == 4
    (same,) = islice(turns(objective, plans, 1.0, seed=0), 1)
    assert same == (objective, plans)


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
        ({"style": {"share": 0.5}, "optimizer": {"name": "lbfgs"}}, "at which lbfgs finds no way"),
    ):
        with pytest.raises(RecipeError, match=message):
            Recipe().updated(changes).check()
