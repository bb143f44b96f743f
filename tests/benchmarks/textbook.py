"""The picture that emerges from noise by plain gradient descent, as samples/textbook.toml says.

Prints both costs at some steps and writes a strip: content, style, and G at those steps.
uv run python -m tests.benchmarks.textbook CONTENT STYLE --strip textbook.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor

from tests.tiny import stylized
from volstyle.codecs import Encoding, Selection, read, write
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Step
from volstyle.recipe import Recipe
from volstyle_cli.draw.contact_sheet import Captioned, contact_sheet

SHOWN = (0, 10, 100, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=100, help="long side; the content weight goes with its square")
    parser.add_argument("--set", nargs="*", default=[], help="choices of the recipe, KEY=VALUE")
    parser.add_argument("--strip", type=Path, default=Path("textbook.png"))
    given = parser.parse_args()
    recipe = Recipe.from_toml(Path("samples/textbook.toml").read_text())
    recipe = recipe.set(f"content.weight={recipe.content.weight * (100 / given.size) ** 2}")
    for assignment in given.set:
        recipe = recipe.set(assignment)
    content, style = read(given.content, Selection(size=given.size)), read(given.style)
    shown: list[Captioned] = [("content", content.samples), ("style", style.samples)]
    before: dict[str, Tensor] = {}

    def watch(step: Step) -> None:
        """Costs are those before the step, so they belong to the samples of the step before."""
        number = step.step - 1
        if number in SHOWN or step.step == step.stages[0].steps:
            print(
                f"step {number}: " + ", ".join(f"{name} {cost:.3g}" for name, cost in step.costs.items()),
                flush=True,
            )
            if number in SHOWN and "samples" in before:
                shown.append((f"step {number}", before["samples"]))
        if step.step in SHOWN:
            before["samples"] = step.samples.clone().cpu()

    start = stylized(content, [Style(style)], recipe.set("schedule.steps=1").set("optimizer.rate=1e-30"))
    before["samples"] = start.field.samples
    result = stylized(content, [Style(style)], recipe, watch)
    shown.append((f"step {recipe.schedule.steps}", result.field.samples))
    write(given.strip, contact_sheet([shown], 240, 320), Encoding(force=True))


if __name__ == "__main__":
    main()
