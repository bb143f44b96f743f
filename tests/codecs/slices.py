"""DICOM slices to test with: unsigned numbers of 16 bits that a rescale of −1024 makes Hounsfield units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SLICES, ROWS, COLUMNS = 10, 12, 14


def counts() -> np.ndarray:
    """(z, y, x) of uint16 from 0 to 1500."""
    return (np.arange(SLICES * ROWS * COLUMNS).reshape(SLICES, ROWS, COLUMNS) * 7 % 1501).astype(np.uint16)


def slice_of(number: int, **entries: Any) -> Dataset:
    """A CT slice 2 mm above the one before. entries: other values than usual, or None for none."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, f"1.2.3.4.{number + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.5"
    made.Modality, made.SeriesNumber, made.InstanceNumber = "CT", 3, number + 1
    made.ImageOrientationPatient, made.PixelSpacing = [1, 0, 0, 0, 1, 0], [1.5, 2]
    made.ImagePositionPatient = [0, 0, 2 * number]
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.Rows, made.Columns = ROWS, COLUMNS
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.PixelData = counts()[number].astype("<u2").tobytes()
    made["PixelData"].VR = "OW"
    for keyword, value in entries.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def series(
    folder: Path,
    heights: Sequence[float] = tuple(2.0 * number for number in range(SLICES)),
    name: Callable[[int], str] = "IM{:04d}".format,
    **entries: Any,
) -> Path:
    """A folder of a slice at each height, with other entries than usual."""
    folder.mkdir()
    for number, height in enumerate(heights):
        made = slice_of(number, ImagePositionPatient=[0, 0, height], SOPInstanceUID=generate_uid(), **entries)
        made.save_as(folder / name(number), enforce_file_format=True)
    return folder
