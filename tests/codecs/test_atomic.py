"""What is written is there whole or not at all, and what cannot be written is said before the work."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from tests.clips import (
    FORCED,
    IMAGE,
    Stop,
    clip_field,
    listing,
    no_room,
    no_room_by_ffmpeg,
    one_line,
)
from volstyle.codecs import Encoding, check_writable, read, write
from volstyle.codecs.encoder import Encoder, Format
from volstyle.errors import CapacityError, OutputError
from volstyle.grid.field import Field


@pytest.mark.parametrize("stop", [Stop("now"), RuntimeError("now")], ids=["interrupt", "error"])
@pytest.mark.parametrize("name", ["old.mp4", "new.mp4", "new.mkv", "new.gif"])
@pytest.mark.parametrize("part", ["add", "_complete"])
def test_an_interrupted_clip_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, name: str, stop: BaseException
) -> None:
    (tmp_path / "old.mp4").write_bytes(b"old")
    whole = getattr(Encoder, part)
    there: list[str] = []

    def failing(self: Encoder, *picture: Any) -> None:
        whole(self, *picture)
        there.extend(listing(tmp_path))
        assert (tmp_path / "old.mp4").read_bytes() == b"old"
        raise stop

    monkeypatch.setattr(Encoder, part, failing)
    with pytest.raises(type(stop)):
        write(tmp_path / name, clip_field(), FORCED)
    if part == "_complete":
        assert len(set(there) - {"old.mp4", name}) == 1  # What was written so far, under another name.
    assert set(there) & {"new.mp4", "new.mkv", "new.gif"} == set()
    assert listing(tmp_path) == {"old.mp4": b"old"}


@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.gif"])
def test_a_file_that_is_there_is_only_replaced_by_force(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    field = clip_field() if name != "a.png" else Field(torch.rand(3, 8, 8), IMAGE)
    for attempt in (lambda: write(tmp_path / name, field), lambda: check_writable(tmp_path / name)):
        with pytest.raises(OutputError) as error:
            attempt()
        assert "--force" in one_line(error, tmp_path / name)
        assert listing(tmp_path) == {name: b"old"}
    check_writable(tmp_path / name, FORCED)
    write(tmp_path / name, field, FORCED)
    assert list(listing(tmp_path)) == [name]
    assert read(tmp_path / name).shape == field.shape


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing/a.mp4", "missing"),
        ("missing/a.png", "missing"),
        ("a.mp5", "did you mean '.mp4'"),
        ("a.docx", ".png"),
        ("folder.png", "folder"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "a.txt").touch()
    path = tmp_path / name
    field = Field(torch.rand(3, 8, 8), IMAGE) if name.endswith(".png") else clip_field()
    if name != "folder.png":
        with pytest.raises(OutputError) as error:
            check_writable(path)
        assert says in one_line(error, path)
    with pytest.raises(OutputError) as error:
        write(path, field)
    one_line(error, path)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "encoding", "axes", "says"),
    [
        ("a.mp4", Encoding("prores"), "tyx", "ProRes"),
        ("a.mp4", Encoding("best"), "tyx", "best"),
        ("a.png", Encoding(), "tyx", "t, y, x"),
        ("a.mp4", Encoding(), "yx", "t, y, x"),
        ("images", Encoding(), "yx", "t, y, x"),
        ("*.png", Encoding(), "tyx", "wildcard"),
    ],
)
def test_what_does_not_go_together_is_said_before_the_work(
    tmp_path: Path, name: str, encoding: Encoding, axes: str, says: str
) -> None:
    with pytest.raises(OutputError) as error:
        check_writable(tmp_path / name, encoding, axes)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "encoding"), [("a.mp4", Encoding("prores")), ("a.mp4", Encoding("best")), ("a.png", Encoding())]
)
def test_what_does_not_go_together_leaves_nothing(tmp_path: Path, name: str, encoding: Encoding) -> None:
    with pytest.raises(OutputError) as error:
        write(tmp_path / name, clip_field(), encoding)
    assert "\n" not in str(error.value)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("part", ["add", "_mux", "_complete"])
@pytest.mark.parametrize("full", [no_room, no_room_by_ffmpeg])
def test_a_full_disk_is_said_of_a_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, full: Callable[..., None]
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    monkeypatch.setattr(Encoder, part, full)
    with pytest.raises(CapacityError) as error:
        write(tmp_path / "a.mp4", clip_field(), FORCED)
    assert "no room" in one_line(error, tmp_path / "a.mp4")
    assert listing(tmp_path) == {"a.mp4": b"old"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.gif", "a.png"])
def test_a_disk_that_is_really_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever is written goes to a device that has no room."""
    with_name = Path.with_name

    def full(self: Path, other: str) -> Path:
        (tmp_path / "link").mkdir(exist_ok=True)
        link = with_name(self, "link") / other
        link.symlink_to("/dev/full")
        return link

    monkeypatch.setattr(Path, "with_name", full)
    field = clip_field() if name != "a.png" else Field(torch.rand(3, 8, 8), IMAGE)
    with pytest.raises(CapacityError) as error:
        write(tmp_path / name, field)
    assert "no room" in one_line(error, tmp_path / name)
    assert listing(tmp_path) == {}
    assert list((tmp_path / "link").iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_what_ffmpeg_does_not_take_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refused(*_: object) -> None:
        av.error.err_check(-errno.EINVAL)

    monkeypatch.setattr(Encoder, "_mux", refused)
    with pytest.raises(OutputError) as error:
        write(tmp_path / name, clip_field())
    one_line(error, tmp_path / name)
    assert listing(tmp_path) == {}


def test_an_encoder_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg is built with what its packager likes."""
    monkeypatch.setattr("volstyle.codecs.encoder.choose_format", lambda *_, **__: Format("x265x", "yuv420p"))
    with pytest.raises(OutputError) as error:
        write(tmp_path / "a.mp4", clip_field())
    assert "x265x" in one_line(error, tmp_path / "a.mp4")
    assert listing(tmp_path) == {}
