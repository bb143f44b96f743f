"""Choices of a recipe, as they are given: in a file, in a record, or one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from volstyle.errors import InputError, RecipeError
from volstyle.media.presets import without_preset
from volstyle.recipe import Recipe, read_choices
from volstyle.record import Record


def load_choices(path: Path) -> dict[str, Any]:
    """The choices in a TOML file, which may name a preset, or those of a record, nested. Raises VolstyleError."""
    if path.suffix == ".json":
        return dataclasses.asdict(Record.load(path).recipe)
    try:
        choices = read_choices(path.read_text(encoding="utf-8"))
        _, [known] = without_preset(choices)
        Recipe().updated(known)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such recipe; `volstyle recipe save {path}` makes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a recipe ({error})") from error
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    return choices


def given_choices(recipe: Recipe | Path | str | None) -> dict[str, Any]:
    """All choices of a recipe, or those in a file; none for None. Raises VolstyleError."""
    if recipe is None:
        return {}
    return dataclasses.asdict(recipe) if isinstance(recipe, Recipe) else load_choices(Path(recipe))


def nested(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Choices by their keys, each as it stands in the TOML, to be applied one after the other:
    {"schedule.steps": 300} is [{"schedule": {"steps": 300}}]."""
    found = []
    for key, value in choices.items():
        for part in reversed(key.split(".")):
            value = {part: value}
        found.append(value)
    return found
