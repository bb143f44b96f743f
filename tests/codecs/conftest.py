"""Clips that several tests of codecs read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.clips import (
    UNEVEN,
    click,
    flash,
    make_clip,
    tone,
)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tone.mp4 (24 frames in 2 s, with sound), click.mp4 (the same with a flash and a click) and
    uneven.mp4 (a variable rate)."""
    folder = tmp_path_factory.mktemp("media")
    make_clip(folder / "tone.mp4", range(24), Fraction(1, 12), sound=tone)
    make_clip(folder / "click.mp4", range(24), Fraction(1, 12), sound=click, draw=flash)
    make_clip(folder / "uneven.mp4", UNEVEN, Fraction(1, 600))
    return folder
