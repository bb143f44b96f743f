"""A run that is asked to stop, that is watched, or that runs out of memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.engine.quick import RECIPE, SHAPES, STYLE, picture, tiny_networks
from tests.tiny import stylized
from volstyle.engine import stylize as stylizing
from volstyle.engine.stylize import Step
from volstyle.errors import CapacityError

_networks = pytest.fixture(autouse=True)(tiny_networks)


def test_asked_to_stop_it_gives_what_there_is() -> None:
    seen: list[Step] = []

    def stop(step: Step) -> bool:
        seen.append(step)
        return step.stage == 1 and step.step == 3

    result = stylized(picture(3), [STYLE], RECIPE, stop)
    assert result.stopped
    assert result.field.shape == SHAPES[2]
    assert [(s.stage, s.step) for s in seen] == [(0, i) for i in range(1, 9)] + [(1, 1), (1, 2), (1, 3)]
    assert [len(stage.costs["style"]) for stage in result.record.stages] == [8, 3]
    assert seen[0].samples.shape == (3, 14, 18)
    assert dict(seen[-1].costs).keys() == {"style", "content"}


def test_a_step_that_is_kept_stays_as_it_was() -> None:
    kept: list[Step] = []
    copies: list[Tensor] = []

    def keep(step: Step) -> None:
        kept.append(step)
        copies.append(step.samples.clone() if step.step % 2 else step.samples)

    stylized(picture(3), [STYLE], RECIPE, keep)
    late: list[Step] = []
    stylized(picture(3), [STYLE], RECIPE, late.append)
    for step, again, copy in zip(kept, late, copies, strict=True):
        assert torch.equal(step.samples, copy)
        assert torch.equal(again.samples, copy)
    assert not torch.equal(copies[-1], copies[-2])


def test_a_step_that_nobody_keeps_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(stylizing.Snapshot, "__call__", lambda _: asked.append(1))
    stylized(picture(3), [STYLE], RECIPE, lambda step: step.step > 99)
    assert not asked


def out_of_memory(monkeypatch: pytest.MonkeyPatch, largest: int, error: RuntimeError) -> None:
    """A machine that can hold tiles of windows up to a number of samples."""

    def limited(samples: Tensor, objective: object, plans: object, ranks: object) -> object:
        if any(tile.window_size > largest for blocks in plans for block in blocks for tile in block.tiles):  # type: ignore[attr-defined]
            raise error
        return evaluate(samples, objective, plans, ranks)  # type: ignore[arg-type]

    evaluate = stylizing.evaluate
    monkeypatch.setattr(stylizing, "evaluate", limited)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
    ids=["cuda", "cpu"],
)
def test_out_of_memory_goes_on_in_smaller_tiles(error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
    content = picture(3, 64, 64)
    recipe = RECIPE.set("schedule.smallest=999")
    expected = stylized(content, [STYLE], recipe)
    assert expected.record.notes == ()
    out_of_memory(monkeypatch, 40 * 40, error)
    found = stylized(content, [STYLE], recipe)
    torch.testing.assert_close(found.field.samples, expected.field.samples, rtol=0, atol=1e-3)
    assert set(found.record.notes) == {"memory: ran out at 64x64, went on in smaller tiles"}
    assert [len(stage.costs["style"]) for stage in found.record.stages] == [8]
    again = stylized(content, [STYLE], found.record.recipe)
    assert again.record.notes == ()
    assert torch.equal(again.field.samples, found.field.samples)


def test_out_of_memory_in_the_smallest_tiles_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_memory(monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(CapacityError, match=r"memory: the smallest tile takes .*; raise --memory"):
        stylized(picture(3), [STYLE], RECIPE)


def test_other_errors_of_torch_are_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_memory(monkeypatch, 0, RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        stylized(picture(3), [STYLE], RECIPE)
