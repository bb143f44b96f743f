"""A run as one page, opened by a real browser where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lessons import learn
from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.grid.field import Axis, Field
from volstyle.media.command import save_record
from volstyle.record import Record, StageRecord
from volstyle_cli import main
from volstyle_cli.draw.report import write_report
from volstyle_cli.options import ImageOptions, VideoOptions
from volstyle_cli.run.order import errand_of

PLANE = (Axis("y"), Axis("x"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip and a picture that were "styled", with their records."""
    monkeypatch.chdir(tmp_path)
    write(Path("photo.png"), Field(numbers(3, 32, 48), PLANE))
    write(Path("art<1>.png"), Field(numbers(3, 32, 32, seed=1), PLANE))
    write(Path("clip.mp4"), Field(numbers(3, 3, 32, 48), (Axis("t", 0.1, "s"), *PLANE)))
    clip = VideoOptions(content=Path("clip.mp4"), style=["art<1>.png"], output=Path("a.mp4"))
    photo = ImageOptions(content=Path("photo.png"), style=["art<1>.png"], output=Path("a.png"))
    for options, shape in ((clip, (3, 32, 48)), (photo, (32, 48))):
        order = errand_of(options).order
        write(order.output, read(order.content, order.selection))
        stage = StageRecord(shape, 3, {"style": [1.0, 0.5, 0.3], "content": [0.0, 0.1, 0.2]}, 1.0)
        record = Record(order.recipe, "builtin", "", "cpu", "float32", 1, {}, (stage, stage))
        save_record(order, record, None)


def test_a_clip_has_two_players_and_curves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "a.mp4.json"]) == 0
    assert "a.mp4.html" in capsys.readouterr().out
    page = Path("a.mp4.html").read_text()
    assert page.count('<video src="data:video/mp4;base64,') == 2
    assert page.count("<svg") == 2
    assert "art&lt;1&gt;.png" in page
    assert "art<1>" not in page
    assert "warp 1" in page


def test_an_image_has_two_pictures_and_nothing_is_fetched() -> None:
    write_report(Path("a.png.json"), Path("page.html"), force=False)
    page = Path("page.html").read_text()
    assert page.count('<img src="data:image/') == 3
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert main(["report", "a.png.json", "-o", "page.html"]) == 2


@pytest.mark.filterwarnings("error")
def test_what_took_no_steps_has_no_curves_of_costs() -> None:
    """As what a learned style has painted."""
    record = Record.load(Path("a.png.json"))
    Path("a.png.json").write_text(replace(record, stages=()).to_json())
    write_report(Path("a.png.json"), Path("page.html"), force=False)
    page = Path("page.html").read_text()
    assert "Costs over steps" not in page
    assert "<svg" not in page


def test_a_lesson_has_its_examples_and_the_costs_of_all_terms() -> None:
    learn("s.safetensors", ("art<1>.png",), "photo.png", "image")
    path = Path("s.safetensors.json")
    record = Record.load(path)
    stage = replace(record.stages[0], costs={name: [1.0] for name in "abcdefghi"})
    path.write_text(replace(record, stages=(stage,)).to_json())
    assert main(["report", str(path), "-o", "page.html"]) == 0
    page = Path("page.html").read_text()
    assert "learned on" in page and "photo.png" in page and "<img" not in page
    assert all(f"<!-- {name} -->" in page for name in "abcdefghi")


@pytest.mark.parametrize("record", ["nope.json", "photo.json"])
def test_what_is_no_record_is_said(record: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photo.json").write_text("{}")
    assert main(["report", record]) == 2
    assert record in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_opens_it_without_complaint() -> None:
    write_report(Path("a.mp4.json"), Path("page.html"), force=False)
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
    ]
    address = Path("page.html").resolve().as_uri()
    done = subprocess.run(
        [str(CHROMIUM), *flags, "--window-size=600,500", "--screenshot=shot.png", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not re.findall(r"Uncaught|Refused|CONSOLE.*error", done.stderr)
    shown = read(Path("shot.png")).samples
    assert shown.std() > 0.1  # two clips of noise, not an empty page
