"""Animations in GIF: good colors, the right durations, and a note of what they cannot show."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from tests.clips import (
    CLIP,
    UNEVEN,
    again,
    alpha_of,
    clip_field,
    levels_of,
    make_clip,
    smooth,
    times,
    video_origin,
)
from volstyle.codecs import read, write
from volstyle.codecs.video import VideoOrigin
from volstyle.grid.field import Field


def test_a_gif_has_good_colors_and_the_right_duration(tmp_path: Path) -> None:
    levels = np.stack([smooth(index) for index in range(10)])
    field = clip_field(levels)
    origin = VideoOrigin(rate=Fraction(10), time_base=Fraction(1, 10), ticks=tuple(range(10)), durations=(1,) * 10)
    assert write(tmp_path / "a.gif", Field(field.samples, CLIP, origin)) == []
    back = read(tmp_path / "a.gif")
    assert back.shape == field.shape
    assert float((back.samples - field.samples).abs().mean() * 255) < 6
    assert float((back.samples - field.samples).mean((1, 2, 3)).abs().max() * 255) < 1
    assert len(torch.unique(levels_of(back.samples).flatten(1), dim=1).T) > 100
    assert times(tmp_path / "a.gif") == [Fraction(index, 10) for index in range(10)]
    kept = video_origin(back)
    assert sum(kept.durations) * kept.time_base == 1
    assert alpha_of(back) is None


def test_a_gif_keeps_variable_time_stamps(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", UNEVEN, Fraction(1, 50))
    again(source, tmp_path / "a.gif")
    assert times(tmp_path / "a.gif") == times(source)


def test_a_gif_leaves_out_what_it_cannot_show(tmp_path: Path) -> None:
    """100 a second, and two at the same hundredth."""
    source = make_clip(tmp_path / "in.mp4", [0, 1, 2, 3, 4, 6, 30], Fraction(1, 150))
    notes = again(source, tmp_path / "a.gif")
    assert len(notes) == 1
    assert "3 left out" in notes[0]
    assert times(tmp_path / "a.gif") == [Fraction(index, 100) for index in (0, 2, 4, 20)]
