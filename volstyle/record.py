"""What happened in a run: enough to do it again, byte for byte on the same machine."""

from __future__ import annotations

import dataclasses
import json
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from volstyle.errors import InputError, RecipeError
from volstyle.recipe import Recipe, merged

FORMAT = 1


@dataclass(frozen=True)
class StageRecord:
    """shape, steps: of the stage; costs: term -> weighted cost, at each step; seconds: it took."""

    shape: tuple[int, ...]
    steps: int
    costs: dict[str, list[float]]
    seconds: float


@dataclass(frozen=True)
class Record:
    """What happened.

    recipe: with every choice resolved. network, weights: the extractor and the hash of its weights.
    device, precision, threads: where it ran. versions: of what it ran on. stages: their costs. notes: anything
    not as asked. command: what the caller needs to do it again (inputs with their hashes, output, encoding);
    the engine leaves it empty.
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

    def to_json(self) -> str:
        return json.dumps({"volstyle_record": FORMAT, **dataclasses.asdict(self)}, indent=1)

    @staticmethod
    def load(path: Path) -> Record:
        """Raises InputError when there is none at path, or one of another format."""
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such record") from error
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a record of volstyle (not JSON)") from error
        found = values.pop("volstyle_record", None) if isinstance(values, dict) else None
        if found != FORMAT:
            raise InputError(f"{path}: not a record of volstyle in format {FORMAT} (found {found})")
        try:
            values["recipe"] = _as_it_was(values)
            values["stages"] = tuple(
                StageRecord(**{**stage, "shape": tuple(stage["shape"])}) for stage in values["stages"]
            )
            values["notes"] = tuple(values["notes"])
            return Record(**values)
        except (AttributeError, KeyError, RecipeError, TypeError) as error:
            raise InputError(f"{path}: a record with a damaged entry ({error})") from error


_TORCHVISION = {"vgg16": "397923af", "vgg19": "dcbb9e9d"}
"""Names that once were torchvision's networks -> how the hash of their weights begins."""

_SINCE = {"content": {"fine_taps": {}}, "style": {"fine_taps": {}}, "schedule": {"fine_above": 0}}
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
    """Of everything a result depends on."""
    names = ("volstyle", "torch", "numpy", "av", "opencv-python-headless")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def threads() -> int:
    """How many threads torch computes with; sums are rounded differently with another number."""
    return torch.get_num_threads()
