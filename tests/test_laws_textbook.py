"""Law 5: the textbook's formula gives the numbers that were worked out by hand, for any number of axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import stylized, tiny_field
from volstyle.engine.blockwise import Evaluation, evaluate, plan_views, style_sums
from volstyle.engine.scene import Style
from volstyle.grid.tiles import plan
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import gatys_distance
from volstyle.loss.terms import ContentTerm, StyleTerm
from volstyle.networks.extractor import Network
from volstyle.networks.layers import Chain, Convolution, Normalization, Rectifier
from volstyle.recipe import ContentChoice, Recipe, ScheduleChoice, StyleChoice

#
# Two channels of four positions. Their layout over 1, 2 or 3 axes changes none of these numbers.
#
#   G: a1 = 1 0 2 1   a2 = 0 1 1 3     G11 = 1+0+4+1 = 6   G12 = 0+0+2+3 = 5   G22 = 0+1+1+9 = 11
#   S: a1 = 1 1 0 0   a2 = 2 0 1 1     G11 = 1+1+0+0 = 2   G12 = 2+0+0+0 = 2   G22 = 4+0+1+1 = 6
#   C: a1 = 1 1 2 1   a2 = 0 1 0 1
#
#   J_style = ((6-2)² + 2·(5-2)² + (11-6)²) / (2·2·4)² = (16 + 18 + 25) / 256 = 59/256
#   J_content = ½ ((0-1)² + (1-0)² + (3-1)²) = ½ · 6 = 3

LAYOUTS = {1: (4,), 2: (2, 2), 3: (1, 2, 2)}
RESULT = ((1, 0, 2, 1), (0, 1, 1, 3))
STYLE = ((1, 1, 0, 0), (2, 0, 1, 1))
CONTENT = ((1, 1, 2, 1), (0, 1, 0, 1))


def transparent(axes: int) -> Network:
    """Features are the samples (tap "once"), then twice the samples (tap "twice"), at every position."""
    one = torch.eye(2).reshape(2, 2, *(1,) * axes)
    point: dict[str, Any] = {"bias": torch.zeros(2), "stride": (1,) * axes, "replicate": (True,) * axes}
    layers = (
        Normalization(torch.zeros(2), torch.ones(2)),
        Convolution(kernel=one, **point),
        Rectifier(2, "once"),
        Convolution(kernel=2 * one, **point),
        Rectifier(2, "twice"),
    )
    return Network("transparent", "none", axes, 2, Chain(layers), {"once": 1.0}, {"once": 1.0})


def laid_out(values: tuple[tuple[int, ...], ...], shape: tuple[int, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(2, *shape)


def textbook(
    axes: int,
    *,
    alpha: float = 0.0,
    beta: float = 0.0,
    taps: Mapping[str, float],
    style: Tensor | None = None,
    core: tuple[int, ...] | None = None,
) -> Evaluation:
    shape = LAYOUTS[axes]
    extractor = transparent(axes).on(axes)
    style = laid_out(STYLE, shape) if style is None else style
    blocks = plan(tuple(style.shape[1:]), tuple(style.shape[1:]), *extractor.reach(taps))
    source = SourceFeatures(extractor, laid_out(CONTENT, shape), taps)
    view = View(
        extractor,
        StyleTerm(beta, taps, style_sums(extractor, style, blocks, taps), gatys_distance) if beta else None,
        ContentTerm(alpha, taps, source, dict.fromkeys(taps, 2.0)) if alpha else None,
    )
    objective = Objective((view,))
    return evaluate(laid_out(RESULT, shape), objective, plan_views(objective, shape, core or shape))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_style_cost(axes: int) -> None:
    assert textbook(axes, beta=1, taps={"once": 1}).cost == pytest.approx(59 / 256, rel=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_content_cost_and_gradient(axes: int) -> None:
    found = textbook(axes, alpha=1, taps={"once": 1})
    assert found.cost == pytest.approx(3, rel=1e-6)
    slope = laid_out(((0, -1, 0, 0), (0, 0, 1, 2)), LAYOUTS[axes])  # of ½‖a − b‖²: a − b
    slope = torch.where(laid_out(RESULT, LAYOUTS[axes]) > 0, slope, 0.0)  # what ReLU stops
    torch.testing.assert_close(found.gradient, slope)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_sum_of_taps_alpha_and_beta(axes: int) -> None:
    """Features twice as large: Gram matrices 4 times, J_style 16 times, J_content 4 times."""
    found = textbook(axes, alpha=10, beta=5, taps={"once": 1, "twice": 0.5})
    assert found.costs["style"] == pytest.approx(5 * (59 / 256 + 0.5 * 16 * 59 / 256), rel=1e-6)
    assert found.costs["content"] == pytest.approx(10 * (3 + 0.5 * 4 * 3), rel=1e-6)
    assert found.cost == pytest.approx(sum(found.costs.values()))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_in_tiles(axes: int) -> None:
    core = (1,) * axes
    assert textbook(axes, beta=1, taps={"once": 1}, core=core).cost == pytest.approx(59 / 256, rel=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_style_of_another_size(axes: int) -> None:
    """S: a1 = 1 1, a2 = 2 0: (2, 2, 4), over 2 positions and times 4: (4, 4, 8). (2² + 2·1² + 3²) / 256."""
    style = laid_out(((1, 1), (2, 0)), (1,) * (axes - 1) + (2,))
    assert textbook(axes, beta=1, taps={"once": 1}, style=style).cost == pytest.approx(15 / 256, rel=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_through_stylize(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are eighths of the integers above: contents by 8², Gram matrices by 8², style costs by 8⁴."""
    monkeypatch.setattr("volstyle.engine.outline.load_network", lambda *_, **__: transparent(axes))
    fields = [
        replace(tiny_field(*LAYOUTS[axes], channels=2), samples=laid_out(values, LAYOUTS[axes]) / 8)
        for values in (CONTENT, STYLE, RESULT)
    ]
    recipe = Recipe(
        scaling="gatys",
        content=ContentChoice(weight=10.0),
        style=StyleChoice(weight=5e3, taps={"once": 1.0, "twice": 0.5}),
        schedule=ScheduleChoice(steps=1),
        precision="float32",
        device="cpu",
    )
    content, style, init = fields
    (stage,) = stylized(content, [Style(style)], recipe, init=init).record.stages
    assert stage.costs["content"] == [pytest.approx(10 * 3 / 64, rel=1e-5)]
    assert stage.costs["style"] == [pytest.approx(5e3 * 9 * 59 / 256 / 4096, rel=1e-5)]
