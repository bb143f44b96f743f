"""Styling, from a content, styles and a recipe to a result, with a tiny network in the place of a real one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.quick import CLIP, OTHER, RECIPE, SHAPES, STYLE, picture, samples_of, tiny_networks
from tests.tiny import NAMES, TAPS, numbers, stylized, tiny_field, tiny_network
from volstyle.engine import stylize as stylizing
from volstyle.engine import targets
from volstyle.engine.blockwise import style_sums
from volstyle.engine.optimize import optimize
from volstyle.engine.outline import outline
from volstyle.engine.scene import Style
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import resize
from volstyle.grid.tiles import plan
from volstyle.loss.terms import COLOR_GRAIN, SmoothnessTerm

_networks = pytest.fixture(autouse=True)(tiny_networks)


# ---- the costs


@pytest.mark.parametrize("scaling", ["relative", "gatys"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_style_cost_falls_and_the_field_is_what_it_was(axes: int, scaling: str) -> None:
    content = picture(3, *SHAPES[axes])
    recipe = RECIPE.set("optimizer.rate=0.05").set(f"scaling={scaling}").set("schedule.steps=40")
    recipe = recipe.set("content.weight=0.01" if scaling == "relative" else "content.weight=1e-6")
    result = stylized(content, [STYLE], recipe)
    last = result.record.stages[-1].costs
    first = stylized(content, [STYLE], recipe.set("schedule.smallest=999")).record.stages[0].costs
    assert last["style"][-1] < 0.5 * first["style"][0]
    assert first["content"][0] < 1e-9
    assert last["content"][-1] > 0
    assert result.field.axes == content.axes
    assert result.field.shape == content.shape
    assert 0 <= float(result.field.samples.min()) <= float(result.field.samples.max()) <= 1
    assert not result.stopped


def test_content_holds_back() -> None:
    content = picture(3)
    free, held = (samples_of(content, [STYLE], RECIPE.set(f"content.weight={weight}")) for weight in (0, 100))
    assert (held - content.samples).norm() < 0.8 * (free - content.samples).norm()


def test_without_a_style_nothing_changes() -> None:
    result = stylized(picture(3), [STYLE], RECIPE.set("style.weight=0").set("schedule.smallest=999"))
    torch.testing.assert_close(result.field.samples, picture(3).samples, rtol=0, atol=1e-5)
    assert all(stage.costs["style"] == [0.0] * stage.steps for stage in result.record.stages)


def test_smoothness_smooths() -> None:
    def roughness(samples: Tensor) -> float:
        return float(samples.diff(dim=1).square().mean() + samples.diff(dim=2).square().mean())

    rough, smooth = (samples_of(picture(3), [STYLE], RECIPE.set(f"smoothness={w}")) for w in (0, 100))
    assert roughness(smooth) < 0.7 * roughness(rough)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_smoothness_is_its_formula_and_its_gradient(axes: int) -> None:
    samples = torch.rand(3, *(9, 10, 11)[:axes], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    leaf, expected = samples.clone().requires_grad_(), torch.zeros((), dtype=torch.float64)
    for axis in range(axes):
        steps = leaf.diff(dim=1 + axis)
        color = steps - steps.mean(0)
        expected = expected + 0.7 * (steps.square().mean() + COLOR_GRAIN * color.square().mean())
    expected.backward()
    gradient = torch.zeros_like(samples)
    cost = SmoothnessTerm(0.7, tuple(range(axes))).add_gradient(samples, gradient)
    assert cost == pytest.approx(float(expected.detach()), rel=1e-6)
    assert leaf.grad is not None
    torch.testing.assert_close(gradient, leaf.grad)


def test_taps_of_the_recipe_are_what_is_read() -> None:
    """λ are shares, so only their ratio counts; other taps are another cost."""
    one, same, other = (
        samples_of(picture(3), [STYLE], RECIPE.set(f"style.taps={taps}"))
        for taps in ("{relu1_1 = 1, relu2_1 = 3}", "{relu1_1 = 2, relu2_1 = 6}", "{relu1_1 = 3, relu2_1 = 1}")
    )
    torch.testing.assert_close(one, same, rtol=0, atol=1e-4)
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("statistic", ["gram", "moments", "w2"])
def test_each_statistic_falls(statistic: str) -> None:
    (stage,) = stylized(
        picture(3), [STYLE], RECIPE.set(f"style.statistic={statistic}").set("schedule.smallest=999")
    ).record.stages
    assert stage.costs["style"][-1] < stage.costs["style"][0]


def test_style_scale_is_the_size_of_its_strokes(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []

    def watched(*args: object) -> object:
        shapes.append(tuple(args[1].shape[1:]))  # type: ignore[attr-defined]
        return style_sums(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(targets, "style_sums", watched)
    square = Style(tiny_field(40, 20))
    stylized(picture(3), [square], RECIPE.set("schedule.steps=1").set("style.scale=0.5"))
    assert shapes == [(9, 4), (18, 9)]  # half of the long sides 18 and 36 of the stages


def test_a_stage_goes_on_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its samples and its momentum, both on the new grid."""
    starts: list[tuple[Tensor, Any]] = []
    ends: list[Any] = []

    def watched(samples: Tensor, *args: object, **kwargs: object) -> object:
        starts.append((samples.clone(), kwargs["momentum"]))
        ends.append(optimize(samples, *args, **kwargs))  # type: ignore[arg-type]
        return ends[-1]

    monkeypatch.setattr(stylizing, "optimize", watched)
    stylized(picture(3), [STYLE], RECIPE)
    (_, first), (samples, momentum) = starts
    assert first is None
    torch.testing.assert_close(samples, resize(ends[0].samples, SHAPES[2]).clamp(0, 1))
    expected = ends[0].momentum.resized(SHAPES[2])
    torch.testing.assert_close(momentum.first, expected.first)
    torch.testing.assert_close(momentum.second, expected.second)
    assert momentum.steps == 8


# ---- where it starts


def test_noise_starts_elsewhere_and_follows_from_the_seed() -> None:
    recipe = RECIPE.set("init=noise")
    one, same, other = (samples_of(picture(3), [STYLE], recipe.set(f"seed={seed}")) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert (one - other).abs().mean() > 0.05
    cost = stylized(picture(3), [STYLE], recipe).record.stages[0].costs["content"][0]
    assert cost > 0.01


def test_noise_is_not_smoothed_on_its_way() -> None:
    seen: list[Tensor] = []
    recipe = RECIPE.set("init=noise").set("optimizer.name=gd").set("optimizer.rate=1e-9")
    stylized(picture(3), [STYLE], recipe, lambda step: seen.append(step.samples.clone()))
    noise = numbers(3, 14, 18, seed=0)
    torch.testing.assert_close(seen[0], noise, rtol=0, atol=1e-6)


def test_init_is_where_it_starts() -> None:
    """Of any size, and gray for a colored content."""
    recipe = RECIPE.set("optimizer.name=gd").set("optimizer.rate=1e-9")
    for init in (OTHER.field, replace(OTHER.field, samples=luma(OTHER.field.samples))):
        found = samples_of(picture(3), [STYLE], recipe.set("schedule.smallest=999"), init=init)
        expected = resize(init.samples, SHAPES[2]).clamp(0, 1).expand(3, *SHAPES[2])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


# ---- several styles, clips


def test_several_styles_are_blended() -> None:
    one, other, both, twice, almost_one = (
        samples_of(picture(3), styles, RECIPE)
        for styles in (
            [STYLE],
            [OTHER],
            [STYLE, OTHER],
            [STYLE, replace(STYLE, weight=5.0)],
            [STYLE, replace(OTHER, weight=1e-6)],
        )
    )
    torch.testing.assert_close(twice, one, rtol=0, atol=1e-3)
    torch.testing.assert_close(almost_one, one, rtol=0, atol=1e-3)
    assert (both - one).abs().mean() > 1e-3
    assert (both - other).abs().mean() > 1e-3


def test_a_clip_as_a_style_is_the_mean_over_its_frames() -> None:
    """Frame by frame, the statistics of all frames: the same as those frames blended."""
    frames = [tiny_field(24, 24, seed=seed) for seed in (5, 6, 7)]
    clip = tiny_field(3, 24, 24, names=CLIP).with_samples(torch.stack([f.samples for f in frames], dim=1))
    as_clip = samples_of(picture(3), [Style(clip)], RECIPE)
    as_blend = samples_of(picture(3), [Style(frame) for frame in frames], RECIPE)
    torch.testing.assert_close(as_clip, as_blend, rtol=0, atol=1e-3)


def test_a_clip_is_styled_frame_by_frame_unless_its_window_is_larger() -> None:
    content = replace(picture(3, 4, 20, 24), axes=tiny_field(4, 20, 24, names=CLIP).axes)
    # Content is relative to the whole clip; Adam's steps do not change with the scale of the gradient.
    recipe = RECIPE.set("schedule.smallest=999").set("schedule.steps=4").set("content.weight=0")
    alone = [samples_of(Field(frame, content.axes[1:]), [STYLE], recipe) for frame in content.samples.unbind(1)]
    frames = samples_of(content, [STYLE], recipe)
    torch.testing.assert_close(frames, torch.stack(alone, dim=1), rtol=0, atol=5e-3)
    together = samples_of(content, [STYLE], recipe.set("style.frames=0"))
    assert (together - frames).abs().max() > 0.01


def test_a_clip_keeps_all_frames_in_each_stage_and_a_volume_does_not() -> None:
    clip = tiny_field(6, 32, 40, names=CLIP)
    assert [stage.shape for stage in outline(clip, RECIPE).stages] == [(6, 16, 20), (6, 32, 40)]
    volume = tiny_field(20, 32, 40)
    assert [stage.shape for stage in outline(volume, RECIPE).stages] == [(10, 16, 20), (20, 32, 40)]
    signal = tiny_field(80, names=("t",))
    assert [stage.shape for stage in outline(signal, RECIPE).stages] == [(20,), (40,), (80,)]


def test_time_holds_together_where_nothing_moves() -> None:
    """Still frames started from noise flicker less with the temporal term."""
    still = picture(3, 40, 48).samples[:, None].expand(3, 4, 40, 48).contiguous()
    content = Field(still, tiny_field(4, 40, 48, names=CLIP).axes)
    recipe = RECIPE.set("init=noise").set("schedule.smallest=999")
    loose, tight = (samples_of(content, [STYLE], recipe.set(f"temporal.weight={w}")) for w in (0, 10))
    assert tight.diff(dim=1).square().mean() < 0.7 * loose.diff(dim=1).square().mean()


@pytest.mark.parametrize("window", [0, 1, 3, 4])
@pytest.mark.parametrize("network", ["own", "tiny"])
def test_costs_do_not_depend_on_tiles(network: str, window: int) -> None:
    """Also for a network that is coarse in time, and windows that are not a multiple of its stride."""
    content = tiny_field(15, 32, 32, names=CLIP)
    recipe = RECIPE.set(f"network.name={network}").set(f"style.frames={window}").set("schedule.steps=1")
    recipe = recipe.set("init=noise").set("schedule.smallest=999")
    costs, tiles = [], []
    for memory in ("1GB", "2MB"):
        run = outline(content, recipe.set(f"memory={memory}"))
        tiles.append(sum(len(block.tiles) for blocks in run.plans(content.shape) for block in blocks))
        costs.append(stylized(content, [STYLE], run.recipe).record.stages[-1].costs)
    assert tiles[0] < tiles[1]
    assert costs[0]["style"] == pytest.approx(costs[1]["style"], rel=1e-4)
    assert costs[0]["content"] == pytest.approx(costs[1]["content"], rel=1e-4)


# ---- the record


def test_the_record_has_every_choice_resolved() -> None:
    record = stylized(picture(3), [STYLE], replace(RECIPE, device="auto", precision="auto")).record
    assert record.recipe.device == record.device != "auto"
    assert record.recipe.precision == record.precision != "auto"
    assert record.recipe.memory != "auto"
    assert record.recipe.style.taps == dict.fromkeys(TAPS, 1.0)
    assert record.recipe.content.taps == {"relu2_1": 1.0}
    assert (record.network, record.weights) == ("tiny", "seeded")
    assert [(stage.shape, stage.steps) for stage in record.stages] == [((14, 18), 8), ((28, 36), 8)]


def test_nothing_given_is_changed() -> None:
    content, style = picture(3), STYLE.field.samples.clone()
    before = content.samples.clone()
    mask = torch.ones(SHAPES[2])
    stylized(content, [replace(STYLE, target_mask=mask)], RECIPE)
    assert torch.equal(content.samples, before)
    assert torch.equal(STYLE.field.samples, style)
    assert torch.equal(mask, torch.ones(SHAPES[2]))


def test_targets_are_those_of_the_style_at_its_size() -> None:
    """At the style itself, started from it, nothing is left to do."""
    style = tiny_field(*SHAPES[2], seed=1)
    result = stylized(style, [Style(style)], RECIPE.set("schedule.smallest=999").set("optimizer.name=gd"))
    torch.testing.assert_close(result.field.samples, style.samples, rtol=0, atol=1e-5)
    extractor = tiny_network(2, dtype=torch.float32).on(2)
    whole = plan(SHAPES[2], SHAPES[2], *extractor.reach(TAPS))
    assert float(style_sums(extractor, style.samples, whole, TAPS)["relu1_1"].count) == 28 * 36
    assert NAMES[2] == tuple(axis.name for axis in result.field.axes)
