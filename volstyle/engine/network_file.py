"""A file of networks that were learned: their weights as safetensors, and an entry that says all else, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from volstyle.engine.checkpoint import save_tensors
from volstyle.errors import InputError, WeightsError
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.weights import Weights, load_weights

SUFFIX = ".safetensors"

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class NetworkFile:
    """One kind of these files. what: its name in messages. entry: of the metadata, by which it is known. version:
    of what it holds. by: the command that makes one."""

    what: str
    entry: str
    version: int
    by: str

    def save(
        self,
        path: Path,
        generators: Sequence[StageGenerator],
        tensors: Mapping[str, Tensor],
        about: Mapping[str, Any],
    ) -> None:
        """Write the networks of all stages, more tensors, and what is to be kept with them. Raises OSError."""
        weights = {
            f"stage{number}.{name}": weight
            for number, generator in enumerate(generators)
            for name, weight in generator.weights.items()
        }
        # All in one entry, for the order of several would be left to chance.
        said = {self.entry: json.dumps({"format": self.version, **about})}
        save_tensors({**weights, **tensors}, path, said)

    def load(self, path: Path, read: Callable[[Mapping[str, Any], Weights], _Read]) -> _Read:
        """What a function makes of a file's entry and its tensors. It may raise the errors of what is not as it
        should be: ValueError, LookupError, TypeError, AttributeError, ArithmeticError. Raises InputError for them,
        for a file of another kind, and for one of another version."""
        weights = _weights(path)
        try:
            about = json.loads(weights.metadata.get(self.entry, "{}"))
            found = about.get("format")
            if found != self.version:
                kind = next((kind for kind in (STYLE, SOLID) if kind.entry in weights.metadata), None)
                says = f"is no {self.what}" if kind is None else f"is a {kind.what}"
                says += f" of version {found}" if kind == self else ""
                raise InputError(f"{path}: {says}; must be one of version {self.version}, made by `{self.by}`")
            return read(about, weights)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise InputError(f"{path}: a {self.what} with a damaged entry ({error})") from error

    def holds(self, path: Path) -> bool:
        """Whether a file is of this kind. Raises InputError for a file that holds no tensors."""
        return self.entry in _weights(path).metadata


STYLE = NetworkFile("learned style", "volstyle_learned", 4, "volstyle learn")
SOLID = NetworkFile("learned solid", "volstyle_solid", 2, "volstyle learn --shape")


def generator_of(plan: Mapping[str, Any], tensors: Mapping[str, Tensor], number: int) -> StageGenerator:
    """The network of a stage, by its number, from a file's tensors. plan: as the file's entry has it. Raises
    ValueError, KeyError or TypeError unless they are as planned."""
    planned = Plan(**plan)
    wanted = planned.shapes()
    weights = {name: tensors[f"stage{number}.{name}"].float() for name in wanted}
    for name, shape in wanted.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"stage {number}, {name} is {tuple(weights[name].shape)}, must be {shape}")
    return StageGenerator(planned, weights)


def _weights(path: Path) -> Weights:
    if not path.exists():
        raise InputError(f"style {path}: no such file")
    try:
        return load_weights(path)
    except WeightsError as error:
        raise InputError(str(error)) from error
