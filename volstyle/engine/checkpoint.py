"""Where a run has come to, on disk and back: all that its next stage needs, bit for bit."""

from __future__ import annotations

import dataclasses
import errno
import json
import re
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
    """After some stages. samples: (C, *S) of the last of them. momentum: for the next. stages: what happened in
    each. notes: for the user. finished: after all of them, what is to be written, in float32 or in levels of 16
    bits; then samples are only what a next part holds."""

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
        flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            save_file(flat, path, metadata={"facts": json.dumps(facts)})
        except SafetensorError as error:  # which has the system's number in its words alone
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error

    @staticmethod
    def load(path: Path) -> Reached:
        """Raises InputError for a file that is none."""
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                facts = json.loads(file.metadata()["facts"])
            momentum = None
            if "first" in tensors:
                momentum = Momentum(tensors["first"], tensors["second"], facts["steps"])
            stages = (StageRecord(**{**stage, "shape": tuple(stage["shape"])}) for stage in facts["stages"])
            finished = tensors.get("finished")
            return Reached(tensors["samples"], momentum, tuple(stages), tuple(facts["notes"]), finished)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: a damaged state ({error}); --no-resume starts over") from error
