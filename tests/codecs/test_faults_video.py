"""Clips that other tools stumbled over, by how they lie, what is beside them, their sound or their colors."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import pytest
import torch

from tests.codecs.clips_of import HEIGHT, RATE, WIDTH, make, picture, streams
from tests.tiny import numbers
from volstyle.codecs import Encoding, Moment, Selection, check, open_clip, read, write
from volstyle.codecs.color import Color
from volstyle.codecs.high_range import in_range_of, in_srgb
from volstyle.codecs.video import VideoOrigin
from volstyle.errors import CapacityError, InputError, OutputError
from volstyle.grid.field import Axis, Field


def corners(path: Path) -> list[list[float]]:
    """The mean color of the corners of the first frame: above left and right, below left and right."""
    frame = read(path).samples[:, 0]
    return [
        frame[:, y, x].mean((1, 2)).tolist()
        for y in (slice(12), slice(-12, None))
        for x in (slice(12), slice(-12, None))
    ]


# ----------------------------------------------------------------------------------------------- orientation


def with_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Patch the display matrix of an MP4: x' = a x + c y, y' = b x + d y."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    values = [a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30]
    data[at : at + 36] = struct.pack(">9i", *map(round, values))
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize(
    ("matrix", "order"),
    [
        ((1, 0, 0, 1), (0, 1, 2, 3)),
        ((-1, 0, 0, 1), (1, 0, 3, 2)),
        ((1, 0, 0, -1), (2, 3, 0, 1)),
        ((-1, 0, 0, -1), (3, 2, 1, 0)),
        ((0, 1, -1, 0), (2, 0, 3, 1)),
        ((0, -1, 1, 0), (1, 3, 0, 2)),
        ((0, 1, 1, 0), (0, 2, 1, 3)),
        ((0, -1, -1, 0), (3, 1, 2, 0)),
        ((0, 2, -2, 0), (2, 0, 3, 1)),
    ],
)
def test_a_clip_lies_as_its_display_matrix_says(
    tmp_path: Path, matrix: tuple[float, ...], order: tuple[int, ...]
) -> None:
    path = make(tmp_path / "a.mp4", count=2)
    straight = corners(path)
    field = read(with_matrix(path, *matrix))
    assert field.shape == ((2, HEIGHT, WIDTH) if matrix[0] else (2, WIDTH, HEIGHT))
    for found, place in zip(corners(path), order, strict=True):
        assert found == pytest.approx(straight[place], abs=0.03)
    assert write(tmp_path / "b.mp4", field) == []
    for found, place in zip(corners(tmp_path / "b.mp4"), order, strict=True):
        assert found == pytest.approx(straight[place], abs=0.05)


def test_an_angle_that_is_no_quarter_turn_is_noted(tmp_path: Path) -> None:
    path = with_matrix(make(tmp_path / "a.mp4", count=2), 0.9397, 0.342, -0.342, 0.9397)
    clip = open_clip(path)
    assert clip.shape == (2, HEIGHT, WIDTH)
    assert any("no quarter turn" in note for note in clip.notes)


# ------------------------------------------------------------------------------------- covers, fonts, time code


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "first.mp4"])
@pytest.mark.parametrize(
    ("target", "kept"), [("b.mp4", True), ("b.mkv", True), ("b.mov", False), ("b.webm", False)]
)
def test_a_cover_is_no_clip_and_is_kept_or_noted(tmp_path: Path, name: str, target: str, kept: bool) -> None:
    path = cover_first(make(tmp_path / name)) if name == "first.mp4" else make(tmp_path / name, cover=True)
    assert ("cover", "mjpeg") in streams(path)
    clip = open_clip(path)
    assert clip.shape == (8, HEIGHT, WIDTH)
    notes = write(tmp_path / target, clip)
    assert (("cover", "mjpeg") in streams(tmp_path / target)) == kept
    assert [note for note in notes if "cover" in note] == (
        [] if kept else [f"cover: does not fit into {Path(target).suffix}, left out; .mp4 and .mkv keep it"]
    )
    assert read(tmp_path / target).shape == (8, HEIGHT, WIDTH)


def cover_first(path: Path) -> Path:
    """Put a cover before the tracks of an MP4, where FFmpeg makes it the first stream."""

    def atom(name: bytes, *inside: bytes) -> bytes:
        body = b"".join(inside)
        return struct.pack(">I", 8 + len(body)) + name + body

    jpeg = cv2.imencode(".jpg", np.full((80, 80, 3), (0, 0, 255), np.uint8))[1].tobytes()
    picture = atom(b"ilst", atom(b"covr", atom(b"data", struct.pack(">II", 13, 0), jpeg)))
    handler = atom(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    extra = atom(b"udta", atom(b"meta", bytes(4), handler, picture))
    data = path.read_bytes()
    at = data.find(b"moov") - 4
    assert data.find(b"mdat") < at
    length = struct.unpack(">I", data[at : at + 4])[0]
    moov = struct.pack(">I", length + len(extra)) + b"moov" + extra + data[at + 8 : at + length]
    path.write_bytes(data[:at] + moov + data[at + length :])
    return path


def test_a_file_with_nothing_but_a_cover_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.add_attachment("cover.jpg", "image/jpeg", cv2.imencode(".jpg", picture())[1].tobytes())
        voice: Any = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux([*voice.encode(frame), *voice.encode(None)])
    with pytest.raises(InputError, match="no video stream \\(found: attached picture, audio\\)"):
        read(path)


def test_fonts_a_second_stream_and_a_time_code_are_kept_or_noted(tmp_path: Path) -> None:
    full = make(tmp_path / "a.mkv", sound="aac", second=True, font=True)
    clip = open_clip(full)
    assert clip.shape == (8, HEIGHT, WIDTH)
    assert write(tmp_path / "b.mkv", clip) == ["video: stream 1, h264, left out"]
    assert [kind for kind, _ in streams(tmp_path / "b.mkv")] == ["video", "audio", "attachment"]
    notes = write(tmp_path / "b.mp4", clip)
    assert "attachment: font.ttf left out; .mkv keeps it" in notes
    coded = open_clip(make(tmp_path / "c.mov", time_code="01:00:00:00"))
    for name in ("d.mov", "d.mp4", "d.mkv"):
        assert write(tmp_path / name, coded) == []
        with av.open(str(tmp_path / name)) as container:
            tags = {key.lower(): text for key, text in container.streams.video[0].metadata.items()}
        assert tags["timecode"] == "01:00:00:00"
    assert write(tmp_path / "d.avi", coded) == ["time code: does not fit into .avi, left out"]
    part = open_clip(tmp_path / "c.mov", Selection(start=Moment(3, "f")))
    assert any("time code" in note for note in write(tmp_path / "e.mov", part))


def test_interlaced_frames_and_deep_samples_are_noted(tmp_path: Path) -> None:
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    assert any("interlaced" in note for note in open_clip(make(tmp_path / "a.mp4", options=options)).notes)
    deep = read(make(tmp_path / "b.mkv", count=2, codec="ffv1", pixels="yuv420p12le", options={}))
    assert write(tmp_path / "c.mp4", deep) == ["c.mp4: 12-bit samples written as 10 bit"]
    assert write(tmp_path / "c.mov", deep, Encoding("prores")) == ["c.mov: 12-bit samples written as 10 bit"]
    again = read(tmp_path / "c.mov")
    assert write(tmp_path / "d.mov", again, Encoding("prores")) == []


# ---------------------------------------------------------------------------------------------------- sound


@pytest.mark.parametrize(
    ("source", "codec", "layout", "rate", "target", "says"),
    [
        ("a.avi", "pcm_s16le", "stereo", 44100, "b.mp4", "encoded anew as aac"),
        ("a.avi", "pcm_u8", "stereo", 44100, "b.mp4", "encoded anew as aac"),
        ("a.avi", "adpcm_ms", "stereo", 44100, "b.mp4", "encoded anew as aac"),
        ("a.avi", "adpcm_ima_wav", "mono", 22050, "b.mkv", "encoded anew as aac"),
        ("a.avi", "pcm_mulaw", "mono", 8000, "b.m4v", "encoded anew as aac"),
        ("a.mkv", "pcm_f32le", "stereo", 48000, "b.mp4", "encoded anew as aac"),
        ("a.mkv", "pcm_s24le", "stereo", 192000, "b.mp4", "192000 Hz resampled to 48000"),
        ("a.mov", "pcm_s16be", "stereo", 44100, "b.avi", "encoded anew as aac"),
        ("a.mkv", "flac", "5.1(side)", 48000, "b.mov", "5.1(side) remixed to 5.1"),
        ("a.mkv", "ac3", "5.1(side)", 48000, "b.webm", "5.1(side) remixed to 5.1"),
        ("a.mkv", "libopus", "stereo", 48000, "b.mov", "encoded anew as aac"),
        ("a.mkv", "libopus", "stereo", 48000, "b.avi", "encoded anew as aac"),
        ("a.mkv", "wavpack", "stereo", 44100, "b.mp4", "encoded anew as aac"),
        ("a.mkv", "flac", "quad", 48000, "b.webm", "encoded anew as libopus"),
        ("a.mkv", "pcm_s16le", "stereo", 44100, "b.mkv", None),
        ("a.mov", "pcm_s16be", "stereo", 44100, "b.mov", None),
        ("a.mkv", "ac3", "5.1(side)", 48000, "b.mp4", None),
    ],
)
def test_sound_goes_into_every_container(
    tmp_path: Path, source: str, codec: str, layout: str, rate: int, target: str, says: str | None
) -> None:
    clip = open_clip(make(tmp_path / source, sound=codec, layout=layout, rate=rate))
    notes = write(tmp_path / target, clip)
    assert len(notes) == (says is not None)
    assert says is None or says in notes[0]
    with av.open(str(tmp_path / target)) as container:
        sound = container.streams.audio[0]
        frames = list(container.decode(sound))
        assert sum(frame.samples for frame in frames) / sound.rate == pytest.approx(0.3, abs=0.15)
        assert sound.layout.nb_channels == {"mono": 1, "stereo": 2, "quad": 4}.get(layout, 6)
        if layout == "5.1(side)" and says:
            assert sound.layout.name == "5.1"


# ---------------------------------------------------------------------------------------------------- color


def test_a_clip_of_one_bit_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mov", count=2, codec="png", pixels="monob", options={})
    found = read(path).samples
    assert found.shape == (3, 2, HEIGHT, WIDTH)
    assert set(found.flatten().tolist()) == {0.0, 1.0}
    assert write(tmp_path / "b.mp4", read(path)) == []


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.58069), (18, 0.75)])
def test_white_of_a_style_is_203_nits_in_a_clip_of_high_dynamic_range(transfer: int, white: float) -> None:
    """ITU-R BT.2408: 58 percent of PQ, 75 percent of HLG. Gray stays gray, and black is black."""
    color = Color(matrix=9, primaries=9, transfer=transfer)
    grays = torch.linspace(0, 1, 11).expand(3, 11)
    found = in_range_of(grays, color)
    assert found[:, -1].tolist() == pytest.approx([white] * 3, abs=1e-3)
    assert found[:, 0].tolist() == pytest.approx([0] * 3, abs=1e-3)
    assert float((found.amax(0) - found.amin(0)).max()) < 1e-3
    assert (found.diff(dim=1) > 0).all()
    assert torch.equal(in_range_of(grays, Color(transfer=1)), grays)


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("primaries", [1, 9])
def test_colors_come_back_and_what_is_brighter_than_white_is_white(transfer: int, primaries: int) -> None:
    color = Color(matrix=9, primaries=primaries, transfer=transfer)
    colors = numbers(3, 6, 7)
    torch.testing.assert_close(in_srgb(in_range_of(colors, color), color), colors, atol=2e-3, rtol=0)
    assert float(in_srgb(torch.ones(3, 1), color).min()) > 0.9999
    assert torch.equal(in_srgb(colors, Color(transfer=1)), colors)


def test_red_of_a_style_is_no_redder_in_a_wider_gamut() -> None:
    red = torch.tensor([[1.0], [0], [0]])
    wide = in_range_of(red, Color(matrix=9, primaries=9, transfer=16))[:, 0]
    assert wide[1] > 0.3
    narrow = in_range_of(red, Color(matrix=1, primaries=1, transfer=16))[:, 0]
    assert float(narrow[1]) == pytest.approx(0, abs=1e-3)


def test_pictures_too_large_for_an_encoder_are_refused_before_the_work(tmp_path: Path) -> None:
    axes = (Axis("t", 1 / 24, "s"), Axis("y"), Axis("x"))
    check(tmp_path / "a.mp4", Field(torch.empty(3, 2, 64, 8000, device="meta"), axes))
    with pytest.raises(OutputError, match="pictures of 40000x64 are too large for libx264"):
        check(tmp_path / "a.mp4", Field(torch.empty(3, 2, 64, 40000, device="meta"), axes))


def test_a_clip_too_large_for_the_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GIF of some bytes may say that it is 65535 samples wide and high."""
    path = make(tmp_path / "a.mp4", count=2)

    class Memory:
        available = 10_000

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    with pytest.raises(CapacityError, match=r"a\.mp4: unpacks to"):
        open_clip(path)


def test_pictures_may_have_the_sound_of_another_file(tmp_path: Path) -> None:
    sound = tmp_path / "a.mkv"
    with av.open(str(sound), "w") as container:
        voice: Any = container.add_stream("aac", rate=44100, layout="mono")
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        heard.sample_rate, heard.pts = 44100, 0
        container.mux([*voice.encode(heard), *voice.encode(None)])
    axes = (Axis("t", 1 / RATE, "s"), Axis("y"), Axis("x"))
    write(tmp_path / "b.mp4", Field(torch.rand(3, 4, 16, 16), axes, VideoOrigin(sound, rate=Fraction(RATE))))
    assert [kind for kind, _ in streams(tmp_path / "b.mp4")] == ["video", "audio"]
