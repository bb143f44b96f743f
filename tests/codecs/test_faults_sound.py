"""Sounds that other tools stumbled over, and what must become of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from volstyle.codecs import check, read, write
from volstyle.errors import OutputError
from volstyle.grid.field import Axis, Field

RATE = 8000


def tone(seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return 0.4 * np.sin(2 * np.pi * 440 * time)


@pytest.mark.parametrize("name", ["out.mp4", "out.dcm", "out.mov"])
def test_a_sound_that_does_not_go_into_a_format_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "in.wav", tone(), RATE)
    sound = read(tmp_path / "in.wav")
    planned = Field(torch.empty(sound.samples.shape, device="meta"), sound.axes, sound.origin)
    for attempt in (lambda: check(tmp_path / name, planned), lambda: write(tmp_path / name, sound)):
        with pytest.raises(OutputError) as error:
            attempt()
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)
    check(tmp_path / "out.flac", planned)


def test_a_volume_that_is_no_dicom_is_refused_as_dicom_before_the_work(tmp_path: Path) -> None:
    axes = tuple(Axis(name, 1.0, "mm") for name in "zyx")
    for name in ("out.dcm", "out"):
        with pytest.raises(OutputError, match="written from DICOM only"):
            check(tmp_path / name, Field(torch.empty(1, 4, 4, 4, device="meta"), axes))
