"""Choices as nested mappings, the shape that TOML gives them: read, merged, and laid into dataclasses."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_type_hints

from volstyle.errors import RecipeError, nearest

_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
"""Type -> how messages call it."""


def read_choices(text: str) -> dict[str, Any]:
    """The choices in the text of a TOML file, nested. The file need not name all choices. Raises RecipeError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe: not TOML ({error})") from error


def assigned(assignment: str) -> dict[str, Any]:
    """One choice as a nested mapping: "schedule.steps=300" gives {"schedule": {"steps": 300}}. Raises
    RecipeError."""
    key, equals, text = assignment.partition("=")
    if not equals:
        raise RecipeError(f"set: {assignment!r} must be KEY=VALUE, as in schedule.steps=300")
    value: Any = text.strip()
    try:
        value = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        with suppress(ValueError):  # ".5" and "1e-3", which TOML does not take for numbers
            value = float(value)
    for part in reversed(key.strip().split(".")):
        value = {part: value}
    return dict(value)


def merged(*choices: Mapping[str, Any]) -> dict[str, Any]:
    """Several nested mappings of choices as one. The last wins. A table of taps is replaced whole, not merged."""
    found: dict[str, Any] = {}
    for layer in choices:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
            found[key] = merged(found[key], value) if both and not key.endswith("taps") else value
    return found


def updated_by(values: Mapping[str, Any], choice: Any, renamed: Mapping[str, str], prefix: str = "") -> Any:
    """A dataclass of choices with some of them replaced.

    values: nested choices. renamed: whole names of keys as they once were -> what they are called now, in the same
    table. prefix: what stands before the names of these keys in messages. Raises RecipeError for an unknown key,
    naming the nearest, and for a value of another type.
    """
    hints = get_type_hints(type(choice))
    changes = {}
    for given, value in values.items():
        name = f"{prefix}{given}"
        key = renamed.get(name, given)
        if key not in hints:
            raise RecipeError(f"recipe: no key {name!r}; {nearest(key, hints)}")
        if key in changes:
            raise RecipeError(f"recipe: {prefix}{key} is given twice, once by its old name; leave one out")
        changes[key] = _checked(getattr(choice, key), value, name, hints[key], renamed)
    return dataclasses.replace(choice, **changes)


def _checked(old: Any, value: Any, name: str, kind: type, renamed: Mapping[str, str]) -> Any:
    if dataclasses.is_dataclass(old):
        if not isinstance(value, Mapping):
            raise RecipeError(f"recipe: {name} is {value!r}, must be a table of keys")
        return updated_by(value, old, renamed, f"{name}.")
    if isinstance(old, dict):
        if not isinstance(value, Mapping) or not all(_is_number(v) for v in value.values()):
            raise RecipeError(f"recipe: {name} is {value!r}, must be a table of taps and weights")
        return {str(tap): float(weight) for tap, weight in value.items()}
    if kind is float and _is_number(value):
        return float(value)
    if type(value) is not kind:
        raise RecipeError(f"recipe: {name} is {value!r}, must be {_KINDS[kind]}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
