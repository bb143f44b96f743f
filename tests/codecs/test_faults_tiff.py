"""TIFF files of microscopes and editors that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from volstyle.codecs import Moment, Selection, borders, probe, read, write
from volstyle.codecs.tiff import TiffOrigin
from volstyle.errors import CapacityError, InputError
from volstyle.grid.field import Axis, Field
from volstyle_cli import main


def stack(dtype: Any = np.uint16) -> np.ndarray:
    return (np.arange(8 * 24 * 20).reshape(8, 24, 20) % 250).astype(dtype)


def changed(path: Path) -> Field:
    field = read(path)
    return replace(field, samples=field.samples + 1)


def test_micrometers_in_utf8(tmp_path: Path) -> None:
    sizes = {f"PhysicalSize{axis}": 0.5 for axis in "XYZ"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack(), metadata={"axes": "ZYX", **sizes})
    assert read(tmp_path / "a.ome.tif").axes == tuple(Axis(name, 0.5, "um") for name in "zyx")
    write(tmp_path / "b.ome.tif", changed(tmp_path / "a.ome.tif"))
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as before, tifffile.TiffFile(tmp_path / "b.ome.tif") as after:
        assert after.ome_metadata == before.ome_metadata and "µm" in str(after.ome_metadata)
        np.testing.assert_array_equal(after.asarray(), stack() + 1)


@pytest.mark.parametrize("unit", ["nm", "mm", "pixel"])
def test_other_units_are_not_micrometers(tmp_path: Path, unit: str) -> None:
    sizes = {f"PhysicalSize{axis}": 2.0 for axis in "XYZ"} | {f"PhysicalSize{axis}Unit": unit for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack(), metadata={"axes": "ZYX", **sizes})
    step, found = (1.0, "px") if unit == "pixel" else (2.0, unit)
    assert read(tmp_path / "a.ome.tif").axes == tuple(Axis(name, step, found) for name in "zyx")


@pytest.mark.parametrize("packing", ["packbits", "lzw", "zlib", "zstd", "lzma"])
def test_a_packing_stays(tmp_path: Path, packing: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(), compression=packing, photometric="minisblack")
    assert write(tmp_path / "b.tif", changed(tmp_path / "a.tif")) == []
    with tifffile.TiffFile(tmp_path / "a.tif") as before, tifffile.TiffFile(tmp_path / "b.tif") as after:
        assert after.pages[0].compression == before.pages[0].compression
        np.testing.assert_array_equal(after.asarray(), stack() + 1)


@pytest.mark.parametrize("packing", ["jpeg", "lerc"])
def test_a_packing_that_loses_samples_is_another_one_with_a_note(tmp_path: Path, packing: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(np.uint8), compression=packing, photometric="minisblack")
    field = changed(tmp_path / "a.tif")
    assert write(tmp_path / "b.tif", field) == [
        f"b.tif: packed by deflate, not by {packing.upper()} as the source is"
    ]
    assert torch.equal(read(tmp_path / "b.tif").samples, field.samples)


def test_a_packing_that_cannot_be_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(), compression="packbits", photometric="minisblack")
    field = changed(tmp_path / "a.tif")
    monkeypatch.setattr(type(tifffile.TIFF.COMPRESSORS), "__contains__", lambda self, code: code == 1)
    assert write(tmp_path / "b.tif", field) == ["b.tif: packed by deflate, not by PACKBITS as the source is"]


def test_a_pyramid_stays_one(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        options: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16)}
        file.write(stack(), subifds=2, metadata={"axes": "ZYX"}, **options)
        file.write(stack()[:, ::2, ::2], subfiletype=1, **options)
        file.write(stack()[:, ::4, ::4], subfiletype=1, **options)
    field = changed(tmp_path / "a.ome.tif")
    assert write(tmp_path / "b.ome.tif", field) == []
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        [series] = file.series
        assert [level.shape for level in series.levels] == [(8, 24, 20), (8, 12, 10), (8, 6, 5)]
        np.testing.assert_array_equal(series.asarray(), stack() + 1)
        mean = (stack() + 1).reshape(8, 12, 2, 10, 2).mean((2, 4))
        assert np.abs(series.levels[1].asarray() - mean).max() <= 1
        assert series.keyframe.tile == (16, 16)


@pytest.mark.parametrize(("suffix", "says"), [(".nii.gz", True), (".zarr", True), (".ome.tif", False)])
def test_a_pyramid_that_goes_into_another_format_is_a_note(tmp_path: Path, suffix: str, says: bool) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(stack(), subifds=2, metadata={"axes": "ZYX"})
        for step in (2, 4):
            file.write(stack()[:, ::step, ::step], subfiletype=1)
    notes = write(tmp_path / f"b{suffix}", read(path))
    assert any("its 2 smaller copies; left out" in note for note in notes) == says


def test_a_file_of_two_series_is_its_stack_and_says_so(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(stack()[0], photometric="minisblack")
        file.write(stack(), photometric="minisblack")
    assert write(tmp_path / "b.tif", changed(tmp_path / "a.tif")) == [
        "a.tif: the largest of 2 series of pages; the others are left out"
    ]


# --------------------------------------------------------------------------------------- times and channels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_pages_in_time_are_a_clip(tmp_path: Path, kind: str, dtype: Any) -> None:
    step = {"finterval": 0.5} if kind == "imagej" else {"TimeIncrement": 500.0, "TimeIncrementUnit": "ms"}
    tifffile.imwrite(tmp_path / "a.tif", stack(dtype), **{kind: True}, metadata={"axes": "TYX", **step})  # type: ignore[arg-type]
    facts, field = probe(tmp_path / "a.tif"), read(tmp_path / "a.tif")
    assert facts.kind == "video" and facts.shape == field.shape == (8, 24, 20)
    assert field.axes == (Axis("t", 0.5, "s"), Axis("y"), Axis("x"))
    np.testing.assert_allclose(field.samples[1].numpy(), stack() / np.iinfo(dtype).max, rtol=1e-6)
    part = read(tmp_path / "a.tif", Selection(size=12, start=Moment(1.0), end=Moment(5, "f")))
    assert part.shape == (3, 12, 10)
    with pytest.raises(InputError, match="no frames between --start and --end, it has 8"):
        read(tmp_path / "a.tif", Selection(start=Moment(9.0)))


def test_pages_in_time_and_color(tmp_path: Path) -> None:
    pages = np.stack([stack(np.uint8), 255 - stack(np.uint8), stack(np.uint8) // 2], -1)
    tifffile.imwrite(tmp_path / "a.tif", pages, imagej=True, metadata={"axes": "TYXS"})
    field = read(tmp_path / "a.tif")
    np.testing.assert_allclose(field.samples.numpy(), pages.transpose(3, 0, 1, 2) / 255, rtol=1e-6)
    assert field.axes[0].step == 0.04


@pytest.mark.parametrize("axes", ["CYX", "TCYX"])
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_a_picture_of_channels_is_refused(tmp_path: Path, kind: str, axes: str) -> None:
    array = stack()[:3] if axes == "CYX" else stack()[:6].reshape(2, 3, 24, 20)
    settings: dict[str, Any] = {kind: True, "metadata": {"axes": axes}, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", array, **settings)
    for look in (probe, read):
        with pytest.raises(InputError, match=rf"a picture of 3 channels \({axes}\), must be gray or RGB"):
            look(tmp_path / "a.tif")


def test_the_command_says_what_pages_in_time_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(np.uint8), imagej=True, metadata={"axes": "TYX"})
    style = str(tmp_path / "a.tif")
    for command in ("image", "volume"):
        output = str(tmp_path / ("o.png" if command == "image" else "o.nii.gz"))
        assert main([command, str(tmp_path / "a.tif"), "--style", style, "-o", output]) == 2
        assert "use `volstyle video`" in capsys.readouterr().err


# ------------------------------------------------------------------------------------- polarity and colors


def test_white_is_zero_stays_so(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(), photometric="miniswhite")
    field = read(tmp_path / "a.tif")
    assert isinstance(field.origin, TiffOrigin) and field.origin.inverted
    assert write(tmp_path / "b.tif", changed(tmp_path / "a.tif")) == []
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.photometric == 0
        np.testing.assert_array_equal(file.asarray(), stack() + 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_whose_white_is_zero_is_no_negative(tmp_path: Path, dtype: Any) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(dtype)[0], photometric="miniswhite")
    most = np.iinfo(dtype).max
    np.testing.assert_allclose(
        read(tmp_path / "a.tif").samples[0].numpy(), (most - stack(dtype)[0]) / most, atol=1e-6
    )


def test_a_stack_with_transparency_keeps_it(tmp_path: Path) -> None:
    pages = np.stack([stack(np.uint8), 255 - stack(np.uint8), stack(np.uint8) // 2, stack(np.uint8) // 3], -1)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb", extrasamples=["unassalpha"])
    field = read(tmp_path / "a.tif")
    assert field.channels == 3
    write(tmp_path / "b.tif", replace(field, samples=255 - field.samples))
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        np.testing.assert_array_equal(file.asarray()[..., 3], pages[..., 3])
        np.testing.assert_array_equal(file.asarray()[..., :3], 255 - pages[..., :3])
        assert file.pages.first.extrasamples == (2,)


def test_pages_of_palettes_are_refused(tmp_path: Path) -> None:
    colors = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack(np.uint8), photometric="palette", colormap=colors)
    with pytest.raises(InputError, match="samples are PALETTE, must be gray or RGB"):
        read(tmp_path / "a.tif")


# --------------------------------------------------------------------------------------------- bad files


def test_a_tiff_without_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 0))
    (tmp_path / "b.tif").write_bytes(b"II*\0" + struct.pack("<I", 8))
    (tmp_path / "c.tif").write_bytes(b"II*\0" + struct.pack("<IHI", 8, 0, 0))  # a page that says nothing of itself
    for name in ("a.tif", "b.tif", "c.tif"):
        for look in (probe, read):
            with pytest.raises(InputError, match=rf"{name}: (holds no page|damaged)"):
                look(tmp_path / name)
    assert capsys.readouterr().err == ""


def test_pages_that_tell_of_terabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((8, 64, 64), np.uint8), compression="zlib", photometric="minisblack"
    )
    tifffile.imwrite(tmp_path / "flat.tif", np.zeros((64, 64), np.uint8), compression="zlib")
    monkeypatch.setattr(borders, "free_memory", lambda: 4096)
    for name in ("a.tif", "flat.tif"):
        with pytest.raises(CapacityError, match=f"{name}: unpacks to"):
            read(tmp_path / name)
