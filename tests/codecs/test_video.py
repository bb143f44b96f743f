"""Clips in and out: law 6, what is read and written again looks the same."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch

from tests.clips import (
    CLIP,
    FORCED,
    HEIGHT,
    LOSSLESS,
    UNEVEN,
    WIDTH,
    Draw,
    again,
    alpha_field,
    alpha_of,
    clip_field,
    first_video,
    levels_of,
    make_clip,
    smooth,
    times,
    video_origin,
    waves,
)
from volstyle.codecs import Encoding, Selection, probe, read, write
from volstyle.codecs.video import VideoOrigin
from volstyle.grid.field import Field


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov", ".avi"])
def test_a_lossless_clip_is_exact(tmp_path: Path, suffix: str) -> None:
    field = clip_field()
    path = tmp_path / f"a{suffix}"
    assert write(path, field, LOSSLESS) == []
    back = read(path)
    assert torch.equal(levels_of(back.samples), levels_of(field.samples))
    assert alpha_of(back) is None


def test_a_lossless_clip_of_10_bit_is_exact(tmp_path: Path) -> None:
    field = clip_field(top=1023, bits=10)
    assert write(tmp_path / "a.mkv", field, LOSSLESS) == []
    assert torch.equal(levels_of(read(tmp_path / "a.mkv").samples, 1023), levels_of(field.samples, 1023))


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_lossless_clip_of_10_bit_is_8_bit_with_a_note(tmp_path: Path, suffix: str) -> None:
    notes = write(tmp_path / f"a{suffix}", clip_field(top=1023, bits=10), LOSSLESS)
    assert len(notes) == 1
    assert "10-bit samples written as 8 bit" in notes[0]


@pytest.mark.parametrize("quality", ["visual", "lossless"])
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv", ".avi"])
def test_the_same_samples_give_the_same_bytes(tmp_path: Path, suffix: str, quality: str) -> None:
    """x264 with macroblock trees gave others every other time, Matroska with its random names always."""
    field = clip_field(np.stack([smooth(index) for index in range(24)]))
    for name in "abcdef":
        write(tmp_path / f"{name}{suffix}", field, Encoding(quality))
    assert len({(tmp_path / f"{name}{suffix}").read_bytes() for name in "abcdef"}) == 1


@pytest.mark.parametrize("draw", [smooth, waves])
def test_color_does_not_drift(tmp_path: Path, draw: Draw) -> None:
    """Each channel's mean, in levels of 8 bit, after one round trip and after two."""
    field = source = clip_field(np.stack([draw(index) for index in range(8)]))
    for _ in range(2):
        write(tmp_path / "a.mp4", field, FORCED)
        field = read(tmp_path / "a.mp4")
        shift = (field.samples - source.samples).mean((1, 2, 3)) * 255
        assert float(shift.abs().max()) < 0.3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_color_stays_in_its_place(tmp_path: Path, suffix: str) -> None:
    """Where red becomes blue, in pixels, after one round trip and two: chroma is written where it is read."""
    red = 0.2 + 0.6 / (1 + np.exp(-(np.arange(WIDTH) - 31.5) / 6))
    row = np.rint(255 * np.stack((red, np.full(WIDTH, 0.5), 1 - red), axis=-1))
    field = clip_field(np.broadcast_to(row, (4, HEIGHT, WIDTH, 3)))
    for _ in range(2):
        write(tmp_path / f"a{suffix}", field, FORCED)
        field = read(tmp_path / f"a{suffix}")
        above = (field.samples[0] - field.samples[2]).mean((0, 1)).numpy()
        assert abs(float(np.interp(0, above, np.arange(WIDTH))) - 31.5) < 0.2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_a_visual_clip_is_near_the_source(tmp_path: Path, suffix: str) -> None:
    field = clip_field(np.stack([smooth(index) for index in range(4)]))
    write(tmp_path / f"a{suffix}", field)
    apart = (read(tmp_path / f"a{suffix}").samples - field.samples).abs() * 255
    assert float(apart.mean()) < 1.6
    assert float(apart.max()) < 16


# By hand: red in Y', Cb, Cr, and its tags (matrix, range, primaries, transfer).
RED = {
    "bt709": ((63, 102, 240), "yuv444p", (1, 1, 1, 1)),
    "bt601": ((81, 90, 240), "yuv444p", (6, 1, 6, 6)),
    "bt709-full": ((54, 99, 255), "yuv444p", (1, 2, 1, 1)),
    "bt2020-pq": ((294, 387, 960), "yuv444p10le", (9, 1, 9, 16)),
}


def red_clip(path: Path, name: str) -> Path:
    """Four frames of pure red."""
    values, pixels, tags = RED[name]
    deep = pixels.endswith("le")
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=12, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = tags
        for _ in range(4):
            frame = av.VideoFrame(WIDTH, HEIGHT, pixels)
            for plane, value in zip(frame.planes, values, strict=True):
                samples = np.full(plane.buffer_size // (2 if deep else 1), value, "<u2" if deep else "u1")
                plane.update(samples.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", RED)
def test_color_tags_are_understood_and_kept(tmp_path: Path, name: str) -> None:
    source, target = red_clip(tmp_path / "in.mp4", name), tmp_path / "out.mp4"
    field = read(source)
    wanted = torch.tensor([1.0, 0, 0]).view(3, 1, 1, 1)
    assert float((field.samples - wanted).abs().max()) < 0.008
    assert again(source, target) == []
    assert float((read(target).samples - wanted).abs().max()) < 0.02
    before, after = first_video(source), first_video(target)
    assert before["tags"] == RED[name][2]
    assert after["tags"] == before["tags"]


@pytest.mark.parametrize(("height", "matrix"), [(HEIGHT, 6), (720, 1)])
def test_a_matrix_that_is_not_tagged_is_tagged_as_taken(tmp_path: Path, height: int, matrix: int) -> None:
    values = RED["bt601" if matrix == 6 else "bt709"][0]
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=12)
        stream.width, stream.height, stream.pix_fmt = 16, height, "yuv444p"
        frame = av.VideoFrame(16, height, "yuv444p")
        for plane, value in zip(frame.planes, values, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert first_video(tmp_path / "in.mkv")["tags"][0] == 2
    field = read(tmp_path / "in.mkv", Selection(size=16))
    assert float((field.samples - torch.tensor([1.0, 0, 0]).view(3, 1, 1, 1)).abs().max()) < 0.008
    write(tmp_path / "out.mp4", field)
    assert first_video(tmp_path / "out.mp4")["tags"][0] == matrix


def test_10_bit_stays_10_bit(tmp_path: Path) -> None:
    """A ramp so gentle that 8 bits would show fewer than ten steps of it."""
    ramp = np.broadcast_to(np.linspace(500, 530, WIDTH)[:, None], (3, HEIGHT, WIDTH, 3)).round()
    write(tmp_path / "in.mkv", clip_field(ramp, top=1023, bits=10), LOSSLESS)
    assert again(tmp_path / "in.mkv", tmp_path / "out.mp4") == []
    assert first_video(tmp_path / "out.mp4")["pixels"] == "yuv420p10le"
    field = read(tmp_path / "out.mp4")
    assert video_origin(field).bits == 10
    assert len(torch.unique(levels_of(field.samples[1], 1023))) > 20
    assert float((field.samples - read(tmp_path / "in.mkv").samples).abs().max()) < 0.003


@pytest.mark.parametrize(
    ("name", "quality", "within"),
    [("a.webm", "visual", 0.06), ("a.mov", "prores", 0.02), ("a.mkv", "lossless", 0.003)],
)
def test_transparency_is_kept(tmp_path: Path, name: str, quality: str, within: float) -> None:
    field = alpha_field()
    wanted = alpha_of(field)
    assert wanted is not None
    for target in (tmp_path / f"1{name}", tmp_path / f"2{name}"):
        assert write(target, field, Encoding(quality)) == []
        field = read(target)
        alpha = alpha_of(field)
        assert alpha is not None
        assert alpha.shape == wanted.shape
        inside = [slice(4, 20), slice(28, 36), slice(44, 60)]
        assert max(float((alpha - wanted)[..., part].abs().max()) for part in inside) <= within


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_transparency_left_out_is_noted(tmp_path: Path, name: str) -> None:
    notes = write(tmp_path / name, alpha_field())
    assert len(notes) == 1
    assert "transparency" in notes[0]
    assert alpha_of(read(tmp_path / name)) is None


def test_an_odd_size_is_kept(tmp_path: Path) -> None:
    field = clip_field(np.stack([smooth(index, 63, 47) for index in range(3)]))
    for suffix in (".mp4", ".webm", ".gif"):
        write(tmp_path / f"a{suffix}", field)
        assert read(tmp_path / f"a{suffix}").shape == (3, 47, 63)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("first", [0, 90])
def test_time_stamps_are_kept(tmp_path: Path, suffix: str, first: int) -> None:
    """Variable ones, from 0 and from 0.15 s."""
    source = make_clip(tmp_path / "in.mp4", [first + tick for tick in UNEVEN], Fraction(1, 600))
    before = times(source)
    assert before == [Fraction(first + tick, 600) for tick in UNEVEN]
    assert again(source, tmp_path / f"out{suffix}") == []
    after = times(tmp_path / f"out{suffix}")
    # Matroska counts in milliseconds.
    within = Fraction(1, 1999) if suffix == ".mkv" else 0
    assert len(after) == len(before)
    assert all(abs(a - b) <= within for a, b in zip(after, before, strict=True))


def test_the_last_picture_is_shown_as_long_as_it_was(tmp_path: Path) -> None:
    field = clip_field(count=3)
    origin = VideoOrigin(
        rate=Fraction(12), time_base=Fraction(1, 600), ticks=(0, 50, 100), durations=(50, 50, 240)
    )
    write(tmp_path / "a.mp4", Field(field.samples, CLIP, origin))
    again(tmp_path / "a.mp4", tmp_path / "b.mp4")
    for name in ("a.mp4", "b.mp4"):
        back = video_origin(read(tmp_path / name))
        assert back.durations[-1] * back.time_base == Fraction(240, 600)


def test_time_stamps_of_matroska_are_kept(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", UNEVEN, Fraction(1, 50))
    for suffix in (".mkv", ".mp4"):
        again(source, tmp_path / f"out{suffix}")
        assert times(tmp_path / f"out{suffix}") == times(source)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".webm"])
def test_the_rate_is_kept_as_a_fraction(tmp_path: Path, suffix: str) -> None:
    step = Fraction(1001, 24000)
    source = make_clip(tmp_path / "in.mp4", range(12), step)
    assert again(source, tmp_path / f"out{suffix}") == []
    assert first_video(tmp_path / f"out{suffix}")["rate"] == 1 / step
    after = times(tmp_path / f"out{suffix}")
    within = Fraction(1, 1999) if suffix in (".mkv", ".webm") else 0
    assert len(after) == 12
    # AVI has no time stamps, only their distance.
    first = after[0] if suffix == ".avi" else 0
    assert all(abs(at - first - index * step) <= within for index, at in enumerate(after))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_rate_rounded_by_matroska_is_exact_again(tmp_path: Path, suffix: str) -> None:
    step = Fraction(1001, 30000)
    again(make_clip(tmp_path / "in.mp4", range(30), step), tmp_path / "in.mkv")
    assert times(tmp_path / "in.mkv")[1] == Fraction(33, 1000)
    again(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
    assert first_video(tmp_path / f"out{suffix}")["rate"] == 1 / step
    if suffix == ".mp4":
        assert times(tmp_path / "out.mp4") == [index * step for index in range(30)]
    else:
        assert times(tmp_path / "out.mkv") == times(tmp_path / "in.mkv")


def test_an_uneven_clip_is_not_taken_for_a_rounded_one(tmp_path: Path) -> None:
    """One frame late by a tick."""
    source = make_clip(tmp_path / "in.mp4", [0, 50, 101, 150, 200], Fraction(1, 600))
    again(source, tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == times(source)


def test_avi_says_that_it_has_no_variable_rate(media: Path, tmp_path: Path) -> None:
    notes = again(media / "uneven.mp4", tmp_path / "a.avi")
    assert len(notes) == 1
    assert "variable frame rate" in notes[0]
    field = read(tmp_path / "a.avi")
    assert field.shape[0] == len(UNEVEN)
    assert len({b - a for a, b in pairwise(times(tmp_path / "a.avi"))}) == 1
    write(tmp_path / "a.mp4", field)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_clip_is_upright(tmp_path: Path, rotation: int) -> None:
    """As FFmpeg's own player shows it: turned counterclockwise by the file's angle."""
    source = make_clip(tmp_path / "in.mp4", rotation=rotation, options={"qp": "0"})
    stored = make_clip(tmp_path / "plain.mp4", options={"qp": "0"})
    upright = torch.rot90(read(stored).samples, rotation // 90, (2, 3))
    assert probe(source).shape == tuple(upright.shape[1:])
    assert probe(source).entries["size"] == f"{upright.shape[3]}x{upright.shape[2]}"
    assert float((read(source).samples - upright).abs().max()) < 0.01
    again(source, tmp_path / "out.mp4")
    back = read(tmp_path / "out.mp4").samples
    assert back.shape == upright.shape
    assert float((back - upright).abs().mean()) < 0.02
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_aspect_of_a_sample_is_kept(tmp_path: Path, suffix: str, rotation: int) -> None:
    """What is 4:3 lying is 3:4 standing."""
    source = make_clip(tmp_path / "in.mp4", aspect=Fraction(4, 3), rotation=rotation)
    again(source, tmp_path / f"out{suffix}")
    assert first_video(tmp_path / f"out{suffix}")["aspect"] == (Fraction(3, 4) if rotation else Fraction(4, 3))


@pytest.mark.parametrize(("size", "shape"), [(33, (24, 32)), (20, (16, 20)), (64, (48, 64)), (500, (48, 64))])
def test_size_makes_a_clip_smaller_and_never_larger(tmp_path: Path, size: int, shape: tuple[int, int]) -> None:
    source = make_clip(tmp_path / "in.mp4", draw=waves)
    whole, field = read(source), read(source, Selection(size=size))
    assert field.shape[1:] == shape
    assert float((field.samples.mean((1, 2, 3)) - whole.samples.mean((1, 2, 3))).abs().max() * 255) < 0.3
    write(tmp_path / "out.mp4", field)
    assert read(tmp_path / "out.mp4").shape == field.shape
    standing = make_clip(tmp_path / "standing.mp4", rotation=90)
    assert read(standing, Selection(size=size)).shape[1:] == shape[::-1]


def test_probe_says_what_a_file_is(media: Path, tmp_path: Path) -> None:
    facts = probe(media / "tone.mp4")
    assert (facts.kind, facts.shape) == ("video", (24, HEIGHT, WIDTH))
    assert facts.entries["size"] == "64x48"
    assert facts.entries["frames"].startswith("24, 12 a second, 2")
    assert "h264" in facts.entries["codec"]
    assert facts.entries["audio"] == "aac"
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((7, 9), np.uint16))
    facts = probe(tmp_path / "a.png")
    assert (facts.kind, facts.shape) == ("image", (7, 9))
    assert facts.entries["samples"] == "16 bit, gray"
