"""A style that was learned in a moment, for all tests of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.grid.field import Axis, Field
from volstyle_cli import main


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    for name, seed in (("photo.png", 0), ("art.png", 1)):
        write(folder / name, Field(numbers(3, 48, 64, seed=seed), (Axis("y"), Axis("x"))))
    choices = ["network.name=builtin", "learn.smallest=32", "learn.crop=32", "learn.examples=2"]
    given = [part for choice in choices for part in ("--set", choice)]
    target = folder / "art.safetensors"
    line = ["learn", str(folder / "art.png"), "--on", str(folder / "photo.png"), "--size", "48", "--steps", "1"]
    assert main([*line, *given, "-o", str(target), "--quiet"]) == 0
    return target
