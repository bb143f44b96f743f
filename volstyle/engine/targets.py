"""What a stage of a run minimizes: its terms, with their targets taken at the size of the stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from volstyle.engine.blockwise import Plans, continued, style_sums
from volstyle.engine.machine import choose_core
from volstyle.engine.outline import Outline, kept_axes
from volstyle.engine.scene import Scene, Style, shares_over_time
from volstyle.engine.schedule import Stage, optimized_shape
from volstyle.engine.turns import comb, fewest, groups_of
from volstyle.errors import RecipeError
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.grid.tiles import Block, Shape, plan
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.signal_terms import AutocorrelationTerm, QuantileTerm
from volstyle.loss.solid_terms import planes_across, solid_terms
from volstyle.loss.statistics import STATISTICS, Sums, blended, gatys_distance, joined
from volstyle.loss.temporal import TemporalTerm
from volstyle.loss.terms import ContentTerm, SampleTerm, SmoothnessTerm, StyleTerm
from volstyle.motion.links import Link
from volstyle.networks.extractor import Extractor
from volstyle.networks.inflation import INFLATIONS, standard_placement


def stage_objective(
    scene: Scene, stage: Stage, run: Outline, links: tuple[Link, ...], fixed: Tensor
) -> tuple[Objective, Plans]:
    """What is minimized in a stage, its targets taken at the stage's size, and the tiles of this process to do it
    in. links: how a clip moves, at that size. fixed: (T,), frames that stay as they are."""
    with run.ranks.agreeing():
        return _stage_objective(scene, stage, run, links, fixed)


def _stage_objective(
    scene: Scene, stage: Stage, run: Outline, links: tuple[Link, ...], fixed: Tensor
) -> tuple[Objective, Plans]:
    device = run.machine.device
    content = resize(scene.content, stage.shape).clamp(0, 1).to(device)
    regions = None if scene.regions is None else resize(scene.regions, stage.shape, kind="linear").to(device)
    shares = shares_over_time(scene.styles, stage.shape[0])
    targets = style_targets(scene, stage.shape, run)
    objective, plans = objective_of(content, targets, run, links, regions=regions, shares=shares, fixed=fixed)
    own = _series_terms(scene, run) if len(stage.shape) == 1 else _solid_terms(scene, stage, run)
    return replace(objective, sample_terms={**own, **objective.sample_terms}), plans


def objective_of(
    content: Tensor,
    targets: Sequence[Mapping[str, Sums]] | None,
    run: Outline,
    links: tuple[Link, ...] = (),
    *,
    regions: Tensor | None = None,
    shares: Tensor | None = None,
    fixed: Tensor | None = None,
    variance: float | None = None,
) -> tuple[Objective, Plans]:
    """What is minimized for a content (C, *S), as it is, and the tiles of this process to do it in.

    targets: `style_targets`, None where the style has no weight. links: how a clip moves. regions: (R, *S), where
    each style goes. shares: (T, R), what each frame takes of each style. fixed: (T,), frames that stay as they
    are.
    """
    recipe, shape = run.recipe, tuple(content.shape[1:])
    variance = max(float(content.var()) if variance is None else variance, 1e-4)
    plans = run.plans(shape)
    if run.margin is not None:
        content = continued(content, run.margin)
        regions = None if regions is None else continued(regions, run.margin)
    views = []
    for number, (extractor, blocks) in enumerate(zip(run.extractors, plans, strict=True)):
        groups = [group for block in blocks for group in block.groups]
        style = None if targets is None else _style_term(targets[number], run, groups, shares)
        group, along = run.grouped(extractor)
        mine = tuple(run.ranks.own(blocks))
        turn = comb(len(groups), recipe.style.share, fewest(group))
        source = _content_term(content, extractor, mine, run, turn)
        if style is not None or source is not None:
            views.append((View(extractor, style, source, group, regions, along, tuple(groups)), mine))
    terms: dict[str, SampleTerm] = {}
    if recipe.smoothness:
        terms["smoothness"] = SmoothnessTerm(recipe.smoothness, run.resampled, recipe.periodic)
    if links:
        terms["temporal"] = TemporalTerm(recipe.temporal.weight, links, variance, fixed)
    return Objective(tuple(v for v, _ in views), terms, run.margin), tuple(blocks for _, blocks in views)


def _series_terms(scene: Scene, run: Outline) -> dict[str, SampleTerm]:
    """Terms of the samples of a signal, with the targets of the first style at its own rate."""
    choice = run.recipe.series
    style = scene.styles[0].field.samples.to(run.machine.device)
    terms: dict[str, SampleTerm] = {}
    if choice.autocorrelation:
        terms["memory"] = AutocorrelationTerm.of(choice.autocorrelation, style, choice.lags)
    if choice.quantiles:
        terms["values"] = QuantileTerm.of(choice.quantiles, style)
    return terms


def _solid_terms(scene: Scene, stage: Stage, run: Outline) -> dict[str, SampleTerm]:
    """The terms of a solid, with the targets of its sections at the stage's size."""
    choice, axes = run.recipe.solid, range(len(stage.shape))
    if len(stage.shape) != 3 or not choice.weights:
        return {}
    planes = {
        axis: [planes_across(style_samples(style, stage.shape, scene, run)[0], axis) for style in seen]
        for axis in axes
        if (seen := [style for style in scene.styles if style.across in (None, axis)])
    }
    return solid_terms(choice, stage.shape, planes, periodic=run.recipe.periodic)


def _style_term(
    targets: Mapping[str, Sums], run: Outline, groups: Sequence[slice], shares: Tensor | None
) -> StyleTerm:
    """The style term of one view, which has an equal share of the weight. groups: the groups of samples of the
    view. shares: (T, R), what each frame takes of each style, where styles have times."""
    choice = run.recipe.style
    weight = choice.weight / len(run.placements)
    taps, distance = _shares(choice.taps), STATISTICS[choice.statistic]
    if run.recipe.scaling == "gatys":
        taps, distance = choice.taps, gatys_distance
    if shares is not None:
        lengths = [group.stop - group.start for group in groups]
        shares = torch.stack([frames.mean(0) for frames in torch.split(shares, lengths)])
    return StyleTerm(weight, taps, targets, distance, len(groups), shares)


def _content_term(
    content: Tensor, extractor: Extractor, blocks: Sequence[Block], run: Outline, turn: int
) -> ContentTerm | None:
    """turn: in how many steps a group of slices is looked at once."""
    choice, views = run.recipe.content, len(run.placements)
    if not choice.weight:
        return None
    source = SourceFeatures(extractor, content, choice.taps, run.machine.budget / 2 / views)
    if turn > 1:  # in the pieces that have their turn, so that they are kept for it
        blocks = tuple(groups_of(blocks))
    if run.recipe.scaling == "gatys":
        return ContentTerm(choice.weight / views, choice.taps, source, dict.fromkeys(choice.taps, 2.0))
    own = source.powers(blocks)
    (powers,) = run.ranks.summed([torch.tensor(list(own.values()), dtype=torch.float64)])
    scales = dict(zip(own, powers.tolist(), strict=True))
    return ContentTerm(choice.weight / views, _shares(choice.taps), source, scales)


def _shares(taps: Mapping[str, float]) -> dict[str, float]:
    """λ with a sum of 1, so that a relative cost stays of order 1 whatever the number of taps."""
    total = sum(taps.values())
    return {tap: weight / total for tap, weight in taps.items()}


def _style_size(style: Field, stage: Shape, scene: Scene, run: Outline) -> int:
    """Long side of a style in samples: that of the content, or its own at the content's rate: of a signal, and
    where the recipe says so."""
    size = max(stage[axis] for axis in run.resampled)
    whole = 1.0
    if len(stage) == 1 or run.recipe.style.own_size:
        whole = max(style.shape) / max(scene.content.shape[1 + axis] for axis in run.resampled)
    return max(1, round(size * whole * run.recipe.style.scale))


def style_targets(scene: Scene, stage: Shape, run: Outline) -> list[dict[str, Sums]] | None:
    """For each view, tap -> Sums of R regions: those of each style where styles have regions or times, else a
    blend. None where the style has no weight.

    stage: shape of the result.
    """
    if not run.recipe.style.weight:
        return None
    apart = scene.styles[0].at is not None or (scene.regions is not None and len(scene.regions) > 1)
    found = [_style_sums(*style_samples(style, stage, scene, run), run) for style in scene.styles]
    targets = []
    for view, seen in enumerate(_seen(scene, run)):
        each, weights = [found[n][view] for n in seen], [scene.styles[n].weight for n in seen]
        targets.append(
            {
                tap: joined([sums[tap].means() for sums in each])
                if apart
                else blended([sums[tap] for sums in each], weights)
                for tap in run.recipe.style.taps
            }
        )
    return targets


def _seen(scene: Scene, run: Outline) -> list[list[int]]:
    """For each view, the numbers of the styles that count in it: all, except those that lie across another axis.
    Raises RecipeError for a view without a style, or a style that no view sees."""
    seen = [
        [n for n, style in enumerate(scene.styles) if style.across is None or look.new == (style.across,)]
        for look in run.placements
    ]
    if not all(seen) or len({n for each in seen for n in each}) < len(scene.styles):
        raise RecipeError(
            "style: those that lie across an axis must be one for each axis, and slices along each be looked at "
            "(--style-mode planes)"
        )
    return seen


def style_samples(style: Style, stage: Shape, scene: Scene, run: Outline) -> tuple[Tensor, Tensor | None]:
    """A style as it is seen in a stage of this shape: samples (C, *S) in [0, 1], and how much each counts, (1, *S)
    or None for all alike."""
    field, kept = style.field, kept_axes(style.field)
    size = _style_size(field, stage, scene, run)
    shape = fitted(optimized_shape(field.shape, field.axes, kept, 0), size, kept)
    samples = resize(field.samples, shape).clamp(0, 1).to(run.machine.device)
    if style.source_mask is None:
        return samples, None
    return samples, resize(style.source_mask[None], shape, kind="linear").to(samples)


def _style_sums(samples: Tensor, regions: Tensor | None, run: Outline) -> list[dict[str, Sums]]:
    """For each view, tap -> Sums of one style. A style with the axes of the content is seen through each view as
    the content is; a flat style is seen in one way, the same for all views."""
    taps, shape = run.recipe.style.taps, tuple(samples.shape[1:])
    looks = run.placements
    if len(shape) != len(run.kept):
        inflation = run.recipe.network.inflation if run.recipe.network.inflation in INFLATIONS else "center"
        looks = (standard_placement(run.network.axes, len(shape), inflation),) * len(looks)
    seen = {}
    for look in dict.fromkeys(looks):
        extractor = run.network.placed(look)
        extractor.check(samples.shape[0], shape, taps, "style")
        core = choose_core(extractor, taps, run.machine, shape, None, processes=run.ranks.count)
        blocks = plan(shape, core, *extractor.reach(taps))
        seen[look] = style_sums(extractor, samples, blocks, taps, regions, run.ranks)
    return [seen[look] for look in looks]
