"""`volstyle sheet`: all styles on one photograph, and one in several ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.grid.field import Axis, Field
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
TINY = ["--network", "builtin", "--precision", "float32", "--set", "schedule.steps=1", "--size", "48"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("styles").mkdir()
    for seed, name in enumerate(("photo.png", "styles/a.png", "styles/b.png")):
        write(name, Field(numbers(3, 40, 60, seed=seed), PLANE))
    write("clip.mp4", Field(numbers(3, 2, 32, 48), (Axis("t", 0.1, "s"), *PLANE)))

    def call(line: str, *more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*line.split(), *more])
        return code, *capsys.readouterr()

    return call


def test_all_styles_on_one_photograph(run: Run) -> None:
    code, out, errors = run("sheet photo.png --style styles --style photo.png -o all.png", *TINY)
    assert (code, errors) == (0, "")
    assert [line.split(",")[0] for line in out.splitlines()[:3]] == [
        "styled     1/3 a",
        "styled     2/3 b",
        "styled     3/3 photo",
    ]
    sheet = read("all.png")
    assert sheet.shape[1] > 4 * 48 and sheet.shape[0] < 2 * 80
    photo = sheet.samples[:, 28:60, 28 : 28 + 135]
    assert (photo - photo.mean()).abs().mean() > 0.02


def test_one_style_in_a_grid_of_weights_and_strokes(run: Run) -> None:
    line = "sheet photo.png --style styles/a.png --content-weights 0.1,2 --style-scales .5,1,2"
    code, out, errors = run(line, *TINY)
    assert (code, errors) == (0, "")
    assert "1/6 content 0.1, scale 0.5" in out and "6/6 content 2, scale 2" in out
    assert read("sheet.png").shape[0] > 3 * 32
    assert run(line, *TINY)[0] == 2
    assert run("sheet photo.png --style styles/a.png --style-scales 1 --force", *TINY)[1].count("scale 1") == 5


def test_a_sheet_is_quick_unless_a_preset_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def style(*_: object, **given: Any) -> object:
        seen.append(given["choices"])
        raise InterruptedError

    monkeypatch.setattr("volstyle_cli.sheet.command.style", style)
    for more in ([], ["--preset", "bold"]):
        with pytest.raises(InterruptedError):
            main(["sheet", "photo.png", "--style", "styles", *more])
    assert [choices["preset"] for choices in seen] == ["fast", "bold"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sheet clip.mp4 --style styles", "clip.mp4: must be an image"),
        ("sheet photo.png --style styles/nope.png", "nope.png"),
        ("sheet photo.png --style styles --content-weights 1", "are of one style, there are 2"),
        ("sheet photo.png --style styles/a.png --content-weights 1;2", "must be numbers with commas"),
        ("sheet photo.png --style styles -o sheet.mp4", "axes"),
        ("sheet photo.png --style styles -o photo.png", "--force"),
        ("sheet photo.png --style styles -o photo.png --force", "is read and would be written over"),
    ],
)
def test_what_is_no_sheet_is_one_line(run: Run, line: str, said: str) -> None:
    code, _, errors = run(line, *TINY)
    assert code == 2
    assert said in errors
    assert errors.count("\n") == 1
