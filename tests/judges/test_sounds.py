"""How near signals are to their styles."""

from __future__ import annotations

import math

import pytest
import torch

from volstyle.judges.sounds import listen, log_spectral_distance


@pytest.mark.parametrize(("heard", "style"), [(300, 100), (100, 300), (64, 5000), (5000, 64)])
def test_signals_of_other_lengths_are_compared(heard: int, style: int) -> None:
    torch.manual_seed(0)
    found = listen(torch.randn(1, heard), torch.randn(1, style), 100.0)
    assert all(map(math.isfinite, (found.spectral_db, found.texture, found.copy)))


def test_the_spectrum_of_a_tone_is_the_same_whatever_its_length() -> None:
    tone = (torch.arange(4096) * 2 * math.pi / 8).sin()[None]
    assert log_spectral_distance(tone[:, :320], tone) < 1
    assert log_spectral_distance(torch.ones(1, 320).cumsum(1), tone) > 10
