"""`volstyle eval` as a user meets it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.tiny import numbers
from volstyle.codecs import Encoding, read, write
from volstyle.grid.field import Axis, Field
from volstyle.media.command import save_record
from volstyle.record import Record
from volstyle_cli import main
from volstyle_cli.options import VideoOptions
from volstyle_cli.run.order import errand_of

PLANE = (Axis("y"), Axis("x"))


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A still clip, one of it that flickers, a picture and a style."""
    monkeypatch.chdir(tmp_path)
    picture = numbers(3, 24, 32).repeat_interleave(2, 1).repeat_interleave(2, 2) * 0.6 + 0.2
    write(Path("photo.png"), Field(picture, PLANE))
    write(Path("art.png"), Field(numbers(3, 40, 40, seed=1), PLANE))
    still = picture[:, None].expand(3, 4, 48, 64).clone()
    clip = Field(still, (Axis("t", 0.1, "s"), *PLANE))
    write(Path("clip.mp4"), clip, Encoding("lossless"))
    write(Path("loose.mp4"), clip.with_samples(still + torch.tensor([0, 0.1, 0, 0.1]).view(1, 4, 1, 1)))


def said(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(line.split())
    return code, *capsys.readouterr()


def test_a_table_of_several_results(capsys: pytest.CaptureFixture[str]) -> None:
    line = "eval clip.mp4 --compare loose.mp4 --content clip.mp4 --style art.png --plot curves.png"
    code, out, err = said(line, capsys)
    assert (code, err) == (0, "")
    for name in ("clip.mp4", "loose.mp4", "content  ", "the network random", "warp 1", "drift"):
        assert name in out
    assert read(Path("curves.png")).shape[1] > 500


def test_all_numbers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = said("eval loose.mp4 --content clip.mp4 --style art.png --json", capsys)[1]
    verdicts = {v["name"]: v for v in json.loads(out)["results"]["loose.mp4"]}
    assert verdicts["warp 1"]["value"] == pytest.approx(0.01, rel=0.1)
    assert verdicts["drift"]["value"] == pytest.approx(25.5, rel=0.05)
    assert len(verdicts["texture"]["over_time"]) == 4


def test_an_image_and_its_bars(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said("eval photo.png --content photo.png --style art.png --plot bars.png", capsys)
    assert code == 0
    assert "warping" not in out
    assert Path("bars.png").exists()


def test_content_and_style_are_those_of_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    options = VideoOptions(content=Path("clip.mp4"), style=["art.png"], end="2f", output=Path("a.mp4"))
    order = errand_of(replace(options, network="random")).order
    write(order.output, read(order.content, order.selection))
    save_record(order, Record(order.recipe, "random", "", "cpu", "float32", 1, {}, ()), None)
    code, out, _ = said("eval a.mp4", capsys)
    assert code == 0
    assert "optimized in random" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("eval clip.mp4", "give --content"),
        ("eval clip.mp4 --content clip.mp4", "give --style"),
        ("eval clip.mp4 --content clip.mp4 --style nope.png", "style nope.png: no such file"),
        ("eval clip.mp4 --content clip.mp4 --style art.png --end 2f", "2 frames, must have 4"),
        ("eval clip.mp4 --content clip.mp4 --style art.png --plot a.doc", ".png"),
        ("eval clip.mp4 --content clip.mp4 --style art.png --plot clip.png --network randon", "'random'"),
        (
            "eval clip.mp4 --content clip.mp4 --style art.png --no-tortuosity",
            "--no-tortuosity: is for a solid texture, clip.mp4 is a styled content; leave it out",
        ),
        ("eval clip.mp4 --content clip.mp4 --style art.png --phase 1", "--phase: is for a solid texture"),
        ("eval clip.mp4 --content photo.png --style art.png", "must have those of the result"),
    ],
)
def test_what_cannot_be_judged_is_one_line(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(line, capsys)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
