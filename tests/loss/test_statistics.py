"""Sums over positions and the distances between them, with numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.errors import ShapeError
from volstyle.loss.statistics import (
    STATISTICS,
    Sums,
    blended,
    feature_sums,
    gatys_distance,
    gram_distance,
    gram_sum,
    joined,
    moments_distance,
    w2_distance,
)

# Two channels of three positions: N = 3, ΣF = (6, 1), ΣFFᵀ = ((14, 5), (5, 5)).
ROWS = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 2.0]])


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1), (1, 3, 1)])
def test_sums_by_hand(shape: tuple[int, ...]) -> None:
    found = feature_sums(ROWS.reshape(1, 2, *shape))
    assert found.count.tolist() == [3]
    assert found.first.tolist() == [[6, 1]]
    assert found.second.tolist() == [[[14, 5], [5, 5]]]
    assert gram_sum(ROWS.reshape(1, 2, *shape)).tolist() == [[14, 5], [5, 5]]
    assert found.means().first.tolist() == [[2, pytest.approx(1 / 3)]]
    # E x² − (E x)²: 14/3 − 4, 5/3 − 2/3, 5/3 − 1/9
    torch.testing.assert_close(found.covariance(), torch.tensor([[[2 / 3, 1.0], [1.0, 14 / 9]]]))


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 3, 1)])
def test_weighted_sums_by_hand(shape: tuple[int, ...]) -> None:
    weights = torch.tensor([[1.0, 1.0, 1.0], [2.0, 0.5, 0.0]]).reshape(2, *shape)
    found = feature_sums(ROWS.reshape(1, 2, *shape), weights)
    assert found.count.tolist() == [3, 2.5]
    assert found.first.tolist() == [[6, 1], [3, -2]]
    assert found.second.tolist() == [[[14, 5], [5, 5]], [[4, -2], [-2, 2]]]


def test_sums_are_float32_or_better() -> None:
    half = feature_sums(torch.full((1, 1, 4096), 1.0, dtype=torch.bfloat16))
    assert half.second.dtype == torch.float32
    assert float(half.second) == 4096  # bfloat16 could not count that far
    assert feature_sums(torch.ones(1, 1, 4, dtype=torch.float64)).second.dtype == torch.float64


def test_sums_refuse_a_batch_and_weights_of_other_positions() -> None:
    with pytest.raises(ShapeError, match="a batch of 2 fields, must be 1"):
        gram_sum(torch.zeros(2, 3, 4))
    with pytest.raises(ShapeError, match=r"positions \(5,\), features have \(4,\)"):
        feature_sums(torch.zeros(1, 3, 4), torch.ones(1, 5))


def test_sums_of_disjoint_positions_add() -> None:
    whole = numbers(1, 4, 11, 7, dtype=torch.float64)
    parts = feature_sums(whole[:, :, :4]) + feature_sums(whole[:, :, 4:])
    for found, expected in zip(vars(parts).values(), vars(feature_sums(whole)).values(), strict=True):
        torch.testing.assert_close(found, expected)


def sums(values: list[list[float]]) -> Sums:
    return feature_sums(torch.tensor([values]))


def test_gram_distance_by_hand() -> None:
    # Mean Gram of (1, 3) is 5, that of (2) is 4: (5 − 4)² / 4².
    assert gram_distance(sums([[1, 3]]), sums([[2]])).tolist() == [1 / 16]


def test_moments_distance_by_hand() -> None:
    # (1, 3): mean 2, variance 1. (0, 8): mean 4, variance 16. (2−4)²/16 + (1−16)²/256.
    assert moments_distance(sums([[1, 3]]), sums([[0, 8]])).tolist() == [pytest.approx(4 / 16 + 225 / 256)]


def test_w2_distance_by_hand() -> None:
    # One channel: (μ − μ̂)² + (σ − σ̂)², over μ̂² + σ̂²; the floor of 1e-4 moves it a little.
    assert w2_distance(sums([[1, 3]]), sums([[0, 8]])).tolist() == [pytest.approx((4 + 9) / 32, rel=1e-3)]


def test_w2_distance_of_covariances_that_commute() -> None:
    """Diagonal covariances: Σ (σ − σ̂)² over channels; means are equal."""
    found = Sums(torch.ones(1), torch.zeros(1, 2), torch.diag(torch.tensor([4.0, 9.0]))[None])
    target = Sums(torch.ones(1), torch.zeros(1, 2), torch.diag(torch.tensor([1.0, 16.0]))[None])
    assert w2_distance(found, target).tolist() == [pytest.approx((1 + 1) / 17, rel=1e-3)]


def test_w2_distance_of_covariances_that_do_not() -> None:
    """tr (Σ̂^½ Σ Σ̂^½)^½ is the sum of the roots of the eigenvalues of ΣΣ̂."""
    a, b = (feature_sums(numbers(1, 4, 50, seed=seed, dtype=torch.float64)) for seed in (1, 2))
    wide, wide_target = a.covariance()[0], b.covariance()[0]
    overlap = torch.linalg.eigvals(wide @ wide_target).real.sqrt().sum()
    apart = (a.means().first - b.means().first).square().sum()
    power = b.means().first.square().sum() + wide_target.trace()
    expected = (apart + wide.trace() + wide_target.trace() - 2 * overlap) / power
    assert float(w2_distance(a, b)) == pytest.approx(float(expected), rel=1e-2)


def test_w2_has_a_gradient_where_a_covariance_is_singular() -> None:
    """Fewer positions than channels, and at the target itself."""
    target = feature_sums(numbers(1, 6, 3, seed=1))
    for found in (target, feature_sums(numbers(1, 6, 2, seed=2))):
        leaf = found.leaf()
        w2_distance(leaf, target).sum().backward()
        slope = leaf.slope()
        assert slope.first.isfinite().all()
        assert slope.second.isfinite().all()


def test_gatys_distance_by_hand() -> None:
    # G = 1 + 9 = 10 over 2 positions; the target's 4 over 1 becomes 8: (10 − 8)² / (2·1·2)².
    assert gatys_distance(sums([[1, 3]]), sums([[2]])).tolist() == [4 / 16]


@pytest.mark.parametrize("kind", STATISTICS)
def test_relative_distances_do_not_change_with_the_scale_of_features(kind: str) -> None:
    a, b = numbers(1, 4, 50, seed=1, dtype=torch.float64), numbers(1, 4, 40, seed=2, dtype=torch.float64)
    one = STATISTICS[kind](feature_sums(a), feature_sums(b))
    ten = STATISTICS[kind](feature_sums(10 * a), feature_sums(10 * b))
    torch.testing.assert_close(one, ten)
    assert float(one) > 1e-3


@pytest.mark.parametrize("kind", STATISTICS)
def test_nothing_in_common_costs_about_one(kind: str) -> None:
    nothing = feature_sums(torch.zeros(1, 4, 50))
    found = float(STATISTICS[kind](nothing, feature_sums(numbers(1, 4, 50))))
    assert found == pytest.approx(2 if kind == "moments" else 1, rel=0.01)


@pytest.mark.parametrize("kind", [*STATISTICS.values(), gatys_distance])
def test_groups_are_measured_apart_and_share_a_target(kind: object) -> None:
    assert callable(kind)
    groups = [feature_sums(numbers(1, 3, 20, seed=seed, dtype=torch.float64)) for seed in (1, 2)]
    target = feature_sums(numbers(1, 3, 30, seed=3, dtype=torch.float64))
    together: Tensor = kind(joined(groups), target)
    torch.testing.assert_close(together, torch.cat([kind(group, target) for group in groups]))
    torch.testing.assert_close(together, kind(joined(groups), joined([target, target])))


def test_a_blend_mixes_positions() -> None:
    """Weights 1 and 3 of means 2 and 6, second moments 5 and 40."""
    found = blended([sums([[1, 3]]), sums([[4, 8]])], [1, 3])
    assert found.first.tolist() == [[(2 + 3 * 6) / 4]]
    assert found.second.tolist() == [[[(5 + 3 * 40) / 4]]]
    assert float(found.covariance()) == 125 / 4 - 25


def test_a_blend_does_not_count_positions() -> None:
    few, many = sums([[1.0]]), feature_sums(torch.full((1, 1, 1000), 3.0))
    assert float(blended([few, many], [1, 1]).first) == pytest.approx(2)


def test_what_a_cost_does_not_depend_on_has_slope_zero() -> None:
    leaf = sums([[1, 3]]).leaf()
    gram_distance(leaf, sums([[2]])).backward()
    # d/dΣ ((Σ/2 − 4)² / 16) = (5 − 4)/16
    assert leaf.slope().second.tolist() == [[[1 / 16]]]
    assert leaf.slope().first.tolist() == [[0]]


def test_an_empty_group_has_finite_means() -> None:
    empty = feature_sums(torch.zeros(1, 2, 0))
    assert all(math.isfinite(x) for x in empty.means().first.flatten().tolist())
