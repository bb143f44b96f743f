"""Files in and out: law 6 (what is read and written again looks and sounds the same), and bad files."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from volstyle.codecs import WHOLE, Encoding, Moment, Selection, check_writable, image, probe, read, write
from volstyle.codecs.clip import PictureOrigin
from volstyle.codecs.encoder import Encoder, Format
from volstyle.codecs.image import ImageOrigin
from volstyle.codecs.video import VideoOrigin
from volstyle.errors import CapacityError, InputError, OutputError
from volstyle.grid.field import Axis, Field

WIDTH, HEIGHT = 64, 48
CLIP = (Axis("t", 1 / 12, "s"), Axis("y"), Axis("x"))
IMAGE = (Axis("y"), Axis("x"))
UNEVEN = (0, 3, 4, 9, 20, 21, 22, 40)
SOUND_RATE = 48000
PACKET = 1024 / SOUND_RATE
LOSSLESS, FORCED = Encoding("lossless"), Encoding(force=True)

Draw = Callable[[int], np.ndarray]


def smooth(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A moving gradient of soft color, away from black and white."""
    y, x = np.mgrid[:height, :width]
    red, green = 60 + 120 * x / width, 70 + 100 * y / height
    blue = 128 + 50 * np.sin(x / 12 + y / 17 + index / 4)
    return np.rint(np.stack((red, green, blue), axis=-1)).astype(np.uint8)


def waves(index: int) -> np.ndarray:
    """Soft color that moves, the same on opposite edges."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    phases = x / WIDTH + index / 8, y / HEIGHT + index / 8, x / WIDTH + y / HEIGHT - index / 8
    return np.rint(128 + 60 * np.sin(2 * np.pi * np.stack(phases, axis=-1))).astype(np.uint8)


def flash(index: int) -> np.ndarray:
    """Black, but for frame 15."""
    return np.full((HEIGHT, WIDTH, 3), 255 if index == 15 else 0, np.uint8)


def tone(seconds: np.ndarray) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * seconds)


def click(seconds: np.ndarray) -> np.ndarray:
    """4 ms of noise where frame 15 of 12 a second is shown."""
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, seconds.shape)
    return np.where(np.abs(seconds - 1.25) < 0.002, noise, 0)


def make_clip(
    path: Path,
    ticks: Sequence[int] = range(8),
    time_base: Fraction = Fraction(1, 24),
    *,
    draw: Draw = smooth,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    tags: tuple[int, int, int, int] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    sound: Callable[[np.ndarray], np.ndarray] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip made without the package. tags: matrix, range, primaries, transfer."""
    end = float((ticks[-1] + 1) * time_base)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=1 / time_base, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = time_base
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if tags:
            context = stream.codec_context
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = tags
        if rotation:
            stream.set_display_rotation(rotation)
        track: Any = container.add_stream("aac", rate=SOUND_RATE, layout="stereo") if sound else None
        for index, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(draw(index), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = tick, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track is not None and sound is not None:
            for at in range(0, round(end * SOUND_RATE), 1024):
                wave = sound((at + np.arange(1024)) / SOUND_RATE).astype(np.float32)
                heard = av.AudioFrame.from_ndarray(wave[None].repeat(2, 0), format="fltp", layout="stereo")
                heard.sample_rate, heard.pts = SOUND_RATE, at
                container.mux(track.encode(heard))
            container.mux(track.encode(None))
    return path


def clip_field(levels: np.ndarray | None = None, count: int = 5, top: int = 255, **origin: Any) -> Field:
    """(3, T, H, W) of whole levels, random unless given (T, H, W, 3)."""
    if levels is None:
        levels = np.random.default_rng(0).integers(0, top + 1, (count, HEIGHT, WIDTH, 3))
    samples = torch.from_numpy(levels.astype(np.float32) / np.float32(top)).permute(3, 0, 1, 2).contiguous()
    count = samples.shape[1]
    kept = VideoOrigin(
        rate=Fraction(12), time_base=Fraction(1, 12), ticks=tuple(range(count)), durations=(1,) * count, **origin
    )
    return Field(samples, CLIP, kept)


def video_origin(field: Field) -> VideoOrigin:
    assert isinstance(field.origin, VideoOrigin)
    return field.origin


def levels_of(samples: Tensor, top: int = 255) -> Tensor:
    return (samples * top).round().int()


def times(path: Path) -> list[Fraction]:
    """When each picture is shown, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [Fraction(frame.pts or 0) * Fraction(stream.time_base or 0) for frame in container.decode(stream)]


def packets(path: Path) -> list[tuple[bytes, float]]:
    """Each packet of sound and when it is heard, in seconds."""
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(audio=0) if packet.size and packet.pts is not None]
        return [(bytes(packet), float((packet.pts or 0) * packet.time_base)) for packet in found]


def heard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The times of the decoded sound's samples, in seconds, and their values, of the first channel."""
    at, values = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = frame.to_ndarray()[0]
            at.append(float(frame.pts * frame.time_base) + np.arange(wave.size) / frame.sample_rate)
            values.append(wave)
    return np.concatenate(at), np.concatenate(values)


def first_video(path: Path) -> Any:
    """A closed clip's stream, as tags: pixels, rate, aspect, matrix, range, primaries, transfer."""
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        context = stream.codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        return {
            "codec": context.codec.canonical_name,
            "pixels": context.pix_fmt,
            "rate": stream.average_rate,
            "aspect": stream.sample_aspect_ratio,
            "tags": tuple(int(tag) for tag in tags),
        }


def again(source: Path, target: Path, selection: Selection = WHOLE, encoding: Encoding = FORCED) -> list[str]:
    return write(target, read(source, selection), encoding)


def one_line(error: pytest.ExceptionInfo[Exception], path: Path) -> str:
    """The message, which is one line that names the file."""
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tone.mp4 (24 frames, 2 s, sound), click.mp4 (the same with a flash and a click), uneven.mp4."""
    folder = tmp_path_factory.mktemp("media")
    make_clip(folder / "tone.mp4", range(24), Fraction(1, 12), sound=tone)
    make_clip(folder / "click.mp4", range(24), Fraction(1, 12), sound=click, draw=flash)
    make_clip(folder / "uneven.mp4", UNEVEN, Fraction(1, 600))
    return folder


# Images


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (9, 7, 4)], ids=["gray", "color", "alpha"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_image_comes_back_exactly(tmp_path: Path, kind: type, shape: tuple[int, ...], suffix: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    array = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    assert cv2.imwrite(str(source), array)
    assert again(source, target) == []
    back = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert back.dtype == kind
    assert np.array_equal(back, array)


def test_an_image_is_read_as_red_green_blue_in_0_to_1(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[[0, 128, 255]]], np.uint8))
    field = read(tmp_path / "a.png")
    assert field.axes == IMAGE
    assert torch.allclose(field.samples.flatten(), torch.tensor([1, 128 / 255, 0]))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_color_profile_is_kept(tmp_path: Path, suffix: str) -> None:
    array = np.full((8, 8, 3), 90, np.uint8)
    # A header, which names the white of D50, and one tag, which libpng wants to be long.
    text = np.random.default_rng(0).bytes(300)
    profile = bytearray(128) + b"".join(n.to_bytes(4, "big") for n in (1, 0x63707274, 144, 8 + len(text)))
    profile += b"text" + bytes(4) + text
    profile[:4] = len(profile).to_bytes(4, "big")
    profile[8:24] = b"\x04\x30\x00\x00mntrRGB XYZ "
    profile[36:40] = b"acsp"
    profile[68:80] = bytes.fromhex("0000f6d6 00010000 0000d32d")
    blob = np.frombuffer(bytes(profile), np.uint8)
    done, data = cv2.imencodeWithMetadata(suffix, array, [cv2.IMAGE_METADATA_ICCP], [blob])
    assert done
    (tmp_path / f"in{suffix}").write_bytes(bytes(data))
    again(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}")
    origin = read(tmp_path / f"out{suffix}").origin
    assert isinstance(origin, ImageOrigin)
    assert origin.profile == bytes(profile)


def test_what_a_format_of_images_cannot_keep_is_noted(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.full((8, 8, 4), 40000, np.uint16))
    notes = again(tmp_path / "in.png", tmp_path / "out.jpg")
    assert any("8 bit" in note for note in notes)
    assert any("transparency" in note for note in notes)
    assert abs(int(cv2.imread(str(tmp_path / "out.jpg"))[4, 4, 1]) - round(40000 / 257)) <= 1


def test_gray_that_became_color_is_written_in_color(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.full((8, 8), 90, np.uint8))
    field = read(tmp_path / "in.png")
    write(tmp_path / "out.png", field.with_samples(field.samples * torch.tensor([1, 0.5, 0]).view(3, 1, 1)))
    assert cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)[0, 0].tolist() == [0, 45, 90]


# The samples of clips


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


def alpha_field() -> Field:
    """Opaque on the left, clear on the right, half between; a smooth picture."""
    alpha = torch.ones(4, HEIGHT, WIDTH)
    alpha[..., 24:40], alpha[..., 40:] = 0.5, 0
    pictures = tuple(PictureOrigin(alpha=each) for each in alpha)
    return clip_field(np.stack([smooth(index) for index in range(4)]), pictures=pictures)


def alpha_of(field: Field) -> Tensor | None:
    """(T, H, W), of a clip whose frames all have it."""
    alphas = [
        p.alpha for p in video_origin(field).pictures if isinstance(p, PictureOrigin) and p.alpha is not None
    ]
    return torch.stack(alphas) if alphas else None


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


# Time, orientation, shape of samples


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


def test_size_of_an_image_and_its_alpha(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 4), 77, np.uint8))
    for size, shape in ((16, (12, 16)), (500, (48, 64))):
        field = read(tmp_path / "a.png", Selection(size=size))
        assert field.shape == shape
        again(tmp_path / "a.png", tmp_path / "b.png", Selection(size=size))
        assert np.array_equal(cv2.imread(str(tmp_path / "b.png"), -1), np.full((*shape, 4), 77, np.uint8))


# GIF


def test_a_gif_has_good_colors_and_the_right_duration(tmp_path: Path) -> None:
    levels = np.stack([smooth(index) for index in range(10)])
    field = clip_field(levels)
    origin = VideoOrigin(rate=Fraction(10), time_base=Fraction(1, 10), ticks=tuple(range(10)), durations=(1,) * 10)
    assert write(tmp_path / "a.gif", Field(field.samples, CLIP, origin)) == []
    back = read(tmp_path / "a.gif")
    assert back.shape == field.shape
    assert float((back.samples - field.samples).abs().mean() * 255) < 6
    assert float((back.samples - field.samples).mean((1, 2, 3)).abs().max() * 255) < 1
    assert len(torch.unique(levels_of(back.samples).flatten(1), dim=1).T) > 100
    assert times(tmp_path / "a.gif") == [Fraction(index, 10) for index in range(10)]
    kept = video_origin(back)
    assert sum(kept.durations) * kept.time_base == 1
    assert alpha_of(back) is None


def test_a_gif_keeps_variable_time_stamps(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", UNEVEN, Fraction(1, 50))
    again(source, tmp_path / "a.gif")
    assert times(tmp_path / "a.gif") == times(source)


def test_a_gif_leaves_out_what_it_cannot_show(tmp_path: Path) -> None:
    """100 a second, and two at the same hundredth."""
    source = make_clip(tmp_path / "in.mp4", [0, 1, 2, 3, 4, 6, 30], Fraction(1, 150))
    notes = again(source, tmp_path / "a.gif")
    assert len(notes) == 1
    assert "3 left out" in notes[0]
    assert times(tmp_path / "a.gif") == [Fraction(index, 100) for index in (0, 2, 4, 20)]


# Numbered images


def make_images(folder: Path, names: Sequence[str], kind: type = np.uint8, channels: int = 3) -> list[np.ndarray]:
    folder.mkdir()
    numbers = np.random.default_rng(0)
    arrays = [
        numbers.integers(0, np.iinfo(kind).max, (HEIGHT, WIDTH, channels), kind, endpoint=True) for _ in names
    ]
    for name, array in zip(names, arrays, strict=True):
        assert cv2.imwrite(str(folder / name), array)
    return arrays


NAMES = ["shot_2.png", "shot_9.png", "shot_10.png", "shot_100.png"]


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


# Sound


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_bit_for_bit(media: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    assert again(media / "tone.mp4", target) == []
    before, after = packets(media / "tone.mp4"), packets(target)
    assert [data for data, _ in after] == [data for data, _ in before]
    within = 5.1e-4 if suffix == ".mkv" else 1e-9
    assert max(abs(a - b) for (_, a), (_, b) in zip(after, before, strict=True)) <= within
    assert times(target)[0] == 0


def test_sound_of_a_clip_written_over_itself_is_kept(media: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes((media / "tone.mp4").read_bytes())
    assert again(path, path) == []
    assert packets(path) == packets(media / "tone.mp4")


def test_sound_that_does_not_fit_is_encoded_anew_with_a_note(media: Path, tmp_path: Path) -> None:
    notes = again(media / "tone.mp4", tmp_path / "a.webm")
    assert len(notes) == 1
    assert "aac" in notes[0]
    assert "libopus" in notes[0]
    at, wave = heard(tmp_path / "a.webm")
    assert abs(at[-1] - 2) < 0.06
    assert abs(at[0]) < 0.02
    middle = wave[SOUND_RATE // 2 : SOUND_RATE // 2 + SOUND_RATE]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert 0.15 < np.abs(middle).max() < 0.45


def test_sound_that_has_no_place_is_left_out_with_a_note(media: Path, tmp_path: Path) -> None:
    notes = again(media / "tone.mp4", tmp_path / "a.gif")
    assert len(notes) == 1
    assert "aac" in notes[0]
    assert "left out" in notes[0]


def shown_and_heard(path: Path) -> tuple[float, float]:
    """When the flash is seen and when the click is heard."""
    field = read(path)
    brightest = int(field.samples.mean((0, 2, 3)).argmax())
    at, wave = heard(path)
    return float(times(path)[brightest]), float(at[np.abs(wave).argmax()])


RANGES = {
    "whole": Selection(),
    "seconds": Selection(start=Moment(0.5), end=Moment(1.75)),
    "frames": Selection(start=Moment(7, "f"), end=Moment(20, "f")),
    "start": Selection(start=Moment(1.0)),
    "end": Selection(end=Moment(19, "f")),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("name", RANGES)
def test_a_part_is_in_sync(media: Path, tmp_path: Path, name: str, suffix: str) -> None:
    """A click where a flash is."""
    target = tmp_path / f"a{suffix}"
    selection = RANGES[name]
    again(media / "click.mp4", target, selection)
    start, end = (
        (moment.value / (12 if moment.unit == "f" else 1) if moment else None)
        for moment in (selection.start, selection.end)
    )
    start, end = start or 0.0, end or 2.0
    stamps = times(target)
    assert stamps[0] == 0
    assert len(stamps) == round((end - start) * 12)
    seen, clicked = shown_and_heard(target)
    assert abs(seen - (1.25 - start)) < 1e-3
    assert abs(clicked - seen) < 0.008
    # The sound covers the range to a packet, and no more.
    at, _ = heard(target)
    assert -PACKET - 1e-3 <= at[0] <= PACKET + 0.02 * (suffix == ".webm")
    assert abs(at[-1] - (end - start)) < PACKET + 0.02 * (suffix == ".webm")


def test_avi_is_in_sync(media: Path, tmp_path: Path) -> None:
    """FFmpeg shows H.264 in AVI a picture late, whoever wrote it."""
    again(media / "click.mp4", tmp_path / "a.avi")
    seen, clicked = shown_and_heard(tmp_path / "a.avi")
    assert abs(clicked - 1.25) < 0.008
    assert seen - 1.25 in (0, pytest.approx(1 / 12))


def test_damaged_sound_is_silent_with_a_note(media: Path, tmp_path: Path) -> None:
    """Sound that is encoded anew, that is; copied, it stays as it is."""
    data = bytearray((media / "tone.mp4").read_bytes())
    with av.open(str(media / "tone.mp4")) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for place, size in places[10:14]:
        data[place : place + size] = b"\xff" * size
    (tmp_path / "in.mp4").write_bytes(data)
    notes = again(tmp_path / "in.mp4", tmp_path / "a.webm")
    assert sum("damaged" in note for note in notes) == 1
    assert heard(tmp_path / "a.webm")[0][-1] > 1.9
    assert read(tmp_path / "a.webm").shape[0] == 24


def labelled(path: Path, source: Path) -> Path:
    """A copy with a title, three chapters and the sound's language."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        container.metadata.update(title="Harbor", comment="at noon")
        starts = ((0, 8, "one"), (8, 16, "two"), (16, 24, "three"))
        container.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": Fraction(1, 12), "metadata": {"title": name}}
                for i, (a, b, name) in enumerate(starts)
            ]
        )
        streams = {stream.index: container.add_stream_from_template(stream) for stream in given.streams}
        streams[1].metadata["language"] = "fra"
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_title_chapters_and_language_are_kept(media: Path, tmp_path: Path, suffix: str) -> None:
    source = labelled(tmp_path / f"in{suffix}", media / "tone.mp4")
    for selection, wanted in (
        (WHOLE, [("one", 0, 8), ("two", 8, 16), ("three", 16, 24)]),
        (Selection(start=Moment(10, "f"), end=Moment(18, "f")), [("two", 0, 6), ("three", 6, 8)]),
    ):
        again(source, tmp_path / f"out{suffix}", selection)
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            tags = {key.lower(): text for key, text in container.metadata.items()}
            assert (tags["title"], tags["comment"]) == ("Harbor", "at noon")
            assert container.streams.audio[0].language == "fra"
            found = [
                (c["metadata"]["title"], *(round(c[side] * c["time_base"] * 12) for side in ("start", "end")))
                for c in container.chapters()
            ]
        assert found == wanted


def test_a_title_in_no_known_encoding_does_not_matter(media: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path / "a.mkv", media / "tone.mp4").read_bytes()
    (tmp_path / "in.mkv").write_bytes(data.replace(b"Harbor", b"Harb\xf6r"))
    again(tmp_path / "in.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.metadata["title"] == "Harb\ufffdr"


def test_copied_packets_of_a_part_are_those_of_the_source(media: Path, tmp_path: Path) -> None:
    again(media / "tone.mp4", tmp_path / "a.mp4", RANGES["seconds"])
    whole, part = dict(packets(media / "tone.mp4")), packets(tmp_path / "a.mp4")
    assert 1.25 / PACKET - 2 <= len(part) <= 1.25 / PACKET + 2
    assert all(abs(whole[data] - (at + 0.5)) < 1e-3 for data, at in part)


@pytest.mark.parametrize(
    ("selection", "frames"),
    [
        (Selection(start=Moment(0.5), end=Moment(1.0)), range(6, 12)),
        (Selection(start=Moment(6, "f"), end=Moment(12, "f")), range(6, 12)),
        (Selection(end=Moment(3, "f")), range(3)),
        (Selection(start=Moment(23, "f")), range(23, 24)),
    ],
)
def test_a_range_is_the_frames_it_says(media: Path, selection: Selection, frames: range) -> None:
    whole, part = read(media / "tone.mp4").samples, read(media / "tone.mp4", selection).samples
    assert torch.equal(part, whole[:, list(frames)])


# Nothing half written


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


class Stop(BaseException):
    """As KeyboardInterrupt: no Exception."""


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


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def no_room_by_ffmpeg(*_: object) -> None:
    av.error.err_check(-errno.ENOSPC)


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


@pytest.mark.parametrize("name", ["a.png", "images"])
def test_a_full_disk_is_said_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Path, "write_bytes", no_room)
    field = Field(torch.rand(3, 8, 8), IMAGE) if name == "a.png" else clip_field()
    with pytest.raises(CapacityError) as error:
        write(tmp_path / name, field)
    assert "no room" in one_line(error, tmp_path / name)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


# Bad input


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are not what they seem."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.mp4").touch()
    (folder / "empty.png").touch()
    for name in ("text.mp4", "text.png", "text.gif", "photo.heic"):
        (folder / name).write_text("hello there\n" * 50)
    whole = make_clip(folder / "whole.mp4", range(24), sound=tone, options={"g": "1"}).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "head.mp4").write_bytes(whole[:300])
    again(folder / "whole.mp4", folder / "fast.mp4")
    fast = (folder / "fast.mp4").read_bytes()
    (folder / "cut_fast.mp4").write_bytes(fast[: -len(fast) // 3])
    mkv = make_clip(folder / "whole.mkv", range(24), Fraction(1, 8), options={"g": "2"}).read_bytes()
    (folder / "cut.mkv").write_bytes(mkv[: len(mkv) // 2])
    cv2.imwrite(str(folder / "whole.png"), np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    png = (folder / "whole.png").read_bytes()
    (folder / "cut.png").write_bytes(png[:60])
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=SOUND_RATE)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = SOUND_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (folder / "nothing").mkdir()
    make_images(folder / "unequal", ["1.png", "2.png"])
    cv2.imwrite(str(folder / "unequal" / "3.png"), np.zeros((10, 10, 3), np.uint8))
    return folder


BAD = {
    "missing": ("missing.mp4", WHOLE, "no such file"),
    "missing-image": ("missing.png", WHOLE, "no such file"),
    "no-suffix": ("missing", WHOLE, "no such file"),
    "empty": ("empty.mp4", WHOLE, "empty"),
    "empty-image": ("empty.png", WHOLE, "empty"),
    "text": ("text.mp4", WHOLE, "not a clip"),
    "text-gif": ("text.gif", WHOLE, "not a clip"),
    "text-image": ("text.png", WHOLE, "not an image"),
    "unknown": ("photo.heic", WHOLE, "not known"),
    "header": ("head.mp4", WHOLE, "damaged"),
    "truncated": ("cut.mp4", WHOLE, "damaged"),
    "truncated-faststart": ("cut_fast.mp4", WHOLE, "frame"),
    "truncated-mkv": ("cut.mkv", WHOLE, "cut off"),
    "truncated-image": ("cut.png", WHOLE, "damaged"),
    "sound": ("sound.mp4", WHOLE, "no video"),
    "behind": ("whole.mp4", Selection(start=Moment(9)), "no frame"),
    "behind-frames": ("whole.mp4", Selection(start=Moment(24, "f")), "no frame"),
    "backwards": ("whole.mp4", Selection(start=Moment(0.5), end=Moment(0.25)), "no frame"),
    "nothing-between": ("whole.mp4", Selection(start=Moment(0.5), end=Moment(0.5)), "no frame"),
    "no-images": ("nothing", WHOLE, "no images"),
    "no-images-fit": ("unequal/shot_%04d.png", WHOLE, "no images"),
    "behind-images": ("unequal", Selection(start=Moment(3, "f")), "no frame"),
    "backwards-images": ("unequal", Selection(start=Moment(2, "f"), end=Moment(1, "f")), "no frame"),
    "unequal": ("unequal/3.png", WHOLE, "10x10, must be 64x48"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_the_file(bad: Path, name: str) -> None:
    file, selection, says = BAD[name]
    with pytest.raises(InputError) as error:
        read(bad / "unequal" if name == "unequal" else bad / file, selection)
    assert says in one_line(error, bad / file)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (_, selection, _) in BAD.items()
        if selection is WHOLE and not name.startswith(("truncated-", "unequal"))
    ],
)
def test_bad_input_is_said_by_probe(bad: Path, name: str) -> None:
    with pytest.raises(InputError) as error:
        probe(bad / BAD[name][0])
    one_line(error, bad / BAD[name][0])


@pytest.mark.parametrize("name", ["whole.mp4", "whole.mkv", "fast.mp4", "whole.png"])
def test_the_whole_of_what_was_cut_off_is_read(bad: Path, name: str) -> None:
    """That the checks above do not refuse everything."""
    assert read(bad / name).shape[-2:] == (HEIGHT, WIDTH)


def test_the_part_before_a_cut_can_be_read(bad: Path) -> None:
    assert read(bad / "cut.mkv", Selection(end=Moment(4, "f"))).shape == (4, HEIGHT, WIDTH)


# Facts


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
