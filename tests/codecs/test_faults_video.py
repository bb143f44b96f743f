"""Clips that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import pytest
import torch
from av.stream import Disposition

from volstyle.codecs import Encoding, Moment, Selection, check, open_clip, read, write
from volstyle.codecs.color import Color, in_range_of
from volstyle.codecs.video import VideoOrigin
from volstyle.errors import CapacityError, InputError, OutputError
from volstyle.grid.field import Axis, Field

WIDTH, HEIGHT, RATE = 64, 48, 24
FORCED = Encoding(force=True)


def picture(index: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """Red above, blue below, dark to the right, so that the way it lies can be told."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    rows = np.stack((0.9 * (1 - y), 0.02 * index + 0 * y, 0.9 * y), axis=-1) * (1 - 0.6 * x)[..., None]
    return np.rint(255 * rows).astype(np.uint8)


def corners(path: Path) -> list[list[float]]:
    """The mean color of the corners of the first frame: above left and right, below left and right."""
    frame = read(path).samples[:, 0]
    return [
        frame[:, y, x].mean((1, 2)).tolist()
        for y in (slice(12), slice(-12, None))
        for x in (slice(12), slice(-12, None))
    ]


def make(
    path: Path,
    *,
    count: int = 8,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, RATE),
    lasts: int | None = None,
    sound: str | None = None,
    layout: str = "stereo",
    rate: int = 44100,
    seconds: float = 0.3,
    second: bool = False,
    font: bool = False,
    time_code: str | None = None,
    cover: bool = False,
) -> Path:
    """A clip of `picture`. stamps: of its packets, in ticks; lasts: how long each is, in ticks."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE, options={"bf": "0"} if options is None else options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.time_base = stream.codec_context.time_base = time_base
        if time_code:
            stream.metadata["timecode"] = time_code
        others: list[Any] = [container.add_stream("libx264", rate=RATE)] if second else []
        for other in others:
            other.width, other.height, other.pix_fmt = 32, 32, "yuv420p"
        if font:
            container.add_attachment("font.ttf", "font/ttf", bytes(100))
        picture_packet = None
        if cover:
            data = cv2.imencode(".jpg", np.full((80, 80, 3), (0, 0, 255), np.uint8))[1].tobytes()
            if path.suffix == ".mkv":
                container.add_attachment("cover.jpg", "image/jpeg", data)
            else:
                cover_stream: Any = container.add_stream("mjpeg", rate=RATE)
                cover_stream.width, cover_stream.height, cover_stream.pix_fmt = 80, 80, "yuvj420p"
                cover_stream.disposition = Disposition.attached_pic
                picture_packet = av.Packet(data)
                picture_packet.stream, picture_packet.pts, picture_packet.dts = cover_stream, 0, 0
        voice: Any = container.add_stream(sound, rate=rate, layout=layout) if sound else None
        packets = []
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = (stamps[index] if stamps else index), time_base
            packets += stream.encode(frame)
            for other in others:
                small = av.VideoFrame.from_ndarray(picture(index, 32, 32), format="rgb24").reformat(
                    format="yuv420p"
                )
                small.pts, small.time_base = index, Fraction(1, RATE)
                packets += other.encode(small)
        for each in (stream, *others):
            packets += each.encode(None)
        for packet in packets:
            packet.duration = lasts or packet.duration
            container.mux(packet)
        if picture_packet is not None:
            container.mux(picture_packet)
        if voice is not None:
            time = np.arange(round(seconds * rate)) / rate
            waves = np.stack([0.2 * np.sin(2 * np.pi * 330 * time)] * voice.layout.nb_channels).astype(np.float32)
            resampler = av.AudioResampler(voice.codec_context.format, layout, rate)
            heard = av.AudioFrame.from_ndarray(waves, format="fltp", layout=layout)
            heard.sample_rate, heard.pts = rate, 0
            for ready in [*resampler.resample(heard), *resampler.resample(None), None]:
                container.mux(voice.encode(ready))
    return path


def streams(path: Path) -> list[tuple[str, str]]:
    """What kinds of streams a file has, and of what codec."""
    with av.open(str(path)) as container:
        return [
            ("cover", s.codec_context.name)
            if s.disposition & Disposition.attached_pic
            else (s.type, s.codec_context.name if s.codec_context else "")
            for s in container.streams
        ]


def times(path: Path) -> list[float]:
    """When each frame is shown, from the first on, in seconds, as FFmpeg says."""
    with av.open(str(path)) as container:
        found = [float(frame.time) for frame in container.decode(video=0)]
    return [round(time - found[0], 3) for time in found]


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


# ---------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_pictures_of_avi_come_at_its_rate(tmp_path: Path, codec: str) -> None:
    """AVI has no time stamps; those that FFmpeg guesses for pictures out of order are out of order themselves."""
    clip = open_clip(make(tmp_path / "a.avi", codec=codec, options={"bf": "2"}))
    assert isinstance(clip.origin, VideoOrigin)
    assert clip.origin.ticks == tuple(range(8))
    assert clip.notes == ()
    for name in ("b.avi", "b.mp4"):
        assert write(tmp_path / name, clip) == []
        assert times(tmp_path / name) == pytest.approx([index / RATE for index in range(8)], abs=2e-3)
    green = read(tmp_path / "a.avi").samples[1].mean((1, 2))
    assert bool((green.diff() > 0).all())


def test_frames_at_one_time_stamp_are_moved_apart_with_a_note(tmp_path: Path) -> None:
    path, base = tmp_path / "a.mkv", Fraction(1, 1000)
    with (
        av.open(
            str(make(tmp_path / "b.mkv", count=6, time_base=base, stamps=[0, 40, 80, 120, 160, 200]))
        ) as whole,
        av.open(str(path), "w") as container,
    ):
        stream = container.add_stream_from_template(whole.streams.video[0])
        for packet, time in zip(whole.demux(video=0), [0, 40, 80, 80, 80, 160], strict=False):
            packet.pts = packet.dts = time
            packet.stream = stream
            container.mux(packet)
    clip = open_clip(path)
    assert any("moved apart" in note for note in clip.notes)
    for name in ("c.mp4", "c.mkv", "c.mov"):
        assert write(tmp_path / name, clip) == []
        found = times(tmp_path / name)
        assert found == pytest.approx([0, 0.04, 0.08, 0.106, 0.133, 0.16], abs=2e-3)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.mp4"])
def test_sound_may_be_longer_than_the_pictures(tmp_path: Path, name: str) -> None:
    webm = name == "a.webm"
    codec, sound, rate = ("libvpx-vp9", "libopus", 48000) if webm else ("libx264", "aac", 44100)
    path = make(tmp_path / name, codec=codec, sound=sound, rate=rate, seconds=3, options={} if webm else None)
    assert read(path).shape[0] == 8
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(InputError):
        read(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_last_picture_may_be_held_for_long(tmp_path: Path, name: str) -> None:
    base = Fraction(1, 1000)
    path = make(tmp_path / name, count=3, time_base=base, stamps=[0, 2000, 4000], lasts=2000)
    clip = open_clip(path)
    assert isinstance(clip.origin, VideoOrigin)
    assert float(clip.origin.durations[-1] * clip.origin.time_base) == 2
    write(tmp_path / "b.mp4", clip)
    assert times(tmp_path / "b.mp4") == [0, 2, 4]


def test_what_an_edit_list_hides_is_hidden(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.mp4", count=48, options={"g": "250", "bf": "2"})
    with av.open(str(whole)) as source, av.open(str(tmp_path / "b.mp4"), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        moved = round(Fraction(5, 4) / Fraction(stream.time_base or 1))
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - moved, packet.dts - moved, copy
                target.mux(packet)
    assert read(tmp_path / "b.mp4").shape[0] == 18


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_range_counts_from_the_first_frame(tmp_path: Path, name: str) -> None:
    base = Fraction(1, 1000)
    stamps = [5000 + 100 * index for index in range(10)]
    path = make(tmp_path / name, count=10, time_base=base, stamps=stamps, lasts=100)
    clip = open_clip(path, Selection(start=Moment(0.2), end=Moment(0.5)))
    assert clip.shape[0] == 3
    assert isinstance(clip.origin, VideoOrigin)
    assert clip.origin.places == (2, 3, 4)
    assert open_clip(path).shape[0] == 10


def test_an_avi_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.avi", count=24, sound="pcm_s16le", seconds=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cut off"):
        read(path)


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
    grays = np.linspace(0, 1, 11, dtype=np.float32)[None].repeat(3, 0)
    found = in_range_of(grays, color)
    assert found[:, -1] == pytest.approx(white, abs=1e-3)
    assert found[:, 0] == pytest.approx(0, abs=1e-3)
    assert np.ptp(found, axis=0).max() < 1e-3
    assert (np.diff(found, axis=1) > 0).all()
    assert np.array_equal(in_range_of(grays, Color(transfer=1)), grays)


def test_red_of_a_style_is_no_redder_in_a_wider_gamut() -> None:
    red = np.array([1, 0, 0], np.float32)[:, None]
    wide = in_range_of(red, Color(matrix=9, primaries=9, transfer=16))[:, 0]
    assert wide[1] > 0.3
    narrow = in_range_of(red, Color(matrix=1, primaries=1, transfer=16))[:, 0]
    assert narrow[1] == pytest.approx(0, abs=1e-3)


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
