"""Levels of sections as phases, and back with their shares."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import numbers
from volstyle.errors import InputError, RecipeError
from volstyle.grid.phases import MOST_PHASES, Phases
from volstyle.grid.resample import resize


def layers(*counts: int) -> torch.Tensor:
    """(1, 10, sum of counts / 10): so many samples of 0, of 85, of 170, …"""
    return torch.cat([torch.full((count,), 85.0 * level) for level, count in enumerate(counts)]).view(1, 10, -1)


def test_levels_become_corners_as_far_from_each_other() -> None:
    found = Phases.of("auto", [layers(30, 20, 50)], ["a.png"])
    assert found.levels.tolist() == [0, 85, 170]
    assert found.shares.tolist() == pytest.approx([0.3, 0.2, 0.5])
    assert torch.cdist(found.codes, found.codes).unique().tolist() == pytest.approx([0, 2**0.5])
    assert found.seen(layers(30, 20, 50)).shape == (3, 10, 10)
    assert Phases.of("auto", [layers(30, 20)], ["a.png"]).codes.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("counts", [(30, 70), (1, 99), (30, 20, 50), (40, 10, 25, 25)])
def test_shares_are_met(counts: tuple[int, ...]) -> None:
    phases = Phases.of("auto", [layers(*counts)], ["a.png"])
    told = phases.told(numbers(phases.codes.shape[1], 20, 20, 20))
    for level, share in zip(phases.levels, phases.shares, strict=True):
        assert float((told == level).float().mean()) == pytest.approx(float(share), abs=0.002)


@pytest.mark.parametrize("counts", [(30, 70), (30, 20, 50), (40, 10, 25, 25)])
def test_samples_lean_to_phases_and_have_a_gradient_wherever_they_are(counts: tuple[int, ...]) -> None:
    phases = Phases.of("auto", [layers(*counts)], ["a.png"])
    own = phases.codes.T.reshape(-1, 1, 1, len(counts))
    between = own.mean(-1, keepdim=True).requires_grad_()
    torch.testing.assert_close(phases.leaning(own), own, atol=1e-6, rtol=0)
    torch.testing.assert_close(phases.leaning(between), between, atol=1e-6, rtol=0)
    near = (0.8 * own + 0.2 * between).requires_grad_()
    for samples, most, least in ((between, 4.0, 0.8), (near, 1.0, 0.1)):
        (slope,) = torch.autograd.grad(phases.leaning(samples)[0].sum(), samples)
        assert least < slope[0].max().item() < most


def test_equal_samples_give_way_where_they_stand_alone() -> None:
    """With too many of a phase, specks go before what hangs together."""
    samples = torch.zeros(1, 10, 10, 10)
    samples[0, :5] = 1
    samples[0, 7, 7, 7] = 1
    phases = Phases.of("auto", [layers(50, 50)], ["a.png"])
    told = phases.told(samples)
    assert float(told[0, 7, 7, 7]) == 0 and bool((told[0, :5] == 85).all())


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("periodic", [False, True])
def test_a_cut_has_no_more_surface_than_the_sections(count: int, periodic: bool) -> None:
    """Grain that the engine leaves would be surface in the cut; what has none stays as it is, to the sample."""
    smooth = resize(numbers(1, 5, 5, 5), (24, 24, 24))
    ends = smooth.flatten().quantile(torch.linspace(0, 1, count + 1)[1:-1])
    levels = torch.bucketize(smooth, ends).float()
    sections = [levels.select(axis, place) for axis in (1, 2, 3) for place in range(24)]
    phases = Phases.of("auto", sections, ["a.png"] * len(sections))
    wanted = phases.unlike(sections)
    samples = phases.seen(levels)
    assert torch.equal(phases.told(samples, wanted, periodic=periodic), levels)
    grainy = 0.6 * samples + 0.9 * numbers(*samples.shape, seed=1)
    told, dusty = phases.told(grainy, wanted, periodic=periodic), phases.told(grainy, periodic=periodic)
    assert phases.unlike([dusty]) > 1.1 * wanted
    assert 0.97 * wanted < phases.unlike([told]) < 1.005 * wanted
    for level, share in zip(phases.levels, phases.shares, strict=True):
        assert float((told == level).float().mean()) == pytest.approx(float(share), abs=0.003)


def test_a_periodic_solid_is_smoothed_across_its_ends() -> None:
    phases, samples = Phases.of("auto", [layers(50, 50)], ["a.png"]), numbers(1, 12, 12, 12)
    moved = phases.told(samples.roll(5, 3), 0.0, periodic=True).roll(-5, 3)
    assert torch.equal(moved, phases.told(samples, 0.0, periodic=True))
    assert not torch.equal(moved, phases.told(samples, 0.0))


def test_shades_are_joined_to_as_many_phases_as_are_asked_for() -> None:
    shades = layers(30, 70) + 5 * numbers(1, 10, 10)
    found = Phases.of("2", [shades], ["a.png"])
    assert found.levels.tolist() == pytest.approx([2.5, 87.5], abs=1)
    assert found.shares.tolist() == pytest.approx([0.3, 0.7])


def test_what_has_no_phases_is_said() -> None:
    with pytest.raises(InputError, match=r"a\.png: 100 levels, which are no phases; .* as in --phases 2"):
        Phases.of("auto", [numbers(1, 10, 10)], ["a.png"])
    with pytest.raises(InputError, match=r"a\.png: every sample is 0, one phase; must have two or more"):
        Phases.of("auto", [layers(100)], ["a.png"])
    with pytest.raises(InputError, match="phases: 3 of sections with 2 levels; give 2 or auto"):
        Phases.of("3", [layers(50, 50)], ["a.png"])
    for text in ("1", "many", str(MOST_PHASES + 1)):
        with pytest.raises(RecipeError, match="must be auto, or a number from 2 to 8"):
            Phases.of(text, [layers(50, 50)], ["a.png"])
