"""DICOM, by pydicom: a folder of slices of one series, or a file of one or many frames.

Samples are physical: the rescale of each slice applied when read and inverted when written, clipped to the bits
stored. What is written is a derived image: a new series with new instances, of the same study, in the same frame
of reference, uncompressed.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, arriving_folder, check_folder, check_target
from volstyle.codecs.borders import damages, unwritable
from volstyle.codecs.outgoing import NOTICE, numbers
from volstyle.codecs.slices import Slice, check_alike, datasets_of, even_step, plane_of, slices_of
from volstyle.codecs.stored import Array, Stored, as_field, own, spatial
from volstyle.codecs.suffixes import suffix_of
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Field

PATTERN = "*.dcm"
_GRAY_ONLY = (
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("PresentationLUTShape", "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
_OF_OLD_SAMPLES = ("SmallestImagePixelValue", "LargestImagePixelValue", "DataSetTrailingPadding")


@dataclass(frozen=True)
class DicomOrigin(Stored):
    """datasets: one for each slice, from the first to the last, or a single one that holds all frames. order: the
    number of the frame in the file that each slice is."""

    datasets: tuple[Dataset, ...] = ()
    order: tuple[int, ...] = ()


def probe(path: Path) -> Facts:
    field = read(path, Selection())
    assert isinstance(field.origin, DicomOrigin)
    first = field.origin.datasets[0]
    with damages(path, "damaged"):  # pydicom looks at an entry when it is asked for
        entries = {
            "size": " x ".join(map(str, reversed(field.shape))),
            "voxel": " x ".join(f"{axis.step:.4g} {axis.unit}" for axis in reversed(field.axes)),
            "samples": f"{first.BitsStored} bit, {first.get('Modality', 'no modality')}",
            "series": str(first.get("SeriesDescription", first.get("SeriesInstanceUID", ""))),
        }
    return Facts("volume", field.shape, entries, field.axes)


def read(path: Path, selection: Selection) -> Field:
    """Raises InputError for two series, and for slices missing, twice there, unevenly apart or not decodable."""
    with damages(path, "damaged"):
        return _read(path)


def _read(path: Path) -> Field:
    datasets = datasets_of(path)
    check_alike(path, datasets)
    first = datasets[0][1]
    slices = [part for file, dataset in datasets for part in slices_of(file, dataset)]
    row, column, spacing = plane_of(first)
    normal = np.cross(row, column)
    order = list(range(len(slices)))
    if all(part.place is not None for part in slices):
        heights = [float(np.dot(normal, part.place or ())) for part in slices]
        order.sort(key=heights.__getitem__)
        step = even_step(path, [slices[i] for i in order], [heights[i] for i in order], normal)
    elif len(datasets) > 1:
        lost = next(part for part in slices if part.place is None)
        raise InputError(f"{lost.path}: no ImagePositionPatient, so that its place is unknown")
    else:
        step = 0.0
    ordered = [slices[i] for i in order]
    unit = "px" if 0.0 in spacing else "mm"
    step = step or float(first.get("SpacingBetweenSlices", 0) or first.get("SliceThickness", 0) or 1)
    array = np.stack([part.pixels for part in ordered])
    color = array.ndim == 4
    array = np.moveaxis(array, -1, 0) if color else array[None]
    place = np.array(ordered[0].place or (0, 0, 0))
    between = normal * step
    if len(ordered) > 1 and ordered[-1].place is not None:
        between = (np.array(ordered[-1].place) - place) / (len(ordered) - 1)  # not the normal if the gantry tilts
    origin = DicomOrigin(
        path,
        array,
        _of_slices([part.slope for part in ordered]),
        _of_slices([part.inter for part in ordered]),
        color,
        padding=_padding(first, ordered[0]),
        limits=_limits(first),
        affine=None if unit == "px" else _affine(row * spacing[1], column * spacing[0], between, place),
        inverted=first.get("PhotometricInterpretation") == "MONOCHROME1",
        datasets=tuple(datasets[i][1] for i in order) if len(datasets) > 1 else (first,),
        order=tuple(order),
    )
    steps = (1.0, 1.0, 1.0) if unit == "px" else (step, *spacing)
    return as_field(path, spatial("zyx", steps, unit), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    with unwritable(path):
        return _write(path, field, encoding)


def _write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    origin = _source(path, field)
    made = numbers(path, field, DicomOrigin)
    laid = np.moveaxis(made.array, 0, -1) if made.color else made.array[0]
    into_color = made.color and not origin.color
    series = generate_uid(entropy_srcs=[str(origin.datasets[0].SeriesInstanceUID), _hash(laid)])
    if len(origin.datasets) == 1:
        frames = np.empty_like(laid)
        frames[list(origin.order)] = laid
        dataset = _derived(origin.datasets[0], frames, series, into_color)
        if suffix_of(path):
            with arriving(path, encoding.force) as temporary:
                dataset.save_as(temporary, enforce_file_format=True)
            return []
        derived = [dataset]
    else:
        derived = [
            _derived(dataset, pixels, series, into_color)
            for dataset, pixels in zip(origin.datasets, laid, strict=True)
        ]
    with arriving_folder(path, encoding.force, PATTERN) as temporary:
        for number, dataset in enumerate(derived, start=1):
            dataset.save_as(temporary / f"{number:05d}.dcm", enforce_file_format=True)
    return []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    if suffix_of(path):
        check_target(path, encoding.force)
    else:
        check_folder(path, encoding.force, PATTERN)
    if field is not None:
        _source(path, field)


def _source(path: Path, field: Field) -> DicomOrigin:
    """The origin of a field that came from DICOM. Raises OutputError for one that did not, or that is no file."""
    origin = own(field, DicomOrigin)
    if origin is None:
        raise OutputError(
            f"{path}: DICOM holds the data of a patient, so it is only written from DICOM; choose .nii.gz"
        )
    if suffix_of(path) and len(origin.datasets) > 1:
        raise OutputError(
            f"{path}: a series of {len(origin.datasets)} slices is a folder; give one, as in {path.stem}/"
        )
    for keyword in _NEEDED:
        if any(keyword not in dataset for dataset in origin.datasets):
            raise OutputError(f"{path}: its source has no {keyword}, which DICOM needs; choose .nii.gz")
    return origin


def _derived(dataset: Dataset, pixels: Array, series: str, into_color: bool) -> Dataset:
    """A copy of a dataset that is an image of its own, with other samples. Names and dates of the study stay;
    entries that described the old samples are removed."""
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    made = copy.deepcopy(dataset)
    made.SOPInstanceUID = generate_uid(entropy_srcs=[str(dataset.SOPInstanceUID), series])
    made.SeriesInstanceUID = series
    made.SeriesNumber = int(dataset.get("SeriesNumber") or 0) + 1000
    made.SeriesDescription = f"{dataset.get('SeriesDescription', '')} {NOTICE}".strip()[-64:]
    kind = dataset.get("ImageType") or []
    made.ImageType = ["DERIVED", "SECONDARY", *list(kind)[2:]]
    made.DerivationDescription = NOTICE
    made.SourceImageSequence = [source]
    for keyword in (*_OF_OLD_SAMPLES, *(_GRAY_ONLY if into_color else ())):
        if keyword in made:
            delattr(made, keyword)
    if into_color:
        made.SOPClassUID = SecondaryCaptureImageStorage
        made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit = 3, 8, 8, 7
        made.PixelRepresentation = 0
    if made.SamplesPerPixel == 3:
        made.PhotometricInterpretation, made.PlanarConfiguration = "RGB", 0
    if made.file_meta.TransferSyntaxUID.is_compressed:
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    little = made.file_meta.TransferSyntaxUID.is_little_endian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    data = pixels.astype(pixels.dtype.newbyteorder("<" if little else ">")).tobytes()
    made.PixelData = data + bytes(len(data) % 2)
    made["PixelData"].VR = "OB" if made.BitsAllocated <= 8 else "OW"
    made["PixelData"].is_undefined_length = False
    return made


def _of_slices(values: Sequence[float]) -> float | Array:
    return values[0] if len(set(values)) == 1 else np.array(values)[None, :, None, None]


def _limits(dataset: Dataset) -> tuple[int, int]:
    bits = int(dataset.BitsStored)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dataset.PixelRepresentation else (0, 2**bits - 1)


def _padding(dataset: Dataset, part: Slice) -> float | None:
    value = dataset.get("PixelPaddingValue")
    return None if value is None else float(np.float32(int(value) * part.slope + part.inter))


def _affine(row: Array, column: Array, normal: Array, place: Array) -> Array:
    """(4, 4), from sample numbers (x, y, z) to mm. DICOM's axes point left and posterior, those of NIfTI, which
    are given back, right and anterior."""
    affine = np.eye(4)
    affine[:3] = np.stack([row, column, normal, place], axis=1)
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _hash(array: Array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()
