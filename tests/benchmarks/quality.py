"""Time to quality: the default schedule against 1000 iterations of L-BFGS at one scale, 512 px.

Both with the same network and costs, from the content; the cost that counts is the weighted sum at the last scale
in float32. Prints how much of the time of L-BFGS the default schedule takes, and both costs.
uv run python -m tests.benchmarks.quality CONTENT STYLE
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.tiny import stylized
from volstyle.codecs import Selection, read
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Step
from volstyle.grid.field import Field
from volstyle.recipe import Recipe


def cost(content: Field, style: Style, result: Field, recipe: Recipe) -> float:
    """Of a result, by one step at full size from it."""
    found: list[float] = []
    single = recipe.set("schedule.smallest=100000").set("schedule.steps=1").set("precision=float32")
    stylized(content, [style], single, lambda step: found.append(sum(step.costs.values())), init=result)
    return found[0]


def main() -> None:
    content = read(Path(sys.argv[1]), Selection(size=512))
    style = Style(read(Path(sys.argv[2])))
    default = Recipe()
    single = default.set("schedule.smallest=100000").set("schedule.steps=1000").set("optimizer.name=lbfgs")
    trail: list[tuple[float, float]] = []
    began = time.perf_counter()

    def watch(step: Step) -> None:
        trail.append((time.perf_counter() - began, sum(step.costs.values())))

    slow = stylized(content, [style], single, watch)
    slow_seconds = time.perf_counter() - began
    began = time.perf_counter()
    quick = stylized(content, [style], default)
    quick_seconds = time.perf_counter() - began
    quick_cost, slow_cost = (cost(content, style, r.field, replace(default)) for r in (quick, slow))
    there = next((seconds for seconds, found in trail if found <= quick_cost), float("inf"))
    print(f"L-BFGS, 1000 iterations: cost {slow_cost:.4f}")
    print(f"default schedule: cost {quick_cost:.4f} in {quick_seconds / slow_seconds:.1%} of its time")
    print(f"L-BFGS takes {there / quick_seconds:.1f} times as long to the cost of the default schedule")


if __name__ == "__main__":
    main()
