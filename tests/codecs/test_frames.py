"""Folders and patterns of numbered images as clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.clips import (
    FORCED,
    HEIGHT,
    IMAGE,
    LOSSLESS,
    NAMES,
    WIDTH,
    Stop,
    again,
    clip_field,
    first_video,
    levels_of,
    listing,
    make_images,
    no_room,
    one_line,
)
from volstyle.codecs import Encoding, Moment, Selection, check_writable, files, image, probe, read, write
from volstyle.errors import CapacityError, OutputError
from volstyle.grid.field import Field


@pytest.mark.parametrize(("kind", "channels"), [(np.uint8, 3), (np.uint16, 3), (np.uint16, 4)])
def test_a_folder_of_images_comes_back_exactly_under_its_names(tmp_path: Path, kind: type, channels: int) -> None:
    arrays = make_images(tmp_path / "in", NAMES, kind, channels)
    (tmp_path / "in" / "notes.txt").write_text("not a frame")
    assert read(tmp_path / "in").shape == (4, HEIGHT, WIDTH)
    assert again(tmp_path / "in", tmp_path / "out", encoding=Encoding()) == []
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(NAMES)
    for name, array in zip(NAMES, arrays, strict=True):
        assert np.array_equal(cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED), array)


@pytest.mark.parametrize("pattern", ["shot_%d.png", "shot_*.png", "*.png"])
def test_a_pattern_is_read_in_the_order_of_its_numbers(tmp_path: Path, pattern: str) -> None:
    arrays = make_images(tmp_path / "in", NAMES)
    samples = read(tmp_path / "in" / pattern).samples
    for index, array in enumerate(arrays):
        assert np.array_equal(levels_of(samples[:, index]).permute(1, 2, 0).numpy()[..., ::-1], array)


@pytest.mark.parametrize("names", [["²"], ["²1"], ["²1", "1", "2²3"], ["٣", "²2", "x²3"]])
def test_a_name_with_a_digit_that_is_no_number_is_a_frame(tmp_path: Path, names: list[str]) -> None:
    """A superscript two is a digit to Python, but nothing that it makes a number of."""
    make_images(tmp_path / "in", [f"{name}.png" for name in names])
    assert read(tmp_path / "in").shape == (len(names), HEIGHT, WIDTH)
    found = files(tmp_path / "in")
    assert sorted(file.stem for file in found) == sorted(names)


def test_a_pattern_reads_only_what_fits(tmp_path: Path) -> None:
    make_images(tmp_path / "in", [*NAMES, "other_1.png", "mask.png"])
    assert read(tmp_path / "in" / "shot_%d.png").shape[0] == 4
    assert probe(tmp_path / "in" / "shot_%d.png").shape == (4, HEIGHT, WIDTH)


def test_a_pattern_names_the_files_written(tmp_path: Path) -> None:
    arrays = make_images(tmp_path / "in", NAMES)
    again(tmp_path / "in", tmp_path / "out" / "%04d.png")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"{n:04d}.png" for n in (1, 2, 3, 4)]
    assert np.array_equal(cv2.imread(str(tmp_path / "out" / "0003.png")), arrays[2])
    with pytest.raises(OutputError) as error:
        again(tmp_path / "in", tmp_path / "out" / "*.png")
    assert "wildcard" in one_line(error, tmp_path / "out" / "*.png")


def test_a_range_of_a_folder(tmp_path: Path) -> None:
    arrays = make_images(tmp_path / "in", NAMES)
    field = read(tmp_path / "in", Selection(start=Moment(1, "f"), end=Moment(3, "f")))
    write(tmp_path / "out", field)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(NAMES[1:3])
    assert np.array_equal(cv2.imread(str(tmp_path / "out" / NAMES[1])), arrays[1])


def test_a_clip_to_images_and_back(tmp_path: Path) -> None:
    field = clip_field()
    write(tmp_path / "out", field)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"{n:06d}.png" for n in range(1, 6)]
    write(tmp_path / "a.mkv", read(tmp_path / "out"), LOSSLESS)
    assert first_video(tmp_path / "a.mkv")["rate"] == 25
    assert torch.equal(levels_of(read(tmp_path / "a.mkv").samples), levels_of(field.samples))


def test_numbered_images_that_are_there_are_only_replaced_by_force(tmp_path: Path) -> None:
    (tmp_path / "000004.png").write_bytes(b"old")
    with pytest.raises(OutputError) as error:
        write(tmp_path, clip_field())
    one_line(error, tmp_path / "000004.png")
    assert listing(tmp_path) == {"000004.png": b"old"}
    assert write(tmp_path, clip_field(), FORCED) == []
    assert len(listing(tmp_path)) == 5


@pytest.mark.parametrize("name", ["", "%06d.png"])
def test_images_are_not_mixed_with_others_unasked(tmp_path: Path, name: str) -> None:
    """Those of a longer clip, say: what is read from there later would be both."""
    (tmp_path / "000900.png").write_bytes(b"old")
    for attempt in (lambda: write(tmp_path / name, clip_field()), lambda: check_writable(tmp_path / name)):
        with pytest.raises(OutputError) as error:
            attempt()
        assert "--force" in one_line(error, tmp_path / "000900.png")
    notes = write(tmp_path / name, clip_field(), FORCED)
    assert len(notes) == 1
    assert "1 other images are there" in notes[0]
    assert listing(tmp_path)["000900.png"] == b"old"
    assert len(listing(tmp_path)) == 6


@pytest.mark.parametrize("there", [False, True])
def test_interrupted_images_leave_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "000001.png").write_bytes(b"old")
    whole, done = image.encoded, []

    def failing(*given: Any) -> tuple[bytes, list[str]]:
        done.append(1)
        if len(done) == 3:
            raise Stop
        return whole(*given)

    monkeypatch.setattr(image, "encoded", failing)
    with pytest.raises(Stop):
        write(tmp_path / "out", clip_field(), FORCED)
    assert len(done) == 3
    assert [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()] == [b"old"] * there
    assert (tmp_path / "out").exists() == there


@pytest.mark.parametrize("name", ["a.png", "images"])
def test_a_full_disk_is_said_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Path, "write_bytes", no_room)
    field = Field(torch.rand(3, 8, 8), IMAGE) if name == "a.png" else clip_field()
    with pytest.raises(CapacityError) as error:
        write(tmp_path / name, field)
    assert "no room" in one_line(error, tmp_path / name)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
