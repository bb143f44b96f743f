"""Files of volumes keep what their format says: each is made and opened by the format's own library."""

from __future__ import annotations

import gzip
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
import tifffile
import zarr
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, SecondaryCaptureImageStorage

from tests.scans import SHAPE, counts, loaded, nifti
from tests.tiny import numbers, tiny_field
from volstyle.codecs import Encoding, check_writable, probe, read, write
from volstyle.codecs.outgoing import NOTICE
from volstyle.codecs.stored import Stored
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


# ------------------------------------------------------------------------------------------------ OME-Zarr


def ngff(path: Path, version: str, array: np.ndarray) -> Path:
    """Two levels, labels, and entries of others."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = []
    for level, factor in (("full", 1), ("half", 2)):
        group.create_array(level, data=np.ascontiguousarray(array[:, :, ::factor, ::factor]), chunks=(1, 4, 8, 8))
        scale = [1, 2.0, 0.5 * factor, 0.5 * factor]
        datasets.append({"path": level, "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    labels = group.create_group("labels").create_array("cells", data=np.ones((2, 3, 4)), chunks=(2, 3, 4))
    labels.attrs["who"] = "somebody"
    content: dict[str, Any] = {
        "multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}],
        "omero": {"name": "mine"},
    }
    if version == "0.4":
        group.attrs.update(content)
    else:
        del content["multiscales"][0]["version"]
        group.attrs["ome"] = {"version": "0.5", **content}
    return path


def group_of(path: Path) -> Any:
    """What zarr reads, whose types do not say which of its members are arrays."""
    return zarr.open_group(path, mode="r")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_comes_back(tmp_path: Path, version: str) -> None:
    array = counts(2, 6, 20, 24, dtype=np.uint16)
    path, again = ngff(tmp_path / "a.zarr", version, array), tmp_path / "b.zarr"
    field = read(path)
    assert field.samples.shape == (2, 6, 20, 24)
    assert field.axes == (Axis("z", 2.0, "um"), Axis("y", 0.5, "um"), Axis("x", 0.5, "um"))
    write(again, field)
    before, after = group_of(path), group_of(again)
    assert dict(before.attrs) == dict(after.attrs)
    np.testing.assert_array_equal(after["full"][...], array)
    mean = array.reshape(2, 6, 10, 2, 12, 2).mean((3, 5))
    assert np.abs(after["half"][...] - mean).max() <= 1
    np.testing.assert_array_equal(after["labels/cells"][...], before["labels/cells"][...])
    assert after["labels/cells"].attrs["who"] == "somebody"
    write(again, replace(field, samples=field.samples + 3), FORCED)
    changed = group_of(again)
    np.testing.assert_array_equal(changed["full"][...], array + 3)
    assert changed.attrs["volstyle_notice"] == NOTICE
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.zarr", "b.zarr"}


def test_an_ome_zarr_reads_nothing_outside(tmp_path: Path) -> None:
    path = ngff(tmp_path / "a.zarr", "0.4", counts(1, 6, 20, 24))
    text = (path / ".zattrs").read_text()
    (path / ".zattrs").write_text(text.replace('"full"', '"../b.zarr/full"'))
    with pytest.raises(InputError, match=r"a level is said to be at '\.\./b\.zarr/full'"):
        read(path)
    (path / ".zattrs").write_text(text)
    (path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="holds a link, link"):
        read(path)
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="is there and no OME-Zarr"):
        write(tmp_path / "mine.zarr", tiny_field(6, 8, 8), FORCED)


def test_a_new_ome_zarr(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", tiny_field(6, 8, 9))
    found = group_of(tmp_path / "a.zarr")
    assert found.attrs["ome"]["version"] == "0.5" and found["0"].shape == (3, 6, 8, 9)
    channels = found.attrs["ome"]["omero"]["channels"]
    assert [channel["color"] for channel in channels] == ["FF0000", "00FF00", "0000FF"]


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


# --------------------------------------------------------------------------------------------------- DICOM


def dataset(number: int, pixels: np.ndarray, **entries: Any) -> Dataset:
    """A CT slice of 12 stored bits, 2.5 mm above the one before, tilted, with a rescale of its own."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"1.2.3.4.{number + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.5"
    made.PatientName, made.PatientID, made.Modality, made.SeriesNumber = "Doe^Jane", "7", "CT", 3
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.ImageOrientationPatient = [1, 0, 0, 0, 0.8, 0.6]
    made.ImagePositionPatient = [-10.0, 5.0 - 0.6 * 2.5 * number, 3.0 + 0.8 * 2.5 * number]
    made.PixelSpacing, made.SliceThickness, made.InstanceNumber = [0.5, 0.75], 2.5, number + 1
    made.RescaleSlope, made.RescaleIntercept = 1 + number % 2, -1024
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelPaddingValue = 0
    made.PixelData = pixels.astype("<u2").tobytes()
    for keyword, value in entries.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = (
        made.SOPClassUID,
        made.SOPInstanceUID,
    )
    return made


def stack() -> np.ndarray:
    return (counts(6, 16, 20, dtype=np.uint16) * 10).clip(1, 4095)


def series(folder: Path, chosen: tuple[int, ...] = (0, 1, 2, 3, 4, 5)) -> Path:
    """Files whose names are in no order."""
    folder.mkdir()
    for number in chosen:
        dataset(number, stack()[number]).save_as(folder / f"{(number * 5 + 2) % 7}.dcm", enforce_file_format=True)
    (folder / "README.txt").write_text("not DICOM")
    return folder


def test_a_dicom_series_becomes_a_derived_one(tmp_path: Path) -> None:
    path, again = series(tmp_path / "in"), tmp_path / "out"
    field = read(path)
    assert field.shape == (6, 16, 20)
    assert [round(axis.step, 6) for axis in field.axes] == [2.5, 0.5, 0.75]
    slopes = np.array([1, 2] * 3)[:, None, None]
    np.testing.assert_array_equal(field.samples[0].numpy(), stack() * slopes - 1024.0)
    samples = field.samples.clone()
    samples[0, 1] += 8
    samples[0, 2, 3, 4] = 1e6
    write(again, replace(field, samples=samples))
    expected = stack().copy()
    expected[1] += 4
    expected[2, 3, 4] = 4095
    files = sorted(again.iterdir())
    found = [pydicom.dcmread(file) for file in files]
    assert len({made.SOPInstanceUID for made in found} | {f"1.2.3.4.{n + 1}" for n in range(6)}) == 12
    assert len({made.SeriesInstanceUID for made in found}) == 1
    for number, made in enumerate(found):
        before = dataset(number, stack()[number])
        np.testing.assert_array_equal(made.pixel_array, expected[number].clip(0, 4095))
        assert made.SeriesInstanceUID != "1.2.3.4" and made.StudyInstanceUID == "1.2.3"
        assert list(made.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
        assert made.DerivationDescription == NOTICE and NOTICE in made.SeriesDescription
        assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == f"1.2.3.4.{number + 1}"
        assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "FrameOfReferenceUID",
            "RescaleSlope",
            "RescaleIntercept",
            "PatientName",
            "BitsStored",
        ):
            assert made[keyword].value == before[keyword].value
    reader = SimpleITK.ImageSeriesReader()
    one, other = (SimpleITK.ReadImage(reader.GetGDCMSeriesFileNames(str(folder))) for folder in (path, again))
    for name in ("Size", "Spacing", "Origin", "Direction"):
        np.testing.assert_allclose(getattr(one, f"Get{name}")(), getattr(other, f"Get{name}")())
    assert isinstance(field.origin, Stored)
    mine = field.origin.affine
    np.testing.assert_allclose(
        (mine @ [3, 5, 2, 1])[:3] * (-1, -1, 1), one.TransformIndexToPhysicalPoint((3, 5, 2)), atol=1e-6
    )


def test_dicom_in_color_and_in_one_file(tmp_path: Path) -> None:
    field = read(series(tmp_path / "in"))
    write(tmp_path / "out", field.with_samples(numbers(3, 6, 16, 20)))
    made = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert made.PhotometricInterpretation == "RGB" and made.pixel_array.shape == (16, 20, 3)
    assert "RescaleSlope" not in made and made.SOPClassUID == SecondaryCaptureImageStorage
    single = tmp_path / "many.dcm"
    dataset(0, stack(), NumberOfFrames=6).save_as(single, enforce_file_format=True)
    field = read(single)
    assert field.shape == (6, 16, 20)
    write(tmp_path / "again.dcm", field)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "again.dcm").pixel_array, stack())


def test_bad_dicom_is_named(tmp_path: Path) -> None:
    missing = series(tmp_path / "missing", (0, 1, 3, 4, 5))
    with pytest.raises(InputError, match=r"1 missing between slices of 0\.dcm and 3\.dcm \(5 mm, others 2\.5"):
        read(missing)
    twice = series(tmp_path / "twice")
    (twice / "copy.dcm").write_bytes((twice / "0.dcm").read_bytes())
    with pytest.raises(InputError, match=r"0\.dcm and copy\.dcm hold the same slice twice"):
        read(twice)
    most = series(tmp_path / "most", (0, 1, 2))
    for name in ("copy.dcm", "again.dcm"):
        (most / name).write_bytes((most / "5.dcm").read_bytes())
    with pytest.raises(InputError, match=r"hold the same slice twice"):
        read(most)
    with pytest.raises(InputError, match=r": 1 missing between slices of .* \(5 mm, others 2\.5 mm\)"):
        read(series(tmp_path / "sparse", (0, 1, 3)))
    uneven = series(tmp_path / "uneven")
    placed = {"ImagePositionPatient": [-10, 5 - 0.6 * 13, 3 + 0.8 * 13]}
    dataset(5, stack()[5], **placed).save_as(uneven / "6.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=r"unequal spacing between slices of 1\.dcm and 6\.dcm \(3 mm, "):
        read(uneven)
    mixed = series(tmp_path / "mixed")
    dataset(6, stack()[5], SeriesInstanceUID="1.9").save_as(mixed / "x.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=r"mixed: 2 series \(1\.2\.3\.4 with 6 files, 1\.9 with 1 files\)"):
        read(mixed)
    packed = series(tmp_path / "packed")
    strange = dataset(0, stack()[0])
    strange.file_meta.TransferSyntaxUID = JPEG2000Lossless
    strange.PixelData = encapsulate([b"not a JPEG"])
    strange["PixelData"].is_undefined_length = True
    strange.save_as(packed / "2.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=r"2\.dcm: samples in transfer syntax JPEG 2000.* cannot be decoded"):
        read(packed)
    with pytest.raises(OutputError, match="is only written from DICOM"):
        write(tmp_path / "new", tiny_field(6, 8, 8))
    full = series(tmp_path / "full")
    with pytest.raises(OutputError, match=r"full: holds README\.txt, which would be lost"):
        write(full, read(full), FORCED)
    assert len(list(full.iterdir())) == 7


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
