"""Colors of one field given to another."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import numbers
from volstyle.grid.color import in_colors_of


@pytest.mark.parametrize("channels", [1, 3])
def test_means_and_covariances_are_those_of_the_other(channels: int) -> None:
    samples, others = numbers(channels, 9, 12, 5), numbers(channels, 40, 30, seed=1) ** 3
    if channels == 3:
        others[1] += 0.5 * others[0]
    moved, wanted = in_colors_of(samples, others).flatten(1), others.flatten(1)
    torch.testing.assert_close(moved.mean(1), wanted.mean(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.cov(correction=0), wanted.cov(correction=0), atol=1e-4, rtol=0)


def test_what_has_the_colors_already_is_not_moved() -> None:
    samples = numbers(3, 16, 20)
    torch.testing.assert_close(in_colors_of(samples, samples), samples, atol=1e-4, rtol=0)


def test_a_field_of_one_color_becomes_another() -> None:
    moved = in_colors_of(torch.full((3, 4, 4), 0.2), torch.full((3, 8, 8), 0.7))
    torch.testing.assert_close(moved, torch.full((3, 4, 4), 0.7))
