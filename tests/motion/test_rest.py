"""A volume over time: what is at rest is held to the time before, what moves is free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch

from tests.benchmarks.times import flicker, moving
from tests.scans import OBLIQUE, loaded
from tests.tiny import numbers, stylized, tiny_field
from volstyle import style
from volstyle.codecs import read
from volstyle.engine.scene import Style
from volstyle.motion.rest import Rest
from volstyle.recipe import Recipe

QUICK: dict[str, Any] = {
    "network.name": "random",
    "precision": "float32",
    "schedule.steps": 6,
    "schedule.smallest": 12,
    "volume.window": "0,1",
}


def test_what_moves_may_change_and_noise_does_not_count() -> None:
    times, still = moving(2, 24, noise=0.03)
    rest = Rest.since(times[0, :, None], numbers(1, 24, 24, 24))
    assert float(rest.moves[0, still].mean()) < 0.1
    moved = _ball(times) > 0.2
    assert float(rest.moves[0, moved].mean()) > 0.95
    coarse = rest.resized((12, 12, 12))
    assert coarse.samples.shape == coarse.moves.shape == (1, 12, 12, 12)
    assert float(coarse.moves.mean()) > float(rest.moves.mean())


def _ball(times: torch.Tensor) -> torch.Tensor:
    return (times[0, 1] - times[0, 0]).abs()


def test_slow_changes_count_once_they_are_large() -> None:
    """Each of a hundredth, below what counts: every second one moves all."""
    times = [torch.full((1, 6, 6, 6), 0.3 + 0.01 * number) for number in range(6)]
    found = [bool(Rest.since(times[: count + 1], times[0]).moves.any()) for count in range(1, 6)]
    assert found == [False, True, False, True, False]


def test_what_is_at_rest_stays_bit_for_bit() -> None:
    content = tiny_field(12, 14, 16, channels=1)
    moves = torch.zeros(1, 12, 14, 16)
    moves[:, :5] = 1
    before = numbers(1, 12, 14, 16, seed=3)
    recipe = Recipe().updated({"network": {"name": "random"}, "schedule": {"smallest": 8, "steps": 2}})
    found = stylized(content, [Style(tiny_field(16, 16))], recipe, rest=Rest(before, moves)).field.samples
    assert torch.equal(found[:, 5:], before[:, 5:])
    assert not torch.equal(found[:, :5], before[:, :5])
    alone = recipe.set("temporal.weight=0")
    free = stylized(content, [Style(tiny_field(16, 16))], alone, rest=Rest(before, moves)).field.samples
    assert not torch.equal(free[:, 5:], before[:, 5:])


@pytest.mark.parametrize("suffix", [".nii.gz", ".tif"])
def test_a_still_background_holds_together(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With new noise at each time the background changes about as the content; what moves still moves."""
    monkeypatch.chdir(tmp_path)
    content, still = moving(3, 20)
    array = content[0].numpy()
    if suffix == ".tif":
        tifffile.imwrite("a.tif", array, imagej=True, metadata={"axes": "TZYX"})
    else:
        nib.save(nib.Nifti1Image(array.transpose(3, 2, 1, 0), OBLIQUE), "a.nii.gz")
    painting = numbers(3, 32, 32, seed=5)
    found = {}
    for weight in (0.0, 1.0):
        output = f"b{weight:.0f}{suffix}"
        choices = {**QUICK, "temporal.weight": weight}
        style(f"a{suffix}", [painting], output, medium="volume", choices=choices)
        made = read(output)
        assert made.samples.shape == content.shape
        found[weight] = np.divide(flicker(made.samples, still), flicker(content, still))
    assert found[0.0][0] > 2
    assert found[1.0][0] < 1
    assert found[1.0][1] < 1.5
    assert found[1.0][2] > 0.5 * found[0.0][2]
    if suffix != ".tif":
        assert loaded("b1.nii.gz").shape == (20, 20, 20, 3)
        np.testing.assert_allclose(loaded("b1.nii.gz").affine, OBLIQUE)
