"""What the page's controls mean, in the words of the library and of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.errors import RecipeError, VolstyleError
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import defaults
from volstyle.media.table import MEDIA
from volstyle_cli.web.wish import Offers, Wish, offers

PLANE = (Axis("y"), Axis("x"))


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("photo.png", Field(numbers(3, 16, 24), PLANE))
    write("scan.nii.gz", Field(numbers(1, 4, 5, 6), (Axis("z"), *PLANE)))
    Path("series.csv").write_text("t,value\n" + "\n".join(f"{index},{index % 7}" for index in range(99)))


def wish(content: str = "photo.png", **said: Any) -> Wish:
    return Wish(content=Path(content), styles=(Path("photo.png"),), **said)


def test_controls_that_are_not_touched_choose_nothing() -> None:
    assert wish().options() == {"choices": {}, "size": None}
    assert wish(start=" ", more="\n\n").choices() == {}


def test_strength_divides_the_content_weight_of_the_medium() -> None:
    weights = [wish(strength=strength).choices()["content"]["weight"] for strength in (0, 25, 75, 100)]
    usual = defaults("image").content.weight
    assert weights == pytest.approx([8 * usual, 8**0.5 * usual, 8**-0.5 * usual, usual / 8], rel=1e-3)
    volume = wish("scan.nii.gz", strength=100).choices()["content"]["weight"]
    assert volume == pytest.approx(defaults("volume").content.weight / 8)


def test_sliders_are_relative_to_what_the_lines_say() -> None:
    said = wish(strength=100, strokes=2, more="network.name=builtin\ncontent.weight=4\nstyle.scale=0.5")
    assert said.choices() == {
        "network": {"name": "builtin"},
        "content": {"weight": 0.5},
        "style": {"scale": 1.0},
    }
    assert wish("scan.nii.gz", strokes=0.5).choices() == {"style": {"scale": 0.75}}


def test_what_means_nothing_for_a_medium_is_not_passed_on() -> None:
    touched: dict[str, Any] = {"size": 64, "strokes": 2.0, "keep_colors": True, "in_color": True, "end": "1s"}
    assert wish(**touched).options() == {"choices": {"style": {"scale": 2.0}, "colors": "content"}, "size": 64}
    volume = wish("scan.nii.gz", **touched).options()
    assert volume == {"choices": {"style": {"scale": 3.0}, "volume": {"color": True}}, "size": 64}
    signal = wish("series.csv", **touched).options()
    assert signal == {"choices": {}, "start": None, "end": "1s"}


@pytest.mark.parametrize(
    ("medium", "expected"),
    [
        ("image", Offers(512, strokes=True, keep_colors=True, in_color=False, part=False)),
        ("video", Offers(256, strokes=True, keep_colors=True, in_color=False, part=True)),
        ("volume", Offers(256, strokes=True, keep_colors=False, in_color=True, part=False)),
        ("signal", Offers(None, strokes=False, keep_colors=False, in_color=False, part=True)),
    ],
)
def test_each_medium_has_the_controls_that_its_command_has(medium: str, expected: Offers) -> None:
    assert offers(MEDIA[medium]) == expected


@pytest.mark.parametrize(
    "line",
    ["init=/etc/passwd", "network.weights=w.pt", "temporal.flow=flows", "temporal.flow_weights=raft.pth"],
)
def test_no_file_of_the_machine_can_be_named(line: str) -> None:
    with pytest.raises(RecipeError, match="the page takes no names of files"):
        wish(more=line).choices()


@pytest.mark.parametrize("line", ["steps", "schedule.stops=3", "schedule.steps=many", "=", "[a]\nb=1"])
def test_a_line_that_is_no_choice_is_said(line: str) -> None:
    with pytest.raises(VolstyleError):
        wish(more=line).choices()
