"""A volume that goes from one format into another keeps its physical values; what is lost is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import tifffile
import torch
import zarr

from tests.codecs.slices import SLICES, counts, series, slice_of
from volstyle.codecs import check, read, write
from volstyle.errors import OutputError
from volstyle.grid.field import Axis, Field

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 1.5, 0, -7], [0, 0, 3, 4], [0, 0, 0, 1]])


def numbers_in(path: Path) -> np.ndarray:
    """The samples as the format's own library gives them, channels last."""
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".npz":
        return next(iter(np.load(path).values()))
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".zarr":
        return np.moveaxis(zarr.open_group(path, mode="r")["0"][...], 0, -1)[..., 0]
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["volume"][()]
    if path.suffix == ".gz":
        return np.asarray(nib.load(path).get_fdata()).T
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


SUFFIXES = (".nrrd", ".mha", ".npy", ".npz", ".tif", ".h5", ".zarr", ".nii.gz")


def nifti(path: Path, array: np.ndarray, slope: float = 1, inter: float = 0) -> Path:
    """An array over x, y, z of stored numbers, with a scale."""
    image = nib.Nifti1Image(array, AFFINE)
    image.header.set_slope_inter(slope, inter)
    image.header.set_xyzt_units("mm", "sec")
    data = image.header
    path = path.with_suffix(".nii")
    with path.open("wb") as file:
        header = data.copy()
        header["vox_offset"], header["magic"] = 352, b"n+1"
        file.write(header.binaryblock + bytes(4) + array.tobytes(order="F"))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hounsfield_units_stay_hounsfield_units(tmp_path: Path, suffix: str) -> None:
    field = read(series(tmp_path / "ct"))
    write(tmp_path / f"out{suffix}", field)
    found = numbers_in(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(found, counts() - 1024.0)
    assert found.dtype.kind in "if" and found.dtype.itemsize == (2 if suffix != ".nii.gz" else 8)
    samples = field.samples.clone()
    samples[0, 0, 0, 0] = -900.4
    write(tmp_path / f"changed{suffix}", replace(field, samples=samples))
    assert numbers_in(tmp_path / f"changed{suffix}")[0, 0, 0] == -900


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("slope", "inter"), [(-2, 100), (0.25, -3), (1, 0.5)])
def test_a_scale_of_nifti_is_applied(tmp_path: Path, suffix: str, slope: float, inter: float) -> None:
    stored = (np.arange(9 * 8 * 10).reshape(9, 8, 10) % 700).astype(np.int16)
    field = read(nifti(tmp_path / "in", stored, slope, inter))
    write(tmp_path / f"out{suffix}", field)
    np.testing.assert_array_equal(numbers_in(tmp_path / f"out{suffix}").squeeze(), stored.T * slope + inter)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_slices_of_different_slopes_have_their_values(tmp_path: Path, suffix: str) -> None:
    """PET has a slope for each slice, which no other format can say."""
    folder = tmp_path / "pet"
    folder.mkdir()
    for number in range(SLICES):
        made = slice_of(number, RescaleSlope=0.5 + number, RescaleIntercept=number)
        made.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    write(tmp_path / f"out{suffix}", read(folder))
    slopes = np.arange(SLICES)[:, None, None]
    np.testing.assert_allclose(numbers_in(tmp_path / f"out{suffix}"), counts() * (0.5 + slopes) + slopes)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["u1", "i1", ">u2", "<i4", "i8", "u8", "f2", ">f4", "f8", "?"])
def test_every_type_goes_into_every_format(tmp_path: Path, suffix: str, dtype: str) -> None:
    array = (np.arange(8 * 9 * 10).reshape(8, 9, 10) % 2 if dtype == "?" else counts()[:8, :9, :10] % 100).astype(
        dtype
    )
    np.save(tmp_path / "in.npy", array)
    field = read(tmp_path / "in.npy")
    write(tmp_path / f"out{suffix}", field)
    np.testing.assert_array_equal(
        read(tmp_path / f"out{suffix}").samples.squeeze().numpy(), array.astype(np.float32)
    )


def test_large_whole_numbers_are_not_rounded(tmp_path: Path) -> None:
    array = np.full((8, 8, 8), 2**60 + 1, np.int64)
    np.save(tmp_path / "in.npy", array)
    write(tmp_path / "out.nrrd", read(tmp_path / "in.npy"))
    np.testing.assert_array_equal(numbers_in(tmp_path / "out.nrrd"), array)
    with pytest.raises(OutputError, match=r"out\.tif: samples are int64, must be u1, .*; choose \.npy"):
        write(tmp_path / "out.tif", read(tmp_path / "in.npy"))


@pytest.mark.parametrize("suffix", [".tif", ".h5", ".zarr", ".nrrd", ".nii.gz"])
def test_channels_go_along(tmp_path: Path, suffix: str) -> None:
    stored = np.stack([np.arange(720).reshape(9, 8, 10), 5 + np.arange(720).reshape(9, 8, 10)], -1).astype(
        np.float32
    )
    nib.save(nib.Nifti1Image(stored[:, :, :, None], AFFINE), tmp_path / "in.nii.gz")
    field = read(tmp_path / "in.nii.gz")
    assert field.channels == 2
    write(tmp_path / f"out{suffix}", field)
    assert torch.equal(read(tmp_path / f"out{suffix}").samples, field.samples)


def test_an_array_says_where_its_channels_are(tmp_path: Path) -> None:
    field = Field(torch.rand(2, 8, 9, 10), tuple(map(Axis, "zyx")))
    write(tmp_path / "in.zarr", replace(field, samples=field.samples[:1]))
    source = read(tmp_path / "in.zarr")
    two = replace(source.origin, array=np.repeat(source.origin.array, 2, 0))
    notes = write(tmp_path / "out.npy", replace(source, samples=source.samples.repeat(2, 1, 1, 1), origin=two))
    assert np.load(tmp_path / "out.npy").shape == (8, 9, 10, 2)
    assert notes == ["out.npy: axes are z, y, x, channel, which the format does not say"]


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz", ".tif"])
def test_transparency_goes_along(tmp_path: Path, suffix: str) -> None:
    kind = [(name, "u1") for name in "RGBA"]
    stored = np.zeros((9, 8, 10), kind)
    for number, name in enumerate("RGBA"):
        stored[name] = np.arange(720).reshape(9, 8, 10) % (200 - number)
    nib.save(nib.Nifti1Image(stored, AFFINE), tmp_path / "in.nii.gz")
    field = read(tmp_path / "in.nii.gz")
    assert field.channels == 3
    write(tmp_path / f"out{suffix}", replace(field, samples=255 - field.samples))
    if suffix == ".nii.gz":
        found = np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj)
        assert found.dtype.names == ("R", "G", "B", "A")
        np.testing.assert_array_equal(found["A"], stored["A"])
        np.testing.assert_array_equal(found["G"], 255 - stored["G"])
    else:
        found = numbers_in(tmp_path / f"out{suffix}")
        np.testing.assert_array_equal(found[..., 3], stored["A"].T)
        np.testing.assert_array_equal(found[..., 1], 255 - stored["G"].T)
    [note] = write(tmp_path / "out.zarr", field)
    assert "no place for its orientation and position; its transparency; left out" in note


@pytest.mark.parametrize(
    ("suffix", "lost"), [(".npy", "the size of its samples (0.5 um x 0.25 um x 2 um)"), (".h5", "")]
)
def test_lost_sizes_are_said(tmp_path: Path, suffix: str, lost: str) -> None:
    axes = (Axis("z", 2.0, "um"), Axis("y", 0.25, "um"), Axis("x", 0.5, "um"))
    notes = write(tmp_path / f"out{suffix}", Field(torch.rand(1, 8, 9, 10), axes))
    assert [lost in note for note in notes] == ([True] if lost else [])
    if not lost:
        assert read(tmp_path / "out.h5").axes == axes


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz"])
def test_micrometers_become_millimeters(tmp_path: Path, suffix: str) -> None:
    axes = (Axis("z", 2.0, "um"), Axis("y", 0.25, "um"), Axis("x", 0.5, "um"))
    write(tmp_path / f"out{suffix}", Field(torch.rand(1, 8, 9, 10), axes))
    found = read(tmp_path / f"out{suffix}").axes
    assert [axis.unit for axis in found] == ["mm"] * 3
    assert [axis.step for axis in found] == pytest.approx([2e-3, 2.5e-4, 5e-4])


def test_a_resampled_scan_keeps_its_values_and_its_place(tmp_path: Path) -> None:
    """Twice as many samples of half the size, as a library's caller may make them."""
    field = read(nifti(tmp_path / "in", np.full((8, 8, 8), 1500, np.int16)))
    finer = field.with_samples(
        field.samples.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    )
    write(tmp_path / "out.nii.gz", finer)
    image = nib.load(tmp_path / "out.nii.gz")
    assert image.shape == (16, 16, 16) and float(image.get_fdata().max()) == 1500
    np.testing.assert_allclose(image.affine[:3, :3], AFFINE[:3, :3] / 2)
    corner = np.array([-0.5, -0.5, -0.5, 1])
    np.testing.assert_allclose(image.affine @ corner, AFFINE @ corner)


def test_samples_of_no_file_that_are_no_picture_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "out.nrrd", Field(torch.full((1, 8, 8, 8), -700.5), tuple(map(Axis, "zyx"))))
    assert float(numbers_in(tmp_path / "out.nrrd").max()) == -700.5


@pytest.mark.parametrize("name", ["out.dcm", "folder", "out.mp4", "out.png", "out.csv"])
def test_what_cannot_hold_a_nifti_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    field = read(nifti(tmp_path / "in", np.zeros((8, 8, 8), np.int16)))
    planned: Any = replace(field, samples=torch.empty(field.samples.shape, device="meta"))
    with pytest.raises(OutputError, match=name):
        check(tmp_path / name, planned)


@pytest.mark.parametrize("name", ["out.nii", "out.nrrd", "out.tif", "out.zarr", "out.h5"])
def test_a_clip_is_no_volume(tmp_path: Path, name: str) -> None:
    planned = Field(torch.empty(3, 4, 8, 8, device="meta"), (Axis("t", 0.1, "s"), Axis("y"), Axis("x")))
    with pytest.raises(
        OutputError, match=f"{name}: the format has axes z, y, x or t, z, y, x, the result has t, y, x"
    ):
        check(tmp_path / name, planned)
