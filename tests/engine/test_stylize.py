"""From a content, styles and a recipe to a result, with a tiny network in the place of a real one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import NAMES, TAPS, numbers, stylized, tiny_field, tiny_network
from volstyle.engine import outline as outlines
from volstyle.engine import stylize as stylizing
from volstyle.engine import targets
from volstyle.engine.blockwise import style_sums
from volstyle.engine.optimize import optimize
from volstyle.engine.outline import outline
from volstyle.engine.scene import Scene, Style
from volstyle.engine.stylize import Step
from volstyle.errors import CapacityError, NetworkError, RecipeError, ShapeError
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import resize
from volstyle.grid.tiles import plan
from volstyle.loss.terms import COLOR_GRAIN, SmoothnessTerm
from volstyle.recipe import Recipe, ScheduleChoice

SHAPES = {1: (96,), 2: (28, 36), 3: (5, 20, 24)}
CLIP = ("t", "y", "x")
RECIPE = Recipe(
    schedule=ScheduleChoice(smallest=24, ratio=2, steps=8, growth=1), precision="float32", device="cpu"
).updated({"temporal": {"weight": 0.0}, "smoothness": 0.0})


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is the tiny network; one called "own" has as many axes as the content of three."""

    def load(name: str, **_: object) -> object:
        return tiny_network(3 if name == "own" else 2, dtype=torch.float32)

    monkeypatch.setattr(outlines, "load_network", load)


def picture(seed: int, *shape: int) -> Field:
    """Smooth, so that there is something to recognize; away from 0 and 1."""
    shape = shape or SHAPES[2]
    coarse = numbers(3, *(max(size // 6, 2) for size in shape), seed=seed)
    return tiny_field(*shape).with_samples(0.2 + 0.6 * resize(coarse, shape).clamp(0, 1))


STYLE = Style(replace(tiny_field(26, 30, seed=1), samples=numbers(3, 26, 30, seed=1) ** 2))
OTHER = Style(tiny_field(30, 22, seed=2))


def samples_of(*args: object, **kwargs: object) -> Tensor:
    return stylized(*args, **kwargs).field.samples  # type: ignore[arg-type]


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


# ---- colors and regions


@pytest.mark.parametrize("axes", [2, 3])
def test_kept_colors_differ_by_luma_alone(axes: int) -> None:
    content = picture(3, *SHAPES[axes])
    found = samples_of(content, [STYLE], RECIPE.set("colors=content"))
    change = found - content.samples
    inside = ((found > 0) & (found < 1)).all(0)
    assert inside.float().mean() > 0.8
    assert float(change.abs().max()) > 0.02
    spread = (change.amax(0) - change.amin(0))[inside]
    assert float(spread.max()) < 1e-6
    free = samples_of(content, [STYLE], RECIPE) - content.samples
    assert float((free.amax(0) - free.amin(0)).max()) > 0.02


def test_where_colors_are_kept_the_styles_luma_is_shifted_to_the_contents() -> None:
    """To its mean and spread: otherwise a dark style would darken everything."""
    dark = Style(tiny_field(26, 30).with_samples(0.1 * STYLE.field.samples))
    scene = Scene.prepare(picture(3), [dark], keep_colors=True, coherent=False)
    (style,) = scene.styles
    assert style.field.channels == 1
    assert float(style.field.samples.mean()) == pytest.approx(float(scene.content.mean()), abs=0.02)
    assert float(style.field.samples.std()) == pytest.approx(float(scene.content.std()), abs=0.02)
    torch.testing.assert_close(scene.content, luma(picture(3).samples))


def test_luma_by_hand() -> None:
    red_green_blue = torch.eye(3).reshape(3, 3, 1)
    torch.testing.assert_close(luma(red_green_blue), torch.tensor([[[0.299], [0.587], [0.114]]]))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gray_stays_gray(axes: int) -> None:
    content = picture(3, *SHAPES[axes])
    gray = replace(content, samples=luma(content.samples))
    found = stylized(gray, [STYLE], RECIPE).field
    assert found.channels == 1
    assert (found.samples - gray.samples).abs().max() > 0.02


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_outside_the_masks_every_bit_stays(axes: int) -> None:
    content = picture(3, *SHAPES[axes])
    half = SHAPES[axes][-1] // 2
    mask = torch.zeros(SHAPES[axes])
    mask[..., :half] = 1
    found = samples_of(content, [replace(STYLE, target_mask=mask)], RECIPE)
    assert torch.equal(found[..., half:], content.samples[..., half:])
    assert (found[..., :half] - content.samples[..., :half]).abs().mean() > 0.01


def test_a_mask_of_another_size_and_one_picture_for_a_clip() -> None:
    content = picture(3, *SHAPES[3])
    mask = torch.zeros(40, 48)
    mask[:20] = 1
    found = samples_of(content, [replace(STYLE, target_mask=mask)], RECIPE)
    assert torch.equal(found[:, :, 11:], content.samples[:, :, 11:])
    assert all((found[:, t, :9] != content.samples[:, t, :9]).any() for t in range(SHAPES[3][0]))


def test_each_region_takes_its_own_style() -> None:
    """The left of the result is nearer in mean color to the style of the left, the right to that of the right."""
    texture = tiny_field(24, 24)
    dark, bright = (Style(texture.with_samples(0.2 * texture.samples + base)) for base in (0, 0.8))
    left = torch.zeros(SHAPES[2])
    left[:, :18] = 1
    recipe = (
        RECIPE.set("style.statistic=w2")
        .set("content.weight=0")
        .set("optimizer.rate=0.05")
        .set("schedule.steps=40")
    )
    found = samples_of(
        picture(3), [replace(dark, target_mask=left), replace(bright, target_mask=1 - left)], recipe
    )
    assert found[..., :14].mean() + 0.2 < found[..., 22:].mean()


def test_statistics_are_taken_where_the_style_mask_is() -> None:
    """What lies beyond the mask, and beyond what features at its edge see, may be anything."""
    mask = torch.zeros(24, 48)
    mask[:, :24] = 1
    results = []
    for end in (0, 1):
        samples = numbers(3, 24, 48, seed=5)
        samples[..., 42:] = end
        style = Style(tiny_field(24, 48).with_samples(samples), source_mask=mask)
        kinds = (style, replace(style, source_mask=None))
        results += [samples_of(picture(3), [kind], RECIPE.set("schedule.smallest=999")) for kind in kinds]
    masked, whole, masked_again, whole_again = results
    torch.testing.assert_close(masked, masked_again, rtol=0, atol=1e-6)
    assert (whole - whole_again).abs().mean() > 1e-3


def test_masks_that_do_not_fit() -> None:
    one = torch.ones(SHAPES[2])
    with pytest.raises(ShapeError, match="masks: 1 for 2 styles"):
        stylized(picture(3), [replace(STYLE, target_mask=one), OTHER], RECIPE)
    with pytest.raises(ShapeError, match="mask: black everywhere"):
        stylized(picture(3), [replace(STYLE, target_mask=0 * one)], RECIPE)
    with pytest.raises(ShapeError, match="style mask: black everywhere"):
        stylized(picture(3), [replace(STYLE, source_mask=torch.zeros(26, 30))], RECIPE)
    with pytest.raises(ShapeError, match="mask: 3 axes, must be 2 or fewer"):
        stylized(picture(3), [replace(STYLE, target_mask=one[None])], RECIPE)
    with pytest.raises(ShapeError, match="style mask: 3 axes, must be 2"):
        stylized(picture(3), [replace(STYLE, source_mask=torch.ones(1, 26, 30))], RECIPE)


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


# ---- stopping, memory


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


@pytest.mark.parametrize("scale", [255.0, -1.0])
def test_samples_beyond_0_and_1_are_refused(scale: float) -> None:
    bad = replace(picture(3), samples=picture(3).samples * scale)
    with pytest.raises(ShapeError, match=r"content: samples lie from .*, must lie in \[0, 1\]"):
        stylized(bad, [STYLE], RECIPE)
    with pytest.raises(ShapeError, match="style: samples lie from"):
        stylized(picture(3), [Style(bad)], RECIPE)


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


# ---- bad input


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("scaling=relativ", r"scaling: 'relativ' is unknown; did you mean 'relative'\?"),
        ("style.statistic=grams", r"style\.statistic: 'grams' is unknown; did you mean 'gram'\?"),
        ("colors=contents", r"colors: 'contents' is unknown; did you mean 'content'\?"),
        ("optimizer.name=adams", r"optimizer: 'adams' is unknown; did you mean 'adam'\?"),
        ("network.inflation=means", r"must name at least one network axis|inflation: 'means'"),
        ("init=other.png", r"init: 'other\.png' is not read"),
        ("device=gpu", "device: 'gpu' is unknown; .*allowed: auto, cpu, cuda, mps"),
        ("precision=float8", r"precision: 'float8' is unknown; did you mean 'float32'\?"),
        ("memory=lots", "memory: 'lots' is no amount; write 4GB or 512MB, or auto"),
        ("memory=9B", "memory: the smallest tile takes"),
        ("style.taps.relu9_1=1", r"no tap 'relu9_1'; did you mean"),
        ("content.taps.relu9_1=1", r"no tap 'relu9_1'; did you mean"),
    ],
)
def test_choices_that_do_not_exist(assignment: str, message: str) -> None:
    with pytest.raises((RecipeError, NetworkError, ShapeError, CapacityError), match=message) as raised:
        stylized(picture(3, *SHAPES[3]), [STYLE], RECIPE.set(assignment))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("schedule.ratio=1", r"schedule\.ratio is 1\.0, must be above 1 and below"),
        ("schedule.ratio=0", r"schedule\.ratio is 0\.0, must be above 1"),
        ("schedule.steps=0", r"schedule\.steps is 0, must be at least 1"),
        ("schedule.smallest=0", r"schedule\.smallest is 0, must be at least 1"),
        ("schedule.growth=nan", r"schedule\.growth is nan, must be above 0"),
        ("style.frames=-1", r"style\.frames is -1, must be at least 0"),
        ("style.scale=0", r"style\.scale is 0\.0, must be above 0"),
        ("style.weight=-1", r"style\.weight is -1\.0, must be at least 0"),
        ("style.weight=inf", r"style\.weight is inf, must be at least 0 and below"),
        ("content.weight=nan", r"content\.weight is nan, must be at least 0"),
        ("temporal.weight=nan", r"temporal\.weight is nan, must be at least 0"),
        ("optimizer.rate=0", r"optimizer\.rate is 0\.0, must be above 0"),
        ("smoothness=nan", "smoothness is nan, must be at least 0"),
        ("seed=-1", "seed is -1, must be at least 0"),
        ("seed=99999999999999999999", r"seed is 9+, must be at least 0 and below 2\*\*63"),
        ("style.taps.relu1_1=0", r"style\.taps is \{'relu1_1': 0\.0\}, weights must be"),
        ("content.taps={relu1_1=2, relu2_1=-1}", r"content\.taps is .*, weights must be finite, at least 0"),
    ],
)
def test_numbers_that_cannot_be_meant(assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^recipe: {message}"):
        stylized(picture(3), [STYLE], RECIPE.set(assignment))


def test_nothing_to_minimize() -> None:
    with pytest.raises(RecipeError, match=r"content\.weight and style\.weight are both 0"):
        stylized(picture(3), [STYLE], RECIPE.set("content.weight=0").set("style.weight=0"))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_samples_that_are_not_finite(number: float) -> None:
    samples = picture(3).samples.clone()
    samples[0, 3, 3] = number
    bad = replace(picture(3), samples=samples)
    with pytest.raises(ShapeError, match="content: samples hold NaN"):
        stylized(bad, [STYLE], RECIPE)
    with pytest.raises(ShapeError, match="style: samples hold NaN"):
        stylized(picture(3), [STYLE, Style(bad)], RECIPE)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_of_styles(weight: float) -> None:
    with pytest.raises(ShapeError, match=r"style: its weight is .*, must be finite and above 0"):
        stylized(picture(3), [STYLE, replace(OTHER, weight=weight)], RECIPE)


@pytest.mark.parametrize("init", [tiny_field(4, 20, 24), tiny_field(20, 24, channels=4), tiny_field(80)])
def test_an_init_that_does_not_fit(init: Field) -> None:
    with pytest.raises(ShapeError, match=r"init: . channels and . axes, must be 3 or 1 and 2"):
        stylized(picture(3), [STYLE], RECIPE, init=init)


def test_no_style_at_all() -> None:
    with pytest.raises(RecipeError, match="style: none given"):
        stylized(picture(3), [], RECIPE)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_field_below_the_networks_minimum(axes: int) -> None:
    small = tiny_field(*(3,) * axes)
    with pytest.raises(ShapeError, match=r"samples are .*3, must be at least .*4 for its taps"):
        stylized(small, [STYLE], RECIPE)


def test_a_style_below_the_networks_minimum() -> None:
    with pytest.raises(ShapeError, match=r"samples are 2x18, must be at least 4x4"):
        stylized(picture(3), [Style(tiny_field(3, 30))], RECIPE)


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_the_network_has_not(channels: int) -> None:
    with pytest.raises(ShapeError, match=f"samples have {channels} channels, must be 3 or 1"):
        stylized(tiny_field(24, 24, channels=channels), [STYLE], RECIPE)
    with pytest.raises(ShapeError, match=f"samples have {channels} channels, must be 3 or 1"):
        stylized(picture(3), [Style(tiny_field(24, 24, channels=channels))], RECIPE)
    with pytest.raises(ShapeError, match=f"luma: samples have {channels} channels, must be 3 or 1"):
        stylized(picture(3), [Style(tiny_field(24, 24, channels=channels))], RECIPE.set("colors=content"))


def test_targets_are_those_of_the_style_at_its_size() -> None:
    """At the style itself, started from it, nothing is left to do."""
    style = tiny_field(*SHAPES[2], seed=1)
    result = stylized(style, [Style(style)], RECIPE.set("schedule.smallest=999").set("optimizer.name=gd"))
    torch.testing.assert_close(result.field.samples, style.samples, rtol=0, atol=1e-5)
    extractor = tiny_network(2, dtype=torch.float32).on(2)
    whole = plan(SHAPES[2], SHAPES[2], *extractor.reach(TAPS))
    assert float(style_sums(extractor, style.samples, whole, TAPS)["relu1_1"].count) == 28 * 36
    assert NAMES[2] == tuple(axis.name for axis in result.field.axes)
