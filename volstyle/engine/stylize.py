"""From a content, styles and a recipe to a result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from volstyle.errors import RecipeError, ShapeError, nearest
from volstyle.evaluate import Evaluation, Plans, continued, evaluate, style_sums
from volstyle.extractor import Extractor, Network
from volstyle.field import Field
from volstyle.flow import ESTIMATORS, Between, Flows, dis, given, raft
from volstyle.inflate import INFLATIONS, Placement, placements, standard_placement
from volstyle.machine import Machine, bytes_per_sample, choose_core, is_out_of_memory
from volstyle.motion import Link, TemporalTerm, along_motion, moved_along
from volstyle.networks import load_network
from volstyle.objective import (
    SCALINGS,
    ContentTerm,
    Objective,
    SampleTerm,
    SmoothnessTerm,
    SourceFeatures,
    StyleTerm,
    View,
)
from volstyle.optimize import optimize
from volstyle.recipe import Recipe
from volstyle.record import Record, StageRecord, threads, versions
from volstyle.resample import fitted, resize, transfer
from volstyle.scene import Scene, Style, luma, shares_over_time
from volstyle.schedule import Stage, optimized_shape, plan_stages
from volstyle.series import AutocorrelationTerm, QuantileTerm
from volstyle.state import Reached
from volstyle.statistics import STATISTICS, Sums, blended, gatys_distance, joined
from volstyle.tiles import Block, Shape, plan, wrapped

DEFAULT = Recipe()


@dataclass(frozen=True)
class Outline:
    """What a run will do, before it does it.

    recipe: with every choice resolved. kept: axes of the content that are never resampled.
    """

    recipe: Recipe
    network: Network
    machine: Machine
    stages: tuple[Stage, ...]
    kept: tuple[bool, ...]

    @cached_property
    def placements(self) -> tuple[Placement, ...]:
        """How the network lies on the axes of the content; each is a view of its own."""
        return placements(self.network.axes, len(self.kept), self.recipe.network.inflation)

    @cached_property
    def extractors(self) -> tuple[Extractor, ...]:
        """The network on the axes of the content, for each view."""
        return tuple(self.network.placed(placement) for placement in self.placements)

    @property
    def resampled(self) -> tuple[int, ...]:
        """Axes of the content that are coarse in a coarse stage."""
        return tuple(axis for axis, keep in enumerate(self.kept) if not keep)

    @property
    def taps(self) -> frozenset[str]:
        """All taps that some term reads."""
        return frozenset(self.recipe.style.taps) | frozenset(self.recipe.content.taps)

    def grouped(self, extractor: Extractor) -> tuple[int | None, int]:
        """How many samples along which axis share style statistics, a multiple of those a feature owns: frames of
        a clip, or the slices of a volume that a view looks at. None is all."""
        sliced = self.recipe.network.inflation == "planes" and extractor.placement.new
        if not self.recipe.style.window or not (self.kept[0] or sliced):
            return None, 0
        along = 0 if self.kept[0] else extractor.placement.new[0]
        step = extractor.reach(self.taps).stride[along]
        return -(-self.recipe.style.window // step) * step, along

    def plans(self, shape: Shape) -> Plans:
        """The tiles in which a stage of this shape is evaluated, for each view."""
        plans = []
        for extractor in self.extractors:
            grouped = self.grouped(extractor)
            core = choose_core(extractor, self.taps, self.machine, shape, *grouped)
            reach = extractor.reach(self.taps)
            blocks = plan(shape, core, *reach, *grouped)
            plans.append(tuple(wrapped(blocks, self.margin, reach.halo) if self.margin else blocks))
        return tuple(plans)

    @property
    def margin(self) -> Shape | None:
        """How far a periodic field is continued beyond its ends; None for one that ends."""
        if not self.recipe.periodic:
            return None
        halos = [extractor.reach(self.taps).halo for extractor in self.extractors]
        return tuple(max(sides) for sides in zip(*halos, strict=True))

    def largest_window(self, shape: Shape) -> int:
        """Samples in the largest window of all tiles."""
        return max(tile.window_size for blocks in self.plans(shape) for block in blocks for tile in block.tiles)

    def with_smaller_tiles(self, shape: Shape) -> Outline:
        """Half the memory that the tiles of this shape take now. Raises CapacityError when none is smaller."""
        each = bytes_per_sample(self.extractors[0], self.taps, self.machine.dtype)
        budget = int(self.largest_window(shape) * each / 2)
        smaller = replace(self, machine=replace(self.machine, budget=budget))
        smaller.plans(shape)
        return replace(smaller, recipe=replace(self.recipe, memory=f"{budget}B"))

    def record(self, stages: tuple[StageRecord, ...], notes: tuple[str, ...]) -> Record:
        """Of what happened in a run like this."""
        return Record(
            recipe=self.recipe,
            network=self.network.name,
            weights=self.network.digest,
            device=self.recipe.device,
            precision=self.recipe.precision,
            threads=threads(),
            versions=versions(),
            stages=stages,
            notes=notes,
        )


@dataclass(frozen=True)
class Step:
    """One step of the optimization. step: in its stage, from 1. costs: term -> weighted cost before the step.
    samples: (C, *S) of the stage, not to be changed."""

    stage: int
    step: int
    stages: tuple[Stage, ...]
    costs: Mapping[str, float]
    samples: Tensor


@dataclass(frozen=True)
class Result:
    """field: on the grid of the content. reached: what the optimizer came to, to be held by what follows.
    stopped: the caller asked to stop before the end."""

    field: Field
    record: Record
    reached: Reached
    stopped: bool = False


def outline(content: Field, recipe: Recipe) -> Outline:
    """Load the network, fill in what the recipe leaves open, and plan the stages.

    Raises RecipeError, NetworkError or ShapeError for choices that cannot be met.
    """
    recipe.check()
    for name, value, allowed in (
        ("scaling", recipe.scaling, SCALINGS),
        ("style.statistic", recipe.style.statistic, STATISTICS),
        ("colors", recipe.colors, ("style", "content")),
    ):
        if value not in allowed:
            raise RecipeError(f"{name}: {value!r} is unknown; {nearest(value, allowed)}")
    machine = Machine.choose(recipe.device, recipe.precision, recipe.memory)
    network = network_for(content, recipe).to(machine.device, machine.dtype)
    recipe = replace(
        recipe,
        network=replace(recipe.network, name=network.name),
        content=replace(recipe.content, taps=recipe.content.taps or dict(network.content_taps)),
        style=replace(recipe.style, taps=recipe.style.taps or dict(network.style_taps)),
        device=str(machine.device),
        precision=str(machine.dtype).removeprefix("torch."),
        memory=f"{machine.budget}B",
    )
    kept = _kept(content)
    run = Outline(recipe, network, machine, (), kept)
    shape = optimized_shape(content.shape, content.axes, kept, recipe.schedule.largest)
    for extractor in run.extractors:
        extractor.check(content.channels, shape, run.taps)
    strides = [extractor.reach(run.taps).stride for extractor in run.extractors]
    stride = tuple(max(steps) for steps in zip(*strides, strict=True))
    stages = plan_stages(shape, kept, tuple(2 * step for step in stride), recipe.schedule)
    return replace(run, stages=_periodic(stages, stride) if recipe.periodic else stages)


def _periodic(stages: tuple[Stage, ...], stride: Shape) -> tuple[Stage, ...]:
    """Stages whose features meet at the ends. Raises ShapeError unless those of the last one do."""
    if any(size % step for size, step in zip(stages[-1].shape, stride, strict=True)):
        have, need = ("x".join(map(str, sizes)) for sizes in (stages[-1].shape, stride))
        raise ShapeError(f"periodic: samples are {have}, must be multiples of {need}, the strides of the network")
    return tuple(
        replace(
            stage, shape=tuple(round(size / step) * step for size, step in zip(stage.shape, stride, strict=True))
        )
        for stage in stages
    )


def network_for(content: Field, recipe: Recipe) -> Network:
    """The network of a recipe, for fields like the content. Raises NetworkError."""
    choice = recipe.network
    return load_network(
        choice.name,
        weights=Path(choice.weights) if choice.weights else None,
        pooling=choice.pooling,
        seed=recipe.seed,
        axes=len(content.axes) if choice.inflation == "native" else min(len(content.axes), 2),
        channels=content.channels if len(content.axes) == 1 else 3,
    )


def stylize(
    content: Field,
    styles: Sequence[Style],
    recipe: Recipe = DEFAULT,
    on_step: Callable[[Step], bool | None] | None = None,
    init: Field | None = None,
    where: Tensor | None = None,
    held: Tensor | None = None,
    ahead: Tensor | None = None,
    flows: Flows | None = None,
    reached: Reached | None = None,
    on_stage: Callable[[Reached], None] | None = None,
) -> Result:
    """Give the content the hand of the styles.

    content: samples in [0, 1], any number of axes; styles: at least one. recipe: every choice. on_step: called
    after each step; True asks to stop, and what there is by then is the result. init: where to start from,
    instead of what the recipe says. where: (*S) of the content, 1 where it may change; None is everywhere.
    held, ahead: (C', n, *S') what an earlier run `reached` on the first n frames of a clip, and on its last n,
    which stay so.
    flows: how a clip moves, instead of what the recipe says.
    reached, on_stage: go on from there; called after each stage with what to go on from.

    Source: Gatys et al. 2015 (arXiv 1508.06576); the departures are in `objective` and `schedule`.
    Raises VolstyleError, one line for the user.
    """
    if not styles:
        raise RecipeError("style: none given, must be at least one")
    if recipe.temporal.loop and not (held is None and ahead is None):
        raise RecipeError("temporal.loop: frames are held, so that this is a part of a loop; leave it out")
    run = outline(content, recipe)
    reached = reached or Reached(torch.empty(0))
    scene = Scene.prepare(
        content,
        styles,
        keep_colors=recipe.colors == "content",
        coherent=recipe.temporal.weight > 0 and len(reached.stages) < len(run.stages),
        loop=recipe.temporal.loop,
        flow=_flow(recipe, flows, run.machine.device),
        where=where,
    )
    if not recipe.style.window and scene.styles[0].at is not None:
        raise RecipeError(
            "style.window: is 0, the whole clip, in which styles with times cannot change; must be 1"
        )
    if not reached.stages:
        reached = replace(reached, samples=_start(scene, run, init))
    stopped = False
    while len(reached.stages) < len(run.stages) and not stopped:
        try:
            reached, stopped = _run_stage(scene, run, reached, on_step, held, ahead)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            shape = run.stages[len(reached.stages)].shape
            run = run.with_smaller_tiles(shape)
            note = f"memory: ran out at {'x'.join(map(str, shape))}, went on in smaller tiles"
            reached = replace(reached, notes=(*reached.notes, note))
            continue
        if on_stage and not stopped:
            on_stage(reached)
    optimized = resize(reached.samples, run.stages[-1].shape).clamp(0, 1).cpu()
    finished = scene.finished(_on_grid(optimized, scene, run), recipe.strength)
    return Result(content.with_samples(finished), run.record(reached.stages, reached.notes), reached, stopped)


def _flow(recipe: Recipe, flows: Flows | None, device: torch.device) -> Callable[[Tensor], Between]:
    """How a clip's motion is found in its pictures."""
    name, weights = recipe.temporal.flow, recipe.temporal.flow_weights
    if flows is not None:
        return partial(given, flows=flows)
    if name not in ESTIMATORS:
        hint = nearest(name, ESTIMATORS)
        raise RecipeError(f"temporal.flow: {name!r} is not read, give the flow of that folder as `flows`; {hint}")
    if name == "dis":
        return dis
    network = "raft_large" if name == "raft" else name
    return partial(raft, name=network, weights=Path(weights) if weights else None, device=device)


def _on_grid(samples: Tensor, scene: Scene, run: Outline) -> Tensor:
    """Samples of the last stage on the content's own grid; where that is finer, its fine structure stays."""
    shape = tuple(scene.content.shape[1:])
    if samples.shape[1:] == shape or not run.recipe.content.weight:
        return resize(samples, shape).clamp(0, 1)
    return transfer(scene.content.clone(), resize(scene.content, samples.shape[1:]), samples)


def _run_stage(
    scene: Scene,
    run: Outline,
    reached: Reached,
    on_step: Callable[[Step], bool | None] | None,
    held: Tensor | None,
    ahead: Tensor | None,
) -> tuple[Reached, bool]:
    """The next stage from where the last one ended, and whether it was stopped."""
    index, device = len(reached.stages), run.machine.device
    stage, momentum = run.stages[index], reached.momentum
    began = time.perf_counter()
    costs: dict[str, list[float]] = {}
    samples = resize(reached.samples.to(device), stage.shape).clamp(0, 1)
    fixed = torch.zeros(stage.shape[0], dtype=torch.bool, device=device)
    for frames, at_end in ((held, False), (ahead, True)):
        if frames is not None:
            count = frames.shape[1]
            there = slice(stage.shape[0] - count, None) if at_end else slice(0, count)
            samples[:, there] = resize(frames.to(device), (count, *stage.shape[1:])).clamp(0, 1)
            fixed[there] = True
    links = tuple(link.resized(*stage.shape[1:]).to(device) for link in scene.motion)
    objective, plans = _objective(scene, stage, run, links, fixed)

    def free(gradient: Tensor) -> Tensor:
        gradient[:, fixed] = 0
        return gradient

    def evaluated(now: Tensor) -> Evaluation:
        found = evaluate(now, objective, plans)
        free(found.gradient)
        return found

    def smooth(gradient: Tensor) -> Tensor:
        return free(along_motion(gradient, links, run.recipe.temporal.smoothing))

    def watch(step: int, found: Mapping[str, float], now: Tensor) -> bool:
        for name, cost in found.items():
            costs.setdefault(name, []).append(cost)
        return bool(on_step and on_step(Step(index, step, run.stages, found, now)))

    done = optimize(
        samples,
        evaluated,
        optimizer=run.recipe.optimizer.name,
        steps=stage.steps,
        rate=run.recipe.optimizer.rate,
        watch=watch,
        momentum=momentum and momentum.to(device).resized(stage.shape),
        smooth=smooth,
    )
    record = StageRecord(stage.shape, stage.steps, costs, time.perf_counter() - began)
    return Reached(done.samples, done.momentum, (*reached.stages, record), reached.notes), done.stopped


def _objective(
    scene: Scene, stage: Stage, run: Outline, links: tuple[Link, ...], fixed: Tensor
) -> tuple[Objective, Plans]:
    """What is minimized in a stage, its targets taken at the stage's size, and the tiles to do it in. links: how a
    clip moves, at that size. fixed: (T,), frames that stay as they are."""
    recipe, device = run.recipe, run.machine.device
    content = resize(scene.content, stage.shape).clamp(0, 1).to(device)
    regions = None if scene.regions is None else resize(scene.regions, stage.shape, kind="linear").to(device)
    plans = run.plans(stage.shape)
    if run.margin is not None:
        content = continued(content, run.margin)
        regions = None if regions is None else continued(regions, run.margin)
    styles = _style_terms(scene, stage, run, [[g for block in blocks for g in block.groups] for blocks in plans])
    views = []
    for extractor, style, blocks in zip(run.extractors, styles, plans, strict=True):
        group, along = run.grouped(extractor)
        source = _content_term(content, extractor, blocks, run)
        views.append(View(extractor, style, source, group, regions, along))
    terms = _series_terms(scene, run) if len(stage.shape) == 1 else {}
    if recipe.smoothness:
        terms["smoothness"] = SmoothnessTerm(recipe.smoothness, run.resampled, recipe.periodic)
    if links:
        terms["temporal"] = TemporalTerm(recipe.temporal.weight, links, max(float(content.var()), 1e-4), fixed)
    return Objective(tuple(views), terms, run.margin), plans


def _series_terms(scene: Scene, run: Outline) -> dict[str, SampleTerm]:
    """Of a signal, with the first style's targets at its own rate."""
    choice = run.recipe.series
    style = scene.styles[0].field.samples.to(run.machine.device)
    terms: dict[str, SampleTerm] = {}
    if choice.autocorrelation:
        terms["memory"] = AutocorrelationTerm.of(choice.autocorrelation, style, choice.lags)
    if choice.quantiles:
        terms["values"] = QuantileTerm.of(choice.quantiles, style)
    return terms


def _style_terms(
    scene: Scene, stage: Stage, run: Outline, groups: Sequence[Sequence[slice]]
) -> list[StyleTerm | None]:
    """Of each view, an equal share of the weight. groups: those of each view."""
    choice = run.recipe.style
    if not choice.weight:
        return [None] * len(run.placements)
    weight = choice.weight / len(run.placements)
    taps, distance = _shares(choice.taps), STATISTICS[choice.statistic]
    if run.recipe.scaling == "gatys":
        taps, distance = choice.taps, gatys_distance
    targets = _targets(scene, stage.shape, run)
    return [
        StyleTerm(weight, taps, target, distance, len(spans), _group_shares(scene, stage, spans))
        for target, spans in zip(targets, groups, strict=True)
    ]


def _group_shares(scene: Scene, stage: Stage, groups: Sequence[slice]) -> Tensor | None:
    """(groups, R), what each group of frames takes of each style; None for styles without times."""
    shares = shares_over_time(scene.styles, stage.shape[0])
    if shares is None:
        return None
    lengths = [group.stop - group.start for group in groups]
    return torch.stack([frames.mean(0) for frames in torch.split(shares, lengths)])


def _content_term(
    content: Tensor, extractor: Extractor, blocks: Sequence[Block], run: Outline
) -> ContentTerm | None:
    choice, views = run.recipe.content, len(run.placements)
    if not choice.weight:
        return None
    source = SourceFeatures(extractor, content, choice.taps, run.machine.budget / 2 / views)
    if run.recipe.scaling == "gatys":
        return ContentTerm(choice.weight / views, choice.taps, source, dict.fromkeys(choice.taps, 2.0))
    return ContentTerm(choice.weight / views, _shares(choice.taps), source, source.powers(blocks))


def _shares(taps: Mapping[str, float]) -> dict[str, float]:
    """λ with a sum of 1, so that a relative cost stays of order 1 whatever the number of taps."""
    total = sum(taps.values())
    return {tap: weight / total for tap, weight in taps.items()}


def _style_size(style: Field, stage: Shape, scene: Scene, run: Outline) -> int:
    """Long side of a style in samples: that of the content, or, of a signal, its own at the content's rate."""
    size = max(stage[axis] for axis in run.resampled)
    whole = style.shape[0] / scene.content.shape[1] if len(stage) == 1 else 1.0
    return max(1, round(size * whole * run.recipe.style.scale))


def _targets(scene: Scene, stage: Shape, run: Outline) -> list[dict[str, Sums]]:
    """Of each view, tap -> Sums of R regions: each style's own where they have regions or times, else a blend.

    stage: shape of the result.
    """
    apart = scene.styles[0].at is not None or (scene.regions is not None and len(scene.regions) > 1)
    found = [_style_sums(*style_samples(style, stage, scene, run), run) for style in scene.styles]
    weights = [style.weight for style in scene.styles]
    return [
        {
            tap: joined([sums[tap].means() for sums in each])
            if apart
            else blended([sums[tap] for sums in each], weights)
            for tap in run.recipe.style.taps
        }
        for each in zip(*found, strict=True)
    ]


def style_samples(style: Style, stage: Shape, scene: Scene, run: Outline) -> tuple[Tensor, Tensor | None]:
    """A style as it is seen in a stage of this shape: samples (C, *S) in [0, 1], and how much each counts, (1, *S)
    or None for all alike."""
    field, kept = style.field, _kept(style.field)
    size = _style_size(field, stage, scene, run)
    shape = fitted(optimized_shape(field.shape, field.axes, kept, 0), size, kept)
    samples = resize(field.samples, shape).clamp(0, 1).to(run.machine.device)
    if style.source_mask is None:
        return samples, None
    return samples, resize(style.source_mask[None], shape, kind="linear").to(samples)


def _style_sums(samples: Tensor, regions: Tensor | None, run: Outline) -> list[dict[str, Sums]]:
    """Of each view, tap -> Sums of one style: seen as the content is where it has its axes, else the one way there
    is, a flat style the same for all views."""
    taps, shape = run.recipe.style.taps, tuple(samples.shape[1:])
    looks = run.placements
    if len(shape) != len(run.kept):
        inflation = run.recipe.network.inflation if run.recipe.network.inflation in INFLATIONS else "center"
        looks = (standard_placement(run.network.axes, len(shape), inflation),) * len(looks)
    seen = {}
    for look in dict.fromkeys(looks):
        extractor = run.network.placed(look)
        extractor.check(samples.shape[0], shape, taps)
        core = choose_core(extractor, taps, run.machine, shape, None)
        blocks = plan(shape, core, *extractor.reach(taps))
        seen[look] = style_sums(extractor, samples, blocks, taps, regions)
    return [seen[look] for look in looks]


def _start(scene: Scene, run: Outline, init: Field | None) -> Tensor:
    """Where the first stage starts: (C, *S)."""
    if init is not None:
        if len(init.axes) != len(run.kept) or init.channels not in (1, run.network.channels):
            raise ShapeError(
                f"init: {init.channels} channels and {len(init.axes)} axes, must be {run.network.channels} or 1 "
                f"and {len(run.kept)}"
            )
        samples = luma(init.samples) if scene.content.shape[0] == 1 else init.samples
        return samples.expand(scene.content.shape[0], *samples.shape[1:])
    if run.recipe.init == "content":
        return scene.content
    if run.recipe.init == "noise":
        generator = torch.Generator().manual_seed(run.recipe.seed)
        noise = torch.rand(scene.content.shape[0], *run.stages[0].shape, generator=generator)
        return moved_along(noise, [link.resized(*noise.shape[2:]) for link in scene.motion])
    raise RecipeError(f"init: {run.recipe.init!r} is not read; give the field of that file as `init`")


def _kept(field: Field) -> tuple[bool, ...]:
    """Axes that are never resampled: the time of a clip, but not that of a signal, which has no other axis."""
    return tuple(axis.name == "t" and len(field.axes) > 1 for axis in field.axes)
