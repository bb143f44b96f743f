"""Series of DICOM come back as derived ones, and what is wrong with one is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, SecondaryCaptureImageStorage

from tests.scans import counts
from tests.tiny import numbers, tiny_field
from volstyle.codecs import Encoding, read, write
from volstyle.codecs.outgoing import NOTICE
from volstyle.codecs.stored import Stored
from volstyle.errors import InputError, OutputError

FORCED = Encoding(force=True)


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
