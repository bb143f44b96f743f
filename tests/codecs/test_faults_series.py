"""Numbered pictures, names of files, and tables that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from volstyle.codecs import Encoding, Selection, check_writable, files, open_clip, probe, read, write
from volstyle.codecs.atomic import arriving
from volstyle.codecs.clip import ClipOrigin
from volstyle.errors import OutputError
from volstyle.grid.field import Axis, Field

PLANE = (Axis("y"), Axis("x"))
CLIP = (Axis("t", 1 / 25, "s"), *PLANE)
FORCED = Encoding(force=True)


def picture(level: int) -> np.ndarray:
    return np.full((8, 10, 3), level, np.uint8)


# ----------------------------------------------------------------------------------------------- names of files


@pytest.mark.parametrize("name", ["what?.png", "a*b.png", "50%dark.png", "%04d.png", "shot[1].png"])
def test_a_picture_that_exists_is_itself_whatever_its_name(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "whatx.png"), picture(9))
    cv2.imwrite(str(tmp_path / name), picture(60))
    field = read(tmp_path / name)
    assert field.shape == (8, 10)
    assert field.samples.mean().item() == pytest.approx(60 / 255)
    assert files(tmp_path / name) == [tmp_path / name]
    assert probe(tmp_path / name).kind == "image"
    check_writable(tmp_path / name, FORCED, ["y", "x"])
    write(tmp_path / name, field, FORCED)
    assert (tmp_path / "whatx.png").exists()


def test_a_clip_that_exists_is_itself_whatever_its_name(tmp_path: Path) -> None:
    for name in ("What is it?.mp4", "100%d.mp4", "a*.mkv"):
        write(tmp_path / name, Field(torch.rand(3, 3, 16, 16), CLIP))
        assert open_clip(tmp_path / name).shape == (3, 16, 16)


@pytest.mark.parametrize("name", ["new?.png", "50%dark.png", "a*b.png"])
def test_the_name_of_one_picture_is_no_pattern(tmp_path: Path, name: str) -> None:
    check_writable(tmp_path / name, axes=["y", "x"])
    write(tmp_path / name, Field(torch.rand(3, 8, 8), PLANE))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_only_the_number_of_a_pattern_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "%04d_50%[x].png"
    check_writable(path, axes=["t", "y", "x"])
    write(path, Field(torch.rand(3, 3, 8, 8), CLIP))
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{n:04d}_50%[x].png" for n in (1, 2, 3)]
    assert open_clip(path).shape == (3, 8, 8)


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    """macOS puts a file ._NAME beside each on foreign disks; it has the suffix and is no picture."""
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), picture(number))
        (tmp_path / f"._{number:04d}.png").write_bytes(b"\0\5\26\7")
    (tmp_path / ".thumbnail.jpg").write_bytes(b"no picture")
    for path in (tmp_path, tmp_path / "%04d.png", tmp_path / "*.png"):
        assert open_clip(path).shape == (2, 8, 10)


@pytest.mark.parametrize("name", ["a" * 232 + ".png", "ä" * 116 + ".mp4", "a" * 242 + ".mp4", "a" * 300])
def test_a_name_that_is_too_long_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Temporary files beside the output have longer names."""
    axes = PLANE if name.endswith(".png") else CLIP
    for attempt in (
        lambda: check_writable(tmp_path / name, axes=[axis.name for axis in axes]),
        lambda: write(tmp_path / name, Field(torch.rand(3, *(8 for _ in axes)), axes)),
    ):
        with pytest.raises(OutputError, match="bytes, must have at most 235") as error:
            attempt()
        assert "\n" not in str(error.value)
    longest = "a" * 231 + ".png"
    write(tmp_path / longest, Field(torch.rand(3, 8, 8), PLANE))
    assert os.listdir(tmp_path) == [longest]  # noqa: PTH208


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.png", tmp_path / "link.png"
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write(link, Field(torch.rand(3, 8, 8), PLANE), FORCED)
    assert link.is_symlink()
    assert read(target).shape == (8, 8)
    assert [file.name for file in (tmp_path / "far").iterdir()] == ["real.png"]


def test_what_is_written_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)  # noqa: PTH115
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc to tell which file is meant")
    monkeypatch.setattr(os, "fsync", fsync)
    with arriving(tmp_path / "a.txt", force=False) as temporary:
        temporary.write_text("a")
        name = temporary.name
    assert synced == [name, tmp_path.name]


def test_frames_say_which_of_the_source_they_are(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), picture(number))
    (tmp_path / "0003.png").write_bytes(b"damaged")
    origin = open_clip(tmp_path, Selection(keep_going=True)).origin
    assert isinstance(origin, ClipOrigin)
    assert origin.places == (0, 1, 2, 4, 5)
