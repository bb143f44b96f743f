"""Intensity ranges: which samples of a scan are styled, and how they come back."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import numbers
from volstyle.errors import RecipeError
from volstyle.media.intensity import IntensityRange


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("lung", -1350, 150), ("soft", -160, 240), ("bone", -500, 1300), ("brain", 0, 80), ("-7.5, 1e3", -7.5, 1000)],
)
def test_windows(text: str, low: float, high: float) -> None:
    window = IntensityRange.choose(text, torch.zeros(1, 2, 2, 2))
    assert (window.low, window.high) == (low, high)


def test_a_window_there_and_back() -> None:
    samples = torch.linspace(-1000, 1000, 101).reshape(1, 1, 1, 101)
    window = IntensityRange(-500.0, 500.0, padding=100.0)
    inside = window.inside(samples)
    assert float(inside.min()) == 0 and float(inside.max()) == 1
    assert torch.equal(window.outside(samples, inside), samples)
    changed = window.outside(samples, (inside + 0.25).clamp(0, 1))
    may = (samples >= -500) & (samples <= 500) & (samples != 100)
    assert torch.equal(changed[~may], samples[~may])
    torch.testing.assert_close(changed[may & (samples < 250)], samples[may & (samples < 250)] + 250)


def test_an_even_background_is_padding_and_noise_is_not() -> None:
    samples = numbers(1, 12, 12, 24) + 1
    samples[..., :12] = 0
    assert IntensityRange.choose("auto", samples).padding == 0
    samples = torch.where(numbers(1, 12, 12, 24, seed=1) < 0.5, 0.0, samples)
    assert IntensityRange.choose("auto", samples).padding is None


def test_what_auto_leaves_out_is_styled_too() -> None:
    """Else single samples beyond the percentiles would be specks in the result."""
    samples = numbers(1, 12, 12, 24)
    samples[0, 0, 0, 0] = 9.0
    window = IntensityRange.choose("auto", samples)
    assert window.high < 1 and window.covers(samples).all()
    assert torch.equal(window.outside(samples, window.inside(samples)), samples)
    assert window.outside(samples, 0 * samples)[0, 0, 0, 0] == window.low
    assert not IntensityRange.choose("0,1", samples).covers(samples).all()


@pytest.mark.parametrize("text", ["lang", "5", "3,3", "nan,inf"])
def test_windows_that_are_none(text: str) -> None:
    with pytest.raises(RecipeError, match="window: "):
        IntensityRange.choose(text, numbers(1, 4, 4, 4))
