"""Printing what a run will do, before it does it."""

from __future__ import annotations

from volstyle.engine.estimate import Estimate
from volstyle.engine.outline import Outline
from volstyle.media.follower import LearnPlan, PaintPlan, Plan
from volstyle.media.medium import Medium
from volstyle.media.run import bytes_text
from volstyle.media.table import medium_named
from volstyle.record import threads

from ..screen import Screen, duration_text


def say_plan(screen: Screen, plan: Plan) -> None:
    """Print a line for each input, for the engine, and for the output, in this order."""
    order, opened, medium = plan.order, plan.opened, medium_named(plan.order.kind)
    size, count = medium.sized(opened.shape), len(opened.grids)
    parts = f" in {count} parts" if count > 1 else ""
    screen.entry("content", f"{order.content or 'none, a texture'}, {size}{parts}")
    for style in order.styles:
        weight = f", weight {style.weight:g}" if len(order.styles) > 1 else ""
        time = f", at {style.at.value:g}{style.at.unit}" if style.at else ""
        screen.entry("style", f"{style.source}{weight}{time}")
    say_engine(screen, plan.run, medium)
    full = ", at the source's size" if order.full_size else ""
    screen.entry("output", f"{order.output}{full}")
    _say_cost(screen, plan.estimate(), f", {bytes_text(plan.disk)} of disk on the way")


def say_learning(screen: Screen, plan: LearnPlan) -> None:
    """What learning a style will do."""
    for style in plan.order.styles:
        screen.entry("style", f"{style.source}")
    for source in plan.order.examples:
        screen.entry("learned on", f"{source}")
    say_engine(screen, plan.run, medium_named(plan.order.kind))
    screen.entry("output", f"{plan.order.output}")
    _say_cost(screen, plan.estimate())


def _say_cost(screen: Screen, expected: Estimate, more: str = "") -> None:
    seconds = duration_text(expected.seconds)
    time = seconds if expected.seconds < 1 else f"about {seconds}"
    screen.entry("takes", f"{time}, {bytes_text(expected.memory)} of memory{more}")


def say_painting(screen: Screen, plan: PaintPlan) -> None:
    """Print what a learned style will paint."""
    order, medium = plan.order, medium_named(plan.order.kind)
    screen.entry("content", f"{order.content}, {medium.sized(plan.opened.shape)}")
    for style in order.styles:
        name = style.named or plan.learned.names[0]
        screen.entry("style", f"{name}, learned in {style.source}")
    screen.entry("network", f"learned with {plan.learned.network} ({plan.learned.digest[:8]})")
    screen.entry("device", f"{plan.machine.device}, {str(plan.machine.dtype)[6:]}, {threads()} threads")
    screen.entry("output", f"{order.output}")


def say_engine(screen: Screen, run: Outline, medium: Medium) -> None:
    """Print the network, the machine and the stages of a run."""
    screen.entry("network", f"{run.network.name} ({run.network.digest[:8]})")
    shared = f", {run.ranks.count} processes" if run.ranks.count > 1 else ""
    screen.entry("device", f"{run.recipe.device}, {run.recipe.precision}, {threads()} threads{shared}")
    for number, stage in enumerate(run.stages, start=1):
        screen.entry(f"stage {number}", f"{medium.sized(stage.shape)}, {stage.steps} steps")
