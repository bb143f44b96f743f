"""Law 3 across processes: what they find together is what one finds alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.processes import together
from tests.tiny import TAPS, numbers, stylized, tiny_field, tiny_network
from volstyle.engine import blockwise
from volstyle.engine.blockwise import Evaluation, evaluate, style_sums
from volstyle.engine.machine import choose_budget
from volstyle.engine.outline import outline
from volstyle.engine.part import Part
from volstyle.engine.ranks import ALONE, Joined, Ranks, joined, present
from volstyle.engine.scene import Style
from volstyle.engine.shared import serve
from volstyle.engine.stylize import stylize
from volstyle.grid.tiles import Shape, plan, wrapped
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import gram_distance
from volstyle.loss.terms import ContentTerm, SmoothnessTerm, StyleTerm
from volstyle.recipe import Recipe

SHAPES = {1: (96,), 2: (28, 36), 3: (12, 20, 16)}


@dataclass(frozen=True)
class Case:
    """axes of the field; core: of tiles; frames: of a core, along the first axis; group: how many samples along it
    share statistics; regions: of the style; margin: whether opposite ends meet."""

    axes: int
    core: int
    frames: int | None = None
    group: int | None = None
    regions: int = 0
    margin: bool = False

    @property
    def cores(self) -> Shape:
        return (self.frames or self.core, *(self.core,) * (self.axes - 1))


CASES = (
    *(Case(axes, 8) for axes in (1, 2, 3)),
    Case(2, 16, regions=2),
    Case(3, 20, frames=3, group=1),
    Case(3, 8, frames=8, group=8),
    Case(2, 12, margin=True),
    Case(1, 96),
    Case(2, 36, regions=2),
)
"""The last ones have fewer tiles than there are processes."""


def found(case: Case, ranks: Ranks) -> Evaluation:
    """Cost and gradient of random samples, by all ranks."""
    shape, inflated = SHAPES[case.axes], case.axes == 3
    network = tiny_network(2 if inflated else case.axes)
    extractor = network.on(case.axes, "center")
    samples, content, style = (numbers(3, *shape, seed=seed, dtype=torch.float64) for seed in range(3))
    reach, core = extractor.reach(TAPS), case.cores
    blocks = plan(shape, core, *reach, case.group)
    margin = None
    if case.margin:
        margin = reach.halo
        blocks, content = wrapped(blocks, margin, reach.halo), blockwise.continued(content, margin)
    regions = numbers(case.regions, *shape, seed=4, dtype=torch.float64) if case.regions else None
    taps = dict.fromkeys(TAPS, 1.0)
    targets = style_sums(extractor, style, plan(shape, core, *reach), taps, regions, ranks)
    own = tuple(ranks.own(blocks))
    source = SourceFeatures(extractor, content, taps)
    (power,) = ranks.summed([torch.tensor(list(source.powers(own).values()), dtype=torch.float64)])
    view = View(
        extractor,
        StyleTerm(1.0, taps, targets, gram_distance, sum(len(block.groups) for block in blocks)),
        ContentTerm(1.0, taps, source, dict(zip(taps, power.tolist(), strict=True))),
        case.group,
        regions,
    )
    objective = Objective((view,), {"smoothness": SmoothnessTerm(1.0, (0,))}, margin)
    return evaluate(samples, objective, (own,), ranks)


def all_found() -> list[tuple[dict[str, float], Tensor]]:
    with joined() as ranks:
        evaluations = [found(case, ranks) for case in CASES]
        if isinstance(ranks, Joined) and not ranks.leads:
            serve(ranks)
        return [(dict(one.costs), one.gradient) for one in evaluations]


@pytest.fixture(scope="module", params=[2, 3])
def shared(request: pytest.FixtureRequest) -> Any:
    return together(request.param, all_found)[0]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_costs_and_gradient_are_those_of_one_process(shared: Any, number: int) -> None:
    alone = found(CASES[number], ALONE)
    costs, gradient = shared[number]
    assert costs == pytest.approx(dict(alone.costs), rel=1e-6)
    assert all(cost > 0 for cost in costs.values())
    torch.testing.assert_close(gradient, alone.gradient, rtol=0, atol=1e-5 * float(alone.gradient.abs().max()))


def test_tiles_of_the_cases_are_dealt_in_all_ways() -> None:
    """Whole blocks, parts of blocks, and blocks of which a process has nothing."""
    of_all = []
    for case in CASES:
        reach = tiny_network(2 if case.axes == 3 else case.axes).on(case.axes).reach(TAPS)
        of_all.append(plan(SHAPES[case.axes], case.cores, *reach, case.group))
    assert any(len(blocks) >= 3 for blocks in of_all)
    assert any(len(blocks) == 1 and len(blocks[0].tiles) > 3 for blocks in of_all)
    assert any(len(blocks) == len(blocks[0].tiles) == 1 for blocks in of_all)


def test_alone_it_asks_nobody() -> None:
    assert present() is ALONE
    with joined() as ranks:
        assert ranks is ALONE
    tensors = [torch.ones(2)]
    assert ranks.summed(tensors)[0] is tensors[0]
    assert ranks.shown(tensors[0]) is tensors[0]


# ---- what goes wrong

RECIPE = Recipe().updated(
    {
        "network": {"name": "builtin"},
        "precision": "float32",
        "schedule": {"smallest": 300, "steps": 2},
        "style": {"statistic": "gram"},
    }
)


def styled(failing: str) -> list[str]:
    """The notes of a run in which something happens to the second process."""
    with joined() as ranks:
        assert isinstance(ranks, Joined)
        if not ranks.leads:
            _spoil(failing)
            serve(ranks)
            return ["served"]
        assert present() is ranks
        content, style = tiny_field(240, 248), Style(tiny_field(24, 24, seed=1))
        result = stylize(outline(content, RECIPE, ranks), Part(content, (style,)))
        return list(result.record.notes)


def _spoil(failing: str) -> None:
    look, looks = blockwise._look, iter(range(10**6))

    def spoiled(samples: Tensor, *given: Any) -> Any:
        if failing == "memory" and next(looks) == 1:
            raise torch.OutOfMemoryError
        if failing == "bug" and next(looks) == 1:
            raise ValueError("of no use")
        return look(samples, *given)

    pytest.MonkeyPatch().setattr(blockwise, "_look", spoiled)


def test_one_that_runs_out_of_memory_makes_all_cut_smaller_tiles() -> None:
    notes, served = together(2, styled, "memory")
    assert served == ["served"]
    assert notes == ["memory: ran out at 240x248, went on in smaller tiles"]


def test_one_that_fails_says_so_by_the_first() -> None:
    error, served = together(2, styled, "bug")
    assert error.endswith(": rank 1: ValueError of no use")
    assert served == ["served"]


def test_nothing_fails() -> None:
    assert together(2, styled, "") == [[], ["served"]]


def test_processes_of_one_machine_share_its_memory() -> None:
    cpu = torch.device("cpu")
    assert choose_budget("auto", cpu, 4) < 0.5 * choose_budget("auto", cpu)
    assert choose_budget("1GB", cpu, 4) == choose_budget("1GB", cpu)


def test_a_run_that_is_shared_is_planned_for_all() -> None:
    class Four(Ranks):
        count = 4

    content = tiny_field(64, 64)
    run = outline(content, RECIPE)
    assert [len(block.tiles) for (block,) in run.plans((64, 64))] == [1]
    assert [len(block.tiles) for (block,) in replace(run, ranks=Four()).plans((64, 64))] == [4]
    assert stylized(content, [Style(content)], RECIPE).record.ranks == 1
