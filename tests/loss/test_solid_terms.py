"""Terms that make a solid behave as its sections do: zero at the target, right gradients, exact numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.grid.phases import Phases
from volstyle.loss.solid_terms import LeaningTerm, correlations, planes_across, solid_terms, variation
from volstyle.recipe import SolidChoice

ALL = SolidChoice(two_point=1.0, values=1.0, variation=1.0, lags=3)


def sections_of(solid: Tensor) -> dict[int, list[Tensor]]:
    """All planes of a solid, as if each axis had that many sections."""
    return {axis: [planes_across(solid, axis)] for axis in range(3)}


@pytest.mark.parametrize("periodic", [False, True])
def test_each_gradient_is_that_of_its_cost(periodic: bool) -> None:
    solid = numbers(2, 6, 7, 8, dtype=torch.float64)
    other = numbers(2, 9, 9, 9, seed=1, dtype=torch.float64)
    for name, term in solid_terms(ALL, (6, 7, 8), sections_of(other), periodic=periodic).items():
        gradient, place, step = torch.zeros_like(solid), (1, 2, 3, 4), 1e-5
        assert term.add_gradient(solid, gradient) > 0
        ends = []
        for sign in (1, -1):
            moved = solid.clone()
            moved[place] += sign * step
            ends.append(term.add_gradient(moved, torch.zeros_like(solid)))
        assert float(gradient[place]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4), name


def test_a_solid_costs_nothing_beside_all_its_own_planes() -> None:
    solid = (numbers(1, 8, 8, 8, dtype=torch.float64) > 0.6).double()
    for name, term in solid_terms(ALL, (8, 8, 8), sections_of(solid), periodic=False).items():
        gradient = torch.zeros_like(solid)
        assert term.add_gradient(solid, gradient) == pytest.approx(0, abs=1e-9), name
        assert float(gradient.abs().max()) < 1e-7, name


def three_phases(*sides: int, seed: int = 0) -> Tensor:
    """(3, *sides): samples of three phases, drawn."""
    phases = Phases(torch.arange(3.0), torch.ones(3) / 3)
    return phases.seen(
        torch.randint(3, (1, *sides), generator=torch.Generator().manual_seed(seed)).float()
    ).double()


def test_several_phases_are_seen_nearer_to_what_they_will_be() -> None:
    solid = three_phases(8, 8, 8)
    terms = solid_terms(ALL, (8, 8, 8), sections_of(solid), periodic=False)
    assert {name for name, term in terms.items() if isinstance(term, LeaningTerm)} == {"two points", "variation"}
    for name, term in terms.items():
        gradient = torch.zeros_like(solid)
        assert term.add_gradient(solid, gradient) == pytest.approx(0, abs=1e-9), name
        assert float(gradient.abs().max()) < 1e-6, name
    gray, place, step = numbers(3, 8, 8, 8, dtype=torch.float64), (1, 2, 3, 4), 1e-5
    for name in ("two points", "variation"):
        gradient, ends = torch.zeros_like(gray), []
        terms[name].add_gradient(gray, gradient)
        for sign in (1, -1):
            moved = gray.clone()
            moved[place] += sign * step
            ends.append(terms[name].add_gradient(moved, torch.zeros_like(gray)))
        assert float(gradient[place]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4), name


def test_sections_that_are_not_of_phases_are_seen_as_they_are() -> None:
    smaller = three_phases(8, 8, 8).unfold(1, 2, 2).unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5, 6))
    two = (numbers(1, 8, 8, 8) > 0.6).float()
    for solid in (smaller, two):
        found = solid_terms(ALL, tuple(solid.shape[1:]), sections_of(solid), periodic=False)
        assert not any(isinstance(term, LeaningTerm) for term in found.values())


def test_correlations_are_means_over_pairs() -> None:
    plane = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    found = correlations(plane[None, None], (1, 2))[0]
    assert found[1].tolist() == pytest.approx([4 / 6, 1 / 4, 1 / 2], abs=1e-6)  # along a row
    assert found[2].tolist() == pytest.approx([1 / 3, 1 / 2, 0.0], abs=1e-6)  # a row further: 1·1, 0·1, 1·0; …
    around = correlations(plane[None, None], (0, 1), periodic=True)[0, 0]
    assert around.tolist() == pytest.approx([4 / 6, 2 / 6], abs=1e-6)


def test_variation_counts_neighbors_that_are_not_alike() -> None:
    plane = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])[None, None]
    assert float(variation(plane, 0)) == pytest.approx(2 / 3)
    assert float(variation(plane, 1)) == pytest.approx(3 / 4)
