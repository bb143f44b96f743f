"""Runs as the page has them: what is heard of one, how it is stopped, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.errors import InputError, VolstyleError
from volstyle.grid.field import Axis, Field
from volstyle_cli import main
from volstyle_cli.web import job as job_module
from volstyle_cli.web.job import Done, Failed, Glimpse, Job, News, Planned, line_of, plan
from volstyle_cli.web.studio import Studio
from volstyle_cli.web.wish import Wish

PLANE = (Axis("y"), Axis("x"))
QUICK = "network.name=builtin\nschedule.steps=2\nschedule.smallest=32\nmemory=1GB"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job_module, "_PREVIEW_EVERY_S", 0.0)
    write("photo.png", Field(numbers(3, 32, 48), PLANE))
    write("art.png", Field(numbers(3, 32, 32, seed=1), PLANE))
    write("clip.mp4", Field(numbers(3, 4, 32, 48), (Axis("t", 0.1, "s"), *PLANE)))
    write(
        "scan.nii.gz",
        Field(200 * numbers(1, 16, 18, 20), (Axis("z", 2.0, "mm"), *(Axis(a, 1.0, "mm") for a in "yx"))),
    )


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path, 2**20)


def wish(content: str, more: str = QUICK, styles: Sequence[str] = ("art.png",), **said: Any) -> Wish:
    return Wish(content=Path(content), styles=tuple(map(Path, styles)), more=more, **said)


def heard(job: Job) -> list[News]:
    job.start()
    return list(job.news())


def test_a_run_is_planned_then_seen_then_done(studio: Studio) -> None:
    job = studio.begin("me", wish("photo.png"))
    news = heard(job)
    kinds = [type(each) for each in news]
    assert kinds[0] is Planned
    assert kinds[-1] is Done
    assert set(kinds[1:-1]) == {Glimpse}
    glimpses = [each for each in news if isinstance(each, Glimpse)]
    assert glimpses[0].before is not None
    assert glimpses[0].extent == (48, 32)
    assert all(each.before is None for each in glimpses[1:])
    assert sorted(each.share for each in glimpses) == [each.share for each in glimpses]
    assert glimpses[-1].share == 1
    assert glimpses[-1].after.shape == (3, 32, 48)
    assert job.given["result"].name == "photo-art.png"


def test_the_result_is_the_command_lines_byte_for_byte(studio: Studio) -> None:
    """The page is a third door to the same house, and its record says the same."""
    job = studio.begin("me", wish("photo.png", strength=100, keep_colors=True, size=40))
    assert isinstance(heard(job)[-1], Done)
    line = ["image", "photo.png", "--style", "art.png", "-o", "mine.png", "--size", "40", "--keep-colors"]
    given = [part for text in (*QUICK.splitlines(), "content.weight=0.025") for part in ("--set", text)]
    assert main([*line, *given, "--quiet"]) == 0
    assert job.given["result"].read_bytes() == Path("mine.png").read_bytes()
    theirs, ours = (json.loads(path.read_text()) for path in (Path("mine.png.json"), job.given["record"]))
    assert ours["recipe"] == theirs["recipe"]
    assert ours["command"]["inputs"] == theirs["command"]["inputs"]


def test_a_record_can_be_replayed_beside_the_files(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    job = studio.begin("me", wish("photo.png"))
    heard(job)
    monkeypatch.chdir(job.folder)
    assert main(["replay", "photo-art.png.json", "--quiet"]) == 0


def test_a_stop_keeps_what_there_is(studio: Studio) -> None:
    job = studio.begin("me", wish("photo.png", QUICK.replace("steps=2", "steps=5000")))
    job.start()
    news = job.news()
    while not isinstance(next(news), Glimpse):
        pass
    job.stop()
    last = list(news)[-1]
    assert isinstance(last, Done)
    assert last.result.stopped
    assert read(job.given["result"]).shape == (32, 48)


def test_a_stop_before_the_start_ends_after_one_step(studio: Studio) -> None:
    job = studio.begin("me", wish("photo.png"))
    job.stop()
    last = heard(job)[-1]
    assert isinstance(last, Done)
    assert last.result.last == (0, 1)


def test_slices_of_a_volume_before_and_after(studio: Studio) -> None:
    job = studio.begin("me", wish("scan.nii.gz", QUICK.replace("steps=2", "steps=1")))
    news = heard(job)
    first = next(each for each in news if isinstance(each, Glimpse))
    assert first.before.shape[1:] == (32, 20 + 20 + 18)  # the planes of 2 mm steps are twice as high
    view = news[-1].view
    assert view.facts["planes"] == [
        {"axis": "z", "count": 16, "extent": [20, 18]},
        {"axis": "y", "count": 18, "extent": [20, 32]},
        {"axis": "x", "count": 20, "extent": [18, 32]},
    ]
    before, after = (view.slices.picture(side, "z", 9) for side in ("before", "after"))
    assert before != after
    window = read("scan.nii.gz").samples
    low, high = torch.quantile(window.flatten(), torch.tensor([0.005, 0.995])).tolist()
    expected = ((window - low) / (high - low)).clamp(0, 1)
    assert (view.slices.before.float() / 255 - expected).abs().max() < 1 / 255
    for wrong in (("before", "t", 0), ("before", "z", 16), ("before", "z", -1), ("other", "z", 0)):
        with pytest.raises(KeyError):
            view.slices.picture(*wrong)


def test_clips_are_shown_as_browsers_play_them(studio: Studio) -> None:
    job = studio.begin("me", wish("clip.mp4", end="3f"))
    news = heard(job)
    view = news[-1].view
    assert view.facts["extent"] == [48, 32]
    for name in ("before.mp4", "after.mp4"):
        assert read(view.files[name]).shape == (3, 32, 48)


def test_what_is_wrong_is_one_line_without_the_folders(studio: Studio) -> None:
    Path("cut.png").write_bytes(Path("photo.png").read_bytes()[:900])
    for bad, said in (
        (wish("cut.png"), "cut.png: damaged"),
        (wish("photo.png", styles=["cut.png"]), "style cut.png"),
    ):
        last = heard(studio.begin("me", bad))[-1]
        assert isinstance(last, Failed)
        assert last.line.startswith(said)
        assert "/" not in last.line


def test_a_fault_of_our_own_ends_the_run_too(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def faulty(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(job_module, "style", faulty)
    last = heard(studio.begin("me", wish("photo.png")))[-1]
    assert last == Failed("a fault of volstyle (ZeroDivisionError); the terminal has the details")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_plan_says_what_a_run_takes_and_leaves_nothing(tmp_path: Path) -> None:
    files = set(tmp_path.iterdir())
    found = plan(wish("photo.png"))
    assert found.estimate.seconds > 0
    assert found.plan.run.network.name == "builtin"
    assert set(tmp_path.iterdir()) == files
    with pytest.raises(VolstyleError, match="none given"):
        plan(wish("photo.png", styles=[]))


def test_errors_lose_folders_and_keep_the_rest() -> None:
    said = InputError("/tmp/a b/job-x/photo.png: is 3/4 of\n a file, see x.org/help; style /tmp/a b/job-x/art.png")
    assert line_of(said, Path("/tmp/a b")) == "photo.png: is 3/4 of a file, see x.org/help; style art.png"


def test_a_visitor_who_leaves_takes_the_files_along(studio: Studio) -> None:
    job = studio.begin("me", wish("photo.png"))
    heard(job)
    assert studio.fetched(job.key) is job
    assert studio.fetched("other") is None
    studio.leave("me")
    studio.leave("me")
    assert studio.job("me") is None
    assert studio.fetched(job.key) is None
    assert not job.folder.exists()


def test_too_many_styles_are_refused(studio: Studio) -> None:
    with pytest.raises(InputError, match="more than 8 were dropped"):
        studio.begin("me", wish("photo.png", styles=["art.png"] * 9))
