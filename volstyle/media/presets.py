"""Looks by name: each says by how much it multiplies what a kind of content and a network begin with."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from volstyle.errors import RecipeError, nearest
from volstyle.recipe import Recipe, merged

PRESETS: Mapping[str, Mapping[str, float]] = {
    "calm": {"content.weight": 6.0, "smoothness": 2.0},
    "bold": {"content.weight": 0.35, "style.scale": 2.0},
    "fine": {"style.scale": 0.5},
    "fast": {"schedule.steps": 0.3},
}
"""Name -> key of a choice -> factor. calm: more of the content stays, and its surfaces are plainer. bold: the
style rules, its strokes twice as large. fine: strokes half as large. fast: a third of the steps, for a look.
"""

KEY = "preset"
"""How choices name a preset, beside the keys of a recipe: as `preset = "bold"` in a file."""


def without_preset(*choices: Mapping[str, Any]) -> tuple[str | None, list[dict[str, Any]]]:
    """The preset that the last of some choices names, None if none does, and the choices without it. Raises
    RecipeError for a name that no preset has, and for a preset all of whose keys are chosen too."""
    named = [layer[KEY] for layer in choices if KEY in layer]
    for name in named:
        if name not in PRESETS:
            raise RecipeError(f"{KEY}: {name!r} is unknown; {nearest(str(name), PRESETS)}")
    left = [{key: layer[key] for key in layer if key != KEY} for layer in choices]
    if named and all(_has(merged(*left), key) for key in PRESETS[named[-1]]):
        keys = " and ".join(PRESETS[named[-1]])
        raise RecipeError(f"{KEY}: {named[-1]} changes {keys}, which is chosen besides; leave one of them out")
    return (named[-1] if named else None), left


def _has(choices: Mapping[str, Any], key: str) -> bool:
    table, _, name = key.rpartition(".")
    return name in (choices.get(table, {}) if table else choices)


def with_preset(recipe: Recipe, name: str | None) -> Recipe:
    """A recipe multiplied by the factors of a preset; whole numbers are rounded, to 1 at least."""
    for key, factor in PRESETS[name].items() if name else ():
        value = attrgetter(key)(recipe) * factor
        whole = isinstance(attrgetter(key)(recipe), int)
        recipe = recipe.set(f"{key}={max(1, round(value)) if whole else float(value)}")
    return recipe
