"""Which taps a stage reads, and what that takes."""

from __future__ import annotations

from math import prod

import pytest
import torch

from volstyle.engine.estimate import stage_work
from volstyle.engine.outline import outline
from volstyle.grid.field import Axis, Field
from volstyle.networks.registry import load_network
from volstyle.recipe import Recipe

COARSE = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2"}
FINE = {"relu1_1", "relu2_1", "relu3_1"}


def blank(height: int, width: int) -> Field:
    return Field(torch.zeros(3, height, width), (Axis("y"), Axis("x")))


def test_large_stages_read_the_fine_taps_of_the_network() -> None:
    run = outline(blank(200, 300), Recipe())
    assert [max(stage.shape) for stage in run.stages] == [89, 133, 200, 300]
    assert [run.at(stage).taps for stage in run.stages] == [COARSE, COARSE, COARSE, FINE]


def test_fine_above_0_is_never() -> None:
    run = outline(blank(200, 300), Recipe().set("schedule.fine_above=0"))
    assert run.at(run.stages[-1]) == run


def test_given_taps_are_read_in_all_stages() -> None:
    recipe = Recipe().set("style.taps={relu2_2=1}").set("content.taps={relu1_2=2}")
    run = outline(blank(200, 300), recipe)
    assert run.at(run.stages[-1]).taps == {"relu2_2", "relu1_2"}
    assert run.at(run.stages[-1]).recipe.content.taps == {"relu1_2": 2.0}


def test_given_fine_taps_are_read_in_fine_stages_alone() -> None:
    run = outline(blank(200, 300), Recipe().set("style.fine_taps={relu1_1=1}"))
    assert set(run.at(run.stages[-1]).recipe.style.taps) == {"relu1_1"}
    assert set(run.at(run.stages[0]).recipe.style.taps) == COARSE - {"relu4_2"}


def test_a_network_without_fine_taps_reads_the_same_everywhere() -> None:
    run = outline(blank(200, 300), Recipe().set("network.name=builtin"))
    assert run.at(run.stages[-1]).taps == run.taps


def test_work_is_that_of_the_convolutions_and_the_products() -> None:
    extractor = load_network("vgg19").on(2)
    first, second = 3 * 64 * 9, 64 * 64 * 9
    assert extractor.work(["relu1_1"]) == first + 64**2
    third = 64 * 128 * 9 / 4
    assert extractor.work(["relu1_1", "relu2_1"]) == first + second + third + 64**2 + 128**2 / 4


def test_the_work_of_stages_follows_their_taps() -> None:
    run = outline(blank(200, 300), Recipe())
    *_, coarse, fine = (
        work / (stage.steps * prod(stage.shape)) for work, stage in zip(stage_work(run), run.stages, strict=True)
    )
    assert fine < coarse / 2


@pytest.mark.parametrize("size", [40, 241])
def test_the_first_stage_reads_all_taps_however_large(size: int) -> None:
    run = outline(blank(size, size), Recipe().set("schedule.smallest=1000"))
    assert len(run.stages) == 1
    assert run.at(run.stages[0]).taps == COARSE
