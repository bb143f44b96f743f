"""`volstyle batch`: many files of all kinds, what of them is done already, and what fails."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.cli.test_pipes import of_shape
from tests.processes import CONTEXT
from tests.scans import counts, nifti
from tests.tiny import numbers
from volstyle.codecs import Encoding, read, write
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field
from volstyle.media.batch import Asked, Job, Outcome, State, carry_out_job, jobs_of
from volstyle.media.gather import Found, styles_of
from volstyle.media.watch import Arrivals, arriving
from volstyle.record import Record
from volstyle_cli import main, shapes

PLANE = (Axis("y"), Axis("x"))
TINY = ["--precision", "float32", "--set", "schedule.steps=1", "--size", "24", "--memory", "64MB"]
BUILTIN = ("--network", "builtin")
QUICK = {"network": {"name": "builtin"}, "precision": "float32", "schedule": {"steps": 1}}
SMALL = "[network]\nname = 'builtin'\n"
SOUND = "[network]\nname = 'builtin1d'\n[style]\nstatistic = 'gram'\n"

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with a style and a folder for contents: code, output, lines of errors."""
    monkeypatch.chdir(tmp_path)
    picture("art.png", 1)
    Path("in").mkdir()

    def call(line: str, *more: str) -> tuple[int, str, list[str]]:
        capsys.readouterr()
        code = main([*line.split(), *more])
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return call


def picture(name: str, seed: int = 0) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write(name, Field(numbers(3, 24, 24, seed=seed), PLANE), Encoding(force=True))


def mixed() -> None:
    """20 files of all kinds in "in", of which 3 are bad, and a style of each kind in "styles"."""
    for number in range(11):
        picture(f"in/pictures/{number % 3}/{number}.png", number)
    clip = Field(numbers(3, 2, 24, 32), (Axis("t", 0.1, "s"), *PLANE))
    for name in ("a.mp4", "deep/b.mp4"):
        Path("in/clips/deep").mkdir(parents=True, exist_ok=True)
        write(f"in/clips/{name}", clip, Encoding("lossless"))
    nifti(Path("in/scan.nii.gz"), counts(16, 16, 16))
    np.save("in/scan.npy", counts(16, 16, 16))
    for seed, name in enumerate(("in/sounds/voice.wav", "in/sounds/wind.flac", "styles/rain.wav")):
        Path(name).parent.mkdir(exist_ok=True)
        soundfile.write(name, 0.1 * np.random.default_rng(seed).standard_normal(1000), 8000)
    shutil.copy("art.png", "styles/art.png")
    Path("in/volstyle.toml").write_text(SMALL)
    Path("in/sounds/volstyle.toml").write_text(SOUND)
    Path("in/bad.jpg").write_text("not a picture")
    Path("in/cut.mp4").write_bytes(Path("in/clips/a.mp4").read_bytes()[:200])
    Path("in/cut.nii.gz").write_bytes(Path("in/scan.nii.gz").read_bytes()[:400])


def test_of_20_mixed_files_17_are_done_and_3_are_lines(run: Run) -> None:
    mixed()
    assert sum(path.suffix != ".toml" for path in Path("in").rglob("*") if path.is_file()) == 20
    code, out, errors = run("batch in --style styles -o out", *TINY)
    assert code == 1
    assert len(sorted(Path("out").rglob("*.json"))) == 17, errors
    assert len(errors) == 3
    for name, line in zip(("bad.jpg", "cut.mp4", "cut.nii.gz"), errors, strict=True):
        assert line.startswith(f"volstyle: in/{name}: ")
    assert out.splitlines()[-2].split() == ["all", "17", "0", "3"]
    assert Path("out/pictures/2/5-art.png").exists()
    assert Path("out/clips/deep/b-art.mp4").exists()
    assert Path("out/sounds/voice-rain.wav").exists()
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()}
    code, out, again = run("batch in --style styles -o out", *TINY)
    assert (code, again) == (1, errors)
    assert out.splitlines()[-2].split() == ["all", "0", "17", "3"]
    assert before == {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()}


class Deadly(Job):
    """A job that ends the process in which it arrives."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


def test_several_processes_give_what_one_gives_and_one_that_dies_fails_its_job_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_deadly(found: Iterable[Found], asked: Asked) -> tuple[list[Job], list[Outcome]]:
        jobs, failed = jobs_of(found, asked)
        return [Deadly(**vars(jobs[0])), *jobs[1:]], failed

    monkeypatch.setattr("volstyle.media.crew.multiprocessing.get_context", lambda _: CONTEXT)  # begins at once
    picture("in/a.png")
    picture("in/sub/b.png", 2)
    picture("styles/one.png", 3)
    picture("styles/two.png", 4)
    assert run("batch in --style styles -o one -q", *TINY, *BUILTIN) == (0, "", [])
    monkeypatch.setattr("volstyle_cli.batch.command.jobs_of", one_deadly)
    code, _, errors = run("batch in --style styles -o two -q --jobs 2", *TINY, *BUILTIN)
    assert (code, len(errors)) == (1, 1)
    assert "in/a.png: its process died (exit code 9)" in errors[0]
    names = ["a-two.png", "sub/b-one.png", "sub/b-two.png"]
    assert sorted(path.relative_to("two").as_posix() for path in Path("two").rglob("*.png")) == names
    for name in names:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_a_result_is_that_of_the_command_for_one(run: Run) -> None:
    picture("in/a.png")
    assert run("batch in/*.png --style art.png --style art.png@0.5 -o out -q", *TINY, *BUILTIN)[0] == 0
    assert run("image in/a.png --style art.png --style art.png@0.5 -o a.png -q", *TINY, *BUILTIN)[0] == 0
    assert Path("out/a-art-art.png").read_bytes() == Path("a.png").read_bytes()
    assert Record.load(Path("out/a-art-art.png.json")).recipe == Record.load(Path("a.png.json")).recipe


def test_a_folder_has_its_own_choices_and_the_nearest_win(run: Run) -> None:
    for name in ("in/a.png", "in/x/b.png", "in/x/y/c.png"):
        picture(name)
    Path("in/volstyle.toml").write_text("smoothness = 3.0\nseed = 7\n[content]\nweight = 0.5\n")
    Path("in/x/y/volstyle.toml").write_text("smoothness = 4.0\n")
    Path("mine.toml").write_text("smoothness = 5.0\nstrength = 0.5\n")
    assert run("batch in --style art.png -o out -q --recipe mine.toml --set seed=9", *TINY, *BUILTIN)[0] == 0
    found = {}
    for path in Path("out").rglob("*.json"):
        recipe = Record.load(path).recipe
        found[path.name[0]] = (recipe.smoothness, recipe.content.weight, recipe.strength, recipe.seed)
    assert found == {"a": (3, 0.5, 0.5, 9), "b": (3, 0.5, 0.5, 9), "c": (4, 0.5, 0.5, 9)}


def test_what_was_made_otherwise_is_replaced_with_force_alone(run: Run) -> None:
    picture("in/a.png")
    line = "batch in --style art.png -o out -q"
    assert run(line, *TINY, *BUILTIN)[0] == 0
    code, _, errors = run(line, *TINY, *BUILTIN, "--set", "smoothness=9")
    assert code == 1
    assert errors[0].endswith("out/a-art.png: is there, with other smoothness; --force replaces it")
    assert run(line, *TINY, *BUILTIN, "--set", "smoothness=9", "--force") == (0, "", [])
    picture("art.png", 5)
    assert "with other inputs" in run(line, *TINY, *BUILTIN, "--set", "smoothness=9")[2][0]
    picture("art.png", 1)
    Path("out/a-art.png").write_bytes(b"mine")
    assert "with other bytes than its record says" in run(line, *TINY, *BUILTIN, "--set", "smoothness=9")[2][0]
    Path("out/.a-art.png.state").mkdir()
    Path("out/.a-art.png.state/writing").touch()  # as a run leaves it that is killed between result and record
    assert run(line, *TINY, *BUILTIN, "--set", "smoothness=9") == (0, "", [])
    assert not Path("out/.a-art.png.state").exists()
    assert Path("out/a-art.png").read_bytes() != b"mine"
    Path("out/a-art.png").write_bytes(b"mine")
    Path("out/a-art.png.json").unlink()
    assert "no record" in run(line, *TINY, *BUILTIN)[2][0]
    assert Path("out/a-art.png").read_bytes() == b"mine"


BAD = {
    "batch nope --style art.png -o out": "nope: no file matches",
    "batch 'in/*.tif' --style art.png -o out": "no file matches",
    "batch in --style art.png -o in": "where the files come from",
    "batch in --style nope/*.png -o out": "style nope/*.png: holds no style",
    "batch in --style art.png": "--output",
    "batch in --style art.png -o out --set schedule.step=3": "'steps'",
    "batch in --style art.png -o out --network randum": "'random'",
    "batch in --style art.png -o out --jobs 0": "--jobs",
    "batch in twin --style art.png -o out": "would be the result of both in/a.png and twin/a.jpg",
    "batch tomled --style art.png -o out": "tomled/volstyle.toml: recipe: no key 'sede'",
}


@pytest.mark.parametrize("line", BAD)
def test_what_is_wrong_with_all_is_one_line_before_the_work(run: Run, line: str) -> None:
    picture("in/a.png")
    picture("twin/a.jpg")
    picture("tomled/a.png")
    Path("tomled/volstyle.toml").write_text("sede = 3\n")
    code, _, errors = run(line.replace("'", ""))
    assert code == 2
    assert len(errors) == 1
    assert BAD[line] in errors[0]
    assert not Path("out").exists()


def test_outcomes_as_json(run: Run) -> None:
    picture("in/a.png")
    Path("in/bad.png").write_bytes(b"no")
    Path("in/read.me").write_bytes(b"no")
    code, out, _ = run("batch in --style art.png@0.5 -o out --json", *TINY, *BUILTIN)
    assert code == 1
    found: dict[str, Any] = json.loads(out)
    assert (found["done"], found["there"], found["failed"], found["left_out"]) == (1, 0, 1, ["in/read.me"])
    failed, done = found["results"]
    of_shape(found, shapes.BatchJson)
    assert (done["output"], done["styles"]) == ("out/a-art.png", [{"path": "art.png", "weight": 0.5, "at": None}])
    assert (failed["content"], failed["output"], failed["state"]) == ("in/bad.png", None, "failed")


def test_a_file_that_vanishes_and_an_error_of_any_kind_are_outcomes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture("in/a.png")
    asked = Asked(styles_of(["art.png"]), Path("out"), size=24, chosen=QUICK)
    [job], _ = jobs_of([Found(Path("in/a.png"), Path("in"))], asked)
    Path("in/a.png").unlink()
    assert carry_out_job(job).error == "in/a.png: no such file"
    monkeypatch.setattr("volstyle.media.batch.carry_out", lambda *_: 1 / 0)
    picture("in/a.png")
    outcome = carry_out_job(job)
    assert (outcome.state, outcome.error) == (State.FAILED, "ZeroDivisionError: division by zero")


def test_only_what_stands_still_has_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture("in/old.png")
    now = [0.0]
    arrivals = Arrivals(["in"], Path("out"), clock=lambda: now[0])

    def after(seconds: float) -> list[str]:
        now[0] += seconds
        return [found.path.name for found in arrivals.settled()]

    assert after(0) == []
    assert after(5) == ["old.png"]
    Path("in/new.png").write_bytes(b"half")
    assert after(0) == [] and arrivals.waiting
    Path("in/new.png").write_bytes(b"half and more")
    assert after(1.9) == []
    assert after(1.9) == []
    assert after(0.2) == ["new.png"] and not arrivals.waiting
    assert after(5) == []
    Path("in/old.png").write_bytes(b"changed")
    assert after(1) == []
    Path("in/old.png").unlink()
    assert after(5) == [] and not arrivals.waiting
    shutil.rmtree("in")
    with pytest.raises(InputError, match="in: no such file or folder to watch"):
        after(1)


@pytest.mark.parametrize("word", ["inn", "in/deep", "in.old", "gone/*.png"])
def test_a_folder_that_is_not_there_is_not_waited_for(run: Run, word: str) -> None:
    code, out, errors = run(f"batch {word} --style art.png -o out --watch")
    folder = word.removesuffix("/*.png")
    assert (code, out) == (2, "")
    assert errors == [f"volstyle: {folder}: no such file or folder to watch; make it first"]


@pytest.mark.parametrize("word", ["in", "in/late.png", "in/*.png", "in/**/*.png", "i*/*.png", "in/%04d.png"])
def test_a_file_that_is_not_there_yet_is_waited_for(run: Run, word: str) -> None:
    root = Path("." if word.startswith("i*") else "in")
    assert Arrivals([word], Path("out")).roots == (root,)


def test_files_are_styled_as_they_arrive(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the folder goes away: that ends it."""
    monkeypatch.setattr("volstyle.media.watch.SETTLED_S", 0.4)

    def arrive() -> None:
        until(Path("out/first-art.png.json").exists)
        whole = Path("whole.png").read_bytes()
        with Path("in/late.png").open("wb") as file:
            file.write(whole[:200])
            file.flush()
            time.sleep(0.2)
            file.write(whole[200:])
        until(Path("out/late-art.png.json").exists)
        shutil.rmtree("in")

    picture("in/first.png")
    picture("whole.png", 3)
    other = threading.Thread(target=arrive)
    other.start()
    code, out, errors = run("batch in --style art.png -o out --watch", *TINY, *BUILTIN)
    other.join()
    assert code == 2
    assert errors == ["volstyle: in: no such file or folder to watch; make it first"]
    assert "watching   in" in out
    assert read(Path("out/late-art.png")).shape == (24, 24)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        time.sleep(0.05)


def test_without_watchfiles_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(InputError, match="volstyle\\[watch\\]"):
        next(arriving(Arrivals(["in"], Path("out"))))
