"""Noise that is a hash of where it lies."""

from __future__ import annotations

import pytest
import torch

from volstyle.grid.noise import noise
from volstyle.grid.tiles import Box


def box(*ends: tuple[int, int]) -> Box:
    return tuple(slice(*pair) for pair in ends)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_windows_are_cut_from_one_noise(axes: int) -> None:
    whole = noise((3, 1), box(*[(-20, 20)] * axes), 2)
    part = noise((3, 1), box(*[(-7, 5)] * axes), 2)
    assert torch.equal(part, whole[(slice(None), *[slice(13, 25)] * axes)])


def test_it_is_even_and_white() -> None:
    found = noise((0,), box((0, 64), (-32, 32), (5, 69)))[0]
    assert found.min() >= 0 and found.max() < 1
    counts = torch.histc(found, 64, 0, 1) / found.numel()
    assert (counts - 1 / 64).abs().max() < 0.001
    apart = found - 0.5
    for axis in range(3):
        for lag in (1, 2, 32):
            assert abs(float((apart * apart.roll(lag, axis)).mean() * 12)) < 0.01


def test_keys_and_channels_are_other_noises() -> None:
    window = box((0, 32), (0, 32))
    found = [*noise((1, 0), window, 2), noise((1, 1), window)[0], noise((2**40 + 1, 0), window)[0]]
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            assert abs(float(((one - 0.5) * (other - 0.5)).mean() * 12)) < 0.1
    assert torch.equal(noise((1, 0), window, 2)[:1], noise((1, 0), window))


def test_a_period_begins_again() -> None:
    found = noise((0,), box((-8, 16), (3, 15)), period=(8, 6))
    assert torch.equal(found[:, :8], found[:, 8:16]) and torch.equal(found[:, :, :6], found[:, :, 6:])
    assert torch.equal(noise((0,), box((2, 8), (0, 6)), period=(8, 6)), noise((0,), box((2, 8), (0, 6))))


def test_the_numbers_are_those_of_any_machine() -> None:
    found = noise((7, 2), box((1000, 1002), (-5, -3))) * 2**24
    assert found.flatten().tolist() == [2558104, 12121410, 5049082, 9284105]
