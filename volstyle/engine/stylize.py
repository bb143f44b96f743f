"""Styling one part of a content by a planned run."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from volstyle.engine.blockwise import Evaluation, evaluate
from volstyle.engine.checkpoint import Reached
from volstyle.engine.machine import is_out_of_memory
from volstyle.engine.optimize import optimize
from volstyle.engine.outline import Outline
from volstyle.engine.part import Part
from volstyle.engine.scene import Scene
from volstyle.engine.schedule import Stage
from volstyle.engine.shared import SharedStage
from volstyle.engine.targets import stage_objective
from volstyle.engine.turns import turns
from volstyle.errors import RecipeError, ShapeError, nearest
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import resize, transfer
from volstyle.motion.flow import ESTIMATORS, Between, Flows, dis, given, raft
from volstyle.motion.links import along_motion, moved_along
from volstyle.recipe import Recipe
from volstyle.record import Record, StageRecord


class Snapshot:
    """Samples (C, *S) of a step as they were after it.

    The optimizer changes its samples in place. They are copied when somebody asks for them, or when the step
    outlives the call it was given to, so that a step that nobody keeps costs no copy.
    """

    def __init__(self, live: Tensor) -> None:
        self._live: Tensor | None = live
        self._copy: Tensor | None = None

    def __call__(self) -> Tensor:
        if self._copy is None:
            assert self._live is not None
            self._copy, self._live = self._live.detach().clone(), None
        return self._copy


@dataclass(frozen=True)
class Step:
    """One step of the optimization. stage, step: which one, the stage from 0, the step in its stage from 1.
    stages: all of them. costs: term -> weighted cost before the step."""

    stage: int
    step: int
    stages: tuple[Stage, ...]
    costs: Mapping[str, float]
    snapshot: Callable[[], Tensor]

    @property
    def samples(self) -> Tensor:
        """(C, *S) of the stage after the step: a copy, which later steps leave alone."""
        return self.snapshot()


OnStep = Callable[[Step], bool | None]
"""Called after each step; True asks to stop, and what there is by then is the result."""


@dataclass(frozen=True)
class Stylized:
    """The result of styling a part. field: the styled samples on the grid of the content. reached: the samples and
    the state of the optimizer at the end, which later parts hold fixed and from which a later call can go on.
    stopped: whether the caller asked to stop before the end."""

    field: Field
    record: Record
    reached: Reached
    stopped: bool = False


def stylize(
    run: Outline,
    part: Part,
    on_step: OnStep | None = None,
    *,
    on_stage: Callable[[Reached], None] | None = None,
    reached: Reached | None = None,
) -> Stylized:
    """Give the content of a part the hand of its styles.

    run: planned by `outline`, for this part or another of the same content. on_stage: called after each stage with
    the state that a later call can go on from. reached: such a state of an earlier call, to go on from there.

    Source: Gatys et al. 2015 (arXiv 1508.06576); the departures are in `objective` and `schedule`.
    Raises VolstyleError, one line for the user.
    """
    content, recipe = part.content, run.recipe
    if not part.styles:
        raise RecipeError("style: none given, must be at least one")
    if recipe.temporal.loop and part.is_whole and not (part.held is None and part.ahead is None):
        raise RecipeError("temporal.loop: frames are held, so that this is a part of a loop; leave it out")
    run = run.on(content)
    reached = reached or Reached(torch.empty(0))
    scene = Scene.prepare(
        content,
        part.styles,
        keep_colors=recipe.colors == "content",
        coherent=recipe.temporal.weight > 0 and len(reached.stages) < len(run.stages),
        loop=recipe.temporal.loop and part.is_whole,
        flow=_flow(recipe, part.flows, run.machine.device),
        where=part.where,
    )
    if recipe.temporal.weight > 0:
        scene = replace(scene, rest=part.rest)
    if not recipe.style.frames and scene.styles[0].at is not None:
        raise RecipeError(
            "style.frames: is 0, the whole clip, in which styles with times cannot change; must be 1"
        )
    if not reached.stages:
        reached = replace(reached, samples=_start(scene, run, part.init))
    stopped = False
    while len(reached.stages) < len(run.stages) and not stopped:
        try:
            reached, stopped = _run_stage(scene, run, part, reached, on_step)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            stage = run.stages[len(reached.stages)]
            run = run.with_smaller_tiles(stage)
            note = f"memory: ran out at {'x'.join(map(str, stage.shape))}, went on in smaller tiles"
            reached = replace(reached, notes=(*reached.notes, note))
            continue
        if on_stage and not stopped:
            on_stage(reached)
    optimized = resize(reached.samples, run.stages[-1].shape).clamp(0, 1).cpu()
    restored = scene.restored(_on_grid(optimized, scene, run), recipe.strength)
    return Stylized(content.with_samples(restored), run.record(reached.stages, reached.notes), reached, stopped)


def _flow(recipe: Recipe, flows: Flows | None, device: torch.device) -> Callable[[Tensor], Between]:
    """The function that finds the motion of a clip in its pictures. Raises RecipeError."""
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
    part: Part,
    reached: Reached,
    on_step: OnStep | None,
) -> tuple[Reached, bool]:
    """Run the next stage from where the last one ended. Returns the state after it, and whether it was stopped."""
    index, device = len(reached.stages), run.machine.device
    stage = run.stages[index]
    # Terms of the samples are far from their targets again on a finer grid: steps sized by the small gradients of
    # the end of a coarse stage would throw each sample to an end of [0, 1].
    momentum = None if run.recipe.solid.weights else reached.momentum
    run = run.at(stage)
    began = time.perf_counter()
    costs: dict[str, list[float]] = {}
    samples = resize(reached.samples.to(device), stage.shape).clamp(0, 1)
    fixed = torch.zeros(stage.shape[0], dtype=torch.bool, device=device)
    for frames, at_end in ((part.held, False), (part.ahead, True)):
        if frames is not None:
            count = frames.shape[1]
            there = slice(stage.shape[0] - count, None) if at_end else slice(0, count)
            samples[:, there] = resize(frames.to(device), (count, *stage.shape[1:])).clamp(0, 1)
            fixed[there] = True
    rest = None if scene.rest is None else scene.rest.resized(stage.shape).to(device)
    if rest is not None:
        samples = rest.held(samples)
    links = tuple(link.resized(*stage.shape[1:]).to(device) for link in scene.motion)
    ranks = run.ranks
    ranks.tell(partial(SharedStage.of, scene, stage, run, run.recipe.seed + index))
    ranks.use(device)
    objective, plans = stage_objective(scene, stage, run, links, fixed)
    parts = turns(objective, plans, run.recipe.style.share, run.recipe.seed + index)

    def free(gradient: Tensor) -> Tensor:
        gradient[:, fixed] = 0
        return gradient if rest is None else gradient.mul_(rest.moves)

    def evaluated(now: Tensor) -> Evaluation:
        found = evaluate(ranks.shown(now), *next(parts), ranks)
        free(found.gradient)
        return found

    def smooth(gradient: Tensor) -> Tensor:
        return free(along_motion(gradient, links, run.recipe.temporal.smoothing))

    def watch(step: int, found: Mapping[str, float], now: Tensor) -> bool:
        for name, cost in found.items():
            costs.setdefault(name, []).append(cost)
        return on_step is not None and _told(on_step, index, step, run.stages, found, now)

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
    reached_now = done.samples if rest is None else rest.held(done.samples)
    record = StageRecord(stage.shape, stage.steps, costs, time.perf_counter() - began)
    return Reached(reached_now, done.momentum, (*reached.stages, record), reached.notes), done.stopped


def _told(
    on_step: OnStep, stage: int, step: int, stages: tuple[Stage, ...], costs: Mapping[str, float], now: Tensor
) -> bool:
    """Whether the caller asks to stop. A step that the caller keeps gets samples of its own."""
    snapshot = Snapshot(now)
    kept = weakref.ref(snapshot)
    stop = bool(on_step(Step(stage, step, stages, dict(costs), snapshot)))
    del snapshot
    if (found := kept()) is not None:
        found()
    return stop


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
