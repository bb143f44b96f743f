"""What happened, as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from volstyle.errors import InputError
from volstyle.recipe import Recipe
from volstyle.record import Record, StageRecord, threads, versions

RECORD = Record(
    recipe=Recipe().set("style.taps.relu1_1=0.1").set("schedule.steps=7"),
    network="tiny",
    weights="f" * 64,
    device="cpu",
    precision="float32",
    threads=2,
    versions={"torch": "2.8"},
    stages=(
        StageRecord((3, 10, 12), 2, {"style": [0.1, 1 / 3], "content": [0.0, 1e-30]}, 0.25),
        StageRecord((3, 20, 24), 1, {"style": [float("inf")]}, 1.5),
    ),
    notes=("sound: as it was",),
    command={"content": "a.mp4", "inputs": {"a.mp4": "0" * 64}},
)


def test_round_trip(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(RECORD.to_json())
    assert Record.load(tmp_path / "record.json") == RECORD


def changed(**changes: object) -> str:
    values = json.loads(RECORD.to_json())
    for key, value in changes.items():
        if value is None:
            del values[key]
        else:
            values[key] = value
    return json.dumps(values)


def test_a_record_of_before_keys_were_renamed(tmp_path: Path) -> None:
    values = json.loads(RECORD.to_json())
    values["recipe"]["style"]["window"] = values["recipe"]["style"].pop("frames") + 1
    (tmp_path / "record.json").write_text(json.dumps(values))
    assert Record.load(tmp_path / "record.json").recipe == RECORD.recipe.set("style.frames=2")


BAD = {
    "not JSON": "{",
    "another file": "[1, 2]",
    "no format": changed(volstyle_record=None),
    "another format": changed(volstyle_record=99),
    "a missing entry": changed(network=None),
    "an unknown entry": changed(nettwork="a"),
    "stages of another kind": changed(stages=[{"shape": [3]}]),
    "no stages": changed(stages=3),
    "no recipe": changed(recipe=None),
    "a recipe of another kind": changed(recipe=3),
    "a recipe with a key of another version": changed(recipe={"style": {"manner": 3}}),
    "not text": "\udcff\udcfe",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_record(name: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(BAD[name].encode(errors="surrogateescape"))
    with pytest.raises(
        InputError, match=r"record\.json: (not a record of volstyle|a record with a damaged)"
    ) as raised:
        Record.load(path)
    assert "\n" not in str(raised.value)


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such record"):
        Record.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="not a record"):
        Record.load(tmp_path)


def test_versions_are_of_what_runs() -> None:
    assert versions()["torch"] == torch.__version__.split("+")[0] or versions()["torch"] == torch.__version__
    assert set(versions()) >= {"python", "volstyle", "torch", "numpy"}
    assert threads() == torch.get_num_threads()
