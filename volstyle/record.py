"""What happened in a run: enough to do it again, byte for byte on the same machine."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch

from volstyle.errors import InputError, RecipeError
from volstyle.recipe import Recipe, merged

FORMAT = 1


@dataclass(frozen=True)
class StageRecord:
    """shape: the grid of the stage. steps: how many it was to have. costs: term -> weighted cost at each step.
    seconds: the time it took."""

    shape: tuple[int, ...]
    steps: int
    costs: dict[str, list[float]]
    seconds: float


@dataclass(frozen=True)
class Record:
    """What happened.

    recipe: with every choice resolved. network, weights: the extractor and the hash of its weights. device,
    precision, threads: where it ran. versions: of what it ran on. stages: their costs. notes: anything not as
    asked. command: what the caller needs to do it again (inputs with their hashes, output, encoding); the engine
    leaves it empty. ranks: how many processes shared it.
    """

    recipe: Recipe
    network: str
    weights: str
    device: str
    precision: str
    threads: int
    versions: dict[str, str]
    stages: tuple[StageRecord, ...]
    notes: tuple[str, ...] = ()
    command: dict[str, Any] = field(default_factory=dict)
    ranks: int = 1

    def to_json(self) -> str:
        return json.dumps({"volstyle_record": FORMAT, **dataclasses.asdict(self)}, indent=1)

    @staticmethod
    def load(path: Path) -> Record:
        """Raises InputError when there is none at path, or one of another format."""
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such record") from error
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: not a record of volstyle (not JSON)") from error
        found = values.pop("volstyle_record", None) if isinstance(values, dict) else None
        if found != FORMAT:
            raise InputError(f"{path}: not a record of volstyle in format {FORMAT} (found {found})")
        _check_names(path, Record, values)
        entry = "recipe"
        try:
            values["recipe"] = _as_it_was(values)
            entry = "stages"
            for stage in values["stages"]:
                _check_names(path, StageRecord, stage)
            values["stages"] = tuple(
                StageRecord(**{**stage, "shape": tuple(stage["shape"])}) for stage in values["stages"]
            )
            entry = "notes"
            values["notes"] = tuple(values["notes"])
        except RecipeError as error:
            raise InputError(f"{path}: a record with a damaged entry 'recipe' ({error})") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"{path}: a record with a damaged entry {entry!r}") from error
        record = Record(**values)
        check_entries(path, record)
        for stage in record.stages:
            check_entries(path, stage)
            if not math.isfinite(stage.seconds):
                raise InputError(f"{path}: a record with seconds {stage.seconds}, must be finite")
        for name, count in (("threads", record.threads), ("ranks", record.ranks)):
            if count < 1:
                raise InputError(f"{path}: a record with {name} {count}, must be 1 or more")
        return record


def _check_names(path: Path, kind: type[Record | StageRecord], values: Mapping[str, Any]) -> None:
    """Raises InputError for an entry that a record must have and has not, or has and nobody knows."""
    known = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind)}
    for name, is_needed in known.items():
        if is_needed and name not in values:
            raise InputError(f"{path}: a record without the entry {name!r}")
    for name in values:
        if name not in known:
            raise InputError(f"{path}: a record with the entry {name!r}, which is not known")


def check_entries(path: Path, record: Any) -> None:
    """Raises InputError for a dataclass, made from what stands in a file, whose fields are of other types than it
    says."""
    for name, kind in get_type_hints(type(record)).items():
        value = getattr(record, name)
        if not _is_of(value, kind):
            raise InputError(f"{path}: a record with {name} {value!r}, must be {_said(kind)}")


def _said(kind: Any) -> str:
    """What JSON calls a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(_said(one) for one in sorted(inner, key=lambda one: one is not NoneType))
    if inner:
        of = "" if Any in inner else f", each of its entries {_said(inner[0 if origin in (list, tuple) else 1])}"
        return f"an {'array' if origin in (list, tuple) else 'object'}{of}"
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
    return names.get(kind, "an object")


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a type: a class, dict[K, V], list[V], tuple[V, ...], Mapping, or a union of such."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(_is_of(value, one) for one in inner)
    if origin is None:
        if kind is None or kind is NoneType:
            return value is None
        wider = (int, float) if kind is float else kind
        return isinstance(value, wider) and (kind is bool or not isinstance(value, bool))
    if not isinstance(value, origin):
        return False
    if isinstance(value, dict):
        return all(_is_of(key, inner[0]) and _is_of(entry, inner[1]) for key, entry in value.items())
    if origin is tuple and Ellipsis not in inner:
        return len(value) == len(inner) and all(_is_of(v, k) for v, k in zip(value, inner, strict=True))
    return all(_is_of(entry, inner[0]) for entry in value)


_TORCHVISION = {"vgg16": "397923af", "vgg19": "dcbb9e9d"}
"""Names that once stood for torchvision's networks -> how the hashes of their weights begin."""

_SINCE = {
    "content": {"fine_taps": {}},
    "style": {"fine_taps": {}},
    "schedule": {"fine_above": 0, "full_above": 0},
    "learn": {"carry": 0.0},
}
"""Choices that older records do not have, as they were before there was a choice."""


def _as_it_was(values: dict[str, Any]) -> Recipe:
    """The recipe of a record, by the names of today."""
    recipe = Recipe().updated(merged(_SINCE, values["recipe"]))
    name = recipe.network.name
    if name in _TORCHVISION and values["weights"].startswith(_TORCHVISION[name]):
        values["network"] = f"{name}_torchvision"
        return recipe.updated({"network": {"name": values["network"]}})
    return recipe


def versions() -> dict[str, str]:
    """The versions of everything that a result depends on: name -> version."""
    names = ("volstyle", "torch", "numpy", "av", "opencv-python-headless")
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


_version = cache(version)
"""The version of a package, for which all that is installed is searched: that takes milliseconds."""


def threads() -> int:
    """How many threads torch computes with; sums are rounded differently with another number."""
    return torch.get_num_threads()
