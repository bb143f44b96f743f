"""Images in and out: law 6, what is read and written again looks the same."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch

from tests.clips import (
    IMAGE,
    again,
)
from volstyle.codecs import Selection, read, write
from volstyle.codecs.image import ImageOrigin


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (9, 7, 4)], ids=["gray", "color", "alpha"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_image_comes_back_exactly(tmp_path: Path, kind: type, shape: tuple[int, ...], suffix: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    array = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    assert cv2.imwrite(str(source), array)
    assert again(source, target) == []
    if suffix == ".tif" and array.ndim == 3:  # OpenCV multiplies colors by the alpha of a TIFF
        back = tifffile.imread(target)[..., [2, 1, 0, 3][: array.shape[2]]]
    else:
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


def test_size_of_an_image_and_its_alpha(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 4), 77, np.uint8))
    for size, shape in ((16, (12, 16)), (500, (48, 64))):
        field = read(tmp_path / "a.png", Selection(size=size))
        assert field.shape == shape
        again(tmp_path / "a.png", tmp_path / "b.png", Selection(size=size))
        assert np.array_equal(cv2.imread(str(tmp_path / "b.png"), -1), np.full((*shape, 4), 77, np.uint8))
