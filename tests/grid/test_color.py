"""Colors of one field given to another."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import numbers
from volstyle.grid.color import NOISE, Colors


def _others(channels: int) -> torch.Tensor:
    others = numbers(channels, 40, 30, seed=1) ** 3
    if channels == 3:
        others[1] += 0.5 * others[0]
    return others


def test_colors_are_means_and_covariances() -> None:
    samples = _others(3)
    colors = Colors.of(samples)
    torch.testing.assert_close(colors.mean.float(), samples.flatten(1).mean(1))
    torch.testing.assert_close(colors.spread.float(), samples.flatten(1).cov(correction=0))


@pytest.mark.parametrize("channels", [1, 3])
def test_means_and_covariances_are_those_of_the_other(channels: int) -> None:
    samples, others = numbers(channels, 9, 12, 5), _others(channels)
    moved, wanted = Colors.of(others).given_to(samples).flatten(1), others.flatten(1)
    torch.testing.assert_close(moved.mean(1), wanted.mean(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.cov(correction=0), wanted.cov(correction=0), atol=1e-4, rtol=0)


def test_what_has_the_colors_already_is_not_moved() -> None:
    samples = numbers(3, 16, 20)
    torch.testing.assert_close(Colors.of(samples).given_to(samples), samples, atol=1e-4, rtol=0)


def test_of_all_linear_maps_it_is_the_one_that_moves_least() -> None:
    """Its matrix is symmetric and positive, as that of Monge and Kantorovich's map is: no red turns into blue."""
    probe = torch.cat((torch.eye(3), torch.zeros(3, 1)), 1)
    moved = Colors.of(_others(3)).given_to(probe, Colors.of(numbers(3, 9, 12)))
    move = moved[:, :3] - moved[:, 3:]
    torch.testing.assert_close(move, move.T, atol=1e-5, rtol=0)
    assert torch.linalg.eigvalsh(move).min() > 0


def test_a_field_of_one_color_becomes_another() -> None:
    moved = Colors.of(torch.full((3, 8, 8), 0.7)).given_to(torch.full((3, 4, 4), 0.2))
    torch.testing.assert_close(moved, torch.full((3, 4, 4), 0.7))


def test_noise_is_not_raised_to_what_varies() -> None:
    """A gray photograph with a faint noise in its colors stays nearly gray beside a colorful painting."""
    gray = numbers(1, 30, 40).expand(3, 30, 40) + 0.004 * (numbers(3, 30, 40, seed=2) - 0.5)

    def tints(colors: torch.Tensor) -> float:
        away = (colors - colors.mean(0)).flatten(1)
        return float((away - away.mean(1, keepdim=True)).std())

    painting = Colors.of(numbers(3, 30, 40, seed=3))
    assert tints(painting.given_to(gray, noise=NOISE)) < 0.02
    assert tints(painting.given_to(gray)) > 0.1


def test_the_colors_of_a_part_may_be_those_of_the_whole() -> None:
    whole, goal = numbers(3, 10, 20), Colors.of(_others(3))
    part = goal.given_to(whole[:, :, :7], Colors.of(whole))
    torch.testing.assert_close(part, goal.given_to(whole)[:, :, :7])


def test_colors_of_a_blend_lie_between() -> None:
    one, other = Colors.of(numbers(3, 5, 5)), Colors.of(_others(3))
    blend = Colors.blended((one, other), (0.25, 0.75))
    torch.testing.assert_close(blend.mean, 0.25 * one.mean + 0.75 * other.mean)
    torch.testing.assert_close(blend.spread, 0.25 * one.spread + 0.75 * other.spread)


def test_colors_are_apart_by_their_means_and_by_how_wide_they_are() -> None:
    gray = Colors(torch.full((3,), 0.5).double(), 0.01 * torch.eye(3).double())
    lighter = Colors(gray.mean + 0.1, gray.spread)
    wider = Colors(gray.mean, 4 * gray.spread)
    assert gray.apart(gray) == 0
    assert gray.apart(lighter) == pytest.approx(0.1 * 3**0.5)
    assert gray.apart(wider) == wider.apart(gray) == pytest.approx(0.1 * 3**0.5, rel=0.05)
