"""What a name says: its suffix, and whether it stands for one file or for many."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.tiny import tiny_field
from volstyle.codecs import CODECS, PICTURES, SIGNALS, Encoding, files, is_sequence, read, suffix_of, write
from volstyle.errors import VolstyleError

SUFFIXES = sorted({suffix for table in (CODECS, SIGNALS) for suffixes in table.values() for suffix in suffixes})
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="/")
NAMES = st.text(LETTERS, min_size=1, max_size=20).filter(lambda name: name not in (".", ".."))


@given(NAMES)
def test_a_suffix_is_how_the_name_ends(name: str) -> None:
    found = suffix_of(Path(name))
    assert name.endswith(found)
    assert not found or found.lower() in SUFFIXES or re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]*", found)


@given(NAMES, st.sampled_from(SUFFIXES), st.booleans())
def test_a_known_suffix_is_found_whatever_stands_before_it(stem: str, suffix: str, upper: bool) -> None:
    assume(len(stem.lower()) == len(stem))
    written = suffix.upper() if upper else suffix
    assert suffix_of(Path(f"{stem}{written}")).lower().endswith(suffix)
    assert suffix_of(Path(f"x{written}")) == written


@given(NAMES)
def test_a_file_that_is_there_is_itself(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"{name}.png"
    path.touch()
    assert not is_sequence(path)
    assert files(path) == [path]
    path.unlink()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True), st.integers(0, 7))
def test_numbered_pictures_come_in_the_order_of_their_numbers(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], width: int
) -> None:
    folder = tmp_path_factory.mktemp("frames")
    for number in numbers:
        (folder / f"shot_{number:0{width}d}.png").touch()
    expected = [f"shot_{number:0{width}d}.png" for number in sorted(numbers)]
    for path in (folder, folder / "shot_%d.png", folder / f"shot_%0{width}d.png", folder / "shot_*.png"):
        assert is_sequence(path)
        assert [file.name for file in files(path)] == expected


@settings(max_examples=40)
@given(NAMES, NAMES, st.sampled_from(["%d", "%04d", "%2d"]), st.sampled_from([".png", ".bmp"]))
def test_what_is_written_by_a_pattern_is_read_by_it(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, number: str, suffix: str
) -> None:
    """Whatever stands around the number: brackets, percent signs, spaces. A wildcard there is refused."""
    assume(suffix in PICTURES and not before.startswith(".") and not re.search(r"%0?\d*d", before + after))
    path = tmp_path_factory.mktemp("frames") / f"{before}{number}{after}{suffix}"
    assume(not re.search(r"\d$", before))
    try:
        write(path, tiny_field(3, 4, 5, names=("t", "y", "x")), Encoding())
    except VolstyleError as error:
        assert re.search(r"[*?]", before + after), error
        return
    assert len(list(path.parent.iterdir())) == 3
    assert read(path).shape == (3, 4, 5)
