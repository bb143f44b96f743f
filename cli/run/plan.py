"""What a run will do, said before it does it."""

from __future__ import annotations

from volstyle.engine.outline import Outline
from volstyle.record import threads

from ..screen import Screen, size_text
from .inputs import Inputs
from .order import Order


def say_plan(screen: Screen, order: Order, run: Outline, inputs: Inputs) -> None:
    """One line for each thing, what is read first and what is written last."""
    size, count = size_text(inputs.shape, order.kind), len(inputs.parts)
    parts = f" in {count} parts" if count > 1 else ""
    screen.entry("content", f"{order.content or 'none, a texture'}, {size}{parts}")
    for style in order.styles:
        weight = f", weight {style.weight:g}" if len(order.styles) > 1 else ""
        time = f", at {style.at.value:g}{style.at.unit}" if style.at else ""
        screen.entry("style", f"{style.path}{weight}{time}")
    say_engine(screen, run, order.kind)
    full = ", at the source's size" if order.full_size else ""
    screen.entry("output", f"{order.output}{full}")


def say_engine(screen: Screen, run: Outline, kind: str) -> None:
    """Network, machine and stages."""
    screen.entry("network", f"{run.network.name} ({run.network.digest[:8]})")
    screen.entry("device", f"{run.recipe.device}, {run.recipe.precision}, {threads()} threads")
    for number, stage in enumerate(run.stages, start=1):
        screen.entry(f"stage {number}", f"{size_text(stage.shape, kind)}, {stage.steps} steps")
