"""`volstyle recipe`: recipes from options, from files, and to files."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from volstyle.codecs.atomic import arriving
from volstyle.errors import OutputError, RecipeError
from volstyle.media.choices import load_choices
from volstyle.media.table import medium_named
from volstyle.recipe import Recipe, assigned

from .options import RecipeOptions

NOTHING: Mapping[str, Any] = {}


def recipe_of(
    options: RecipeOptions, choices: Mapping[str, Any] = NOTHING, *sources: Path | None, medium: str | None = None
) -> Recipe:
    """The defaults of the medium, then a file, then options, then --set; the last wins. Raises VolstyleError.

    choices: those that follow from the size that is asked for. sources: the content, None for a texture, and the
    style. medium: the content's, if the options do not tell it.
    """
    given = {} if options.recipe is None else load_choices(options.recipe)
    content, style = (*sources, None, None)[:2] if sources else (Path(), None)
    chosen = (options.choices(), choices, *map(assigned, options.set_))
    return medium_named(medium or options.medium).recipe(content, style, given, *chosen)


def save_recipe(path: Path, recipe: Recipe, *, force: bool) -> None:
    """Write a recipe as TOML. Raises OutputError for a file that exists, unless it is forced."""
    if path.suffix != ".toml":
        raise OutputError(f"{path}: suffix {path.suffix!r} is not that of a recipe, must be .toml")
    with arriving(path, force) as temporary:
        temporary.write_text(recipe.to_toml(), encoding="utf-8")


def edit_recipe(path: Path) -> None:
    """Open a recipe in the user's editor. It is replaced only by a valid recipe. Raises VolstyleError."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise RecipeError("EDITOR: names no editor; set it, or use `volstyle recipe save FILE --set KEY=VALUE`")
    text = path.read_text(encoding="utf-8") if path.exists() else Recipe().to_toml()
    with arriving(path, force=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(temporary)], check=True)
            Recipe.from_toml(temporary.read_text(encoding="utf-8"))
        except (OSError, subprocess.CalledProcessError) as error:
            raise RecipeError(f"EDITOR: {editor!r} does not work ({error}); {path} is left as it was") from error
        except RecipeError as error:
            raise RecipeError(f"{path}: left as it was, {error}") from error
