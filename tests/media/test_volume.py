"""Volumes: planes along all axes as one network turned, periodic textures, and the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.scans import counts, loaded, nifti
from tests.tiny import TAPS, numbers, stylized, tiny_field, tiny_network
from volstyle.codecs import probe, write
from volstyle.engine.blockwise import evaluate, plan_views, style_sums
from volstyle.engine.outline import outline
from volstyle.engine.scene import Style
from volstyle.engine.schedule import optimized_shape
from volstyle.errors import ShapeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.grid.tiles import plan, wrapped
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import moments_distance
from volstyle.loss.terms import SmoothnessTerm, StyleTerm
from volstyle.networks.inflation import Placement, placements
from volstyle.networks.registry import PACKAGED
from volstyle.recipe import ContentChoice, NetworkChoice, Recipe, ScheduleChoice
from volstyle_cli import main

# -------------------------------------------------------------------------------------------------- planes


def test_planes_are_the_network_turned() -> None:
    found = placements(2, 3, "planes")
    assert [placement.axes for placement in found] == [("center", 0, 1), (0, "center", 1), (0, 1, "center")]
    assert placements(2, 2, "planes") == placements(2, 2, "center") == (Placement((0, 1)),)
    assert [p.axes for p in placements(1, 3, "planes")] == [
        ("center", "center", 0),
        ("center", 0, "center"),
        (0, "center", "center"),
    ]
    with pytest.raises(ShapeError, match="native needs a network of 3 axes, this one has 2"):
        placements(2, 3, "native")
    with pytest.raises(ShapeError, match="'plane' is unknown; did you mean 'planes'"):
        placements(2, 3, "plane")


@pytest.mark.parametrize(("placement", "order"), [((0, "center", 1), (1, 0, 2)), ((0, 1, "center"), (2, 0, 1))])
def test_a_turned_network_sees_turned_slices(placement: tuple[int | str, ...], order: tuple[int, ...]) -> None:
    network, samples = tiny_network(2), numbers(1, 3, 8, 12, 16, dtype=torch.float64)
    found = network.placed(Placement(placement))(samples, TAPS)
    moved = samples.permute(0, 1, *(2 + axis for axis in order))
    expected = network.on(3)(moved, TAPS)
    back = [2 + order.index(axis) for axis in range(3)]
    for tap in TAPS:
        torch.testing.assert_close(found[tap], expected[tap].permute(0, 1, *back))


def planes_objective(group: int | None) -> Objective:
    """All slices along each axis, or `group` of them together."""
    network, shape = tiny_network(2), (20, 24, 28)
    taps = dict.fromkeys(TAPS, 1 / 3)
    flat = network.on(2)
    target = style_sums(
        flat, numbers(3, 24, 20, seed=5).double(), plan((24, 20), (24, 20), *flat.reach(TAPS)), TAPS
    )
    return Objective(
        tuple(
            View(
                network.placed(placement),
                StyleTerm(1 / 3, taps, target, moments_distance, -(-shape[along] // (group or shape[along]))),
                None,
                group,
                along=along,
            )
            for along, placement in enumerate(placements(2, 3, "planes"))
        )
    )


@pytest.mark.parametrize("group", [None, 1, 7])
def test_planes_in_tiles_are_planes_at_once(group: int | None) -> None:
    samples = numbers(3, 20, 24, 28, dtype=torch.float64)
    objective = planes_objective(group)
    whole = evaluate(samples, objective, plan_views(objective, (20, 24, 28), (64, 64, 64)))
    tiled = evaluate(samples, objective, plan_views(objective, (20, 24, 28), (8, 8, 12)))
    assert tiled.cost == pytest.approx(whole.cost, rel=1e-4)
    torch.testing.assert_close(
        tiled.gradient, whole.gradient, rtol=1e-4, atol=1e-4 * float(whole.gradient.abs().max())
    )


def test_each_slice_has_the_style_for_itself() -> None:
    samples = numbers(3, 20, 24, 28, dtype=torch.float64)
    objective = planes_objective(1)
    found = evaluate(samples, objective, plan_views(objective, (20, 24, 28), (64, 64, 64))).cost
    flat = tiny_network(2).on(2)
    term = objective.views[0].style
    assert term is not None
    expected = 0.0
    for axis in range(3):
        costs = []
        for picture in samples.unbind(1 + axis):
            shape = tuple(picture.shape[1:])
            sums = style_sums(flat, picture, plan(shape, shape, *flat.reach(TAPS)), TAPS)
            costs.append(float(replace(term, groups=1).cost({tap: [each] for tap, each in sums.items()})))
        expected += sum(costs) / len(costs)
    assert found == pytest.approx(expected, rel=1e-5)


QUICK = Recipe(
    network=NetworkChoice("random", inflation="planes"),
    content=ContentChoice(weight=0.1),
    schedule=ScheduleChoice(steps=6, smallest=10_000),
    precision="float32",
)


def test_a_style_comes_into_all_planes_alike() -> None:
    """Slices across one axis alone leave the others behind (the anchors' trial in small)."""
    content, style = tiny_field(24, 24, 24, channels=1), Style(tiny_field(40, 40, seed=3))
    judge = outline(content, QUICK)

    def distances(inflation: str) -> list[float]:
        recipe = replace(QUICK, network=NetworkChoice("random", inflation=inflation))
        result = stylized(content, [style], recipe).field
        found = []
        for extractor in judge.extractors:
            taps = tuple(extractor.taps)
            blocks = plan((24, 24, 24), (24, 24, 24), *extractor.reach(taps))
            found.append(style_sums(extractor, result.samples, blocks, taps))
        first = found[0]
        return [sum(float(moments_distance(sums[tap], first[tap])) for tap in first) for sums in found[1:]]

    assert max(distances("planes")) < 0.5 * max(distances("center"))


def test_unequal_steps_are_made_equal_inside() -> None:
    axes = (Axis("z", 3.0, "mm"), Axis("y", 1.0, "mm"), Axis("x", 1.0, "mm"))
    assert optimized_shape((10, 20, 30), axes, (False,) * 3, 0) == (30, 20, 30)
    assert optimized_shape((10, 20, 30), axes, (False,) * 3, 15) == (15, 10, 15)
    pixels = tuple(replace(axis, unit="px") for axis in axes)
    assert optimized_shape((10, 20, 30), pixels, (False,) * 3, 0) == (10, 20, 30)
    content = Field(numbers(1, 8, 20, 22), axes)
    run = outline(content, QUICK)
    assert run.stages[-1].shape == (24, 20, 22)
    result = stylized(content, [Style(tiny_field(24, 24))], QUICK).field
    assert result.shape == content.shape and result.axes == axes


def test_a_style_volume_has_targets_of_its_own_for_each_axis() -> None:
    """A volume is at no distance from itself when each plane has its own target, of all its slices together."""
    striped = numbers(1, 24, 1, 1).expand(1, 24, 24, 24).contiguous()
    content = Field(striped, tuple(Axis(name) for name in "zyx"))
    record = stylized(content, [Style(content)], QUICK.set("style.frames=0")).record
    assert record.stages[0].costs["style"][0] < 1e-4


def test_only_where_it_may_change() -> None:
    content, where = tiny_field(20, 20, 20, channels=1), torch.zeros(20, 20, 20)
    where[:, 5:15] = 1
    found = stylized(
        content, [Style(tiny_field(24, 24)), Style(tiny_field(30, 24, seed=4))], QUICK, where=where
    ).field
    assert torch.equal(found.samples[:, :, :5], content.samples[:, :, :5])
    assert not torch.equal(found.samples[:, :, 5:15], content.samples[:, :, 5:15])
    half = stylized(content, [Style(tiny_field(24, 24))], replace(QUICK, strength=0.5)).field
    full = stylized(content, [Style(tiny_field(24, 24))], QUICK).field
    torch.testing.assert_close(half.samples, 0.5 * (full.samples + content.samples))


# --------------------------------------------------------------------------------------------- command line


TINY = [
    "--network",
    "random",
    "--precision",
    "float32",
    "--set",
    "schedule.steps=2",
    "--set",
    "schedule.smallest=999",
]


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    write(tmp_path / "art.png", tiny_field(32, 32, names=("y", "x")))
    return tmp_path / "art.png"


def test_volume_from_the_command_line(
    tmp_path: Path, painting: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nifti(tmp_path / "ct.nii.gz", counts(16, 18, 20))
    labels = np.zeros((16, 18, 20), np.uint8)
    labels[4:12] = 7
    nifti(tmp_path / "labels.nii.gz", labels)
    arguments = ["volume", "ct.nii.gz", "--style", "art.png", "-o", "out.nii.gz", "--window", "-500,500", *TINY]
    assert main([*arguments, "--mask", "labels.nii.gz", "--preview", "look.png", "--turn", "turn.mp4"]) == 0
    before, after = loaded("ct.nii.gz"), loaded("out.nii.gz")
    old, new = np.asarray(before.dataobj), np.asarray(after.dataobj)
    changed = old != new
    assert changed.any() and not changed[:4].any() and not changed[12:].any()
    assert (np.abs(old[changed]) <= 500).all() and new[changed].min() >= -500 and new[changed].max() <= 500
    assert probe(Path("turn.mp4")).kind == "video" and probe(Path("look.png")).kind == "image"
    assert main(["replay", "out.nii.gz.json"]) == 0
    assert Path("out-replay.nii.gz").read_bytes() == Path("out.nii.gz").read_bytes()
    assert "20x18x16" not in capsys.readouterr().err


def test_volumes_over_time_color_and_solids(
    tmp_path: Path, painting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    still = np.stack([counts(16, 18, 20)] * 2)
    np.save("t.npy", still)
    assert main(["volume", "t.npy", "--style", "art.png", "-o", "t2.npy", "-q", *TINY]) == 0
    styled = np.load("t2.npy")
    assert (styled != still).any() and np.array_equal(styled[0], styled[1])
    np.save("a.npy", still[0])
    assert main(["volume", "a.npy", "--style", "art.png", "-o", "c.npy", "--color", "-q", *TINY]) == 0
    assert np.load("c.npy").shape == (16, 18, 20, 3) and np.load("c.npy").dtype == np.uint8
    assert main(["volume", "--shape", "16,18,20", "--style", "art.png", "-o", "s.nii.gz", "-q", *TINY]) == 0
    assert loaded("s.nii.gz").shape == (20, 18, 16)
    assert main(["replay", "s.nii.gz.json", "-q"]) == 0


def test_what_is_wrong_with_volumes_is_said(
    tmp_path: Path, painting: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", counts(16, 18, 20))
    np.save("mask.npy", np.ones((16, 18, 21), np.uint8))
    np.save("none.npy", np.zeros((16, 18, 20), np.uint8))
    np.save("even.npy", np.full((16, 18, 20), 3, np.uint8))
    np.save("five.npy", counts(2, 16, 18, 20))
    flat = str(PACKAGED["builtin"])
    for extra, message in (
        (["a.npy", "--mask", "mask.npy"], "mask.npy: a mask of 16x18x21, must be 16x18x20 as a.npy is"),
        (["a.npy", "--mask", "none.npy"], "none.npy: 0 everywhere"),
        (["a.npy", "--window", "lungs"], "window: 'lungs' is unknown; did you mean 'lung'?"),
        (["a.npy", "--window", "5000,6000"], "a.npy: no sample between 5000 and 6000"),
        (["even.npy"], "window: every sample is 3, there is nothing to style"),
        (["a.npy", "--style-size", "40mm"], "style-size: the content says no size of its samples"),
        (
            ["a.npy", "--style-mode", "native", "--network", "builtin", "--weights", flat],
            "native needs a network of 3 axes, this",
        ),
        (["art.png"], "art.png: must be a volume, is an image; use `volstyle image`"),
        ([], "volume: give either IN, what is styled, or --shape"),
        (["a.npy", "--style", "five.npy"], "style five.npy: a style volume must have one channel"),
    ):
        style = [] if "--style" in extra else ["--style", "art.png"]
        assert main(["volume", *extra, *style, "-o", "out.npy", "--set", "schedule.steps=2"]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
        assert not Path("out.npy").exists()


# ---------------------------------------------------------------------------------------- periodic textures


@pytest.mark.parametrize("core", [(64, 64, 64), (8, 8, 12)], ids=["whole", "tiles"])
def test_a_periodic_field_may_be_rolled(core: tuple[int, int, int]) -> None:
    """Wherever it is cut open, by whole strides, cost and gradient are the same."""
    shape, by = (16, 24, 20), (4, 8, 12)
    samples = numbers(3, *shape, dtype=torch.float64)
    objective = planes_objective(None)
    reaches = [view.extractor.reach(view.taps) for view in objective.views]
    margin = tuple(max(sides) for sides in zip(*(reach.halo for reach in reaches), strict=True))
    objective = replace(
        objective, margin=margin, sample_terms={"s": SmoothnessTerm(0.5, (0, 1, 2), periodic=True)}
    )
    plans = tuple(tuple(wrapped(plan(shape, core, *reach), margin, reach.halo)) for reach in reaches)
    here = evaluate(samples, objective, plans)
    there = evaluate(samples.roll(by, (1, 2, 3)), objective, plans)
    assert there.cost == pytest.approx(here.cost, rel=1e-4)
    largest = float(here.gradient.abs().max())
    torch.testing.assert_close(there.gradient, here.gradient.roll(by, (1, 2, 3)), rtol=1e-3, atol=1e-4 * largest)
    ended = evaluate(samples, replace(objective, margin=None), plan_views(objective, shape, core))
    assert not torch.allclose(ended.gradient, here.gradient, atol=1e-2 * largest)


def test_a_periodic_texture_has_no_seam() -> None:
    recipe = replace(QUICK, content=ContentChoice(weight=0.0), init="noise", schedule=ScheduleChoice(steps=20))
    content = Field(torch.full((3, 32, 32), 0.5), (Axis("y"), Axis("x")))
    smooth = Field(resize(numbers(3, 6, 6), (40, 40)).clamp(0, 1), (Axis("y"), Axis("x")))

    def seam(periodic: bool) -> float:
        """The step across the ends, over the mean step inside."""
        found = stylized(content, [Style(smooth)], replace(recipe, periodic=periodic)).field.samples
        inside = float((found[:, 1:] - found[:, :-1]).abs().mean())
        return float((found[:, 0] - found[:, -1]).abs().mean()) / inside

    assert seam(True) < 0.8 * seam(False)


def test_a_periodic_texture_may_have_any_size() -> None:
    """A cell of the network that is cut by an end goes on at the other one, and has a feature too."""
    recipe = replace(QUICK, content=ContentChoice(weight=0.0), init="noise", schedule=ScheduleChoice(steps=1))
    content = Field(torch.full((3, 30, 37), 0.5), (Axis("y"), Axis("x")))
    run = outline(content, replace(recipe, periodic=True))
    assert run.stages[-1].shape == (30, 37)
    for blocks in run.plans((30, 37)):
        owned = [tile.owned((8, 8), (99, 99), (999, 999)) for block in blocks for tile in block.tiles]
        assert sum((a.stop - a.start) * (b.stop - b.start) for a, b in owned) == 4 * 5
