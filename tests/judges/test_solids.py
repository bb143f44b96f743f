"""How solids are measured, on solids whose numbers are known."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
import torch

from tests.tiny import numbers
from volstyle.errors import InputError, VolstyleError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.judges.solids import apart, judge_solid

SPACE = tuple(Axis(name) for name in "zyx")


def cube(samples: torch.Tensor) -> Field:
    return Field(samples[None].float(), SPACE)


def section(samples: torch.Tensor) -> Field:
    return Field(samples[None].float(), SPACE[1:])


def blobs(size: int, seed: int = 0) -> torch.Tensor:
    """(size, size, size) of 0 and 1: smooth noise, cut where a third is 0."""
    smooth = resize(numbers(1, size // 4, size // 4, size // 4, seed=seed), (size,) * 3)[0]
    return (smooth > smooth.quantile(1 / 3)).float()


def test_pipes_along_x_percolate_there_alone() -> None:
    """Square pipes of 4 × 4 in cells of 8 × 8: a quarter of all, straight, of known surface and connection."""
    solid = torch.ones(16, 16, 16)
    solid[2:6, 2:6], solid[10:14, 2:6], solid[2:6, 10:14], solid[10:14, 10:14] = 0, 0, 0, 0
    found = judge_solid(
        cube(solid), [(0, section(solid[3])), (1, section(solid[:, 3])), (2, section(solid[..., 3]))]
    )
    assert found.levels == (0, 1) and found.phase == 0
    assert found.solid.shares == pytest.approx((0.25, 0.75))
    assert found.solid.percolates == {"z": False, "y": False, "x": True}
    assert found.solid.tortuosity == {"z": math.inf, "y": math.inf, "x": pytest.approx(1, abs=0.01)}
    assert found.solid.euler == pytest.approx(4 / 16**3 * 1e6)
    assert found.solid.surface == pytest.approx(
        4 / 3 * 2 * (0.25 - 6 / 30), rel=1e-3
    )  # along z and y 6 pairs of 30
    assert found.solid.two_points["x"].tolist() == pytest.approx([0.25] * 8, abs=1e-5)
    assert found.solid.lines["x"].tolist() == pytest.approx([0.25] * 8, abs=1e-5)
    assert found.solid.lines["z"][:4].tolist() == pytest.approx([0.25, 6 / 30, 4 / 28, 2 / 26], abs=1e-5)
    assert apart(found.solid.two_points, found.solid.two_points) == {"z": 0, "y": 0, "x": 0}
    other = judge_solid(cube(solid), [(None, section(solid[..., 3]))], phase=1, tortuosity=False)
    assert other.phase == 1 and other.solid.tortuosity is None and other.solid.percolates["z"]


def test_a_tortuosity_that_is_not_found_is_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is printed between the numbers, which may be JSON."""
    monkeypatch.setattr("taufactor.Solver.solve", unsolved)
    solid = torch.zeros(8, 8, 8)
    solid[:, :4] = 1  # joins both ends along z and x
    said: list[str] = []
    found = judge_solid(cube(solid), [(None, section(solid[0]))], on_solve=said.append).solid
    assert said == ["the solid along z", "the solid along x"]
    assert found.tortuosity == {
        "z": pytest.approx(math.nan, nan_ok=True),
        "y": math.inf,
        "x": pytest.approx(math.nan, nan_ok=True),
    }
    assert capsys.readouterr().out == ""


def unsolved(solver: Any, **_: Any) -> list[float]:
    solver.converged = False
    print("Warning: not converged")  # noqa: T201
    return [482.85]


def test_sections_of_a_solid_say_what_the_solid_does() -> None:
    solid = blobs(48)
    sections = [(axis, section(solid.select(axis, 20))) for axis in range(3)]
    found = judge_solid(cube(255 * solid), sections, cube(solid), tortuosity=False)
    assert found.levels == (0, 255)  # of the solid; the real volume and the sections have 0 and 1
    assert found.sections.surface == pytest.approx(found.solid.surface, rel=0.15)
    assert max(apart(found.solid.two_points, found.sections.two_points).values()) < 0.06
    assert max(apart(found.solid.lines, found.sections.lines).values()) < 0.06
    assert found.real.euler == found.solid.euler and found.real.surface == found.solid.surface


def test_curves_count_pairs_and_lines() -> None:
    line = (numbers(1, 64) > 0.4).float()[0]
    solid = line.expand(20, 20, 64)
    found = judge_solid(cube(solid), [(None, section(solid[0]))], phase=1, tortuosity=False).solid
    for r in range(10):
        pairs = line[: 64 - r] * line[r:]
        assert float(found.two_points["x"][r]) == pytest.approx(float(pairs.mean()), abs=1e-5)
        whole = line.unfold(0, r + 1, 1).amin(1)
        assert float(found.lines["x"][r]) == pytest.approx(float(whole.mean()), abs=1e-5)


def test_what_cannot_be_measured_is_said() -> None:
    solid, flat = cube(blobs(16)), section(blobs(16)[0])
    with pytest.raises(InputError, match="the solid: has axes y, x, must have z, y, x"):
        judge_solid(flat, [(None, flat)])
    with pytest.raises(InputError, match="phase: no sample is 7; there are 0, 1"):
        judge_solid(solid, [(None, flat)], phase=7)
    with pytest.raises(InputError, match="a section: 3 phases, the solid has 2; give --phases 2"):
        judge_solid(solid, [(None, section(torch.arange(3).repeat(6, 6)))])
    with pytest.raises(InputError, match=r"the solid: 40\d+ levels, which are no phases"):
        judge_solid(cube(numbers(16, 16, 16)), [(None, flat)])


def test_a_part_of_the_extra_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "porespy.metrics", None)  # as where something that it imports is missing
    solid = cube(blobs(8))
    with pytest.raises(VolstyleError, match=r"porespy.metrics cannot be imported \(.*volstyle\[solids\]'"):
        judge_solid(solid, [(None, solid)])


@pytest.mark.parametrize("name", ["porespy", "skimage", "taufactor"])
def test_without_what_measures_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    solid = cube(blobs(8))
    with pytest.raises(VolstyleError, match=rf"{name} is not installed.*pip install 'volstyle\[solids\]'"):
        judge_solid(solid, [(None, section(solid.samples[0, 0]))])
