"""The state of a run on disk and back: everything that its next stage needs, bit for bit."""

from __future__ import annotations

import dataclasses
import errno
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from volstyle.engine.optimize import Momentum
from volstyle.errors import InputError
from volstyle.record import StageRecord


@dataclass(frozen=True)
class Reached:
    """The state of a part after some of its stages. samples: (C, *S) after the last of them. momentum: the
    momentum for the next stage. stages: the record of each stage. notes: what the user should know. finished:
    after the last stage, the samples to be written, in float32 or in levels of 16 bits; samples are then only
    those that later parts hold fixed."""

    samples: Tensor
    momentum: Momentum | None = None
    stages: tuple[StageRecord, ...] = ()
    notes: tuple[str, ...] = ()
    finished: Tensor | None = None

    def save(self, path: Path) -> None:
        """Raises OSError."""
        tensors = {"samples": self.samples}
        if self.momentum is not None:
            tensors |= {"first": self.momentum.first, "second": self.momentum.second}
        if self.finished is not None:
            tensors["finished"] = self.finished
        facts = {
            "steps": self.momentum.steps if self.momentum else 0,
            "stages": [dataclasses.asdict(stage) for stage in self.stages],
            "notes": self.notes,
        }
        save_tensors(tensors, path, {"facts": json.dumps(facts)})

    @staticmethod
    def load(path: Path) -> Reached:
        """The state in a file. Raises InputError for a damaged file."""
        tensors, metadata = load_tensors(path)
        try:
            facts = json.loads(metadata["facts"])
            momentum = None
            if "first" in tensors:
                momentum = Momentum(tensors["first"], tensors["second"], facts["steps"])
            stages = (StageRecord(**{**stage, "shape": tuple(stage["shape"])}) for stage in facts["stages"])
            finished = tensors.get("finished")
            return Reached(tensors["samples"], momentum, tuple(stages), tuple(facts["notes"]), finished)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, error) from error


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors as safetensors. Raises OSError."""
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(flat, path, metadata=dict(metadata))
    except SafetensorError as error:  # which has the system's number in its words alone
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a state. Raises InputError for a file that is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InputError:
    """What is said of a state that cannot be read."""
    return InputError(f"{path}: a damaged state ({error}); --no-resume starts over")
