"""The temporal term: its gradient, what it asks of broad differences, and what it trusts. Gradients averaged along
the motion: over what, with which weights, and that they go downhill."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.benchmarks.scenes import known_scene
from tests.tiny import numbers
from volstyle.loss.temporal import TemporalTerm
from volstyle.motion.links import Link, along_motion, estimate_motion, moved_along


def still(height: int, width: int, trust: Tensor | None = None) -> Link:
    """Nothing moves between two frames."""
    flow = torch.zeros(1, 2, height, width, dtype=torch.float16)
    return Link(1, flow, torch.ones(1, 1, height, width, dtype=torch.uint8) if trust is None else trust)


def cost(samples: Tensor, *links: Link) -> float:
    return TemporalTerm(1.5, links, 0.1).add_gradient(samples, torch.zeros_like(samples))


def test_the_gradient_is_that_of_the_cost() -> None:
    """By central differences, exact at any step for a cost of squares; blocks are cut at the ends and by what is
    hidden."""
    generator = torch.Generator().manual_seed(0)
    flow = torch.randn(2, 2, 13, 19, generator=generator).half()
    trust = (torch.rand(2, 1, 13, 19, generator=generator) > 0.3).to(torch.uint8)
    term = TemporalTerm(1.5, (Link(1, flow, trust), Link(-1, flow.flip(0), trust)), 0.1)
    samples, along = numbers(3, 3, 13, 19).double(), numbers(3, 3, 13, 19, seed=1).double() - 0.5
    slope = torch.zeros_like(samples)
    term.add_gradient(samples, slope)
    ends = [term.add_gradient(samples + side * along, torch.zeros_like(samples)) for side in (1, -1)]
    assert float((slope * along).sum()) == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-5)


def test_a_change_of_brightness_costs_nine_times_a_grain_of_the_same_power() -> None:
    grain = torch.ones(1, 2, 20, 28) * 0.5
    broad = grain.clone()
    broad[:, 1] += 0.1
    y, x = torch.meshgrid(torch.arange(20), torch.arange(28), indexing="ij")
    grain[:, 1] += 0.1 * (1 - 2 * ((x + y) % 2))
    assert cost(broad, still(20, 28)) == pytest.approx(9 * cost(grain, still(20, 28)), rel=1e-4)


def test_what_is_hidden_costs_nothing_and_pulls_at_nothing() -> None:
    trust = torch.ones(1, 1, 16, 16, dtype=torch.uint8)
    trust[..., 5:11] = 0
    samples = torch.full((1, 2, 16, 16), 0.5)
    samples[:, 1, :, 5:11] = 1
    slope = torch.zeros_like(samples)
    assert TemporalTerm(1.0, (still(16, 16, trust),), 0.1).add_gradient(samples, slope) == 0
    assert not slope.any()


@pytest.mark.parametrize(("fixed", "times"), [((0, 0), 1), ((1, 0), 4), ((0, 1), 4), ((1, 1), 1)])
def test_a_pair_of_which_one_frame_stays_counts_four_times(fixed: tuple[int, int], times: int) -> None:
    samples = numbers(3, 2, 16, 16)
    slopes = [torch.zeros_like(samples) for _ in range(2)]
    terms = [TemporalTerm(1.0, (still(16, 16),), 0.1, stay) for stay in (None, torch.tensor(fixed))]
    costs = [term.add_gradient(samples, slope) for term, slope in zip(terms, slopes, strict=True)]
    assert costs[1] == pytest.approx(times * costs[0])
    torch.testing.assert_close(slopes[1], times * slopes[0])


def test_borders_of_moving_things_are_trusted_when_asked() -> None:
    """The term sees nearly all that is to be seen; the judge, after Lai et al., leaves the borders out."""
    scene = known_scene(6, 96, 144)
    recall, precision = {}, {}
    for borders in (False, True):
        trusted = estimate_motion(scene.clip.samples, (1,), borders=borders)[0].trust[:, 0].bool()
        seen = scene.visible(1)
        recall[borders] = float((trusted & seen).sum() / seen.sum())
        precision[borders] = float((trusted & seen).sum() / trusted.sum())
    assert recall[True] > 0.98 > recall[False]
    assert precision[True] > 0.98


def moving(count: int, right: int, *, loop: bool = False) -> tuple[Link, Link]:
    """Links over one frame, ahead and back, of `count` frames 8 × 32 that move right by whole samples."""
    pairs = count if loop else count - 1
    flow = torch.zeros(pairs, 2, 8, 32, dtype=torch.float16)
    flow[:, 0] = right
    trust = torch.ones(pairs, 1, 8, 32, dtype=torch.uint8)
    return Link(1, flow, trust, loop), Link(-1, -flow, trust, loop)


def spike(count: int, t: int) -> Tensor:
    gradient = torch.zeros(1, count, 8, 32)
    gradient[0, t, 4, 16] = 1
    return gradient


def test_a_gradient_goes_along_the_motion_with_weights_that_fall() -> None:
    found = along_motion(spike(5, 2), moving(5, right=3), 0.5)
    expected = torch.zeros_like(found)
    for t, weight in enumerate((1 / 4, 1 / 2, 1, 1 / 2, 1 / 4)):
        expected[0, t, 4, 16 + 3 * (t - 2)] = weight / 3  # over (1 + 0.5) / (1 − 0.5), the sum of all weights
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_what_is_alike_in_a_long_still_clip_stays() -> None:
    found = along_motion(torch.ones(1, 101, 8, 32), moving(101, right=0), 0.8)
    torch.testing.assert_close(found[:, 50], torch.ones(1, 8, 32), rtol=0, atol=1e-4)


def test_a_gradient_stops_where_nothing_is_trusted() -> None:
    links = moving(5, right=0)
    for link in links:
        link.trust[3] = 0  # between frames 3 and 4
    for t, reached in ((2, [True, True, True, True, False]), (4, [False, False, False, False, True])):
        found = along_motion(spike(5, t), links, 0.5)
        assert [bool(frame.any()) for frame in found[0]] == reached


def test_a_loop_has_no_first_frame() -> None:
    links = moving(24, right=0, loop=True)
    first, other = (along_motion(spike(24, t), links, 0.5) for t in (0, 12))
    torch.testing.assert_close(first.roll(12, dims=1), other, rtol=0, atol=1e-6)


def test_without_motion_a_gradient_stays_as_it_is() -> None:
    gradient = numbers(3, 4, 8, 32)
    assert torch.equal(along_motion(gradient, (), 0.9), gradient)


def test_a_step_along_the_average_goes_downhill_on_estimated_motion() -> None:
    """For gradients that flicker most, which a mean of three frames with equal weights turns around."""
    links = estimate_motion(known_scene(8, 64, 96).clip.samples, borders=True)
    noise = torch.randn(3, 8, 64, 96, generator=torch.Generator().manual_seed(1))
    flicker = noise[:, :1].expand_as(noise) * torch.tensor([1.0, -1.0] * 4).view(1, 8, 1, 1)
    for gradient in (noise, flicker):
        assert float((gradient * along_motion(gradient, links, 0.9)).sum()) > 0


@pytest.mark.parametrize("loop", [False, True])
def test_what_is_moved_along_is_the_first_frame_and_what_comes_into_sight(*, loop: bool) -> None:
    noise = numbers(3, 4, 8, 32)
    links = moving(4, right=3, loop=loop)
    for link in links:
        link.trust[..., :3] = 0  # what comes into sight at the left
    found = moved_along(noise, links)
    for t in range(4):
        torch.testing.assert_close(found[:, t, :, 3 * t :], noise[:, 0, :, : 32 - 3 * t], rtol=0, atol=1e-5)
        if t:
            assert torch.equal(found[:, t, :, :3], noise[:, t, :, :3])
    assert torch.equal(moved_along(noise, ()), noise)
