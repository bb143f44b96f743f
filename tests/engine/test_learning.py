"""Learning: one objective, carried on into weights; and a state that goes on with the same bytes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers, tiny_field
from volstyle.engine.blockwise import evaluate
from volstyle.engine.learning import Example, Learned, Lesson, OnLearned, has_ended, learn_stage
from volstyle.engine.outline import Outline, outline
from volstyle.engine.painting import LearnedStage, LearnedStyle, painted_at
from volstyle.engine.scene import Scene, Style
from volstyle.engine.targets import objective_of, style_targets
from volstyle.errors import InputError, RecipeError
from volstyle.grid.color import NOISE, Colors
from volstyle.grid.resample import resize
from volstyle.loss.terms import NearnessTerm, PatternTerm
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import Placement
from volstyle.networks.registry import PACKAGED
from volstyle.recipe import Recipe

RECIPE = Recipe().updated(
    {"network": {"name": "random"}, "precision": "float32", "style": {"statistic": "gram"}, "memory": "64MB"}
)
PLAN = Plan(width=6, residuals=1)


def _run(recipe: Recipe = RECIPE) -> Outline:
    return outline(tiny_field(32, 32), recipe)


def _broad(seed: int) -> Tensor:
    """Samples that change slowly: a network adds nothing that changes from each to the next."""
    return resize(numbers(3, 8, 8, seed=seed), (32, 32)).clamp(0, 1)


def _lesson(run: Outline, *, steps: int = 12, is_first: bool = True) -> Lesson:
    style = Style(replace(tiny_field(32, 32), samples=_broad(5)))
    scene = Scene.prepare(tiny_field(2, 2), [style], keep_colors=False, coherent=False)
    contents = [0.1 + 0.8 * _broad(seed) for seed in range(4)]
    examples = [Example(content, content if is_first else content.flip(1)) for content in contents]
    targets = style_targets(scene, (32, 32), run)
    assert targets is not None
    return Lesson(run, [targets], examples[:3], examples[3:], Placement((0, 1)), steps, 1, is_first)


def test_what_a_network_makes_is_judged_as_it_is_seen() -> None:
    run = _run()
    lesson = replace(_lesson(run, steps=1), examples=_lesson(run).examples[:1])
    generator, content = StageGenerator.new(PLAN, 0), lesson.examples[0].content
    objective, plans = objective_of(content, lesson.targets[0], run)
    _, learned = learn_stage(replace(lesson, as_seen=lambda made: 1 - made), generator, None, lambda _: None)
    assert sum(cost[0] for cost in learned.costs.values()) == pytest.approx(
        evaluate(1 - content, objective, plans).cost, rel=1e-4
    )
    _, plain = learn_stage(lesson, generator, None, lambda _: None)
    assert (learned.first["last.bias"] * plain.first["last.bias"]).sum() < 0


def test_a_weight_gets_the_slope_of_the_objective() -> None:
    """∂J/∂w by the network's own backward pass is J's difference when the weight moves, but for the length of
    ∂J/∂G, which is the same for all examples."""
    run = _run()
    lesson = replace(_lesson(run, steps=1), examples=_lesson(run).examples[:1])
    generator = StageGenerator.new(PLAN, 0)
    content = lesson.examples[0].content
    objective, plans = objective_of(content, lesson.targets[0], run)

    def cost(weights: dict[str, Tensor]) -> float:
        made = replace(generator, weights=weights).painter(lesson.placement, torch.ones(1))(content, content)
        assert made.min() > 0 and made.max() < 1
        return evaluate(made, objective, plans).cost

    _, learned = learn_stage(lesson, generator, None, lambda _: None)
    slope = learned.first["last.bias"] / (1 - 0.9)
    weights = dict(generator.weights)
    sign = slope.sign()
    step = 2e-3
    moved = cost(weights | {"last.bias": weights["last.bias"] + step * sign})
    back = cost(weights | {"last.bias": weights["last.bias"] - step * sign})
    found = evaluate(content, objective, plans).gradient.square().mean().sqrt()
    expected = (slope * sign).sum() * found
    assert (moved - back) / (2 * step) == pytest.approx(float(expected), rel=0.05)


def test_a_loud_example_weighs_as_much_as_a_quiet_one() -> None:
    """Together they ask for the sum of what each asks for alone, and that is as long for both."""
    lesson, generator = _lesson(_run(), steps=1), StageGenerator.new(PLAN, 0)
    quiet, loud = lesson.examples[0], replace(lesson.examples[1], variance=1e-4)

    def asked(*examples: Example) -> Tensor:
        for seed in range(9):  # until each is drawn once
            draw = torch.Generator().manual_seed(seed * 1_000_003)
            drawn = torch.randint(len(examples), (len(examples),), generator=draw)
            if sorted(drawn.tolist()) == list(range(len(examples))):
                break
        run = replace(lesson.run, recipe=replace(lesson.run.recipe, seed=seed))
        found = replace(lesson, run=run, examples=examples, batch=len(examples))
        return learn_stage(found, generator, None, lambda _: None)[1].first["last.kernel"]

    one, other = asked(quiet), asked(loud)
    torch.testing.assert_close(asked(quiet, loud), one + other)
    assert 0.5 < float(one.norm() / other.norm()) < 2


def test_learning_lowers_the_cost_of_what_was_not_learned_from() -> None:
    run = _run(replace(RECIPE, learn=replace(RECIPE.learn, rate=0.01)))
    lesson = _lesson(run, steps=200)
    _, learned = learn_stage(lesson, StageGenerator.new(PLAN, 0), None, lambda _: None)
    check = lesson.checks[0]
    objective, plans = objective_of(check.content, lesson.targets[0], run)
    begin = evaluate(check.content, objective, plans).cost
    assert learned.step == 200 or learned.falling is not None
    assert learned.checks[-1][1] < 0.95 * begin


def test_what_broke_down_goes_back_to_its_best_and_takes_smaller_steps(tmp_path: Path) -> None:
    run = _run(replace(RECIPE, learn=replace(RECIPE.learn, rate=0.001)))
    lesson, generator = _lesson(run, steps=60), StageGenerator.new(PLAN, 0)
    states: list[Learned] = []

    def until(step: int) -> OnLearned:
        def look(now: Learned) -> bool:
            states.append(now)
            return now.step == step

        return look

    learn_stage(lesson, generator, None, until(30))
    assert states[-1].best and states[-1].pace == 1
    silent = {name: torch.zeros_like(weight) for name, weight in states[-1].weights.items()}
    broken = replace(states[-1], weights={**silent, "last.bias": torch.full_like(silent["last.bias"], 5.0)})
    broken.save(tmp_path / "state")
    learn_stage(lesson, generator, Learned.load(tmp_path / "state"), until(33))
    back = states[-1]
    assert back.checks[-1][1] > 1.5 * min(cost for _, cost in back.checks)
    assert back.pace == 0.5
    assert all(torch.equal(weight, broken.best[name]) for name, weight in back.weights.items())
    with pytest.raises(RecipeError, match="breaks learning down again and again; give a tenth"):
        learn_stage(lesson, generator, replace(broken, pace=1 / 16), lambda _: None)
    back.save(tmp_path / "state")  # where it is the best there is, and begins anew
    _, learned = learn_stage(lesson, generator, Learned.load(tmp_path / "state"), lambda _: None)
    assert learned.checks[-1][1] < 1.1 * min(cost for _, cost in back.checks)


@pytest.mark.parametrize("deep", [0, 8])
def test_it_goes_on_with_the_same_bytes(deep: int, tmp_path: Path) -> None:
    lesson, generator = _lesson(_run()), StageGenerator.new(replace(PLAN, deep=deep), 0)
    whole, _ = learn_stage(lesson, generator, None, lambda _: None)

    def cut(now: Learned) -> bool:
        if now.step == 5:
            now.save(tmp_path / "state")
        return now.step == 5

    learn_stage(lesson, generator, None, cut)
    again, learned = learn_stage(lesson, generator, Learned.load(tmp_path / "state"), lambda _: None)
    assert has_ended(learned, lesson.steps) and not has_ended(replace(learned, step=11), lesson.steps)
    assert all(torch.equal(whole.weights[name], weight) for name, weight in again.weights.items())


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="a damaged state"):
        Learned.load(tmp_path / "state")


@pytest.mark.parametrize("frames", [False, True])
def test_nearness_keeps_means_and_leaves_the_rest(frames: bool) -> None:
    near = numbers(3, 8, 8, 8)
    term = NearnessTerm(2.0, near, 4, frames, variance=0.05)
    checker = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4) * 0.1
    samples, gradient = near + checker, torch.zeros_like(near)
    assert term.add_gradient(samples, gradient) == pytest.approx(0, abs=1e-10)
    assert gradient.abs().max() < 1e-8
    # All lighter by 0.1: the cost is 2 · 0.1² / 0.05, and each sample has an equal share of its slope.
    assert term.add_gradient(near + 0.1, gradient.zero_()) == pytest.approx(0.4, rel=1e-4)
    assert torch.allclose(gradient, torch.full_like(near, 2 * 2 * 0.1 / 0.05 / near.numel()), rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "axes"), [((17,), (0,)), ((9, 14), (0, 1)), ((3, 9, 14), (1, 2)), ((8, 9, 13), (0, 1, 2))]
)
def test_a_pattern_costs_the_power_of_what_repeats_with_blocks(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    term, side = PatternTerm(2.0, 4, axes, variance=0.05), 4
    samples = numbers(2, *shape).double().requires_grad_()
    whole = samples[
        (slice(None), *(slice(0, n - n % side if axis in axes else n) for axis, n in enumerate(shape)))
    ]
    every = [range(side) if axis in axes else (None,) for axis in range(len(shape))]
    alike = [
        whole[(slice(None), *(slice(first, None, 1 if first is None else side) for first in place))]
        for place in itertools.product(*every)
    ]
    means = torch.stack([one.flatten(1).mean(1) for one in alike])
    cost = 2 * (means - means.mean(0)).square().mean() / 0.05
    (slope,) = torch.autograd.grad(cost, samples)
    gradient = torch.zeros_like(slope)
    assert term.add_gradient(samples.detach(), gradient) == pytest.approx(cost.item(), rel=1e-9)
    torch.testing.assert_close(gradient, slope)


def test_a_pattern_is_of_blocks_and_whole_ones() -> None:
    """What changes from block to block, and what is smaller than one, costs nothing, and a slope little."""
    term, gradient = PatternTerm(1.0, 4, (0, 1), variance=1.0), torch.zeros(3, 64, 64)
    slope = torch.linspace(0, 1, 64).expand(3, 64, 64)
    stairs = slope[:, :, ::4].repeat_interleave(4, 2)
    assert term.add_gradient(stairs, gradient) < 1e-12 and gradient.abs().max() < 1e-9
    ticks = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(16).expand(3, 64, 64)
    of_slope, of_ticks = (term.add_gradient(each, torch.zeros_like(each)) / each.var() for each in (slope, ticks))
    assert of_ticks > 0.9 and of_slope < 0.005
    assert term.add_gradient(numbers(3, 3, 16), torch.zeros(3, 3, 16)) == 0


@pytest.mark.parametrize("deep", [0, 8])
def test_a_network_that_rectifies_what_it_enlarged_is_kept_from_ticks(deep: int) -> None:
    lesson = _lesson(_run(), steps=12)
    taught, learned = learn_stage(lesson, StageGenerator.new(replace(PLAN, deep=deep), 0), None, lambda _: None)
    assert ("pattern" in learned.costs) == (deep > 0)
    if deep:
        assert taught.weights["up.gain"].abs().max() > 1e-4


_DARK, _LIGHT = (Colors.of(low + 0.2 * numbers(3, 9, 9, seed=seed)) for low, seed in ((0.1, 1), (0.6, 2)))


def _style() -> LearnedStyle:
    stages = (
        LearnedStage(16, StageGenerator.new(replace(PLAN, deep=8, styles=2), 0)),
        LearnedStage(36, StageGenerator.new(replace(PLAN, styles=2), 1)),
    )
    return LearnedStyle(stages, ("a", "b"), "random", 2.25, (_DARK, _LIGHT))


def test_a_learned_style_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ab.safetensors"
    _style().save(path, {})
    found = LearnedStyle.load(path)
    assert (found.names, found.network, found.ratio) == (("a", "b"), "random", 2.25)
    for mine, stage in zip(_style().stages, found.stages, strict=True):
        assert stage.size == mine.size and stage.generator.plan == mine.generator.plan
        assert all(torch.equal(w, stage.generator.weights[n]) for n, w in mine.generator.weights.items())
    for own, colors in zip(_style().colors, found.colors, strict=True):
        torch.testing.assert_close((colors.mean, colors.spread), (own.mean, own.spread))
    replace(_style(), colors=()).save(path, {})
    assert LearnedStyle.load(path).colors == ()


def test_files_that_are_no_learned_style_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a whole file"):
        LearnedStyle.load(path)
    with pytest.raises(InputError, match="is no learned style; must be one of version 4"):
        LearnedStyle.load(PACKAGED["builtin"])
    _style().save(path, {"names": []})
    with pytest.raises(InputError, match="a damaged entry"):
        LearnedStyle.load(path)
    _style().save(path, {"stages": [{"size": 16, "plan": {"width": 7}}]})
    with pytest.raises(InputError, match="a damaged entry"):
        LearnedStyle.load(path)


def test_a_content_is_painted_through_all_sizes_up_to_its_own() -> None:
    """The first stage where the style learned it; each stage by the network that learned nearest to its size."""
    style = _style()
    machine = _run().machine
    brush = style.brush(Placement((0, 1)), torch.tensor([1.0, 0.0]), machine)
    for shape in ((16, 12), (36, 27), (50, 81), (9, 7)):
        content = numbers(3, *shape)
        made = brush(content)
        assert made.shape == content.shape
    # It begins with the size nearest to that of its first network, not with one below.
    for sizes in ((16,), (17,), (17, 38), (18, 40, 90)):
        assert [size for size, _ in painted_at(sizes[-1], [16, 36], 2.25)] == list(sizes)
    # New networks add nothing: what is left is the content in the style's colors, made small and brought up again.
    smooth = torch.linspace(0.3, 0.7, 36).expand(3, 27, 36).contiguous()
    assert (brush(smooth) - _DARK.given_to(smooth, noise=NOISE).clamp(0, 1)).abs().max() < 0.05
    plain = replace(style, colors=()).brush(Placement((0, 1)), torch.tensor([1.0, 0.0]), machine)
    assert (plain(smooth) - smooth).abs().max() < 0.05


def test_a_blend_paints_in_the_colors_between() -> None:
    shares = torch.tensor([0.5, 0.5])
    made = _style().brush(Placement((0, 1)), shares, _run().machine)(numbers(3, 40, 40))
    wanted = (_DARK.mean + _LIGHT.mean).float() / 2
    torch.testing.assert_close(made.flatten(1).mean(1), wanted, atol=0.02, rtol=0)


def test_a_part_is_painted_in_the_colors_of_its_whole() -> None:
    brush = _style().brush(Placement((0, 1)), torch.tensor([1.0, 0.0]), _run().machine)
    whole = torch.linspace(0, 1, 60).expand(3, 30, 60).contiguous()
    dark = brush(whole[:, :, :20], own=Colors.of(whole))
    assert float(dark.mean()) < float(brush(whole[:, :, :20]).mean()) - 0.02
