"""Commands on volumes, and records, that must end in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.codecs.slices import counts, series, slice_of
from tests.scans import loaded
from volstyle.codecs import Encoding, Selection
from volstyle.codecs.stored import Array
from volstyle.errors import CapacityError, InputError, RecipeError
from volstyle.media.done import differences
from volstyle.media.names import default_output
from volstyle.media.order import Order, StyleOrder
from volstyle.media.table import MEDIA
from volstyle.media.volume import shape_of
from volstyle.recipe import Recipe
from volstyle.record import Record, StageRecord
from volstyle_cli import main

QUICK = ("--size", "16", "--set", "schedule.steps=1", "--set", "network.name=random", "-q")


def picture(path: Path) -> Path:
    import cv2

    array: Array = (np.arange(32 * 32 * 3).reshape(32, 32, 3) % 251).astype(np.uint8)
    cv2.imwrite(str(path), array)
    return path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("text", ["0", "8,0,8", "0,0,0"])
def test_a_shape_of_nothing(text: str) -> None:
    with pytest.raises(RecipeError, match="has a side of 0, must be 1 or more"):
        shape_of(text)


@pytest.mark.parametrize("text", ["99999999", "9999,9999,9999"])
def test_a_shape_that_no_memory_holds(text: str) -> None:
    with pytest.raises(CapacityError, match="GB are free; choose a smaller one"):
        shape_of(text)


@pytest.mark.parametrize("text", ["٣", "8,8", "-8", "8" * 5000])
def test_a_shape_that_is_none(text: str) -> None:
    with pytest.raises(RecipeError, match="must be Z,Y,X"):
        shape_of(text)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("sub-01.v2_bold.nii.gz", "sub-01.v2_bold-a.nii.gz"),
        ("1.2.840.113", "1.2.840.113-a"),
        ("scan.mhd", "scan-a.mha"),
        ("IM0001", "IM0001-a"),
        ("folder/", "folder-a"),
        ("Smith.John/", "Smith.John-a"),
        ("1.3.6.1.4.1/", "1.3.6.1.4.1-a"),
        ("cells.zarr/", "cells-a.zarr"),
    ],
)
def test_names_of_results(tmp_path: Path, name: str, output: str) -> None:
    content = tmp_path / name.rstrip("/")
    content.mkdir() if name.endswith("/") else content.touch()
    assert default_output(MEDIA["volume"], content, [Path("a.png")]) == Path(output)


@pytest.mark.parametrize("output", ["out.dcm", "folder"])
def test_a_nifti_into_dicom_is_refused_before_the_work(
    tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nib.save(nib.Nifti1Image(counts().astype(np.int16), np.eye(4)), tmp_path / "in.nii")
    monkeypatch.setattr("volstyle.media.run.stylize", lambda *_: pytest.fail("it was styled"))
    style = str(picture(tmp_path / "a.png"))
    assert main(["volume", str(tmp_path / "in.nii"), "--style", style, "-o", str(tmp_path / output), *QUICK]) == 2
    assert "DICOM holds the data of a patient, so it is only written from DICOM" in said(capsys)


def test_a_series_whose_name_has_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, style = series(tmp_path / "1.3.6.1.4.1"), picture(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert main(["volume", str(folder), "--style", str(style), *QUICK]) == 0
    assert len(list((tmp_path / "1.3.6.1.4.1-a").iterdir())) == 10
    monkeypatch.chdir(tmp_path)
    assert main(["replay", "1.3.6.1.4.1-a.json", "-q"]) == 0
    assert (tmp_path / "1.3.6.1.4.1-a-replay").is_dir()


def test_one_slice_without_a_suffix(tmp_path: Path) -> None:
    slice_of(0).save_as(tmp_path / "IM000001", enforce_file_format=True)
    style = picture(tmp_path / "a.png")
    output = tmp_path / "out.nii.gz"
    assert main(["volume", str(tmp_path / "IM000001"), "--style", str(style), "-o", str(output), *QUICK]) == 0
    found = loaded(output).get_fdata()
    assert found.shape == (14, 12, 1) and -1024 <= found.min() < -900


@pytest.mark.parametrize("command", ["volume", "signal", "image"])
def test_times_of_styles_are_for_clips(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    nib.save(nib.Nifti1Image(counts().astype(np.int16), np.eye(4)), tmp_path / "in.nii")
    style = picture(tmp_path / "a.png")
    arguments = [str(tmp_path / "in.nii"), "--style", f"{style}@0s", "--style", f"{style}@4s"]
    assert main([command, *arguments, "-o", str(tmp_path / "out.nii")]) == 2
    assert command != "volume" or "has a time, which is for clips alone; leave it out" in said(capsys)


# ------------------------------------------------------------------------------------------------- records


def record(path: Path, **entries: Any) -> Path:
    stage = StageRecord((8, 8, 8), 1, {"style": [1.0]}, 0.5)
    values = Record(Recipe(), "builtin", "0", "cpu", "float32", 1, {"torch": "2"}, (stage,)).to_json()
    path.write_text(json.dumps(json.loads(values) | entries))
    return path


def record_of_a_picture(path: Path, **changes: Any) -> Path:
    """A record of "b.png", made from "a.png" in no stage; changes: entries of its command."""
    command = {
        "kind": "image",
        "content": "a.png",
        "styles": [{"path": "a.png", "weight": 1, "mask": None, "source_mask": None}],
        "init": None,
        "weights": None,
        "inputs": {},
        "output": {"path": "b.png", "sha256": "0"},
        "selection": {"size": 16, "start": None, "end": None},
        "quality": "visual",
        "full_size": False,
        "mask": None,
        "shape": None,
        "stopped_after": None,
    }
    return record(path, stages=[], command=command | changes)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"versions": []}, r"a record with versions \[\], must be an object, each of its entries text"),
        (
            {"versions": {"torch": 2}},
            r"a record with versions \{'torch': 2\}, must be an object, each of its entries text",
        ),
        ({"threads": "two"}, "a record with threads 'two', must be a whole number"),
        ({"threads": True}, "a record with threads True, must be a whole number"),
        ({"threads": 0}, "a record with threads 0, must be 1 or more"),
        ({"notes": [5]}, r"a record with notes \(5,\), must be an array, each of its entries text"),
        ({"device": None}, "a record with device None, must be text"),
        ({"stages": [5]}, "a record with a damaged entry"),
        ({"stages": [{"shape": [8], "steps": 1, "costs": {"a": 5}, "seconds": 1}]}, "a record with costs"),
        ({"stages": [{"shape": ["8"], "steps": 1, "costs": {}, "seconds": 1}]}, r"a record with shape \('8',\)"),
        ({"stages": [{"shape": [8], "steps": 1, "costs": {}, "seconds": "1"}]}, "a record with seconds '1'"),
        (
            {"stages": [{"shape": [8], "steps": 1, "costs": {}, "seconds": float("inf")}]},
            "a record with seconds inf, must be finite",
        ),
        ({"command": []}, r"a record with command \[\]"),
    ],
)
def test_damaged_records_are_one_line(
    tmp_path: Path, entries: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(tmp_path / "a.json", **entries)
    with pytest.raises(InputError, match=message):
        Record.load(path)
    for command in ("info", "replay", "report"):
        assert main([command, str(path)]) == 2
        assert "a record with" in said(capsys)


@pytest.mark.parametrize("costs", [{}, {"style": []}])
def test_a_stage_that_was_stopped_before_a_step_has_no_costs(
    tmp_path: Path, costs: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    stage = {"shape": [8, 8, 8], "steps": 5, "costs": costs, "seconds": 1}
    assert main(["info", str(record(tmp_path / "a.json", stages=[stage]))]) == 0
    assert "0 of 5 steps in 1 s\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "picture"},
        {"kind": []},
        {"shape": "x"},
        {"selection": []},
        {"styles": 5},
        {"styles": [{"path": 5}]},
        {"output": {"path": "a.nii"}},
        {"inputs": []},
        {"inputs": {"a.png": None}},
        {"inputs": {"a.png": {}}},
        {"content": 5},
        {"stopped_after": 5},
        {"stopped_after": []},
        {"stopped_after": "x"},
        {"quality": 7},
        {"seconds": "long"},
        {"cuts": ["a"]},
    ],
)
def test_a_damaged_command_of_a_record_is_one_line(
    tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png")
    path = record_of_a_picture(tmp_path / "a.json", **change)
    assert main(["replay", str(path)]) == 2
    assert "a record" in said(capsys)
    assert main(["info", str(path)]) in (0, 2)  # it says less of it, and no traceback either


@pytest.mark.parametrize("stopped", [5, [], [1], "x", {}, {"stage": 1}])
def test_a_report_of_a_record_with_a_damaged_end_is_one_line(
    tmp_path: Path, stopped: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png")
    path = record_of_a_picture(tmp_path / "b.png.json", stopped_after=stopped)
    assert main(["report", str(path)]) == 2
    assert "a record that does not say what it is of" in said(capsys)


@pytest.mark.parametrize("shape", [[], [8], [8, 8, 8, 8]])
def test_a_stage_of_another_number_of_axes_is_one_line(
    tmp_path: Path, shape: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    stage = {"shape": shape, "steps": 5, "costs": {}, "seconds": 1}
    picture(tmp_path / "a.png")
    path = record_of_a_picture(tmp_path / "b.png.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stages": [stage]}))
    assert main(["info", str(path)]) == 2
    assert "a record that does not say what it is of" in said(capsys)
    for command in ("report", "replay"):
        assert main([command, str(path)]) == 2
        assert "a record with a stage of shape" in said(capsys)


@pytest.mark.parametrize("inputs", [None, [], "x", 5, ["a.png"]])
def test_a_result_beside_a_record_with_damaged_inputs_is_another_one(tmp_path: Path, inputs: Any) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    record_of_a_picture(tmp_path / "b.png.json", inputs=inputs)
    style = StyleOrder(tmp_path / "a.png")
    order = Order("image", tmp_path / "a.png", (style,), tmp_path / "b.png", Recipe(), Selection(), Encoding())
    assert differences(order) == ["a damaged record"]
