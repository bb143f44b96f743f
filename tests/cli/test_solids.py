"""Solids from sections, as a user makes and measures them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.grid.field import Axis, Field
from volstyle.grid.phases import Phases
from volstyle.grid.resample import resize
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
QUICK = ["-q", "--network", "builtin", "--set", "schedule.steps=2", "--set", "schedule.smallest=100"]


def blobs(*shape: int, seed: int = 0) -> torch.Tensor:
    """(*shape) of 0, where there are pores, and 1."""
    coarse = numbers(1, *(side // 4 for side in shape), seed=seed)
    smooth = resize(coarse, shape)[0]
    return (smooth > smooth.quantile(0.3)).float()


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sections of two and three phases as pictures and as an array, one of grays, and a volume."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("xy", "xz", "yz")):
        write(Path(f"{name}.png"), Field(blobs(32, 32, seed=seed)[None].expand(3, 32, 32).clone(), PLANE))
    np.save("two.npy", blobs(32, 32).numpy().astype(np.uint8))
    np.save("three.npy", (85 * (blobs(32, 32) + blobs(32, 32, seed=3))).numpy().astype(np.uint8))
    np.save("short.npy", blobs(28, 32).numpy().astype(np.uint8))
    np.save("even.npy", np.full((32, 32), 7, np.uint8))
    np.save("gray.npy", (1000 * numbers(1, 32, 32)[0]).numpy().astype(np.int16))
    np.save("real.npy", blobs(32, 32, 32, seed=5).numpy().astype(np.uint8))


def test_three_sections_and_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    styles = ["--style", "xy.png@z", "--style", "xz.png@y", "--style", "yz.png@x"]
    line = ["volume", "--shape", "18,16,20", *styles, "--phases", "auto", "-o", "solid.nii.gz", *QUICK]
    assert main(line) == 0
    levels = read(Path("solid.nii.gz")).samples
    assert levels.shape == (1, 18, 16, 20) and levels.unique().tolist() == [0, 255]
    wanted = np.mean([1 - float(read(Path(f"{name}.png")).samples.mean()) for name in ("xy", "xz", "yz")])
    assert float((levels == 0).float().mean()) == pytest.approx(wanted, abs=1e-3)
    record = json.loads(Path("solid.nii.gz.json").read_text())
    assert [style["across"] for style in record["command"]["styles"]] == ["z", "y", "x"]
    assert {"two points", "values", "variation"} <= set(record["stages"][0]["costs"])
    assert record["recipe"]["periodic"]
    assert main(["replay", "solid.nii.gz.json", "-q"]) == 0
    capsys.readouterr()
    assert main(["eval", "solid.nii.gz", "--reference", "real.npy", "--plot", "curves.png"]) == 0
    said = capsys.readouterr().out
    for words in (
        "phase 0",
        "share of 255",
        "two points, z",
        "lines, x",
        "Euler number",
        "percolates",
        "for the tortuosity of the real volume along ",
    ):
        assert words in said
    assert read(Path("curves.png")).shape[1] > 500
    assert main(["eval", "solid.nii.gz", "--style", "xy.png", "--phase", "255", "--json", "--no-tortuosity"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured"]["solid"]["tortuosity"] is None
    assert found["phase"] == 255 and len(found["measured"]["solid"]["two_points"]["y"]) == 8


@pytest.mark.parametrize("name", ["two", "three", "gray"])
def test_one_section_gives_its_own_levels(name: str) -> None:
    phases = [] if name == "gray" else ["--phases", "auto"]
    line = ["volume", "--shape", "16", "--style", f"{name}.npy", *phases, "-o", "solid.npy", *QUICK]
    assert main([*line, "--periodic"]) == 0
    section, solid = np.load(f"{name}.npy"), np.load("solid.npy")
    assert solid.shape == (16, 16, 16) and solid.dtype == section.dtype  # one channel: gray stays gray
    if name == "gray":
        assert section.min() <= solid.min() and solid.max() <= section.max() and solid.max() > 500
        return
    for level in np.unique(section):
        assert (solid == level).mean() == pytest.approx((section == level).mean(), abs=0.01)


@pytest.mark.parametrize(("name", "scale"), [("two", 1), ("two", 2), ("three", 1)])
def test_a_solid_has_no_more_surface_than_its_section(
    name: str, scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps leave noise, with four times the surface; the cut smooths it, across ends that meet."""
    told, ends = Phases.told, []

    def watched(phases: Phases, samples: torch.Tensor, unlike: float, *, periodic: bool) -> torch.Tensor:
        ends.append(periodic)
        return told(phases, samples, unlike, periodic=periodic)

    monkeypatch.setattr(Phases, "told", watched)
    line = ["volume", "--shape", "24", "--style", f"{name}.npy", "--phases", "auto", "-o", "solid.npy", *QUICK]
    assert main([*line, "--style-scale", str(scale)]) == 0
    section, solid = (
        np.mean([(np.diff(labels.astype(int), axis=axis) != 0).mean() for axis in range(labels.ndim)])
        for labels in (np.load(f"{name}.npy"), np.load("solid.npy"))
    )
    assert solid < 1.2 * section
    assert ends == [True]


SECTIONS = ["xy.png@z", "xz.png@y", "yz.png@x"]


@pytest.mark.parametrize(
    ("styles", "more", "message"),
    [
        (["xy.png@z", "xz.png@y", "short.npy@x"], [], "style short.npy: 28 samples along z, style xz.png has 32"),
        ([*SECTIONS, "xy.png@z"], [], "style: sections across z, y, x, z; give one alone, for all axes, or three"),
        (["xy.png@z"], [], "style: sections across z; give one alone"),
        (
            ["even.npy"],
            ["--phases", "auto"],
            "style even.npy: every sample is 7, one phase; must have two or more",
        ),
        (["gray.npy"], ["--phases", "auto"], "levels, which are no phases; say how many there are"),
        (["real.npy"], ["--phases", "auto"], "style real.npy: has axes z, y, x; a section has two"),
        (["xy.png"], ["--phases", "none at all"], "phases: 'none at all' must be auto, or a number from 2 to 8"),
        (
            SECTIONS,
            ["--style-mode", "inflate"],
            "style: those that lie across an axis must be one for each axis",
        ),
    ],
)
def test_what_are_no_sections_is_said(
    styles: list[str], more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word for style in styles for word in ("--style", style)]
    assert main(["volume", "--shape", "16", *given, *more, "-o", "out.npy", *QUICK]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not Path("out.npy").exists()


def test_what_else_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for line, message in (
        ("volume --shape 4 --style xy.png -o out.npy", "has 4x4x4 samples, must have at least"),
        ("volume real.npy --style xy.png -o out.npy", "real.npy: holds 2 different numbers, labels"),
        ("volume real.npy --style xy.png --phases 2 -o out.npy", "phases: are for a solid"),
        ("image xy.png --style xz.png@z -o out.png", "style: xz.png is for slices across z, of volumes alone"),
        ("eval real.npy --style gray.npy", "a section: "),
        ("eval real.npy --style xy.png --size 16", "--size: is for a styled content, real.npy is a solid texture"),
        ("eval real.npy", "real.npy: no record beside it that says what it is of; give --style"),
        ("eval real.npy --style real.npy", "style real.npy: has axes z, y, x; a section has two, y and x"),
    ):
        assert main([*line.split(), *(["-q"] if line[0] != "e" else [])]) == 2, line
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1, said
        assert not Path("out.npy").exists()
