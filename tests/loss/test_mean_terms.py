"""Terms that hold in the mean over pieces."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import numbers
from volstyle.loss.mean_terms import MeanTerm, Measuring, in_the_mean, named
from volstyle.loss.objective import Objective
from volstyle.loss.solid_terms import VariationTerm, solid_terms
from volstyle.loss.terms import SmoothnessTerm
from volstyle.recipe import SolidChoice

CHOICE = SolidChoice(two_point=3.0, values=2.0, variation=1.0, lags=4)
SECTIONS = {axis: [numbers(2, 1, 12, 12, seed=axis)] for axis in range(3)}
TERMS = solid_terms(CHOICE, (8, 8, 8), SECTIONS)


@pytest.mark.parametrize("name", TERMS)
def test_the_cost_of_what_is_measured_is_that_of_the_samples(name: str) -> None:
    samples, term = numbers(2, 9, 9, 9, seed=5), TERMS[name]
    if name == "two points":  # where both look about the sections' mean
        every = torch.cat([found[0].flatten(1) for found in SECTIONS.values()], 1)
        samples += (every.mean(1) - samples.flatten(1).mean(1)).view(-1, 1, 1, 1)
    assert isinstance(term, Measuring)
    wanted = torch.zeros_like(samples)
    cost = term.add_gradient(samples, wanted)
    found = torch.zeros_like(samples)
    again = MeanTerm(term, (), 1.0, []).add_gradient(samples, found)
    if name == "two points":
        assert again == pytest.approx(cost, rel=1e-4)
        assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))
    else:  # of which others are measured: shares for quantiles, and even and odd samples apart
        assert again > 0
        assert (found * wanted).sum() > 0.3 * found.norm() * wanted.norm()


def test_a_pattern_that_repeats_with_blocks_is_seen() -> None:
    """What varies between blocks of two samples alone has the variation of what does so everywhere."""
    steps = torch.arange(8) // 2 % 2
    blocks = steps.float().expand(1, 8, 8, 8)
    near = torch.tensor([[3 / 7, 1.0, 3 / 5, 0.0]])
    term = VariationTerm(1.0, {2: near[:, 0]}, near={2: near})
    assert term.add_gradient(blocks, torch.zeros_like(blocks)) == pytest.approx(0, abs=1e-9)
    assert float(term.cost(term.measure(blocks))) > 0.2


def test_correlations_about_a_mean_of_their_own_do_not_move_it() -> None:
    """What a piece is to have in two points it has in each gray."""
    term, samples = TERMS["two points"], numbers(2, 9, 9, 9, seed=5)
    assert isinstance(term, Measuring)
    costs = [float(term.cost(term.measure(samples + shift))) for shift in (0.0, 0.3)]
    assert costs[0] > 0.1 and costs[1] == pytest.approx(costs[0], rel=0.2)


def test_pieces_that_are_right_in_the_mean_cost_nothing() -> None:
    term = TERMS["values"]
    assert isinstance(term, Measuring)
    right = torch.stack([SECTIONS[axis][0].flatten(1) for axis in range(3)], 2).flatten(1).sort(1).values
    dark, bright = (half.reshape(2, 6, 6, 6) for half in right.chunk(2, 1))
    told: list[torch.Tensor] = []
    assert MeanTerm(term, (), 0.5, told).add_gradient(dark, torch.zeros_like(dark)) > 0.5
    gradient = torch.zeros_like(bright)
    assert MeanTerm(term, tuple(told), 0.5, told).add_gradient(bright, gradient) == pytest.approx(0, abs=1e-9)
    assert gradient.abs().max() < 1e-6


def test_means_have_names_and_other_terms_stay() -> None:
    smooth = SmoothnessTerm(1.0, (0, 1, 2), False)
    objective = Objective((), {**TERMS, "smoothness": smooth})
    samples, means = numbers(2, 9, 9, 9), dict[str, torch.Tensor]()
    for _ in range(2):
        steadied, told = in_the_mean(objective, means, 0.1)
        for term in steadied.sample_terms.values():
            term.add_gradient(samples, torch.zeros_like(samples))
        means = named(told)
    assert steadied.sample_terms["smoothness"] is smooth
    assert sorted(means) == [
        *("two points.0", "two points.1", "two points.2", "two points.3", "values.0"),
        *("variation.0", "variation.1", "variation.2"),
    ]
