"""What the README and the samples tell people to type is there to be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from volstyle.recipe import Recipe
from volstyle_cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = sorted((ROOT / "samples").glob("*.toml"))


def commands(text: str) -> Iterator[str]:
    """The command lines of volstyle in a text, without `uv run` and the continuation of lines."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.match(r"(?:# )?(?:.*&& )?(?:uv run )?volstyle ([^#|`]+)", line.strip())
        if found:
            yield found[1].strip()


SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [*commands(SHELL), *(c for path in RECIPES for c in commands(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one(command: str) -> None:
    """Its options are known and their values of the right kind; files of the samples are there."""
    words = shlex.split(command)
    group: typer.core.TyperGroup = typer.main.get_command(app)  # type: ignore[assignment]
    context = group.make_context("volstyle", [], resilient_parsing=True)
    chosen = group
    while isinstance(chosen, typer.core.TyperGroup):
        name, chosen, words = chosen.resolve_command(context, words)  # type: ignore[assignment]
    chosen.make_context(name, list(words), parent=context)
    for word in words:
        if word.startswith("samples/"):
            assert (ROOT / word.split("@")[0]).exists(), word


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_sample_recipe_is_one(path: Path) -> None:
    recipe = Recipe.from_toml(path.read_text(encoding="utf-8"))
    recipe.check()
    assert recipe != Recipe()


def test_benchmarks_named_are_there() -> None:
    named = set(re.findall(r"tests\.benchmarks\.(\w+)", README))
    there = {path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py")} - {"__init__", "common"}
    assert named <= there


def test_pictures_shown_are_there() -> None:
    shown = re.findall(r'(?:\]\(|src=")(samples/[^)"]+)', README)
    assert shown
    for name in shown:
        assert (ROOT / name).is_file(), name
