"""Long clips: cut into shots and windows, each held to what is finished before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import numbers, tiny_field, tiny_network

from volstyle import pipeline
from volstyle.errors import InputError
from volstyle.pipeline import stylize
from volstyle.recipe import Recipe, ScheduleChoice
from volstyle.resample import resize
from volstyle.scene import Style
from volstyle.shots import find_cuts, read_cuts
from volstyle.state import Reached
from volstyle.windows import plan_windows

CLIP = ("t", "y", "x")
RECIPE = Recipe(
    schedule=ScheduleChoice(smallest=16, ratio=2, steps=4, growth=1), precision="float32", device="cpu"
)


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "load_network", lambda *_, **__: tiny_network(2, dtype=torch.float32))


def smooth(frames: int, seed: int = 0) -> torch.Tensor:
    return 0.2 + 0.6 * resize(numbers(3, frames, 4, 5, seed=seed), (frames, 24, 32)).clamp(0, 1)


@pytest.mark.parametrize("count", [1, 2, 7, 48, 97, 300])
@pytest.mark.parametrize("cuts", [(), (1,), (3, 4, 30), tuple(range(1, 300))])
@pytest.mark.parametrize("length", [0, 1, 5, 48])
def test_each_frame_is_finished_once_and_no_window_crosses_a_cut(
    count: int, cuts: tuple[int, ...], length: int
) -> None:
    cuts = tuple(cut for cut in cuts if cut < count)
    windows = plan_windows(count, cuts, length, held=4)
    assert [frame for w in windows for frame in range(count)[w.own]] == list(range(count))
    for window in windows:
        assert not any(window.start < cut < window.stop for cut in cuts)
        assert window.held <= 4
        assert 0 < len(range(count)[window.own]) <= (length or count)
        if window.own.start not in (0, *cuts):
            assert window.held == min(4, window.own.start - max(c for c in (0, *cuts) if c < window.own.start))


def test_windows_of_a_shot_are_about_equally_long() -> None:
    sizes = [len(range(100)[w.own]) for w in plan_windows(100, (), 48, 4)]
    assert sizes == [33, 33, 34]


def test_held_frames_stay_and_the_others_fit_to_them() -> None:
    content = replace(tiny_field(6, 24, 32, names=CLIP), samples=smooth(1).expand(3, 6, 24, 32).contiguous())
    style = Style(tiny_field(24, 24, seed=3))
    noisy = numbers(3, 2, 24, 32, seed=5)
    recipe = RECIPE.set("temporal.weight=30").set("schedule.steps=15")
    result = stylize(content, [style], recipe, held=noisy)
    free = stylize(content, [style], recipe)
    torch.testing.assert_close(result.reached.samples[:, :2], noisy, atol=1e-5, rtol=0)
    near, far = ((r.reached.samples[:, 2] - noisy[:, 1]).square().mean() for r in (result, free))
    assert near < 0.7 * far


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_run_goes_on_with_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    content = replace(tiny_field(3, 24, 32, names=CLIP), samples=smooth(3))
    style, recipe = Style(tiny_field(24, 24, seed=3)), RECIPE.set(f"optimizer.name={optimizer}")
    path = tmp_path / "state.safetensors"

    def keep(reached: Reached) -> None:
        if len(reached.stages) == 1:
            reached.save(path)

    whole = stylize(content, [style], recipe, on_stage=keep)
    assert len(whole.record.stages) == 2
    steps = []
    again = stylize(content, [style], recipe, lambda step: steps.append(step.stage), reached=Reached.load(path))
    assert torch.equal(again.field.samples, whole.field.samples)
    assert set(steps) == {1}
    assert [stage.costs for stage in again.record.stages] == [stage.costs for stage in whole.record.stages]
    whole.reached.save(path)
    finished = stylize(content, [style], recipe, lambda _: steps.append(9), reached=Reached.load(path))
    assert torch.equal(finished.field.samples, whole.field.samples)
    assert 9 not in steps


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"half of it")
    with pytest.raises(InputError, match="damaged state"):
        Reached.load(path)


def test_cuts_are_found_where_the_picture_changes_at_once() -> None:
    shots = [smooth(1, seed).expand(3, 12, 24, 32) for seed in (1, 2, 3)]
    moving = torch.cat([resize(shot, (12, 72, 96)) for shot in shots], dim=1).clamp(0, 1)
    slid = torch.stack([moving[:, t, :, t % 12 : 60 + t % 12] for t in range(36)], dim=1)
    assert find_cuts(slid.unbind(1)) == (12, 24)
    assert find_cuts(slid[:, :12].unbind(1)) == ()
    assert find_cuts(slid[:, :1].unbind(1)) == ()


def test_cuts_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text("0\n12, 30\n12")
    assert read_cuts(path, 40) == (12, 30)
    with pytest.raises(InputError, match="'30' is no frame of the clip; must be 0 to 19"):
        read_cuts(path, 20)
    with pytest.raises(InputError, match="no list of cuts"):
        read_cuts(tmp_path / "nope.txt", 20)
