"""Pictures through stdin and stdout, plans, and what --json prints."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import cv2
import numpy as np
import pytest

from tests.tiny import numbers
from volstyle.codecs import Encoding, read, write
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import composed
from volstyle.networks.weights import sha256
from volstyle.recipe import Recipe
from volstyle.record import Record
from volstyle_cli import main, shapes

PLANE = (Axis("y"), Axis("x"))
TINY = ["--network", "builtin", "--precision", "float32", "--set", "schedule.steps=2", "--size", "32"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with a picture, a style and a clip: code, output, errors."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("photo.png", "art.png")):
        write(name, Field(numbers(3, 40, 56, seed=seed), PLANE))
    write("clip.mp4", Field(numbers(3, 3, 32, 48), (Axis("t", 0.1, "s"), *PLANE)), Encoding("lossless"))

    def call(line: str, *more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*line.split(), *more])
        return code, *capsys.readouterr()

    return call


class Pipe(io.BytesIO):
    """Bytes as the standard streams have them beneath their text."""

    @property
    def buffer(self) -> io.BytesIO:
        return self

    def write(self, data: Any) -> int:
        return super().write(data.encode() if isinstance(data, str) else data)

    def isatty(self) -> bool:
        return False


@pytest.fixture
def piped(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, bytes, str]]:
    """As `run`, with bytes on stdin; gives what came out as bytes."""

    def call(data: bytes, line: str, *more: str) -> tuple[int, bytes, str]:
        out = Pipe()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Pipe(data))
            patch.setattr(sys, "stdout", out)
            code, _, errors = run(line, *more)
        return code, out.getvalue(), errors

    return call


Piped = Callable[..., tuple[int, bytes, str]]


@pytest.mark.parametrize("more", ["", "--keep-colors"])
def test_what_comes_out_is_what_a_file_would_have_been(run: Run, piped: Piped, more: str) -> None:
    code, data, errors = piped(Path("photo.png").read_bytes(), f"image - --style art.png {more}", *TINY)
    assert code == 0
    assert "content    stdin" in errors and "output     stdout" in errors
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (23, 32)
    assert run(f"image photo.png --style art.png -o a.png -q {more}", *TINY)[0] == 0
    assert data == Path("a.png").read_bytes()


def test_a_pipe_at_one_end(run: Run, piped: Piped) -> None:
    assert run("image photo.png --style art.png -o a.png -q", *TINY)[0] == 0
    code, data, errors = piped(b"", "image photo.png --style art.png -o - -q", *TINY)
    assert (code, errors) == (0, "")
    assert data == Path("a.png").read_bytes()
    jpeg = cv2.imencode(".jpg", (255 * read("photo.png").samples.permute(1, 2, 0)).byte().numpy())[1].tobytes()
    code, data, _ = piped(jpeg, "image - --style art.png -o b.png", *TINY)
    assert code == 0
    assert read("b.png").shape == (23, 32)
    assert set(Record.load(Path("b.png.json")).command["in_memory"]) == {"content"}
    assert "a run of samples in memory, which are gone" in run("replay b.png.json")[2]


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"no picture", "image - --style art.png", "stdin: 10 bytes that are no picture"),
        (b"", "image - --style art.png", "stdin: 0 bytes"),
        (b"cut", "image - --style art.png", "stdin: "),
        (b"", "signal - --style art.png", "give `volstyle signal` a file"),
        (b"", "volume photo.png --style art.png -o -", "give `volstyle volume` a file"),
        (b"", "image photo.png --style art.png -o - --report a.html", "a.html: a report is of a result in a file"),
    ],
)
def test_what_does_not_go_through_a_pipe(piped: Piped, data: bytes, line: str, said: str) -> None:
    data = Path("photo.png").read_bytes()[:100] if data == b"cut" else data
    code, out, errors = piped(data, line)
    assert (code, out) == (2, b"")
    assert said in errors and "/tmp" not in errors
    assert errors.count("\n") == 1


def test_no_picture_goes_to_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, _, errors = run("image photo.png --style art.png -o -", *TINY)
    assert code == 2
    assert "stdout: is a terminal; give -o FILE" in errors


def test_a_plan_is_what_a_run_says_and_does_nothing(run: Run) -> None:
    before = sorted(Path().iterdir())
    code, out, errors = run("plan image photo.png --style art.png", *TINY)
    assert (code, errors) == (0, "")
    assert sorted(Path().iterdir()) == before
    said = run("image photo.png --style art.png", *TINY)[1].splitlines()
    planned = out.splitlines()
    assert [line for line in planned if "takes" not in line] == said[: len(planned) - 1]
    assert planned[-1].startswith("takes ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plan image photo.png --style nope.png", "style nope.png: no such file"),
        ("plan video photo.png --style art.png", "use `volstyle image`"),
        ("plan image photo.png --style art.png -o photo.png --force", "give another --output"),
        ("plan image photo.png --style art.png --preview now.xyz", ".xyz"),
    ],
)
def test_a_plan_says_why_a_run_cannot_be(run: Run, line: str, said: str) -> None:
    code, _, errors = run(line, *TINY)
    assert code == 2
    assert said in errors


@pytest.mark.parametrize("command", ["plan image", "image"])
def test_too_little_memory_or_disk_is_said_before_the_work(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    before = sorted(Path().iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("volstyle.media.run.free_memory", lambda _: 2**20)
        code, _, errors = run(f"{command} photo.png --style art.png", *TINY)
    assert code == 2
    assert "memory: takes about 1 MB, 1 MB are free; choose a smaller --size" in errors
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
        code, _, errors = run(f"{command} photo.png --style art.png", *TINY)
    assert code == 2
    assert "its disk has 0 KB left" in errors
    assert sorted(Path().iterdir()) == before


def of_shape(values: Any, shape: Any) -> None:
    """Keys as they are documented, no more and no less, and those of what is nested."""
    hints = get_type_hints(shape)
    assert set(values) == set(hints)
    for name, hint in hints.items():
        for kind in (hint, *get_args(hint)):
            if is_typeddict(kind):
                for value in values[name] if get_origin(hint) is list else [values[name]]:
                    if value is not None:
                        of_shape(value, kind)


def test_all_that_is_said_as_json_has_its_documented_shape(run: Run) -> None:
    assert run("video clip.mp4 --style art.png@0.5 -o a.mp4 -q", *TINY)[0] == 0
    plan = json.loads(run("plan video clip.mp4 --style art.png@2@1f --json", *TINY)[1])
    of_shape(plan, shapes.PlanJson)
    assert plan["styles"] == [{"path": "art.png", "weight": 2, "at": "1f"}]
    assert (plan["shape"], plan["parts"], plan["output"]) == ([3, 22, 32], 1, "clip-art.mp4")
    assert plan["seconds"] > 0 < plan["memory"]
    info = json.loads(run("info clip.mp4 --network builtin --json")[1])
    of_shape(info, shapes.InfoJson)
    assert (info["kind"], info["medium"], info["shape"]) == ("video", "video", [3, 32, 48])
    assert info["takes"]["network"]["name"] == "builtin"
    small = json.loads(run("info clip.mp4 --network builtin --size 2 --json")[1])
    assert small["takes"] is None and "at least" in small["why_not"]
    record = json.loads(run("info a.mp4.json --json")[1])
    of_shape(record, shapes.RecordJson)
    assert (record["content"], record["output"]) == ("clip.mp4", "a.mp4")
    assert record["styles"] == [{"path": "art.png", "weight": 0.5, "at": None}]
    assert record["stages"][-1]["done"] == 2
    shown = json.loads(run("recipe show --preset bold --json --set style.taps.relu2_1=3")[1])
    assert Recipe().updated(shown) == composed("image", {"preset": "bold", "style": {"taps": {"relu2_1": 3}}})
    verdicts = json.loads(run("eval a.mp4 --json")[1])
    of_shape(verdicts, shapes.EvalJson)
    code, said, _ = run("replay a.mp4.json -o b.mp4 --json")
    again = json.loads(said)
    of_shape(again, shapes.ReplayJson)
    assert (code, again["same"], again["wrote"]) == (0, True, "b.mp4")
    assert again["found"] == again["expected"] == sha256(Path("b.mp4"))
    units = json.loads(run("units art.png --network builtin --layer relu1_1 --unit 3 --of a.mp4 --json")[1])
    of_shape(units, shapes.UnitsJson)
    (unit,) = units["units"]
    assert (unit["unit"], units["layer"], units["page"]) == (3, "relu1_1", "units.html")
    assert unit["activations"] == sorted(unit["activations"], reverse=True) and unit["style"] > 0
    alone = json.loads(run("units art.png --network builtin --unit 0 --json -o other.html")[1])
    assert alone["units"][0]["style"] is None


def test_numbers_that_are_not_finite_are_null() -> None:
    assert json.loads(shapes.json_text({"a": [float("nan"), 1.0], "b": {"c": float("inf")}})) == {
        "a": [None, 1.0],
        "b": {"c": None},
    }
