"""Styles that follow each other in a clip: each frame has the blend of its own time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tiny import TAPS, numbers, stylized, tiny_field, tiny_network
from volstyle.codecs import write
from volstyle.engine import outline as outlines
from volstyle.engine.blockwise import evaluate, plan_views, style_sums
from volstyle.engine.scene import Style, shares_over_time
from volstyle.errors import RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.tiles import plan
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import joined, moments_distance
from volstyle.loss.terms import StyleTerm
from volstyle.media.order import StyleOrder, style_named
from volstyle.networks.extractor import Network
from volstyle.recipe import Recipe, ScheduleChoice
from volstyle_cli import main

CLIP = ("t", "y", "x")
A, B = (tiny_field(24, 24, seed=seed) for seed in (3, 4))
A = A.with_samples(A.samples * torch.tensor([1.0, 0.4, 0.1]).view(3, 1, 1))
B = B.with_samples(B.samples * torch.tensor([0.1, 0.4, 1.0]).view(3, 1, 1))


def test_shares_run_in_lines_between_times_and_hold_outside() -> None:
    styles = [Style(A, at=2.0), Style(B, at=6.0), Style(B, weight=3.0, at=6.0)]
    shares = shares_over_time(styles, 9)
    assert shares is not None
    assert shares[:, 0].tolist() == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0])
    assert shares[7].tolist() == pytest.approx([0, 0.25, 0.75])
    torch.testing.assert_close(shares.sum(1), torch.ones(9, dtype=torch.float64))
    assert shares_over_time([Style(A)], 9) is None


def network() -> Network:
    return tiny_network(2, dtype=torch.float32)


def test_each_frame_is_styled_as_if_its_blend_were_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "load_network", lambda *_, **__: network())
    content = tiny_field(5, 24, 32, names=CLIP)
    recipe = Recipe(schedule=ScheduleChoice(smallest=64, steps=8), precision="float32", device="cpu")
    recipe = recipe.set("smoothness=0").set("temporal.weight=0")

    def styled(*styles: Style) -> Tensor:
        return stylized(content, styles, recipe).field.samples

    result = styled(Style(A, at=0), Style(B, at=4))
    for frame, styles in ((0, [Style(A)]), (2, [Style(A), Style(B)]), (4, [Style(B)])):
        alone = styled(*styles)[:, frame]
        torch.testing.assert_close(result[:, frame], alone, atol=1e-3, rtol=0)
        assert (result[:, (frame + 2) % 5] - alone).abs().mean() > 0.02


@pytest.mark.parametrize("group", [1, 2])
def test_tiles_change_nothing(group: int) -> None:
    net = tiny_network(2)
    extractor = net.on(3)
    samples = numbers(3, 6, 32, 40, dtype=torch.float64)
    sums = [
        style_sums(net.on(2), s.double(), plan((24, 24), (24, 24), *net.on(2).reach(TAPS)), TAPS)
        for s in (numbers(3, 24, 24, seed=1), numbers(3, 24, 24, seed=2))
    ]
    target = {tap: joined([each[tap].means() for each in sums]) for tap in TAPS}
    shares = torch.linspace(0, 1, 6 // group, dtype=torch.float64)
    term = StyleTerm(
        1.0, dict.fromkeys(TAPS, 1.0), target, moments_distance, 6 // group, torch.stack([1 - shares, shares], 1)
    )
    objective = Objective((View(extractor, term, None, group),))
    whole, tiled = (
        evaluate(samples, objective, plan_views(objective, (6, 32, 40), core))
        for core in ((6, 32, 40), (2, 8, 16))
    )
    assert tiled.cost == pytest.approx(whole.cost, rel=1e-4)
    torch.testing.assert_close(
        tiled.gradient, whole.gradient, atol=1e-3 * float(whole.gradient.abs().max()), rtol=0
    )
    steady = replace(term, shares=torch.full_like(term.shares, 0.5))
    objective = Objective((View(extractor, steady, None, group),))
    assert evaluate(samples, objective, plan_views(objective, (6, 32, 40), (6, 32, 40))).cost != whole.cost


def test_times_that_contradict_are_refused() -> None:
    content = tiny_field(3, 24, 32, names=CLIP)
    timed = Style(A, at=1.0)
    for styles, field, said in (
        ([timed, Style(B)], content, "1 of 2 have a time"),
        ([timed], tiny_field(24, 32), "for clips alone"),
        ([replace(timed, target_mask=torch.ones(24, 32))], content, "exclude each other"),
    ):
        with pytest.raises(RecipeError, match=said):
            stylized(field, styles, Recipe().set("network.name=random").set("precision=float32"))
    with pytest.raises(RecipeError, match=r"style.frames: is 0"):
        stylized(content, [timed], Recipe().set("network.name=random").set("style.frames=0"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.jpg", ""),
        ("a.jpg@0.5", "0.5"),
        ("a.jpg@2s", "2.0s"),
        ("a.jpg@0.5@48f", "0.5 48.0f"),
        ("a.jpg@1:30", "90.0s"),
    ],
)
def test_weights_and_times_are_read(text: str, said: str) -> None:
    file = style_named(text)
    assert isinstance(file, StyleOrder)
    assert file.path == Path("a.jpg")
    time = f"{file.at.value}{file.at.unit}" if file.at else ""
    weight = "" if file.weight == 1 else str(file.weight)
    assert " ".join(filter(None, (weight, time))) == said


LINE = (
    "video clip.mp4 -o a.mp4 --network random --precision float32 --memory 64MB --size 40 -q --shots none "
    "--set schedule.steps=2 --set temporal.window=4 --style a.png@0s"
)


def test_windows_know_their_time_and_a_replay_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, field in (("a.png", A), ("b.png", B)):
        write(Path(name), field)
    axes = (Axis("t", 0.1, "s"), Axis("y"), Axis("x"))
    write(Path("clip.mp4"), Field(numbers(3, 10, 32, 40), axes))
    assert main([*LINE.split(), "--style", "b.png@0.9s"]) == 0
    styles = json.loads(Path("a.mp4.json").read_text())["command"]["styles"]
    assert [style["at"]["value"] for style in styles] == [0, 0.9]
    assert main(["replay", "a.mp4.json", "-q"]) == 0
    seconds = Path("a.mp4").read_bytes()
    assert main([*LINE.split(), "--style", "b.png@9f", "--force"]) == 0
    assert Path("a.mp4").read_bytes() == seconds
    assert main([*LINE.split(), "--style", "b.png@5f", "--force"]) == 0
    assert Path("a.mp4").read_bytes() != seconds
    capsys.readouterr()
    assert main([*LINE.split(), "--style", "b.png", "--force"]) == 2
    assert "b.png has no time, others have; give each one, as in b.png@4s" in capsys.readouterr().err
    assert main(["image", "a.png", "--style", "b.png@2s", "-o", "c.png", "-q"]) == 2
    assert "b.png has a time, which is for clips alone" in capsys.readouterr().err
