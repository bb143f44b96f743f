"""What a run will take, before it is started: its time by a short measurement, its memory by counting."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import prod

from volstyle.engine.machine import bytes_per_sample
from volstyle.engine.outline import Outline
from volstyle.engine.part import Part
from volstyle.engine.ranks import ALONE
from volstyle.engine.stylize import Step, stylize
from volstyle.engine.turns import comb, fewest
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.grid.tiles import Shape
from volstyle.recipe import ScheduleChoice

_PIECE = 2**14
"""Samples of the piece that is measured, unless a side would fall below the least."""

_UNSEEN_PIECE = 2**18
"""Samples of the piece where no term looks at features: in a smaller one, to begin a step takes longer than the
step."""

_LEAST = {1: 64, 2: 64, 3: 24}
"""How many axes are resampled -> half of what a side of the piece has at least before it is halved again."""

_FRAMES = 4
"""Frames of a clip that are measured."""

_STEPS = 2

_COPIES = 10
"""Fields in memory at once: content thrice (as it came, as seen, in the stage), samples, their average, gradient,
two moments, and two on the way between stages."""

_SPECTRA = 30
"""Fields more, at most, where terms of a solid are: padded planes, their spectra, and those of the way back."""


@dataclass(frozen=True)
class Estimate:
    """seconds: the time of all stages. memory: bytes at the peak, beside what the program itself takes."""

    seconds: float
    memory: float


def estimate(part: Part, run: Outline) -> Estimate:
    """Measure a step on a piece of a part's content, after one to warm up, and scale by what all stages run.

    The piece is on the grid of the last stage: of samples as far apart along all axes, and in multiples of the
    network's strides where opposite ends meet.
    """
    content = part.content
    shape = _piece(run.stages[-1].shape, run)
    if run.recipe.periodic:
        shape = tuple(max(1, size // step) * step for size, step in zip(shape, run.stride, strict=True))
    corner = tuple(slice(0, size) for size in shape)
    piece = Field(
        resize(content.samples[(slice(None), *corner)], shape).clamp(0, 1),
        tuple(Axis(axis.name) for axis in content.axes),
    )
    schedule = ScheduleChoice(smallest=max(shape), steps=_STEPS, fine_above=0)
    times: list[float] = []

    def watch(_: Step) -> None:
        times.append(time.perf_counter())

    style = replace(part.styles[0], source_mask=None, target_mask=None, at=None, across=None)
    # L-BFGS may find nothing to do; a step of any optimizer is an evaluation.
    recipe = replace(run.recipe, schedule=schedule, init="content").set("optimizer.name=adam")
    recipe = recipe.set("temporal.flow=dis")
    alone = replace(run, recipe=recipe, ranks=ALONE)
    stylize(alone, Part(piece, (style,)), watch)
    each = (times[-1] - times[0]) / (len(times) - 1) / _step_work(alone, shape)
    return Estimate(each * sum(stage_work(run)), peak_memory(content, run))


def stage_work(run: Outline, least: int | None = None) -> tuple[float, ...]:
    """What each stage costs, in multiplications of a pass through the network; in samples where no term looks at
    features. least: how many groups of slices of a volume a step looks at, at least, along each axis; None for as
    many as `turns` does."""
    return tuple(stage.steps * _step_work(run.at(stage), stage.shape, least) for stage in run.stages)


def peak_memory(content: Field, run: Outline) -> float:
    """Bytes at the last stage, the largest: fields, one tile's activations, and kept features of the content."""
    run = run.at(run.stages[-1])
    size = prod(run.stages[-1].shape)
    fields = 4.0 * (_COPIES + (_SPECTRA if run.recipe.solid.weights else 0)) * content.channels * size
    if not run.looks:
        return fields
    taps = [extractor.tap(name) for extractor in run.extractors for name in run.recipe.content.taps]
    features = sum(tap.channels / prod(tap.reach.stride) for tap in taps) * size * run.machine.dtype.itemsize
    tile = run.largest_window(run.stages[-1].shape) * bytes_per_sample(
        run.extractors[0], run.taps, run.machine.dtype
    )
    return fields + tile + min(features, run.machine.budget / 2)


def _step_work(run: Outline, shape: Shape, least: int | None = None) -> float:
    """The work of all tiles that have their turn, or of the first rank's, which has as much to do as any."""
    if not run.looks:
        return prod(shape)
    work = 0.0
    for extractor, blocks in zip(run.extractors, run.plans(shape), strict=True):
        group, _ = run.grouped(extractor)
        groups = sum(len(block.groups) for block in blocks)
        turn = comb(groups, run.recipe.style.share, least or fewest(group)) if group else 1
        work += extractor.work(run.taps) * sum(block.work for block in run.ranks.own(blocks)) / turn
    return work


def _piece(shape: Shape, run: Outline) -> Shape:
    """A few frames, then halved along the longest axis until it is small."""
    least, most = _LEAST[min(len(run.resampled), 3)], _PIECE if run.looks else _UNSEEN_PIECE
    shape = tuple(min(size, _FRAMES) if keep else size for size, keep in zip(shape, run.kept, strict=True))
    while prod(shape) > most and max(shape) >= 2 * least:
        longest = shape.index(max(shape))
        shape = (*shape[:longest], shape[longest] // 2, *shape[longest + 1 :])
    return shape
