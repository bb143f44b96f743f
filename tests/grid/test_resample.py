"""Resampling along any number of axes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.tiny import numbers
from volstyle.engine.schedule import Stage, plan_stages
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted, resize
from volstyle.recipe import ScheduleChoice

SHAPES = {1: ((40,), (23,)), 2: ((40, 32), (23, 50)), 3: ((12, 20, 16), (7, 31, 16))}
KINDS = ("cubic", "linear")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", SHAPES)
def test_constants_stay(axes: int, kind: str) -> None:
    old, new = SHAPES[axes]
    found = resize(torch.full((2, *old), 0.7), new, kind=kind)
    torch.testing.assert_close(found, torch.full((2, *new), 0.7), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("old", "new"), [(40, 23), (40, 57), (40, 20), (40, 80)])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_ramps_stay(axes: int, old: int, new: int, kind: str) -> None:
    """Sample i of n lies at (i + ½)/n of the extent. Near the ends, which are repeated, a ramp bends; made
    smaller, weights are no longer a partition, but off by less than a tenth of a sample."""
    ramp = ((torch.arange(old) + 0.5) / old).reshape(1, old, *(1,) * (axes - 1)).expand(1, old, *(5,) * (axes - 1))
    found = resize(ramp, (new, *(5,) * (axes - 1)), kind=kind)[0].reshape(new, -1)
    expected = ((torch.arange(new) + 0.5) / new)[:, None].expand_as(found)
    inner = slice(new // 8, new - new // 8)
    torch.testing.assert_close(found[inner], expected[inner], rtol=0, atol=0.1 / old if new < old else 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [2, 3])
def test_axes_are_resampled_one_after_the_other(axes: int, kind: str) -> None:
    old, new = SHAPES[axes]
    samples = numbers(2, *old)
    step_by_step = samples
    for axis in reversed(range(axes)):
        shape = list(step_by_step.shape[1:])
        shape[axis] = new[axis]
        step_by_step = resize(step_by_step, tuple(shape), kind=kind)
    torch.testing.assert_close(resize(samples, new, kind=kind), step_by_step, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "theirs"), [("cubic", "bicubic"), ("linear", "bilinear")])
@pytest.mark.parametrize("new", [(23, 50), (16, 16), (80, 64), (61, 9)])
def test_in_two_axes_it_is_torchs_own(kind: str, theirs: str, new: tuple[int, int]) -> None:
    """With antialias, whose cubic is that of Keys 1981 with a = -1/2 too."""
    samples = numbers(3, 40, 32)
    expected = functional.interpolate(samples[None], new, mode=theirs, antialias=True, align_corners=False)[0]
    torch.testing.assert_close(resize(samples, new, kind=kind), expected, rtol=0, atol=1e-5)


def test_halves_by_hand() -> None:
    """Linear, 4 to 2: distances in samples ½ and 3/2, widened by 2: weights 3/4 and 1/4, of sum 7/4 at an end."""
    found = resize(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), (2,), kind="linear")
    expected = (0.75 * 0 + 0.75 * 1 + 0.25 * 2) / 1.75
    torch.testing.assert_close(found, torch.tensor([[expected, 3 - expected]]))


def test_doubled_by_hand() -> None:
    """Linear, 2 to 4: positions −¼, ¼, ¾, 1¼; beyond the ends their value."""
    found = resize(torch.tensor([[0.0, 4.0]]), (4,), kind="linear")
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0, 3.0, 4.0]]))


@pytest.mark.parametrize("axes", SHAPES)
def test_masks_stay_in_range(axes: int) -> None:
    old, new = SHAPES[axes]
    found = resize((numbers(1, *old) > 0.5).float(), new, kind="linear")
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1 + 1e-6


def test_what_keeps_its_size_keeps_its_bits() -> None:
    samples = numbers(3, 5, 20, 16)
    assert torch.equal(resize(samples, (5, 20, 16)), samples)
    frames = torch.stack([resize(frame, (11, 9)) for frame in samples.unbind(1)], dim=1)
    torch.testing.assert_close(resize(samples, (5, 11, 9)), frames, rtol=0, atol=1e-6)


def test_nothing_finer_than_the_new_grid_is_left() -> None:
    """A grain of one sample vanishes; without widening, every fourth sample would show it."""
    grain = torch.tensor([0.0, 1.0]).repeat(64)[None]
    torch.testing.assert_close(resize(grain, (32,))[:, 4:-4], torch.full((1, 24), 0.5), rtol=0, atol=0.01)


def test_one_sample_is_a_constant() -> None:
    assert resize(torch.tensor([[3.0]]), (4,)).tolist() == [[3, 3, 3, 3]]


def test_fitted_scales_the_longest_axis_that_is_not_kept() -> None:
    assert fitted((480, 640), 320, (False, False)) == (240, 320)
    assert fitted((1000, 48, 64), 32, (True, False, False)) == (1000, 24, 32)
    assert fitted((1, 1000), 10, (False, False)) == (1, 10)


def test_steps_follow_the_samples() -> None:
    """The extent stays: half the samples, each twice as large."""
    field = Field(numbers(1, 10, 8), (Axis("y", 0.5, "mm"), Axis("x", 2.0, "mm")))
    coarse = field.with_samples(resize(field.samples, (5, 8)))
    assert coarse.axes == (Axis("y", 1.0, "mm"), Axis("x", 2.0, "mm"))


# ---- stages


def test_stages_by_hand() -> None:
    choice = ScheduleChoice(smallest=100, ratio=2, steps=10, growth=2)
    assert plan_stages((200, 400), (False, False), (1, 1), choice) == (
        Stage((50, 100), 40),
        Stage((100, 200), 20),
        Stage((200, 400), 10),
    )


def test_stages_keep_time_and_stop_at_the_least() -> None:
    choice = ScheduleChoice(smallest=1, ratio=2, steps=10, growth=1)
    stages = plan_stages((30, 64, 128), (True, False, False), (1, 16, 16), choice)
    assert [stage.shape for stage in stages] == [(30, 16, 32), (30, 32, 64), (30, 64, 128)]


def test_there_are_no_more_stages_than_asked_for() -> None:
    choice = ScheduleChoice(smallest=1, ratio=2, steps=10, growth=1, stages=2)
    stages = plan_stages((30, 64, 128), (True, False, False), (1, 16, 16), choice)
    assert [stage.shape for stage in stages] == [(30, 32, 64), (30, 64, 128)]


def test_large_stages_double_from_what_was_composed_and_make_few_steps() -> None:
    choice = ScheduleChoice(smallest=100, ratio=2, steps=10, growth=2, full_above=150, full_steps=3)
    assert plan_stages((700, 350), (False, False), (1, 1), choice) == (
        Stage((75, 38), 20),
        Stage((150, 75), 10),
        Stage((175, 88), 3),
        Stage((350, 175), 3),
        Stage((700, 350), 3),
    )
    assert [
        stage.steps for stage in plan_stages((700, 350), (False, False), (1, 1), replace(choice, full_above=0))
    ] == [80, 40, 20, 10]


def test_one_stage_makes_its_steps_at_any_size() -> None:
    choice = ScheduleChoice(smallest=1000, steps=10, full_above=100)
    assert plan_stages((900, 900), (False, False), (1, 1), choice) == (Stage((900, 900), 10),)


def test_a_field_below_the_first_stage_has_one() -> None:
    assert plan_stages((50, 60), (False, False), (1, 1), ScheduleChoice(steps=7)) == (Stage((50, 60), 7),)


@pytest.mark.parametrize("ratio", [1.0, 1.0001])
def test_a_ratio_that_does_not_shrink_ends_too(ratio: float) -> None:
    assert len(plan_stages((500,), (False,), (1,), ScheduleChoice(smallest=50, ratio=ratio))) <= 16
