"""Recipes: from options, from files, to files."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from volstyle.codecs.atomic import arriving
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.media.defaults import composed
from volstyle.recipe import Recipe, assigned, read_choices
from volstyle.record import Record

from .options import RecipeOptions


def recipe_of(options: RecipeOptions, kind: str | None = None) -> Recipe:
    """The defaults of the medium, then a file, then options, then --set; the last wins. Raises VolstyleError.

    kind: of the content, if the options do not tell it.
    """
    given = {} if options.recipe is None else load_choices(options.recipe)
    return composed(kind or options.kind, given, options.choices(), *map(assigned, options.set_))


def load_choices(path: Path) -> dict[str, Any]:
    """The choices in a TOML file, or those of a record, nested. Raises VolstyleError."""
    if path.suffix == ".json":
        return dataclasses.asdict(Record.load(path).recipe)
    try:
        choices = read_choices(path.read_text(encoding="utf-8"))
        Recipe().updated(choices)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such recipe; `volstyle recipe save {path}` makes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a recipe ({error})") from error
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    return choices


def save_recipe(path: Path, recipe: Recipe, *, force: bool) -> None:
    """Raises OutputError when path is there already and not to be replaced."""
    if path.suffix != ".toml":
        raise OutputError(f"{path}: suffix {path.suffix!r} is not that of a recipe, must be .toml")
    with arriving(path, force) as temporary:
        temporary.write_text(recipe.to_toml(), encoding="utf-8")


def edit_recipe(path: Path) -> None:
    """Open a recipe in the user's editor; what comes out replaces it only if it is one. Raises VolstyleError."""
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
