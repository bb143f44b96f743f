"""Runs that the estimate before them must not stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.tiny import stylized
from volstyle.engine.estimate import estimate
from volstyle.engine.machine import choose_budget
from volstyle.engine.outline import outline
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.errors import RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.recipe import NetworkChoice, Recipe, ScheduleChoice

RECIPE = Recipe(network=NetworkChoice("random"), schedule=ScheduleChoice(steps=2), precision="float32")


def flat(*shape: int, axes: tuple[Axis, ...] | None = None) -> Field:
    names = ("z", "y", "x")[3 - len(shape) :]
    return Field(torch.full((3, *shape), 0.5), axes or tuple(map(Axis, names)))


@pytest.mark.parametrize("shape", [(408, 408), (8, 120, 408)])
def test_a_periodic_field_is_measured_on_a_piece_that_fits(shape: tuple[int, ...]) -> None:
    """Half of 408 is no multiple of 8, the stride of the network, though 408 is."""
    content = flat(*shape)
    run = outline(content, replace(RECIPE, periodic=True))
    assert estimate(Part(content, (Style(flat(64, 64)),)), run).seconds > 0


def test_a_periodic_scan_is_measured_on_the_grid_that_is_optimized() -> None:
    """Its 5 slices become 16, so that samples are as far apart along all axes."""
    steps = (Axis("z", 3.2, "mm"), Axis("y", 1.0, "mm"), Axis("x", 1.0, "mm"))
    content = flat(5, 64, 96, axes=steps)
    run = outline(content, replace(RECIPE, periodic=True))
    assert run.stages[-1].shape == (16, 64, 96)
    assert estimate(Part(content, (Style(flat(64, 64)),)), run).seconds > 0


def test_lbfgs_may_have_nothing_to_do() -> None:
    """Content and style are the same gray: the first gradient is 0, and one evaluation is all there is."""
    content, style = flat(64, 64), Style(flat(64, 64))
    recipe = replace(RECIPE, smoothness=0.0, init="content").set("optimizer.name=lbfgs")
    assert estimate(Part(content, (style,)), outline(content, recipe)).seconds > 0
    result = stylized(content, [style], recipe)
    torch.testing.assert_close(result.field.samples, content.samples, atol=1e-3, rtol=0)


@pytest.mark.parametrize("amount", ["999999999999GB", "9" * 400 + "GB", "8388608TB"])
def test_amounts_beyond_any_machine(amount: str) -> None:
    with pytest.raises(RecipeError, match="is more than any machine has; write 4GB or 512MB, or auto"):
        choose_budget(amount, torch.device("cpu"))


def test_a_volume_of_one_slice_is_looked_at_in_that_slice() -> None:
    content = flat(1, 64, 64)
    recipe = RECIPE.set("network.inflation=planes")
    run = outline(content, recipe)
    assert run.recipe.network.inflation == "center" and len(run.extractors) == 1
    assert outline(flat(16, 64, 64), recipe).recipe.network.inflation == "planes"
