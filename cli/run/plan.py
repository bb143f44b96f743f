"""Printing what a run will do, before it does it."""

from __future__ import annotations

from pathlib import Path

from volstyle.engine.estimate import Estimate
from volstyle.engine.outline import Outline
from volstyle.engine.ranks import present
from volstyle.grid.field import Field
from volstyle.media.follower import LearnPlan, PaintPlan, Plan
from volstyle.media.medium import Medium
from volstyle.media.order import Source, StyleOrder
from volstyle.media.run import bytes_text
from volstyle.media.table import medium_named
from volstyle.record import threads

from ..screen import Screen, duration_text
from ..shapes import EngineJson, NetworkJson, PlanJson, StageJson, StyleJson


def say_plan(screen: Screen, plan: Plan) -> None:
    """Print a line for each input, for the engine, and for the output, in this order."""
    order, opened, medium = plan.order, plan.opened, medium_named(plan.order.kind)
    size, count = medium.sized(opened.shape), len(opened.grids)
    parts = f" in {count} parts" if count > 1 else ""
    screen.entry("content", f"{_called(order.content)}, {size}{parts}")
    for style in order.styles:
        weight = f", weight {style.weight:g}" if len(order.styles) > 1 else ""
        time = f", at {style.at.value:g}{style.at.unit}" if style.at else ""
        across = f", for slices across {style.across}" if style.across else ""
        screen.entry("style", f"{style.source}{weight}{time}{across}")
    say_engine(screen, plan.run, medium)
    full = ", at the source's size" if order.full_size else ""
    screen.entry("output", f"{order.output or 'stdout'}{full}")
    _say_cost(screen, plan.estimate(), f", {bytes_text(plan.disk)} of disk on the way")


def say_learning(screen: Screen, plan: LearnPlan) -> None:
    """What learning a style will do."""
    for style in plan.order.styles:
        screen.entry("style", f"{style.source}")
    for source in plan.order.examples:
        screen.entry("learned on", f"{source}")
    if plan.order.init is not None:
        screen.entry("starts from", f"{plan.order.init}")
    say_engine(screen, plan.run, medium_named(plan.order.kind))
    _say_alone(screen)
    for note in plan.notes:
        screen.entry("note", note)
    screen.entry("output", f"{plan.order.output}")
    _say_cost(screen, plan.estimate())


def _say_cost(screen: Screen, expected: Estimate, more: str = "") -> None:
    seconds = duration_text(expected.seconds)
    time = seconds if expected.seconds < 1 else f"about {seconds}"
    screen.entry("takes", f"{time}, {bytes_text(expected.memory)} of memory{more}")


def _called(content: Source | None) -> str:
    return "none, a texture" if content is None else "stdin" if isinstance(content, Field) else str(content)


def say_painting(screen: Screen, plan: PaintPlan) -> None:
    """Print what a learned style will paint."""
    order, medium = plan.order, medium_named(plan.order.kind)
    screen.entry("content", f"{_called(order.content)}, {medium.sized(plan.opened.shape)}")
    for style in order.styles:
        name = style.named or plan.learned.names[0]
        screen.entry("style", f"{name}, learned in {style.source}")
    screen.entry("network", f"learned with {plan.learned.network} ({plan.learned.digest[:8]})")
    screen.entry("device", f"{plan.machine.device}, {str(plan.machine.dtype)[6:]}, {threads()} threads")
    _say_alone(screen)
    screen.entry("output", f"{order.output or 'stdout'}")


def _say_alone(screen: Screen) -> None:
    """Print that processes which have joined are of no use, if there are others."""
    if present().count > 1:
        screen.entry("note", f"the first of {present().count} processes learns and paints alone")


def say_engine(screen: Screen, run: Outline, medium: Medium) -> None:
    """Print the network, the machine and the stages of a run."""
    screen.entry("network", f"{run.network.name} ({run.network.digest[:8]})")
    shared = f", {run.ranks.count} processes" if run.ranks.count > 1 else ""
    screen.entry("device", f"{run.recipe.device}, {run.recipe.precision}, {threads()} threads{shared}")
    for number, stage in enumerate(run.stages, start=1):
        screen.entry(f"stage {number}", f"{medium.sized(stage.shape)}, {stage.steps} steps")


def plan_json(plan: Plan | LearnPlan) -> PlanJson:
    order, expected = plan.order, plan.estimate()
    if isinstance(plan, LearnPlan):
        return PlanJson(
            method="learn",
            medium=order.kind,
            content=", ".join(map(str, order.examples)),
            styles=[style_json(style) for style in order.styles],
            output=str(order.output),
            shape=list(plan.run.stages[-1].shape),
            parts=plan.contents,
            seconds=expected.seconds,
            disk=0.0,
            **engine_json(plan.run, expected.memory),
        )
    return PlanJson(
        method="optimize",
        medium=order.kind,
        content=str(order.content) if isinstance(order.content, Path) else None,
        styles=[style_json(style) for style in order.styles],
        output=None if order.output is None else str(order.output),
        shape=list(plan.opened.shape),
        parts=len(plan.opened.grids),
        seconds=expected.seconds,
        disk=plan.disk,
        **engine_json(plan.run, expected.memory),
    )


def engine_json(run: Outline, memory: float) -> EngineJson:
    return EngineJson(
        network=NetworkJson(name=run.network.name, weights=run.network.digest),
        device=run.recipe.device,
        precision=run.recipe.precision,
        threads=threads(),
        stages=[StageJson(shape=list(stage.shape), steps=stage.steps) for stage in run.stages],
        memory=memory,
    )


def style_json(style: StyleOrder) -> StyleJson:
    at = f"{style.at.value:g}{style.at.unit}" if style.at else None
    return StyleJson(path=str(style.path), weight=style.weight, at=at)
