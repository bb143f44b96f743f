"""Learned styles on the page: painted once, mixed in at any strength."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.grid.field import Axis, Field
from volstyle_cli.web.job import Done, Glimpse, Planned, plan
from volstyle_cli.web.live import live
from volstyle_cli.web.studio import Studio
from volstyle_cli.web.wish import Wish

PLANE = (Axis("y"), Axis("x"))


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learned: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("art.safetensors").write_bytes(learned.read_bytes())
    write("art.png", Field(numbers(3, 32, 32, seed=1), PLANE))
    write("photo.png", Field(numbers(3, 32, 48), PLANE))
    write("clip.mp4", Field(numbers(3, 4, 32, 48), (Axis("t", 0.1, "s"), *PLANE)))
    write("scan.nii.gz", Field(200 * numbers(1, 4, 5, 6), (Axis("z"), *PLANE)))


def wish(content: str, style: str = "art.safetensors", strength: float = 100) -> Wish:
    return Wish(content=Path(content), styles=(Path(style),), strength=strength)


def test_a_result_is_what_the_page_mixes(tmp_path: Path) -> None:
    """The page lays what was painted over the content, as thick as strength says: the result is that."""
    before, after = live(wish("photo.png", strength=30))
    job = Studio(tmp_path, 2**30).begin("me", wish("photo.png", strength=30))
    job.start()
    news = list(job.news())
    assert [type(each) for each in news] == [Planned, Glimpse, Done]
    torch.testing.assert_close(before, read("photo.png").samples)
    mixed = 0.3 * after + 0.7 * before
    assert (read(job.given["result"]).samples - mixed).abs().max() < 1 / 255
    assert (after - before).abs().max() > 0.05


def test_a_clip_is_shown_by_its_first_frame_and_painted_whole(tmp_path: Path) -> None:
    before, after = live(wish("clip.mp4"))
    assert before.shape == after.shape == (3, 32, 48)
    job = Studio(tmp_path, 2**30).begin("me", wish("clip.mp4"))
    job.start()
    news = list(job.news())
    assert isinstance(news[-1], Done)
    assert read(job.given["result"]).shape == (4, 32, 48)
    assert news[-1].view.facts["kind"] == "clips"


def test_what_is_not_learned_is_not_live() -> None:
    assert live(wish("photo.png", "art.png")) is None
    assert live(replace(wish("photo.png"), styles=(Path("art.png"), Path("art.safetensors")))) is None
    assert live(wish("scan.nii.gz")) is None


def test_a_plan_of_a_learned_style_is_one_pass() -> None:
    assert plan(wish("photo.png")).estimate is None
