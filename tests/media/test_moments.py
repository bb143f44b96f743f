"""Times as the user gives them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstyle.codecs import Moment
from volstyle.errors import RecipeError
from volstyle.media.order import moment_of


@given(st.integers(0, 10**9))
def test_frames(count: int) -> None:
    assert moment_of("start", f"{count}f") == Moment(float(count), "f")


@given(st.decimals(0, 10**6, places=3), st.sampled_from(["", "s"]))
def test_seconds(seconds: object, unit: str) -> None:
    assert moment_of("start", f"{seconds}{unit}") == Moment(float(str(seconds)))


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_hours_minutes_and_seconds(hours: int, minutes: int, seconds: int, thousandths: int) -> None:
    found = moment_of("end", f"{hours}:{minutes:02d}:{seconds:02d}.{thousandths:03d}")
    assert found is not None and found.unit == "s"
    assert found.value == pytest.approx(3600 * hours + 60 * minutes + seconds + thousandths / 1000)
    assert moment_of("end", f"{minutes}:{seconds:02d}") == Moment(60.0 * minutes + seconds)


@given(st.text(max_size=12) | st.from_regex(r"[0-9:.sf]{1,12}", fullmatch=True))
def test_any_text_is_a_time_or_refused_in_one_line(text: str) -> None:
    try:
        found = moment_of("start", text)
    except RecipeError as error:
        assert "\n" not in str(error) and "write 2s, 1:30 or 48f" in str(error)
        return
    assert found is not None and found.unit in ("s", "f")
    assert 0 <= found.value < math.inf


def test_none_is_none() -> None:
    assert moment_of("start", None) is None
