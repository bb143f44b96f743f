"""Files of learned networks: what is in them is as it should be, or the error is one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from volstyle.engine.checkpoint import save_tensors
from volstyle.engine.learned_solid import LearnedSolid
from volstyle.engine.painting import LearnedStyle
from volstyle.errors import InputError
from volstyle.networks.generator import Plan, StageGenerator

PLAN = Plan(width=6, deep=8, residuals=1)

Change = Callable[[dict[str, Any], dict[str, Tensor]], object]

BAD: dict[str, tuple[Change, str]] = {
    "an earlier version": (
        lambda about, _: about.update(format=3),
        "is a learned style of version 3; must be one of version 4, made by `volstyle learn`",
    ),
    "no stages": (lambda about, _: about.update(stages=[]), "its stages and names disagree"),
    "no names": (lambda about, _: about.update(names=[]), "its stages and names disagree"),
    "more names than styles": (lambda about, _: about.update(names=["a", "b"]), "its stages and names disagree"),
    "a ratio of 0": (lambda about, _: about.update(ratio=0), "its ratio is 0"),
    "a ratio that is none": (lambda about, _: about.update(ratio="x"), "a damaged entry"),
    "blocks of nothing": (lambda about, _: about["stages"][0]["plan"].update(axes=-1, block=0), "a damaged entry"),
    "no such choice": (lambda about, _: about["stages"][0]["plan"].update(depth=3), "a damaged entry"),
    "no gains": (lambda _, tensors: tensors.pop("stage0.up.gain"), r"a damaged entry \('stage0.up.gain'\)"),
    "gains of another shape": (
        lambda _, tensors: tensors.update({"stage0.up.gain": torch.zeros(3)}),
        re.escape("stage 0, up.gain is (3,), must be (24,)"),
    ),
}


def _written(path: Path, entry: str, change: Change) -> None:
    about: dict[str, Any] = {
        "format": 4,
        "stages": [{"size": 16, "plan": asdict(PLAN)}],
        "names": ["a"],
        "network": "random",
        "ratio": 2.25,
    }
    tensors = {f"stage0.{name}": weight for name, weight in StageGenerator.new(PLAN, 0).weights.items()}
    change(about, tensors)
    save_tensors(tensors, path, {entry: json.dumps(about)})


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    _written(tmp_path / "a.safetensors", "volstyle_learned", lambda *_: None)
    assert LearnedStyle.load(tmp_path / "a.safetensors").plan == PLAN


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=list(BAD))
def test_what_is_not_as_it_should_be_is_one_line(change: Change, said: str, tmp_path: Path) -> None:
    _written(tmp_path / "a.safetensors", "volstyle_learned", change)
    with pytest.raises(InputError, match=said) as error:
        LearnedStyle.load(tmp_path / "a.safetensors")
    assert "\n" not in str(error.value)


def test_a_file_of_the_other_kind_is_called_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    _written(path, "volstyle_solid", lambda *_: None)
    with pytest.raises(InputError, match="is a learned solid; must be one of version 4, made by `volstyle learn`"):
        LearnedStyle.load(path)
    _written(path, "volstyle_learned", lambda *_: None)
    with pytest.raises(InputError, match="is a learned style; must be one of version 2, made by"):
        LearnedSolid.load(path)
    _written(path, "another", lambda *_: None)
    with pytest.raises(InputError, match="is no learned style; must be one of version 4"):
        LearnedStyle.load(path)
