"""The stages of a run, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

from volstyle.grid.field import Axis
from volstyle.grid.resample import fitted
from volstyle.recipe import ScheduleChoice


@dataclass(frozen=True)
class Stage:
    """shape: the shape of the field in this stage. steps: the number of steps of the optimizer."""

    shape: tuple[int, ...]
    steps: int


def optimized_shape(
    shape: tuple[int, ...], axes: tuple[Axis, ...], kept: tuple[bool, ...], largest: int
) -> tuple[int, ...]:
    """The grid of the last stage: the finest step for all axes that are not kept, if they are measured in one
    physical unit, so that a texture has one size; and a long side of `largest` at most, 0 for any."""
    units = {axis.unit for axis, keep in zip(axes, kept, strict=True) if not keep}
    if len(units) == 1 and units != {"px"}:
        finest = min(axis.step for axis, keep in zip(axes, kept, strict=True) if not keep)
        shape = tuple(
            size if keep else max(1, round(size * axis.step / finest))
            for size, axis, keep in zip(shape, axes, kept, strict=True)
        )
    longest = max(size for size, keep in zip(shape, kept, strict=True) if not keep)
    return fitted(shape, min(largest or longest, longest), kept)


def stage_sizes(longest: int, smallest: int, ratio: float) -> tuple[int, ...]:
    """Long sides of the stages that a style is learned and applied in: they grow by a ratio, begin with the first
    that is no longer than `smallest`, and end with the longest."""
    sizes = [longest]
    while sizes[0] > smallest:
        sizes.insert(0, max(1, min(round(sizes[0] / ratio), sizes[0] - 1)))
    return tuple(sizes)


def plan_stages(
    shape: tuple[int, ...], kept: tuple[bool, ...], least: tuple[int, ...], choice: ScheduleChoice
) -> tuple[Stage, ...]:
    """Stages that grow by the schedule's ratio, and double above `full_above`, and end with shape.

    kept: axes that are never resampled (time in a clip). least: no stage is smaller than this along any axis.
    Source: coarse to fine by about √2 with most steps at the first, as crowsonkb/style-transfer-pytorch; the
    large shapes of a style are found where a step is cheap. That stages above a size make few steps is ours.
    """
    size = max(s for s, keep in zip(shape, kept, strict=True) if not keep)
    sizes, few = [size], 0
    while sizes[0] > choice.smallest and len(sizes) < choice.stages:
        is_full = choice.full_above > 0 and sizes[0] > max(choice.full_above, choice.smallest)
        smaller = max(round(sizes[0] / 2), choice.full_above) if is_full else round(sizes[0] / choice.ratio)
        if any(s < need for s, need in zip(fitted(shape, smaller, kept), least, strict=True)):
            break
        sizes.insert(0, smaller)
        few += is_full
    composing = len(sizes) - few
    return tuple(
        Stage(
            fitted(shape, stage, kept) if stage != size else shape,
            max(1, round(choice.steps * choice.growth ** (composing - 1 - i)))
            if i < composing
            else min(choice.full_steps, choice.steps),
        )
        for i, stage in enumerate(sizes)
    )
