"""What happened, as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import NUMBERS, RECIPES
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


JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
STAGES = st.builds(
    StageRecord,
    shape=st.lists(st.integers(1, 2**31), min_size=1, max_size=4).map(tuple),
    steps=st.integers(0, 10**6),
    costs=st.dictionaries(st.text(), st.lists(NUMBERS, max_size=3), max_size=3),
    seconds=st.floats(allow_nan=False, allow_infinity=False),
)
RECORDS = st.builds(
    Record,
    recipe=RECIPES,
    threads=st.integers(1, 2**31),
    versions=st.dictionaries(st.text(), st.text(), max_size=3),
    stages=st.lists(STAGES, max_size=3).map(tuple),
    notes=st.lists(st.text(), max_size=3).map(tuple),
    command=st.dictionaries(st.text(), JSON, max_size=3),
)


@given(RECORDS)
def test_any_record_comes_back(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    path = tmp_path_factory.getbasetemp() / "record.json"
    path.write_text(record.to_json())
    assert Record.load(path) == record


@given(st.data())
def test_any_entry_of_a_record_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """With one entry, at any depth, of any other kind."""
    values = json.loads(RECORD.to_json())
    place = values
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_text(json.dumps(values))
    try:
        assert isinstance(Record.load(path), Record)
    except InputError as error:
        assert "\n" not in str(error)


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
    with pytest.raises(InputError, match=r"record\.json: (not a record of volstyle|a record with)") as raised:
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


@pytest.mark.parametrize(("name", "begins"), [("vgg16", "397923af"), ("vgg19", "dcbb9e9d")])
def test_torchvisions_networks_of_before_keep_their_weights(name: str, begins: str, tmp_path: Path) -> None:
    """Once `vgg16` and `vgg19` were torchvision's; the hash of the weights tells."""
    values = json.loads(RECORD.to_json())
    values |= {"network": name, "weights": begins + "0" * 56}
    values["recipe"]["network"]["name"] = name
    (tmp_path / "record.json").write_text(json.dumps(values))
    record = Record.load(tmp_path / "record.json")
    assert record.network == record.recipe.network.name == f"{name}_torchvision"


def test_the_original_vgg19_keeps_its_name(tmp_path: Path) -> None:
    values = json.loads(RECORD.to_json())
    values |= {"network": "vgg19", "weights": "c34748d2" + "0" * 56}
    (tmp_path / "record.json").write_text(json.dumps(values))
    record = Record.load(tmp_path / "record.json")
    assert record.network == record.recipe.network.name == "vgg19"


def test_a_record_from_before_a_choice_is_as_it_was_then(tmp_path: Path) -> None:
    values = json.loads(RECORD.to_json())
    del values["recipe"]["schedule"]["fine_above"], values["recipe"]["schedule"]["full_above"]
    del values["recipe"]["learn"]["carry"]
    del values["recipe"]["style"]["fine_taps"], values["recipe"]["content"]["fine_taps"]
    (tmp_path / "record.json").write_text(json.dumps(values))
    found = Record.load(tmp_path / "record.json").recipe
    assert (found.schedule.fine_above, found.schedule.full_above, found.learn.carry) == (0, 0, 0)
    assert found.style.fine_taps == found.content.fine_taps == {}
