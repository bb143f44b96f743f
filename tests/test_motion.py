"""The temporal term: its gradient, what it asks of broad differences, and what it trusts."""

from __future__ import annotations

import pytest
import torch
from tiny import numbers
from torch import Tensor

from tests.benchmarks.scenes import known_scene
from volstyle.motion import Link, TemporalTerm, estimate_motion


def still(height: int, width: int, trust: Tensor | None = None) -> Link:
    """Nothing moves between two frames."""
    flow = torch.zeros(1, 2, height, width, dtype=torch.float16)
    return Link(1, flow, torch.ones(1, 1, height, width, dtype=torch.uint8) if trust is None else trust)


def cost(samples: Tensor, *links: Link) -> float:
    return TemporalTerm(1.5, links, 0.1).add_gradient(samples, torch.zeros_like(samples))


def test_the_gradient_is_that_of_the_cost() -> None:
    """By central differences, exact at any step for a cost of squares; blocks are cut at the ends and by what is
    hidden."""
    generator = torch.Generator().manual_seed(0)
    flow = torch.randn(2, 2, 13, 19, generator=generator).half()
    trust = (torch.rand(2, 1, 13, 19, generator=generator) > 0.3).to(torch.uint8)
    term = TemporalTerm(1.5, (Link(1, flow, trust), Link(-1, flow.flip(0), trust)), 0.1)
    samples, along = numbers(3, 3, 13, 19).double(), numbers(3, 3, 13, 19, seed=1).double() - 0.5
    slope = torch.zeros_like(samples)
    term.add_gradient(samples, slope)
    ends = [term.add_gradient(samples + side * along, torch.zeros_like(samples)) for side in (1, -1)]
    assert float((slope * along).sum()) == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-5)


def test_a_change_of_brightness_costs_nine_times_a_grain_of_the_same_power() -> None:
    grain = torch.ones(1, 2, 20, 28) * 0.5
    broad = grain.clone()
    broad[:, 1] += 0.1
    y, x = torch.meshgrid(torch.arange(20), torch.arange(28), indexing="ij")
    grain[:, 1] += 0.1 * (1 - 2 * ((x + y) % 2))
    assert cost(broad, still(20, 28)) == pytest.approx(9 * cost(grain, still(20, 28)), rel=1e-4)


def test_what_is_hidden_costs_nothing_and_pulls_at_nothing() -> None:
    trust = torch.ones(1, 1, 16, 16, dtype=torch.uint8)
    trust[..., 5:11] = 0
    samples = torch.full((1, 2, 16, 16), 0.5)
    samples[:, 1, :, 5:11] = 1
    slope = torch.zeros_like(samples)
    assert TemporalTerm(1.0, (still(16, 16, trust),), 0.1).add_gradient(samples, slope) == 0
    assert not slope.any()


def test_borders_of_moving_things_are_trusted_when_asked() -> None:
    """The term sees nearly all that is to be seen; the judge, after Lai et al., leaves the borders out."""
    scene = known_scene(6, 96, 144)
    recall, precision = {}, {}
    for borders in (False, True):
        trusted = estimate_motion(scene.clip.samples, (1,), borders=borders)[0].trust[:, 0].bool()
        seen = scene.visible(1)
        recall[borders] = float((trusted & seen).sum() / seen.sum())
        precision[borders] = float((trusted & seen).sum() / trusted.sum())
    assert recall[True] > 0.98 > recall[False]
    assert precision[True] > 0.98
