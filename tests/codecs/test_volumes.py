"""Files of NIfTI, arrays, NRRD, MHA, TIFF and HDF5 keep what their format says: each is made and opened by the
format's own library."""

from __future__ import annotations

import gzip
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import tifffile

from tests.scans import SHAPE, counts, loaded, nifti
from tests.tiny import numbers, tiny_field
from volstyle.codecs import Encoding, check_writable, probe, read, write
from volstyle.codecs.outgoing import NOTICE
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis

FORCED = Encoding(force=True)


# ---------------------------------------------------------------------------------------------------- NIfTI


NIFTI: dict[str, dict[str, Any]] = {
    "plain": {},
    "scaled": {"slope": 0.5, "inter": -100.0},
    "big": {"endian": ">"},
    "second": {"kind": nib.Nifti2Image},
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("name", NIFTI)
def test_a_nifti_comes_back_byte_for_byte(tmp_path: Path, name: str, suffix: str) -> None:
    path = nifti(tmp_path / f"a{suffix}", counts(*SHAPE), **NIFTI[name])
    field = read(path)
    assert field.shape == SHAPE[::-1]
    assert [axis.name for axis in field.axes] == ["z", "y", "x"]
    expected = loaded(path).get_fdata().T
    np.testing.assert_allclose(field.samples[0].numpy(), expected, rtol=1e-6)
    again = tmp_path / f"b{suffix}"
    assert write(again, field) == []
    opened = gzip.open if suffix == ".nii.gz" else open
    with opened(path, "rb") as one, opened(again, "rb") as other:
        assert one.read() == other.read()


@pytest.mark.parametrize("name", NIFTI)
def test_a_changed_nifti_keeps_everything_else(tmp_path: Path, name: str) -> None:
    path, again = nifti(tmp_path / "a.nii.gz", counts(*SHAPE), **NIFTI[name]), tmp_path / "b.nii.gz"
    field = read(path)
    samples = field.samples.clone()
    samples[0, 2, 3, 4] += 7.0
    write(again, replace(field, samples=samples))
    before, after = loaded(path), loaded(again)
    change = after.get_fdata() - before.get_fdata()
    assert change[4, 3, 2] == pytest.approx(7.0, abs=0.26)
    assert np.count_nonzero(change) == 1
    np.testing.assert_array_equal(after.affine, before.affine)
    keys = [key for key in before.header if key not in ("vox_offset", "magic")]
    assert (
        all(
            np.array_equal(before.header[key], after.header[key], equal_nan=True)
            for key in keys
            if before.header[key].dtype.kind == "f"
        )
        and after.header.endianness == before.header.endianness
    )
    assert all(
        before.header[key] == after.header[key] for key in ("descrip", "sform_code", "qform_code", "datatype")
    )
    texts = [extension.get_content() for extension in after.header.extensions]
    assert texts == [b"a comment", NOTICE.encode()]


def test_a_nifti_over_time_and_one_with_channels(tmp_path: Path) -> None:
    clip = nifti(tmp_path / "t.nii.gz", counts(*SHAPE, 3), zooms=(2, 2, 3, 1500))
    field = read(clip)
    assert field.shape == (3, *SHAPE[::-1])
    assert field.axes[0] == Axis("t", 1.5, "s")
    write(tmp_path / "t2.nii.gz", field)
    np.testing.assert_array_equal(loaded(tmp_path / "t2.nii.gz").dataobj, loaded(clip).dataobj)
    vector = nifti(tmp_path / "v.nii.gz", counts(*SHAPE, 1, 2))
    field = read(vector)
    assert field.samples.shape == (2, *SHAPE[::-1])
    write(tmp_path / "v2.nii.gz", field)
    np.testing.assert_array_equal(loaded(tmp_path / "v2.nii.gz").dataobj, loaded(vector).dataobj)


def test_a_color_nifti(tmp_path: Path) -> None:
    field = read(nifti(tmp_path / "a.nii.gz", counts(*SHAPE)))
    write(tmp_path / "b.nii.gz", field.with_samples(numbers(3, *SHAPE[::-1])))
    image = loaded(tmp_path / "b.nii.gz")
    assert image.get_data_dtype().names == ("R", "G", "B")
    np.testing.assert_array_equal(image.affine, loaded(tmp_path / "a.nii.gz").affine)
    assert image.dataobj[3, 4, 5]["G"] == round(255 * float(numbers(3, *SHAPE[::-1])[1, 5, 4, 3]))
    again = read(tmp_path / "b.nii.gz")
    write(tmp_path / "c.nii.gz", again)
    with gzip.open(tmp_path / "b.nii.gz") as one, gzip.open(tmp_path / "c.nii.gz") as other:
        assert one.read() == other.read()


def test_large_integers_pass_bit_for_bit(tmp_path: Path) -> None:
    """Numbers that float32 cannot hold are kept where nothing changed."""
    array = counts(*SHAPE).astype(np.int32) + 2**30 + 1
    field = read(nifti(tmp_path / "a.nii", array))
    samples = field.samples.clone()
    samples[0, 0, 0, 0] = 5
    write(tmp_path / "b.nii", replace(field, samples=samples))
    found = np.asarray(loaded(tmp_path / "b.nii").dataobj)
    array[0, 0, 0] = 5
    np.testing.assert_array_equal(found, array)


# ------------------------------------------------------------------------------------------- npy and npz


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, np.dtype(">f4"), np.bool_])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_an_array_comes_back(tmp_path: Path, suffix: str, dtype: Any) -> None:
    array = counts(*SHAPE) > 0 if dtype is np.bool_ else counts(*SHAPE, dtype=dtype)
    path, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    np.save(path, array) if suffix == ".npy" else np.savez(path, small=np.arange(3), volume=array)
    field = read(path)
    assert field.shape == SHAPE
    write(again, field)
    assert path.read_bytes() == again.read_bytes()
    assert probe(path).shape == SHAPE


def test_a_changed_npz_says_what_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", small=np.arange(3), volume=counts(*SHAPE))
    field = read(tmp_path / "a.npz")
    write(tmp_path / "b.npz", replace(field, samples=field.samples + 1))
    with np.load(tmp_path / "b.npz") as found:
        np.testing.assert_array_equal(found["small"], np.arange(3))
        np.testing.assert_array_equal(found["volume"], counts(*SHAPE) + 1)
        assert str(found["volstyle_notice"]) == NOTICE


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npy: damaged, or not an array of numbers"):
        read(tmp_path / "a.npy")


# ------------------------------------------------------------------------------------------- NRRD and MHA


def itk(path: Path, array: np.ndarray, *, packed: bool = True) -> Path:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-10.0, 20.0, 1 / 3))
    image.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    image.SetMetaData("scanner", "as it came")
    SimpleITK.WriteImage(image, str(path), useCompression=packed)
    return path


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_an_itk_image_comes_back(tmp_path: Path, suffix: str, packed: bool) -> None:
    path, again = itk(tmp_path / f"a{suffix}", counts(*SHAPE), packed=packed), tmp_path / f"b{suffix}"
    field = read(path)
    assert field.shape == SHAPE
    assert [axis.step for axis in field.axes] == [2.5, 0.8, 0.7]
    write(again, field)
    before, after = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(again))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(after), counts(*SHAPE))
    for name in ("Spacing", "Origin", "Direction", "PixelIDValue"):
        assert getattr(before, f"Get{name}")() == getattr(after, f"Get{name}")()
    assert after.GetMetaData("scanner") == "as it came"
    assert path.read_bytes() == again.read_bytes()
    write(again, replace(field, samples=field.samples + 2), FORCED)
    changed = SimpleITK.ReadImage(str(again))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(changed), counts(*SHAPE) + 2)
    assert NOTICE in changed.GetMetaData("volstyle_notice")


def test_geometry_goes_from_format_to_format(tmp_path: Path) -> None:
    """NRRD to NIfTI and back: left-posterior and right-anterior agree in where a sample is."""
    field = read(itk(tmp_path / "a.nrrd", counts(*SHAPE)))
    write(tmp_path / "b.nii.gz", field)
    image, there = SimpleITK.ReadImage(str(tmp_path / "a.nrrd")), loaded(tmp_path / "b.nii.gz")
    index = (3, 5, 7)
    expected = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
    np.testing.assert_allclose((there.affine @ [*index, 1])[:3], expected, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(there.dataobj).T, counts(*SHAPE))
    write(tmp_path / "c.mha", read(tmp_path / "b.nii.gz"))
    again = SimpleITK.ReadImage(str(tmp_path / "c.mha"))
    np.testing.assert_allclose(again.TransformIndexToPhysicalPoint(index), expected * (-1, -1, 1), atol=1e-4)


def test_samples_of_other_folders_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.raw").write_bytes(bytes(8 * 8 * 8))
    folder = tmp_path / "in"
    folder.mkdir()
    lines = "ObjectType = Image\nNDims = 3\nDimSize = 8 8 8\nElementType = MET_UCHAR\nElementDataFile = "
    (folder / "a.mhd").write_text(f"{lines}../secret.raw\n")
    with pytest.raises(InputError, match=r"a\.mhd: its samples are said to be in '\.\./secret\.raw'"):
        read(folder / "a.mhd")
    (folder / "own.raw").write_bytes(bytes(8 * 8 * 8))
    (folder / "a.mhd").write_text(f"{lines}own.raw\n")
    assert read(folder / "a.mhd").shape == (8, 8, 8)
    with pytest.raises(OutputError, match="would be two files"):
        check_writable(folder / "b.mhd")


# ---------------------------------------------------------------------------------------------------- TIFF


def test_an_imagej_stack_comes_back(tmp_path: Path) -> None:
    path, again = tmp_path / "a.tif", tmp_path / "b.tif"
    array = counts(3, 6, 2, 20, 24, dtype=np.uint16)
    metadata = {"axes": "TZCYX", "spacing": 2.5, "unit": "um", "finterval": 1.5, "Info": "as it came"}
    tifffile.imwrite(path, array, imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    field = read(path)
    assert field.samples.shape == (2, 3, 6, 20, 24)
    assert field.axes == (Axis("t", 1.5, "s"), Axis("z", 2.5, "um"), Axis("y", 0.25, "um"), Axis("x", 0.25, "um"))
    write(again, field)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(again) as after:
        np.testing.assert_array_equal(after.asarray(), array)
        assert after.is_imagej and after.imagej_metadata == before.imagej_metadata
        assert after.series[0].axes == before.series[0].axes
        assert after.pages[0].resolution == before.pages[0].resolution


def test_an_ome_tiff_comes_back(tmp_path: Path) -> None:
    path, again = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    array = counts(2, 6, 20, 24, dtype=np.uint16)
    metadata = {
        "axes": "CZYX",
        "PhysicalSizeX": 0.2,
        "PhysicalSizeY": 0.2,
        "PhysicalSizeZ": 0.6,
        "Channel": {"Name": ["nuclei", "membrane"]},
    }
    tifffile.imwrite(path, array, ome=True, metadata=metadata, compression="zlib")
    field = read(path)
    assert field.samples.shape == (2, 6, 20, 24)
    assert field.axes == (Axis("z", 0.6, "um"), Axis("y", 0.2, "um"), Axis("x", 0.2, "um"))
    write(again, replace(field, samples=field.samples + 1))
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(again) as after:
        np.testing.assert_array_equal(after.asarray(), array + 1)
        assert after.ome_metadata == before.ome_metadata
        assert after.pages[0].compression == before.pages[0].compression
        assert after.pages.first.software == NOTICE


def test_a_plain_stack_comes_back_and_a_picture_stays_one(tmp_path: Path) -> None:
    path, again = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(path, counts(*SHAPE), byteorder=">", description="as it came", metadata=None)
    field = read(path)
    assert field.shape == SHAPE and [axis.name for axis in field.axes] == ["z", "y", "x"]
    write(again, field)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(again) as after:
        np.testing.assert_array_equal(after.asarray(), counts(*SHAPE))
        assert after.byteorder == ">" and after.pages.first.description == before.pages.first.description
    write(again, field.with_samples(numbers(3, *SHAPE)), FORCED)
    with tifffile.TiffFile(again) as colored:
        assert colored.series[0].axes == "ZYXS" and colored.asarray().dtype == np.uint8
    write(tmp_path / "flat.tif", tiny_field(8, 9))
    assert [axis.name for axis in read(tmp_path / "flat.tif").axes] == ["y", "x"]


# ---------------------------------------------------------------------------------------------------- HDF5


def test_an_hdf5_keeps_all_else(tmp_path: Path) -> None:
    path, again = tmp_path / "a.h5", tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("scan/raw", data=counts(*SHAPE), chunks=(5, 6, 7), compression="gzip")
        dataset.attrs["element_size_um"] = [2.0, 1.0, 1.0]
        dataset.attrs["who"] = "somebody"
        file["scan/table"] = np.arange(5)
        file["alias"] = h5py.SoftLink("/scan/raw")
        file.attrs["project"] = "mine"
    field = read(path)
    assert field.axes == (Axis("z", 2.0, "um"), Axis("y", 1.0, "um"), Axis("x", 1.0, "um"))
    write(again, field)
    with h5py.File(again) as file:
        np.testing.assert_array_equal(file["scan/raw"], counts(*SHAPE))
    write(again, replace(field, samples=field.samples - 1), FORCED)
    with h5py.File(again) as file:
        dataset = file["scan/raw"]
        np.testing.assert_array_equal(dataset, counts(*SHAPE) - 1)
        assert dataset.attrs["who"] == "somebody" and dataset.attrs["volstyle_notice"] == NOTICE
        assert dataset.chunks == (5, 6, 7) and dataset.compression == "gzip"
        assert file.attrs["project"] == "mine" and list(file["scan/table"]) == [0, 1, 2, 3, 4]
        assert file.get("alias", getlink=True).path == "/scan/raw"
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file.create_dataset("a", shape=(4, 4, 4), dtype="u1", external=[(str(tmp_path / "secret"), 0, 64)])
    with pytest.raises(InputError, match=r"out\.h5: its samples are in other files"):
        read(tmp_path / "out.h5")


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = nifti(tmp_path / "a.nii", counts(*SHAPE))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    monkeypatch.delitem(sys.modules, "volstyle.codecs.nifti", raising=False)
    with pytest.raises(InputError, match=r"a\.nii: needs nibabel; install it: pip install 'volstyle\[volumes\]'"):
        read(path)


# ------------------------------------------------------------------------------------------------ bad files


def test_bad_volumes_are_named(tmp_path: Path) -> None:
    singular = nifti(tmp_path / "singular.nii", counts(*SHAPE))
    data = bytearray(singular.read_bytes())
    data[296:312] = bytes(16)  # srow_y
    singular.write_bytes(data)
    with pytest.raises(InputError, match=r"singular\.nii: affine is singular"):
        read(singular)
    holes = counts(*SHAPE, dtype=np.float32)
    holes[3, 2, 1], holes[5, 6, 7] = np.nan, np.inf
    np.save(tmp_path / "holes.npy", holes)
    with pytest.raises(InputError, match=r"holes\.npy: 2 samples are NaN or infinite, the first at z 3, y 2, x 1"):
        read(tmp_path / "holes.npy")
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(nifti(tmp_path / "whole.nii.gz", counts(*SHAPE)).read_bytes()[:900])
    with pytest.raises(InputError, match=r"cut\.nii\.gz: damaged"):
        read(cut)
    np.save(tmp_path / "flat.npy", np.zeros((2, 2, 2, 3, 4)))
    with pytest.raises(InputError, match=r"flat\.npy: float64 of shape \(2, 2, 2, 3, 4\), must be"):
        read(tmp_path / "flat.npy")
    with pytest.raises(OutputError, match="has axes z, y, x or t, z, y, x, the result has y, x"):
        write(tmp_path / "a.nii", tiny_field(4, 5))
