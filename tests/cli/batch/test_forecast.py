"""`volstyle plan batch`: what each result would take, which are there, which cannot be; nothing is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_pipes import of_shape
from tests.lessons import learn
from tests.tiny import numbers
from volstyle.codecs import Encoding, write
from volstyle.grid.field import Axis, Field
from volstyle_cli import main, shapes

Run = Callable[[str], tuple[int, str, list[str]]]
PLANE = (Axis("y"), Axis("x"))
LINE = "batch in --network builtin --precision float32 --memory 64MB --size 24 --set schedule.steps=2 -o out/deep"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("in/sub").mkdir(parents=True)
    for seed, name in enumerate(("art.png", "in/a.png", "in/sub/b.png")):
        write(name, Field(numbers(3, 24, 24, seed=seed), PLANE))
    clip = Field(numbers(3, 2, 24, 32), (Axis("t", 0.1, "s"), *PLANE))
    write("in/c.mp4", clip, Encoding("lossless"))
    Path("in/bad.png").write_bytes(b"no")
    Path("in/read.me").write_bytes(b"no")

    def call(line: str) -> tuple[int, str, list[str]]:
        capsys.readouterr()
        code = main(line.split())
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return call


def test_what_a_batch_would_take(run: Run) -> None:
    before = sorted(Path().rglob("*"))
    code, out, errors = run(f"plan {LINE} --style art.png --json")
    found = json.loads(out)
    of_shape(found, shapes.PlanBatchJson)
    assert sorted(Path().rglob("*")) == before
    assert (code, len(errors)) == (1, 1) and errors[0].startswith("volstyle: in/bad.png: ")
    assert (found["to_do"], found["there"], found["failed"], found["left_out"]) == (3, 0, 1, ["in/read.me"])
    done = {one["content"]: one for one in found["results"]}
    assert done["in/c.mp4"]["output"] == "out/deep/c-art.mp4"
    assert done["in/bad.png"]["error"] and done["in/bad.png"]["seconds"] is None
    each = [one["seconds"] for one in found["results"] if one["state"] == "to do"]
    assert found["seconds"] == pytest.approx(sum(each)) and min(each) > 0
    assert found["memory"] == max(one["memory"] for one in found["results"] if one["memory"])


def test_what_is_there_and_what_another_run_made(run: Run) -> None:
    Path("in/bad.png").unlink()
    assert run(f"{LINE} --style art.png -q")[0] == 0
    Path("out/deep/sub/b-art.png").unlink()
    code, out, errors = run(f"plan {LINE} --style art.png")
    assert (code, errors) == (0, [])
    assert "there      in/a.png after art.png: out/deep/a-art.png\n" in out
    assert "to do      in/sub/b.png after art.png: out/deep/sub/b-art.png, " in out
    assert "to do      1 of 3 results, 2 are there, one after the other " in out
    code, out, errors = run(f"plan {LINE} --style art.png --set smoothness=9")
    assert code == 1
    assert "volstyle: in/a.png: out/deep/a-art.png: is there, with other smoothness; --force replaces it" in errors


def test_the_pace_of_a_learned_style_is_not_known_before(run: Run) -> None:
    Path("in/bad.png").unlink()
    Path("in/c.mp4").unlink()
    learn("s.safetensors", ("art.png",), "in/a.png", "image")
    code, out, _ = run("plan batch in --style s.safetensors -o out --json")
    found = json.loads(out)
    assert (code, found["to_do"], found["seconds"]) == (0, 2, 0)
    assert [one["seconds"] for one in found["results"]] == [None, None]


def test_files_to_come_cannot_be_planned(run: Run) -> None:
    code, _, errors = run(f"plan {LINE} --style art.png --watch")
    assert (code, errors) == (2, ["volstyle: --watch: what has not arrived cannot be planned; leave it out"])
