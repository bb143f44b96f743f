"""A run that several processes share: the same result as of one, from the library and from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import volstyle
from tests.processes import answers, started, together
from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.grid.field import Axis, Field
from volstyle.record import Record
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))


def smooth(*shape: int, seed: int) -> NDArray[np.float32]:
    """Random numbers in [0, 1] without the finest grain."""
    found = numbers(*shape, seed=seed).numpy()
    for axis in range(len(shape)):
        found = (found + np.roll(found, 1, axis)) / 2
    return found


STYLE = smooth(40, 40, 3, seed=1)
QUICK = {
    "precision": "float32",
    "memory": "256MB",
    "network.name": "builtin",
    "schedule.steps": 3,
    "optimizer.name": "gd",
    "optimizer.rate": 2.0,
}
"""Adam makes a whole step of a gradient that is nothing but rounding, which other tiles round otherwise."""

ARGUMENTS: dict[str, dict[str, Any]] = {
    "signal": {
        "content": Field.of(numbers(1200, seed=2) - 0.5, "t", step=1 / 8000, unit="s"),
        "styles": [Field.of(numbers(1600, seed=3) - 0.5, "t", step=1 / 8000, unit="s")],
        "choices": {**QUICK, "network.name": "random"},
    },
    "image": {"content": smooth(60, 72, 3, seed=4), "styles": [STYLE], "choices": QUICK},
    "video": {
        "content": smooth(5, 32, 40, 3, seed=5),
        "styles": [STYLE],
        "choices": {**QUICK, "temporal.window": 3},
    },
    "volume": {
        "content": smooth(20, 24, 28, seed=6),
        "styles": [STYLE],
        "choices": {**QUICK, "schedule.smallest": 20},
    },
}


def styled(kind: str) -> volstyle.Result:
    return volstyle.style(**ARGUMENTS[kind], together="WORLD_SIZE" in os.environ)


def all_styled() -> dict[str, Any]:
    """Each medium once, and one of them again."""
    found = {}
    for name in (*ARGUMENTS, "image again"):
        result = styled(name.split()[0])
        found[name] = (result.numpy(), [stage.costs for stage in result.record.stages], result.record.ranks)
    return found


@pytest.fixture(scope="module")
def shared() -> list[dict[str, Any]]:
    """What each of two processes gets."""
    return together(2, all_styled)


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_the_result_and_the_costs_are_those_of_one_process(shared: list[dict[str, Any]], kind: str) -> None:
    alone = styled(kind)
    samples, costs, ranks = shared[0][kind]
    assert (ranks, alone.record.ranks) == (2, 1)
    scale = np.abs(alone.numpy()).max()
    level = 1 / 65535 if kind == "video" else 0  # frames wait in 16 bits, so that the last one may differ
    np.testing.assert_allclose(samples / scale, alone.numpy() / scale, rtol=0, atol=1e-5 + level)
    for stage, found in zip(alone.record.stages, costs, strict=True):
        for term, wanted in stage.costs.items():
            assert found[term] == pytest.approx(wanted, rel=1e-5)


def test_every_process_gets_the_result(shared: list[dict[str, Any]]) -> None:
    first, second = shared
    for name, (samples, costs, _) in first.items():
        np.testing.assert_array_equal(second[name][0], samples)
        assert second[name][1] == costs


def test_the_same_twice(shared: list[dict[str, Any]]) -> None:
    np.testing.assert_array_equal(shared[0]["image"][0], shared[0]["image again"][0])


def refused() -> str:
    with pytest.raises(volstyle.RecipeError) as error:
        volstyle.style(**{**ARGUMENTS["image"], "choices": {"colors": "none"}}, together=True)
    return str(error.value)


def test_what_the_first_refuses_all_refuse() -> None:
    first, second = together(2, refused)
    assert first == second
    assert first.startswith("colors: 'none'")


# ---- from the command line

LINE = (
    "video clip.mp4 --style art.png -o a.mp4 --network random --precision float32 --memory 64MB --size 40 -q "
    "--set schedule.steps=2 --set schedule.smallest=24 --set style.statistic=gram --set temporal.window=4"
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of 10 frames, and a style."""
    monkeypatch.chdir(tmp_path)
    write(Path("art.png"), Field(numbers(3, 32, 32, seed=1), PLANE))
    samples = numbers(3, 10, 8, 10).repeat_interleave(4, 2).repeat_interleave(4, 3)
    write(Path("clip.mp4"), Field(samples, (Axis("t", 0.1, "s"), *PLANE)))


def command(line: str) -> tuple[int, str]:
    """The exit code of a command, and what it says that is wrong."""
    with redirect_stderr(StringIO()) as said:
        code = main(line.split())
    return code, said.getvalue()


GONE = "volstyle: ranks: one of the 2 processes is gone, so that all stop; what was reached is kept, the same"


@pytest.mark.parametrize("dies", [0, 1])
def test_one_that_dies_stops_the_other_and_the_same_command_goes_on(files: None, dies: int) -> None:
    assert together(2, command, LINE) == [(0, ""), (0, "")]
    expected = Path("a.mp4").read_bytes()
    assert together(2, command, "replay a.mp4.json -o again.mp4 -q") == [(0, ""), (0, "")]
    Path("a.mp4").unlink()
    Path("a.mp4.json").unlink()
    members = started(2, command, LINE)
    while not list(Path().glob(".a.mp4.state/part*.safetensors")):
        time.sleep(0.002)
    members[dies].process.kill()
    began = time.monotonic()
    found = answers(members)
    assert time.monotonic() - began < 60
    code, said = found[1 - dies]
    assert (code, found[dies]) == (2, None)
    assert said.startswith(GONE)
    assert said.count("\n") == 1
    assert Path(".a.mp4.state/order.json").exists()
    assert main(LINE.split()) == 2  # one process would round otherwise
    assert together(2, command, LINE) == [(0, ""), (0, "")]
    assert Path("a.mp4").read_bytes() == expected


def test_a_style_is_learned_and_painted_as_by_one_process(files: None) -> None:
    """The first process does both alone, and says so."""
    learning = (
        "learn art.png --on clip.mp4 --network random --precision float32 --memory 64MB "
        "--set learn.steps=3 --set learn.examples=4 --set learn.smallest=24"
    )
    painting = "video clip.mp4 --precision float32 --memory 64MB --quality lossless"
    assert together(1, command, f"{learning} -o one.safetensors -q") == [(0, "")]
    assert together(1, command, f"{painting} --style one.safetensors -o one.mkv -q") == [(0, "")]
    first, second = together(2, heard, f"{learning} -o two.safetensors")
    assert "note       the first of 2 processes learns and paints alone\n" in first
    assert second == ""
    assert together(2, command, f"{painting} --style two.safetensors -o two.mkv -q") == [(0, ""), (0, "")]
    for name in ("safetensors", "mkv"):
        assert Path(f"one.{name}").read_bytes() == Path(f"two.{name}").read_bytes()


def heard(line: str) -> str:
    """What a command says."""
    with redirect_stdout(StringIO()) as said:
        assert main(line.split()) == 0
    return said.getvalue()


def test_a_wrong_line_is_said_once(files: None) -> None:
    (code, said), other = together(2, command, "image nothing.png --style art.png")
    assert (code, said) == (2, "volstyle: nothing.png: no such file\n")
    assert other == (0, "")


def test_torchrun(files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # or torchrun says at length that it chose this
    folder = Path(sys.executable).parent
    line = "image art.png --style art.png -o b.png --network builtin --precision float32 --set schedule.steps=1"
    words = [str(folder / "torchrun"), "--nproc-per-node", "2", "--no-python", str(folder / "volstyle")]
    done = subprocess.run([*words, *line.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote") == 1
    assert "2 processes" in done.stdout
    assert done.stderr == ""
    assert Record.load(Path("b.png.json")).ranks == 2
