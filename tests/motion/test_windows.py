"""Long clips: cut into shots and windows, each held to what is finished before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.tiny import numbers, stylized, tiny_field, tiny_network
from volstyle.codecs.clip import Clip
from volstyle.engine import outline as outlines
from volstyle.engine.checkpoint import Reached
from volstyle.engine.scene import Style
from volstyle.errors import InputError, RecipeError
from volstyle.grid.resample import resize
from volstyle.loss.temporal import TemporalTerm
from volstyle.media.clip import Lasting
from volstyle.motion.links import GAPS, estimate_motion, warping_error
from volstyle.motion.shots import CutFinder, read_cuts
from volstyle.motion.windows import Span, plan_windows
from volstyle.recipe import Recipe, ScheduleChoice

CLIP = ("t", "y", "x")
RECIPE = Recipe(
    schedule=ScheduleChoice(smallest=16, ratio=2, steps=4, growth=1), precision="float32", device="cpu"
)


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "load_network", lambda *_, **__: tiny_network(2, dtype=torch.float32))


def smooth(frames: int, seed: int = 0) -> torch.Tensor:
    return 0.2 + 0.6 * resize(numbers(3, frames, 4, 5, seed=seed), (frames, 24, 32)).clamp(0, 1)


@pytest.mark.parametrize("count", [1, 2, 7, 48, 97, 300])
@pytest.mark.parametrize("cuts", [(), (1,), (3, 4, 30), tuple(range(1, 300))])
@pytest.mark.parametrize("length", [0, 1, 5, 48])
def test_each_frame_is_finished_once_and_no_window_crosses_a_cut(
    count: int, cuts: tuple[int, ...], length: int
) -> None:
    cuts = tuple(cut for cut in cuts if cut < count)
    windows = plan_windows(count, cuts, length, held=4, beyond=3)
    assert [frame for w in windows for frame in range(count)[w.own]] == list(range(count))
    for window in windows:
        assert not any(window.start < cut < window.stop for cut in cuts)
        assert window.held <= 4
        end = min(cut for cut in (*cuts, count) if cut >= window.own.stop)
        assert window.beyond == window.stop - window.own.stop == min(3, end - window.own.stop)
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
    result = stylized(content, [style], recipe, held=noisy)
    free = stylized(content, [style], recipe)
    torch.testing.assert_close(result.reached.samples[:, :2], noisy, atol=1e-5, rtol=0)
    near, far = ((r.reached.samples[:, 2] - noisy[:, 1]).square().mean() for r in (result, free))
    assert near < 0.7 * far


def test_steps_along_the_motion_flicker_less() -> None:
    content = replace(tiny_field(8, 24, 40, names=CLIP), samples=looping(10)[:, :8])
    link = estimate_motion(content.samples, (1,))[0]
    style, errors = Style(tiny_field(24, 24, seed=3)), []
    for smoothing in (0, 0.9):
        result = stylized(content, [style], RECIPE.set(f"temporal.smoothing={smoothing}"))
        errors.append(warping_error(result.field.samples, link).mean())
    assert errors[1] < 0.8 * errors[0]


def looping(frames: int) -> torch.Tensor:
    """A texture that goes around once: (3, T, 24, 40)."""
    picture = resize(numbers(3, 6, 10), (24, 40)).clamp(0, 1)
    picture = (picture + picture.roll(20, 2)) / 2  # meets itself
    return torch.stack([picture.roll(20 // frames * t, 2) for t in range(frames)], dim=1)


def test_a_loop_is_a_loop_wherever_it_begins() -> None:
    clip = looping(10)
    links, rolled = (estimate_motion(samples, loop=True) for samples in (clip, clip.roll(3, 1)))
    assert [link.gap for link in links] == [1, -1, 2, -2, 4, -4, 8, -8]
    for link, moved in zip(links, rolled, strict=True):
        torch.testing.assert_close(link.flow.roll(3, 0), moved.flow, atol=0.02, rtol=0)
    noise = numbers(3, 10, 24, 40, seed=4)
    turned = tuple(replace(link, flow=link.flow.roll(3, 0), trust=link.trust.roll(3, 0)) for link in links)
    slopes = [torch.zeros_like(noise) for _ in range(2)]
    costs = [
        TemporalTerm(2.0, found, 0.1).add_gradient(samples, slope)
        for found, samples, slope in zip((links, turned), (noise, noise.roll(3, 1)), slopes, strict=True)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-5)
    torch.testing.assert_close(slopes[0].roll(3, 1), slopes[1], atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize(("loop", "window"), [(False, 0), (True, 0), (True, 10)])
def test_a_loop_closes(loop: bool, window: int) -> None:
    content = replace(tiny_field(20, 24, 40, names=CLIP), samples=looping(20))
    style = Style(tiny_field(24, 24, seed=3))
    recipe = RECIPE.set("temporal.weight=30").set("schedule.steps=60").set("init=noise")
    found: list[torch.Tensor] = []
    if window:
        for part in plan_windows(20, (), window, max(GAPS), loop=True):
            held = torch.cat(found, 1)[:, part.start : part.own.start] if part.held else None
            ahead = found[0][:, : part.ahead] if part.ahead else None
            frames = torch.cat((content.samples[:, part.start : part.stop], content.samples[:, : part.ahead]), 1)
            result = stylized(replace(content, samples=frames), [style], recipe, held=held, ahead=ahead)
            found.append(result.reached.samples[:, part.finished])
    else:
        found.append(stylized(content, [style], recipe.set(f"temporal.loop={str(loop).lower()}")).field.samples)
    errors = warping_error(torch.cat(found, 1), estimate_motion(content.samples, (1,), loop=True)[0])
    assert (errors[-1] < 2 * errors[:-1].mean()) == loop


def test_a_loop_is_one_shot_and_its_last_window_sees_its_first() -> None:
    windows = plan_windows(20, (), 8, 4, loop=True)
    assert [window.ahead for window in windows] == [0, 0, 4]
    assert [frame for window in windows for frame in range(20)[window.own]] == list(range(20))
    clip = tiny_field(20, 8, 9, names=CLIP)
    last = Lasting(Clip.of(clip), 20).during(windows[-1])
    assert last.shape[1] == windows[-1].count
    torch.testing.assert_close(last[:, -4:], clip.samples[:, :4])
    torch.testing.assert_close(last[:, windows[-1].finished], clip.samples[:, windows[-1].own])
    assert plan_windows(20, (), 0, 4, loop=True) == (Span(0, 20),)
    with pytest.raises(RecipeError, match=r"loop: the clip cuts at frame 7, 12, a loop is one shot"):
        plan_windows(20, (7, 12), 8, 4, loop=True)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_run_goes_on_with_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    content = replace(tiny_field(3, 24, 32, names=CLIP), samples=smooth(3))
    style, recipe = Style(tiny_field(24, 24, seed=3)), RECIPE.set(f"optimizer.name={optimizer}")
    path = tmp_path / "state.safetensors"

    def keep(reached: Reached) -> None:
        if len(reached.stages) == 1:
            reached.save(path)

    whole = stylized(content, [style], recipe, on_stage=keep)
    assert len(whole.record.stages) == 2
    steps = []
    again = stylized(content, [style], recipe, lambda step: steps.append(step.stage), reached=Reached.load(path))
    assert torch.equal(again.field.samples, whole.field.samples)
    assert set(steps) == {1}
    assert [stage.costs for stage in again.record.stages] == [stage.costs for stage in whole.record.stages]
    whole.reached.save(path)
    finished = stylized(content, [style], recipe, lambda _: steps.append(9), reached=Reached.load(path))
    assert torch.equal(finished.field.samples, whole.field.samples)
    assert 9 not in steps


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"half of it")
    with pytest.raises(InputError, match="damaged state"):
        Reached.load(path)


def find_cuts(clip: torch.Tensor) -> tuple[int, ...]:
    finder = CutFinder()
    for frame in clip.unbind(1):
        finder.look((255 * frame).byte().permute(1, 2, 0).numpy())
    return finder.cuts()


def test_cuts_are_found_where_the_picture_changes_at_once() -> None:
    shots = [smooth(1, seed).expand(3, 12, 24, 32) for seed in (1, 2, 3)]
    moving = torch.cat([resize(shot, (12, 72, 96)) for shot in shots], dim=1).clamp(0, 1)
    slid = torch.stack([moving[:, t, :, t % 12 : 60 + t % 12] for t in range(36)], dim=1)
    assert find_cuts(slid) == (12, 24)
    assert find_cuts(slid[:, :12]) == ()
    assert find_cuts(slid[:, :1]) == ()


def test_cuts_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text("0\n12, 30\n12")
    assert read_cuts(path, 40) == (12, 30)
    with pytest.raises(InputError, match="'30' is no frame of the clip; must be 0 to 19"):
        read_cuts(path, 20)
    with pytest.raises(InputError, match="no list of cuts"):
        read_cuts(tmp_path / "nope.txt", 20)
