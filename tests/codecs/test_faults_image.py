"""Pictures that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from volstyle.codecs import check, read, write
from volstyle.codecs.image import ImageOrigin
from volstyle.errors import CapacityError, InputError, OutputError
from volstyle.grid.field import Axis, Field


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def picture(height: int = 6, width: int = 8) -> np.ndarray:
    """(H, W, 4), every sample another."""
    levels: np.ndarray = (np.arange(height * width * 4) * 5 % 251).reshape(height, width, 4).astype(np.uint8)
    return levels


def origin_of(path: Path) -> ImageOrigin:
    origin = read(path).origin
    assert isinstance(origin, ImageOrigin)
    return origin


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_lies_as_its_exif_says(tmp_path: Path, suffix: str, alpha: bool, turn: int) -> None:
    """As Pillow lays it, with alpha and without."""
    samples = picture()
    samples[..., 3] = samples[..., 3] // 2 + 100
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.fromarray(samples if alpha else samples[..., :3].copy())
    path = tmp_path / f"a{suffix}"
    image.save(path, exif=exif, lossless=True, exact=True)
    upright = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    shown = np.asarray(image.transpose(Image.Transpose(upright[turn])) if turn > 1 else image)
    field = read(path)
    assert np.array_equal((field.samples.permute(1, 2, 0).numpy() * 255).round(), shown[..., :3])
    if alpha:
        found = origin_of(path).alpha
        assert found is not None
        assert np.array_equal((found.numpy() * 255).round(), shown[..., 3])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha", "unspecified", None])
def test_colors_of_a_tiff_are_not_multiplied_by_alpha(
    tmp_path: Path, kind: type, planar: str, extra: str | None
) -> None:
    """Whether the file holds them multiplied or not, and whether channels lie side by side or in planes."""
    most = np.iinfo(kind).max
    straight: np.ndarray = picture().astype(kind) * (most // 255)
    straight[..., 3] = np.maximum(straight[..., 3], most // 2)
    held = straight if extra else straight[..., :3]
    if extra == "assocalpha":
        held = np.dstack([np.rint(straight[..., :3] * (straight[..., 3:] / most)), straight[..., 3:]]).astype(kind)
    laid = held if planar == "contig" else np.moveaxis(held, -1, 0).copy()
    settings: dict[str, Any] = {"extrasamples": [extra]} if extra else {}
    tifffile.imwrite(tmp_path / "a.tif", laid, photometric="rgb", planarconfig=planar, **settings)
    field = read(tmp_path / "a.tif")
    found = field.samples.permute(1, 2, 0).numpy() * most
    assert np.abs(found - straight[..., :3]).max() <= (2 if extra == "assocalpha" else 0.01)
    alpha = origin_of(tmp_path / "a.tif").alpha
    assert (alpha is None) == (extra is None)
    assert alpha is None or np.array_equal((alpha.numpy() * most).round(), straight[..., 3])
    assert write(tmp_path / "b.tif", field) == []
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.extrasamples == ((tifffile.EXTRASAMPLE.UNASSALPHA,) if extra else ())
    assert torch.equal(read(tmp_path / "b.tif").samples, field.samples)


def test_a_gray_tiff_keeps_its_alpha(tmp_path: Path) -> None:
    samples = picture()[..., 2:].copy()
    tifffile.imwrite(
        tmp_path / "a.tif", samples, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    alpha = origin_of(tmp_path / "a.tif").alpha
    assert alpha is not None
    assert np.array_equal((alpha.numpy() * 255).round(), samples[..., 1])
    assert np.array_equal((read(tmp_path / "a.tif").samples[1].numpy() * 255).round(), samples[..., 0])


def test_a_tiff_keeps_its_color_profile(tmp_path: Path) -> None:
    profile = profile_of(b"RGB ")
    Image.fromarray(picture()[..., :3].copy()).save(tmp_path / "a.png", icc_profile=profile)
    assert write(tmp_path / "b.tif", read(tmp_path / "a.png")) == []
    assert origin_of(tmp_path / "b.tif").profile == profile


def test_a_profile_that_libpng_does_not_like_is_kept_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """libpng prints a line for each tag of a profile that does not begin at a multiple of 4."""
    profile = bytearray(profile_of(b"RGB "))
    struct.pack_into(">I", profile, 128 + 8, struct.unpack_from(">I", profile, 128 + 8)[0] + 1)
    Image.fromarray(picture()[..., :3].copy()).save(tmp_path / "a.png", icc_profile=bytes(profile))
    assert origin_of(tmp_path / "a.png").profile == bytes(profile)
    assert origin_of(tmp_path / "a.png").notes == ()
    assert write(tmp_path / "b.png", read(tmp_path / "a.png")) == []
    assert origin_of(tmp_path / "b.png").profile == bytes(profile)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("damage", [b"", b"x\0\0damaged", b"x\0\0" + zlib.compress(b"short")])
def test_a_damaged_profile_is_left_out_with_a_note(
    tmp_path: Path, damage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(picture()[..., :3].copy()).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:33] + chunk(b"iCCP", damage) + data[33:])
    assert origin_of(tmp_path / "a.png").profile is None
    assert origin_of(tmp_path / "a.png").notes == ("a.png: its color profile is damaged and is left out",)
    assert capfd.readouterr().err == ""


def profile_of(space: bytes) -> bytes:
    """An ICC profile that says it is of a color space."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[16:20] = space
    return bytes(made)


@pytest.mark.parametrize(
    ("mode", "space", "kept"),
    [("RGB", b"RGB ", True), ("CMYK", b"CMYK", False), ("L", b"GRAY", True), ("RGB", b"Lab ", False)],
)
def test_a_profile_of_another_color_space_is_left_out_with_a_note(
    tmp_path: Path, mode: str, space: bytes, kept: bool
) -> None:
    image = Image.fromarray(picture()[..., :3].copy()).convert(mode)
    image.save(tmp_path / "a.jpg", icc_profile=profile_of(space))
    notes = write(tmp_path / "b.png", read(tmp_path / "a.jpg"))
    with Image.open(tmp_path / "b.png") as result:
        assert ("icc_profile" in result.info) == kept
    assert len(notes) == (not kept)
    assert kept or "color profile is of" in notes[0]


def test_a_profile_of_gray_does_not_go_with_color(tmp_path: Path) -> None:
    Image.fromarray(picture()[..., 0].copy()).save(tmp_path / "a.jpg", icc_profile=profile_of(b"GRAY"))
    field = read(tmp_path / "a.jpg")
    colored = Field(field.samples * torch.tensor([1.0, 0.5, 0.2]).view(3, 1, 1), field.axes, field.origin)
    says = "b.png: its color profile is of GRAY, the result is RGB; the profile is left out"
    assert write(tmp_path / "b.png", colored) == [says]


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_a_moving_picture_is_noted(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(np.roll(picture()[..., :3], index, axis=1)) for index in range(3)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
    assert origin_of(tmp_path / name).notes == (
        f"{name}: holds 3 pictures, the first is taken; as .gif or .mp4 all are",
    )


def gray_png(levels: np.ndarray, bits: int, hidden: int) -> bytes:
    """A gray PNG of so many bits, one of whose levels is transparent. levels: (H, W), W a multiple of 8."""
    height, width = levels.shape
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in levels]
    else:
        rows = [
            np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8).reshape(-1)).tobytes()
            for row in levels
        ]
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = (b"IHDR", head), (b"tRNS", struct.pack(">H", hidden)), (b"IDAT", body), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_gray_that_a_png_calls_transparent_is(tmp_path: Path, bits: int) -> None:
    levels = np.arange(48).reshape(6, 8) * (2**bits - 1) // 47
    hidden = int(levels[3, 3])
    (tmp_path / "a.png").write_bytes(gray_png(levels, bits, hidden))
    field = read(tmp_path / "a.png")
    alpha = origin_of(tmp_path / "a.png").alpha
    assert alpha is not None
    assert np.array_equal(alpha.numpy() == 0, levels == hidden)
    assert field.samples[0].numpy() == pytest.approx(levels / (2**bits - 1), abs=1e-4)
    assert write(tmp_path / "b.png", field) == []
    again = origin_of(tmp_path / "b.png").alpha
    assert again is not None
    assert torch.equal(again, alpha)


def test_a_picture_too_large_for_the_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of some kilobytes may unpack to gigabytes; its header says so."""
    data = io.BytesIO()
    Image.new("1", (20000, 20000)).save(data, "PNG")
    (tmp_path / "a.png").write_bytes(data.getvalue())

    class Memory:
        available = 2**30

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    with pytest.raises(CapacityError, match=r"20000x20000 samples take 9\.6 GB of memory, 1\.1 GB are free"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_cannot_hold_what_it_says_is_refused_before_it_is_decoded(
    tmp_path: Path, progressive: bool
) -> None:
    """A header of which some bits are wrong says millions of samples, in a file of some hundred bytes."""
    data = io.BytesIO()
    Image.new("L", (2000, 1000)).save(data, "JPEG", progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(data.getvalue())
    assert read(tmp_path / "a.jpg").shape == (1000, 2000)  # nothing at all, in as few bytes as it takes
    broken = data.getvalue().replace(struct.pack(">HH", 1000, 2000), struct.pack(">HH", 20000, 10000))
    (tmp_path / "b.jpg").write_bytes(broken)
    with pytest.raises(InputError, match=r"b\.jpg: is damaged, it says 10000x20000 samples, which \d+ bytes"):
        read(tmp_path / "b.jpg")


@pytest.mark.parametrize(("name", "most"), [("a.webp", 16383), ("a.jpg", 65535), ("a.jpeg", 65535)])
def test_a_picture_too_large_for_its_format_is_refused_before_the_work(
    tmp_path: Path, name: str, most: int
) -> None:
    def planned(side: int) -> Field:
        return Field(torch.empty(3, 10, side, device="meta"), (Axis("y"), Axis("x")))

    check(tmp_path / name, planned(most))
    with pytest.raises(OutputError, match=f"at most {most} a side"):
        check(tmp_path / name, planned(most + 1))


def test_alpha_of_the_result_is_that_of_the_source(tmp_path: Path) -> None:
    """A picture of gray and alpha that stays gray keeps both."""
    gray: Any = picture()[..., 0]
    Image.merge("LA", [Image.fromarray(gray), Image.fromarray(255 - gray)]).save(tmp_path / "a.png")
    write(tmp_path / "b.png", read(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as one, Image.open(tmp_path / "b.png") as other:
        assert np.array_equal(np.asarray(one.convert("RGBA")), np.asarray(other.convert("RGBA")))
