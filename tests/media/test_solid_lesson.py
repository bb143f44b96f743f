"""A solid learned of its sections, and parts made on demand: by both doors; killed, gone on with, replayed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

import volstyle
from tests.lessons import killed_when_it_saves
from tests.processes import ended
from tests.tiny import numbers
from volstyle.codecs import Encoding, Selection, read, write
from volstyle.engine import endless
from volstyle.engine.learned_solid import LearnedSolid, is_solid
from volstyle.errors import InputError, RecipeError, ShapeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.media import solid_lesson, solid_school
from volstyle.media.order import style_named
from volstyle.media.solid import Solid
from volstyle.media.solid_part import begins_at
from volstyle.media.table import open_order
from volstyle.media.volume import shape_of
from volstyle.networks.inflation import Placement
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
SECTIONS = ["xy.npy@z", "xz.npy@y", "yz.npy@x"]
TINY = {"network.name": "builtin", "memory": "64MB", "learn.steps": 2}
SHAPE = (12, 12, 12)
FEWER = {"_SAVE_EVERY": 1, "_LOOKED_AT": 2, "_LOOKED_SIDE": 16, "_COARSER": 1, "_COARSER_SIDE": 16}
"""Parts to look at: tests need no solid that is right."""


def blobs(seed: int, *, levels: int = 2) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(32, 32) of 0, 85, …"""
    smooth = sum(resize(numbers(1, 8, 8, seed=seed + 7 * n), (32, 32))[0] > 0.5 for n in range(levels - 1))
    return (85 * torch.as_tensor(smooth)).numpy().astype(np.uint8)


def look_at_fewer(patched: pytest.MonkeyPatch) -> None:
    for name, value in FEWER.items():
        patched.setattr(solid_school, name, value)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sections of two phases, one of three, one of grays, and a picture; and solids that were learned:
    rock.safetensors is of the three sections, phases.safetensors is of one of them, and so is s.safetensors, for
    which they are no phases."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        look_at_fewer(patched)
        for seed, name in enumerate(("xy", "xz", "yz")):
            np.save(f"{name}.npy", blobs(seed))
        np.save("three.npy", blobs(5, levels=3))
        np.save("gray.npy", (1000 * numbers(1, 32, 32)[0]).numpy().astype(np.int16))
        write("art.png", Field(numbers(3, 32, 40, seed=2), PLANE))
        assert learn(*SECTIONS, "--phases", "auto", "-o", "rock.safetensors") == 0
        assert learn("xy.npy", "--phases", "auto", "-o", "phases.safetensors") == 0
        assert learn("xy.npy", "-o", "s.safetensors") == 0
    return folder


@pytest.fixture(autouse=True)
def _files(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of all that was made, and fewer samples in which phases are looked at."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    look_at_fewer(monkeypatch)


def options(choices: dict[str, Any] = TINY) -> list[str]:
    return [word for key, value in choices.items() for word in ("--set", f"{key}={value}")]


def learn(*words: str, shape: str = "12,12,12") -> int:
    return main(["learn", *words, "--shape", shape, *options(), "-q"])


def make(*words: str) -> int:
    return main(["volume", *words, "-q"])


def test_a_solid_is_learned_and_any_part_of_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(Path("rock.safetensors.json").read_text())
    assert [style["across"] for style in record["command"]["styles"]] == ["z", "y", "x"]
    assert [stage["steps"] for stage in record["stages"]] == [2, 2]
    assert {"two points", "values", "variation"} <= set(record["stages"][0]["costs"])
    assert ["nearness" in stage["costs"] for stage in record["stages"]] == [False, True]
    assert make("--shape", "20,16,24", "--style", "rock.safetensors", "-o", "a.npy") == 0
    line = ["--shape", "12,12,12", "--origin", "6,-4,9", "--style", "rock.safetensors"]
    assert make(*line, "-o", "b.npy") == 0
    one, other = np.load("a.npy"), np.load("b.npy")
    assert one.shape == (20, 16, 24) and one.dtype == np.uint8  # as the sections are
    assert set(np.unique(one)) <= {0, 85}
    assert (one[6:18, :8, 9:21] == other[:, 4:]).all()
    assert make(*line, "--seed", "1", "-o", "c.npy") == 0
    assert main(["eval", "c.npy"]) == 2
    assert "c.npy: is made of a file that was learned, which has no sections in it" in capsys.readouterr().err
    assert main(["replay", "b.npy.json", "-q"]) == 0
    assert json.loads(Path("b.npy.json").read_text())["command"]["begins"] == [6, -4, 9]


def test_what_is_looked_at_is_what_an_endless_solid_has() -> None:
    """Nothing beyond the ends of a piece changes it, whatever stands there."""
    order = solid_lesson.lesson_of(
        (style_named("xy.npy"),),
        (),
        Path("s.safetensors"),
        shape=SHAPE,
        kind=None,
        size=None,
        given={},
        chosen=(),
        selection=Selection(),
        encoding=Encoding(),
        resume=False,
    )
    opened = open_order(order)
    assert isinstance(opened, Solid)
    run = solid_school._planned(order, opened)
    for number, start in enumerate(starts := solid_school._starts(run, opened)):
        noisy = {name: numbers(*weight.shape, seed=9) - 0.5 for name, weight in start.weights.items()}
        painter = replace(start, weights=noisy).painter(Placement((0, 1, 2)), torch.ones(1))
        piece = solid_school._Pieces.of(starts[:number], start.plan, SHAPE, run, 1.0)[3]
        made = painter(piece.content, piece.before)[(slice(None), *piece.inner)]
        beyond = [torch.nn.functional.pad(seen, (2,) * 6, value=0.2) for seen in (piece.content, piece.before)]
        more = painter(*beyond)[(slice(None), *(slice(s.start + 2, s.stop + 2) for s in piece.inner))]
        assert made.shape[1:] == SHAPE
        torch.testing.assert_close(made, more)


def test_two_doors_learn_and_make_the_same() -> None:
    choices = {**TINY, "solid.phases": "auto"}
    result = volstyle.learn(SECTIONS, None, "house.safetensors", shape=SHAPE, choices=choices)
    assert result.output == Path("house.safetensors")
    assert Path("rock.safetensors").read_bytes() == Path("house.safetensors").read_bytes()
    assert make("--shape", "16,8,8", "--origin", "100,0,0", "--style", "rock.safetensors", "-o", "a.nii.gz") == 0
    made = volstyle.style(None, ["house.safetensors"], shape=(16, 8, 8), origin=(100, 0, 0))
    assert torch.equal(made.field.samples, read("a.nii.gz").samples)
    with pytest.raises(InputError, match="learned solid: is no field"):
        _ = result.field


def test_phases_have_their_shares_in_the_whole_of_it_and_parts_their_levels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(solid_school, "_LOOKED_SIDE", 40)
    for name in ("xy", "three"):
        assert learn(f"{name}.npy", "--phases", "auto", "-o", f"{name}.safetensors") == 0
        section = np.load(f"{name}.npy")
        found = volstyle.style(None, [f"{name}.safetensors"], shape=(64, 64, 64)).field.samples
        assert found.shape[0] == 1
        for level in np.unique(section):
            assert float((found == int(level)).float().mean()) == pytest.approx(
                (section == level).mean(), abs=0.05
            )
    solid = LearnedSolid.load(Path("three.safetensors"))
    assert solid.channels == 1 and solid.generators[0].plan.channels == 3


def test_grays_and_colors_have_no_phases() -> None:
    assert learn("gray.npy", "-o", "gray.safetensors") == 0
    assert learn("art.png", "-o", "art.safetensors") == 0
    gray = volstyle.style(None, ["gray.safetensors"], shape=SHAPE, choices={"seed": 2}).field.samples
    assert gray.shape == (1, *SHAPE) and gray.max() > 2
    assert make("--shape", "12", "--style", "art.safetensors", "-o", "art.nii.gz") == 0
    assert read("art.nii.gz").channels == 3


def test_a_periodic_part_fits_beside_itself() -> None:
    def made(begins: tuple[int, int, int]) -> torch.Tensor:
        result = volstyle.style(
            None, ["s.safetensors"], shape=(16, 8, 12), origin=begins, choices={"periodic": True}
        )
        return result.field.samples

    assert torch.allclose(made((0, 0, 0)), made((16, -8, 12)), atol=1e-4)
    assert torch.allclose(made((0, 0, 0)).roll(-4, 1), made((4, 0, 0)), atol=1e-4)
    with pytest.raises(ShapeError, match="periodic: 16x8x9 samples, each side must be a multiple of 2"):
        volstyle.style(None, ["s.safetensors"], shape=(16, 8, 9), choices={"periodic": True})


def test_pieces_are_followed_and_a_stop_leaves_the_rest_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = volstyle.style(None, ["s.safetensors"], shape=(20, 8, 8)).field.samples
    monkeypatch.setattr(endless, "_TILE", 10)

    class Stop(volstyle.Follower):
        def painted(self, number: int, made: torch.Tensor) -> bool:
            return number == 1

    result = volstyle.style(None, ["s.safetensors"], "out.npy", shape=(20, 8, 8), progress=Stop())
    assert result.stopped and result.last == (0, 1)
    assert torch.allclose(result.field.samples[:, :10], whole[:, :10], atol=1e-3)
    assert result.field.samples[:, 10:].abs().max() == 0


def test_learning_is_replayed_with_the_same_bytes() -> None:
    assert main(["replay", "rock.safetensors.json", "-q"]) == 0
    assert Path("rock-replay.safetensors").read_bytes() == Path("rock.safetensors").read_bytes()


def killed(line: list[str]) -> None:
    vars(solid_school).update(FEWER)
    killed_when_it_saves(line)


def test_killed_while_it_learns_it_goes_on_with_the_same_bytes() -> None:
    line = ["learn", "xy.npy", "--shape", "12", "--phases", "auto", *options(), "-q"]
    assert ended(killed, [*line, "-o", "cut.safetensors"]) == 9
    assert not Path("cut.safetensors").exists()
    assert main([*line, "-o", "cut.safetensors"]) == 0
    assert Path("cut.safetensors").read_bytes() == Path("phases.safetensors").read_bytes()


def test_a_solid_and_a_style_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.safetensors").rename("solid.safetensors")
    quick = options({**TINY, "learn.examples": 1, "learn.smallest": 32, "learn.steps": 1})
    assert main(["learn", "art.png", "--on", "art.png", "-o", "style.safetensors", *quick, "-q"]) == 0
    assert is_solid(Path("solid.safetensors")) and not is_solid(Path("style.safetensors"))
    np.save("scan.npy", numbers(12, 12, 12).numpy())
    for line, message in (
        (
            "volume scan.npy --style solid.safetensors",
            "solid.safetensors is a learned solid, which paints no content",
        ),
        (
            "image art.png --style solid.safetensors",
            "solid.safetensors is a learned solid, which paints no content",
        ),
        (
            "volume --shape 12 --style style.safetensors",
            "style.safetensors was learned to paint contents, and makes",
        ),
        ("volume --shape 12 --style xy.npy --origin 1,0,0", "origin: is for a part of a learned solid"),
        ("volume --shape 12 --style solid.safetensors --origin 1,0", "origin: '1,0' must be Z,Y,X in samples"),
        ("volume --shape 12 --style solid.safetensors --origin 0,0,9999999999", "origin: 9999999999 is too far"),
        ("volume --shape 12 --style solid.safetensors@z", "@AXIS: does nothing with a learned solid"),
        ("volume --shape 12 --style solid.safetensors#a", "#NAME: does nothing with a learned solid"),
        ("volume --shape 12 --style solid.safetensors --style xy.npy", "style: 2 are given, must be one learned"),
        ("volume --shape 12 --style solid.safetensors --phases 2", "a learned solid has those it learned"),
        (
            "volume --shape 12 --style solid.safetensors --set learn.steps=3",
            "learn.steps: does nothing with a learned",
        ),
        ("volume --shape 13 --style solid.safetensors --periodic", "each side must be a multiple of 2"),
        ("volume --shape 12 --style nope.safetensors", "nope.safetensors: no such file"),
    ):
        assert main([*line.split(), "-o", "out.npy", "-q"]) == 2, line
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1, said
        assert not Path("out.npy").exists()


def test_what_no_solid_can_be_learned_of_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for line, message in (
        ("xy.npy -o t.safetensors", "on: names nothing to learn on"),
        ("xy.npy --shape 12 --on xy.npy -o t.safetensors", "on: does nothing where a solid is learned"),
        ("xy.npy --shape 12 --size 64 -o t.safetensors", "size: does nothing where a solid is learned"),
        ("xy.npy --shape 12 -o s.nii.gz", "suffix '.gz', must be .safetensors"),
        ("xy.npy@z --shape 12 -o t.safetensors", "style: sections across z; give one alone"),
        ("gray.npy --shape 12 --phases auto -o t.safetensors", "levels, which are no phases"),
        (
            "xy.npy --on xy.npy --phases auto -o t.safetensors",
            "solid: phases and its other choices are for",
        ),
        ("xy.npy --shape 12 --set learn.carry=0.5 -o t.safetensors", "learn.carry: does nothing where a"),
        ("xy.npy --shape 12 --set learn.crop=64 -o t.safetensors", "learn.crop: does nothing where a solid is"),
        ("xy.npy --shape 12 --set periodic=true -o t.safetensors", "periodic: is for what is made"),
    ):
        assert main(["learn", *line.split(), "-q", "--network", "builtin"]) == 2, line
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1, said


def test_places_and_shapes_are_read_with_spaces_and_refused_when_they_are_none() -> None:
    assert begins_at("1, 0, -64") == begins_at((1, 0, -64)) == (1, 0, -64)
    assert shape_of("8, 9, 10") == shape_of((8, 9, 10)) == (8, 9, 10)
    for place in ("1 2,0,0", "- 1,0,0", (1, 0)):
        with pytest.raises(RecipeError, match="must be Z,Y,X"):
            begins_at(place)
    for shape in ("8 8,8,8", (8, -8, 8), (8, 8)):
        with pytest.raises(RecipeError, match="must be Z,Y,X"):
            shape_of(shape)


def test_a_damaged_file_is_said() -> None:
    path = Path("phases.safetensors")
    whole = path.read_bytes()
    with safe_open(path, "pt") as file:
        assert list(file.metadata()) == ["volstyle_solid"]
    for old, new, message in (
        (b'\\"format\\": 2', b'\\"format\\": 7', "is a learned solid of version 7; must be one of version 2"),
        (b'\\"width\\": 16', b'\\"width\\": 17', "a learned solid with a damaged entry"),
        (b"phases.shares", b"phases.sharts", "a learned solid with a damaged entry"),
    ):
        assert old in whole
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(InputError, match=message):
            LearnedSolid.load(path)
    path.write_bytes(whole[:200])
    with pytest.raises(InputError, match="not a whole file of tensors"):
        volstyle.style(None, [path], shape=SHAPE)
    with pytest.raises(RecipeError, match="style: none given"):
        volstyle.learn([], None, "t.safetensors", shape=SHAPE)
