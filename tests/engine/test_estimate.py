"""What a run will take: its parts add up, and memory stays that of a tile."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
import torch

from volstyle.engine.estimate import estimate, peak_memory, stage_work
from volstyle.engine.outline import outline
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize, transfer
from volstyle.recipe import NetworkChoice, Recipe, ScheduleChoice, SolidChoice

RECIPE = Recipe(network=NetworkChoice("random"), schedule=ScheduleChoice(steps=2), precision="float32")
SHAPES = {1: (512,), 2: (96, 64), 3: (4, 48, 64)}


def field(axes: int) -> Field:
    numbers = torch.Generator().manual_seed(axes)
    names = ("t", "y", "x")[3 - axes :]
    return Field(torch.rand(3, *SHAPES[axes], generator=numbers), tuple(Axis(name) for name in names))


@pytest.mark.parametrize("axes", [2, 3])
def test_time_is_measured_and_memory_counted(axes: int) -> None:
    content, style = field(axes), Style(field(2))
    run = outline(content, RECIPE)
    found = estimate(Part(content, (style,)), run)
    assert found.seconds > 0
    assert found.memory > content.samples.numel() * 4


def test_twice_the_steps_are_twice_the_work() -> None:
    content = field(2)
    one = outline(content, RECIPE)
    two = outline(content, replace(RECIPE, schedule=ScheduleChoice(steps=4, growth=1.0)))
    assert sum(stage_work(two)) == pytest.approx(2 * sum(stage_work(one)))


def test_a_solid_of_phases_takes_no_network() -> None:
    """Its terms are of the samples alone: no tile of a network is counted, and time goes with the samples."""
    solid = replace(RECIPE, solid=SolidChoice(two_point=1.0, values=1.0, variation=1.0), periodic=True)
    alone = solid.set("style.weight=0").set("content.weight=0")
    content = Field(torch.rand(3, 32, 32, 32), tuple(map(Axis, "zyx")))
    run = outline(content, alone)
    assert stage_work(run) == tuple(stage.steps * prod(stage.shape) for stage in run.stages)
    beside = outline(content, solid.set("content.weight=0"))
    assert peak_memory(content, run) < peak_memory(content, beside) / 2
    assert estimate(Part(content, (Style(field(2)),)), run).seconds > 0


def test_memory_beyond_the_field_does_not_grow_with_the_clip() -> None:
    recipe = replace(RECIPE, memory="64MB")

    def beyond(frames: int) -> float:
        content = Field(torch.empty(3, frames, 256, 256, device="meta"), field(3).axes)
        return peak_memory(content, outline(content, recipe)) - content.samples.numel() * 4 * 10

    assert beyond(16) == beyond(64)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_transfer_adds_what_changed_and_keeps_the_rest(axes: int) -> None:
    full = field(axes).samples
    small = resize(full, tuple(size // 2 for size in SHAPES[axes]), kind="linear")
    assert torch.equal(transfer(full.clone(), small, small), full)
    change = 0.1 * torch.rand(small.shape, generator=torch.Generator().manual_seed(9))
    expected = (full + resize(change, SHAPES[axes])).clamp(0, 1)
    torch.testing.assert_close(transfer(full.clone(), small, small + change), expected)
