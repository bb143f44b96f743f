"""The laws with the network that is used by default: the original VGG-19, in float64 on small fields."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.tiny import CPU, numbers, stylized, tiny_field
from volstyle.engine.blockwise import Evaluation, evaluate, plan_views, style_sums
from volstyle.engine.scene import Style
from volstyle.grid.tiles import plan
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import STATISTICS, gatys_distance, gram_sum
from volstyle.loss.terms import ContentTerm, StyleTerm
from volstyle.networks.extractor import Extractor, Network
from volstyle.networks.inflation import Placement
from volstyle.networks.registry import load_network
from volstyle.recipe import Recipe

STYLE = {"relu1_1": 1.0, "relu2_1": 0.5, "relu3_1": 2.0}
CONTENT = {"relu2_2": 1.0}
PLACEMENTS = {1: Placement((1,)), 2: Placement((0, 1)), 3: Placement(("mean", 0, 1))}
SHAPES = {1: (150,), 2: (72, 90), 3: (3, 40, 48)}


@cache
def network() -> Network:
    return load_network("vgg19").to(CPU, torch.float64)


@pytest.mark.parametrize("inflation", ["center", "mean"])
@pytest.mark.parametrize("own", [1, 2])
def test_constant_extension(own: int, inflation: str) -> None:
    flat = numbers(1, 3, *(40,) * own, seed=own, dtype=torch.float64)
    placed = network().placed(PLACEMENTS[own])
    raised = network().placed(Placement((inflation, *PLACEMENTS[own].axes)))
    before, after = placed(flat, STYLE), raised(flat[:, :, None].expand(1, 3, 4, *flat.shape[2:]), STYLE)
    for tap, features in before.items():
        assert_close(after[tap], features[:, :, None].expand_as(after[tap]), rtol=1e-9, atol=1e-9)
        assert_close(gram_sum(after[tap]), 4 * gram_sum(features), rtol=1e-9, atol=0)


def test_box_identity() -> None:
    clip = numbers(1, 3, 4, 20, 24, seed=3, dtype=torch.float64)
    fast, reference = network().placed(PLACEMENTS[3]), network().inflated(PLACEMENTS[3])
    taps = ["relu1_1", "relu2_1"]
    for tap, features in reference(clip, taps).items():
        assert_close(fast(clip, taps)[tap], features, rtol=1e-9, atol=1e-9)


def evaluated(
    extractor: Extractor, field: Tensor, content: Tensor, style: Tensor, kind: str, core: int
) -> Evaluation:
    """Cost and gradient of a field whose tiles own at most `core` samples a side."""
    shape, styles = tuple(field.shape[1:]), tuple(style.shape[1:])
    taps = frozenset(STYLE) | frozenset(CONTENT)
    reach = extractor.reach(taps)
    targets = style_sums(extractor, style, plan(styles, styles, *reach), STYLE)
    distance = gatys_distance if kind == "gatys" else STATISTICS[kind]
    source = SourceFeatures(extractor, content, CONTENT)
    scales = dict.fromkeys(CONTENT, 2.0) if kind == "gatys" else source.powers(plan(shape, shape, *reach))
    terms = StyleTerm(3.0, STYLE, targets, distance), ContentTerm(0.5, CONTENT, source, scales)
    objective = Objective((View(extractor, *terms),))
    cores = tuple(min(core, size) for size in shape)
    return evaluate(field, objective, plan_views(objective, shape, cores))


@pytest.mark.parametrize("kind", ["gram", "moments"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_tiles_are_the_whole(axes: int, kind: str) -> None:
    extractor = network().placed(PLACEMENTS[axes])
    field, content, style = (numbers(3, *SHAPES[axes], seed=seed, dtype=torch.float64) for seed in (4, 5, 6))
    whole = evaluated(extractor, field, content, style, kind, 10_000)
    tiled = evaluated(extractor, field, content, style, kind, 16)
    for term, cost in whole.costs.items():
        assert tiled.costs[term] == pytest.approx(cost, rel=1e-6)  # targets and sums are kept in float32
    assert_close(tiled.gradient, whole.gradient, rtol=0, atol=1e-5 * float(whole.gradient.abs().max()))


@pytest.mark.parametrize("kind", ["gram", "moments"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_zero_at_the_target(axes: int, kind: str) -> None:
    extractor = network().placed(PLACEMENTS[axes])
    field, other = (numbers(3, *SHAPES[axes], seed=seed, dtype=torch.float64) for seed in (7, 8))
    at, away = (evaluated(extractor, start, field, field, kind, 10_000) for start in (field, other))
    assert at.cost < 1e-10 < away.cost
    assert float(at.gradient.abs().max()) < 1e-4 * float(away.gradient.abs().max())


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_formula(axes: int) -> None:
    """J = α ½‖a(C) − a(G)‖² + β Σ_l λ_l ‖G(S) − G(G)‖²_F / (2 n_C Π n_i)², from features as they are."""
    extractor = network().placed(PLACEMENTS[axes])
    field, content, style = (numbers(3, *SHAPES[axes], seed=seed, dtype=torch.float64) for seed in (9, 10, 11))
    expected = {"style": 0.0, "content": 0.0}
    for tap, weight in STYLE.items():
        found, wanted = (extractor(samples[None], [tap])[tap][0].flatten(1) for samples in (field, style))
        scale = (2 * found.shape[0] * found.shape[1]) ** 2
        expected["style"] += 3.0 * weight * float((found @ found.T - wanted @ wanted.T).square().sum()) / scale
    for tap, weight in CONTENT.items():
        found, wanted = (extractor(samples[None], [tap])[tap] for samples in (field, content))
        expected["content"] += 0.5 * weight * float((found - wanted).square().sum()) / 2
    assert evaluated(extractor, field, content, style, "gatys", 10_000).costs == pytest.approx(expected, rel=1e-5)


def test_replay_gives_the_same_samples() -> None:
    content, style = tiny_field(40, 56, seed=12), Style(tiny_field(48, 40, seed=13))
    recipe = replace(Recipe().set("schedule.steps=3").set("schedule.smallest=40"), device="cpu")
    first, again = (stylized(content, [style], recipe) for _ in range(2))
    assert torch.equal(first.field.samples, again.field.samples)
    assert first.record.weights.startswith("c34748d2")
