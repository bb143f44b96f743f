"""DICOM, by pydicom: a folder of slices of one series, or a file of one or many frames.

Samples are physical: the rescale of each slice applied when read and inverted when written, clipped to the bits
stored. What is written is a derived image: a new series with new instances, of the same study, in the same frame
of reference, uncompressed.
"""

from __future__ import annotations

import copy
import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from volstyle.codecs import Encoding, Facts, Selection, suffix_of
from volstyle.codecs.atomic import arriving, arriving_folder, check_folder, check_target
from volstyle.codecs.stored import NOTICE, Array, Stored, as_field, check_room, numbers, own, spatial
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Field

PATTERN = "*.dcm"
_SAME = ("Rows", "Columns", "SamplesPerPixel", "BitsStored", "PixelRepresentation", "ImageOrientationPatient")
_GRAY_ONLY = (
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("PresentationLUTShape", "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)
_OF_OLD_SAMPLES = ("SmallestImagePixelValue", "LargestImagePixelValue", "DataSetTrailingPadding")
_WITHIN = 0.01
"""Share of the spacing by which slices may be off their place."""
_ROUNDED = 0.25
"""The same where the places are written with so few digits that rounding alone moves them that far."""
_BLOCK = 2**20


@dataclass(frozen=True)
class DicomOrigin(Stored):
    """datasets: one per slice, from the first to the last, or a single one of all frames; order: which frame of
    the file each slice is."""

    datasets: tuple[Dataset, ...] = ()
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Slice:
    """A slice, or a frame of a file, and where it lies. place: of its first sample, mm; None if it is not said.
    rounding: how far, in mm, each number of the place may be off, since it is written with so many digits.
    """

    path: Path
    pixels: Array
    place: tuple[float, ...] | None
    slope: float
    inter: float
    rounding: tuple[float, ...]


def probe(path: Path) -> Facts:
    field = read(path, Selection())
    assert isinstance(field.origin, DicomOrigin)
    first = field.origin.datasets[0]
    entries = {
        "size": " x ".join(map(str, reversed(field.shape))),
        "voxel": " x ".join(f"{axis.step:.4g} {axis.unit}" for axis in reversed(field.axes)),
        "samples": f"{first.BitsStored} bit, {first.get('Modality', 'no modality')}",
        "series": str(first.get("SeriesDescription", first.get("SeriesInstanceUID", ""))),
    }
    return Facts("volume", field.shape, entries, field.axes)


def read(path: Path, selection: Selection) -> Field:
    """Raises InputError for two series, and for slices missing, twice there, unevenly apart or not decodable."""
    datasets = _datasets(path)
    _check_alike(path, datasets)
    first = datasets[0][1]
    slices = [part for file, dataset in datasets for part in _slices(file, dataset)]
    row, column, spacing = _plane(first)
    normal = np.cross(row, column)
    order = list(range(len(slices)))
    if all(part.place is not None for part in slices):
        heights = [float(np.dot(normal, part.place or ())) for part in slices]
        order.sort(key=heights.__getitem__)
        step = _even_step(path, [slices[i] for i in order], [heights[i] for i in order], normal)
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
    origin = _source(path, field)
    array, color = numbers(path, field, DicomOrigin)
    laid = np.moveaxis(array, 0, -1) if color else array[0]
    into_color = color and not origin.color
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
        raise OutputError(f"{path}: DICOM says of whom it is, so it is written from DICOM only; choose .nii.gz")
    if suffix_of(path) and len(origin.datasets) > 1:
        raise OutputError(
            f"{path}: a series of {len(origin.datasets)} slices is a folder; give one, as in {path.stem}/"
        )
    return origin


def _derived(dataset: Dataset, pixels: Array, series: str, into_color: bool) -> Dataset:
    """A copy that is an image of its own. Names and dates of the study stay; what told of the old samples goes."""
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


def _datasets(path: Path) -> list[tuple[Path, Dataset]]:
    """Of a file, or of all DICOM files with pixels right in a folder."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    found: list[tuple[Path, Dataset]] = []
    for file in files:
        try:
            _check_inflated(file)
            dataset = pydicom.dcmread(file)
        except InvalidDicomError as error:
            if path.is_dir():
                continue  # such folders hold notes, viewers and the like
            raise InputError(f"{file}: not DICOM") from error
        except (AttributeError, EOFError, OSError, ValueError) as error:
            raise InputError(f"{file}: damaged ({error})") from error
        if "PixelData" in dataset:
            found.append((file, dataset))
        elif not path.is_dir():
            raise InputError(f"{file}: DICOM without samples ({dataset.get('Modality', 'no modality')})")
    if not found:
        raise InputError(f"{path}: no images there, DICOM or numbered; give a folder of a series or of frames")
    sizes = [_declared(dataset) for _, dataset in found]
    check_room(path, sum(size for size, _ in sizes), sum(count for _, count in sizes))
    return found


def _declared(dataset: Dataset) -> tuple[int, int]:
    """Bytes and number of the samples a dataset says it has; 0 for a damaged one, which is refused later."""
    try:
        count = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1) or 1)
        count *= int(dataset.get("NumberOfFrames", 1) or 1)
        return count * max(1, int(dataset.BitsAllocated) // 8), count
    except (AttributeError, TypeError, ValueError):
        return 0, 0


def _check_inflated(file: Path) -> None:
    """Raises CapacityError for a deflated file that becomes larger than the memory: reading inflates it whole."""
    with file.open("rb") as opened:
        if opened.read(132)[128:] != b"DICM":
            return
        opened.seek(0)
        meta = pydicom.filereader.read_file_meta_info(file)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        opened.seek(144 + int(meta.FileMetaInformationGroupLength))
        inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        packed = opened.read(_BLOCK)
        while packed and not inflate.eof:
            size += len(inflate.decompress(packed, _BLOCK))
            check_room(file, size, 0)
            packed = inflate.unconsumed_tail or opened.read(_BLOCK)


def _check_alike(path: Path, datasets: Sequence[tuple[Path, Dataset]]) -> None:
    series = Counter(str(dataset.get("SeriesInstanceUID", "none")) for _, dataset in datasets)
    if len(series) > 1:
        held = ", ".join(f"{uid} with {count} files" for uid, count in series.most_common())
        raise InputError(f"{path}: {len(series)} series ({held}); give a folder of one")
    (first_path, first), *others = datasets
    for file, dataset in others:
        if int(dataset.get("NumberOfFrames", 1) or 1) > 1:
            raise InputError(f"{file}: many frames in one of {len(datasets)} files; give it alone")
        for keyword in _SAME:
            if not _is_near(dataset.get(keyword), first.get(keyword)):
                raise InputError(
                    f"{file}: {keyword} is {dataset.get(keyword)}, must be {first.get(keyword)} "
                    f"as in {first_path.name}"
                )


def _is_near(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(np.array(one, float), np.array(other, float), atol=1e-3))


def _slices(path: Path, dataset: Dataset) -> list[_Slice]:
    if "TransferSyntaxUID" not in dataset.file_meta:  # a file of before 1993, or of a careless writer
        dataset.file_meta.TransferSyntaxUID = _syntax(dataset)
    try:
        pixels = dataset.pixel_array
    except (AttributeError, NotImplementedError, RuntimeError, ValueError) as error:
        syntax = dataset.file_meta.get("TransferSyntaxUID", "")
        name = getattr(syntax, "name", "unknown")
        raise InputError(
            f"{path}: samples in transfer syntax {name} cannot be decoded ({error}); "
            "convert it to Explicit VR Little Endian"
        ) from error
    if "ModalityLUTSequence" in dataset:
        raise InputError(f"{path}: has a modality lookup table, which cannot be inverted; must be a rescale")
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise InputError(f"{path}: colors by palette, must be gray or RGB")
    frames = pixels if int(dataset.get("NumberOfFrames", 1) or 1) > 1 else pixels[None]
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence", [])) or [dataset] * len(frames)
    shared = dataset.get("SharedFunctionalGroupsSequence", [dataset])[0]
    found = []
    for frame, group in zip(frames, groups, strict=True):
        place = _tag((group, shared), "PlanePositionSequence", "ImagePositionPatient")
        if place is None and len(frames) == 1:
            place = dataset.get("ImagePositionPatient")
        slope, inter = (
            _tag((group, shared, dataset), "PixelValueTransformationSequence", keyword)
            for keyword in ("RescaleSlope", "RescaleIntercept")
        )
        if slope == 0:
            raise InputError(f"{path}: RescaleSlope is 0, must be another number")
        found.append(
            _Slice(
                path,
                frame,
                None if place is None else tuple(float(number) for number in place),
                1.0 if slope is None else float(slope),
                0.0 if inter is None else float(inter),
                tuple(_half_digit(number) for number in place or ()),
            )
        )
    return found


def _syntax(dataset: Dataset) -> UID:
    """How a dataset was found to be written that does not say so."""
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _half_digit(number: Any) -> float:
    """Half a unit of the last digit with which DICOM writes a number."""
    exponent = Decimal(str(getattr(number, "original_string", number)).strip()).as_tuple().exponent
    return 0.5 * 10.0 ** int(exponent)


def _tag(datasets: Sequence[Dataset], sequence: str, keyword: str) -> Any:
    """A value of the first that has it, in its functional group or right in it."""
    for dataset in datasets:
        inner = dataset.get(sequence)
        if inner and keyword in inner[0]:
            return inner[0].get(keyword)
        if keyword in dataset and keyword != "ImagePositionPatient":
            return dataset.get(keyword)
    return None


def _plane(dataset: Dataset) -> tuple[Array, Array, tuple[float, float]]:
    """Directions of rows and columns, and mm from row to row and column to column, 0 if not said."""
    shared = dataset.get("SharedFunctionalGroupsSequence", [dataset])[0]
    frame = dataset.get("PerFrameFunctionalGroupsSequence", [dataset])[0]
    places = (shared, frame, dataset)
    orientation = _tag(places, "PlaneOrientationSequence", "ImageOrientationPatient") or (1, 0, 0, 0, 1, 0)
    spacing = _tag(places, "PixelMeasuresSequence", "PixelSpacing") or (0, 0)
    numbers = np.array(orientation, float)
    return numbers[:3], numbers[3:], (float(spacing[0]), float(spacing[1]))


def _even_step(path: Path, slices: Sequence[_Slice], heights: Sequence[float], normal: Array) -> float:
    """mm from slice to slice; 0 for a single one. Raises InputError unless it is the same for all.

    The same means: within `_WITHIN` of it, or as far off as rounding moves places that are written with few
    digits. heights: of the places along the normal.
    """
    gaps = np.diff(heights)
    if not len(gaps):
        return 0.0
    # The lower median, of slices that are apart: a gap there is, though some are missing and some there twice.
    apart = gaps[gaps > _WITHIN * 1e-3]
    step = float(np.quantile(apart, 0.5, method="lower")) if len(apart) else 0.0
    mean = float(f"{(heights[-1] - heights[0]) / len(gaps):.10g}")
    off = float(np.abs(np.array(heights) - (heights[0] + mean * np.arange(len(heights)))).max())
    # Zeros at the end are not written, so the finest digit of all counts. The ends, which the mean is made of, are
    # rounded as well.
    digits = np.array([part.rounding for part in slices]).min(0)
    rounding = 2 * float(np.abs(normal) @ digits)
    if gaps.min() > _WITHIN * max(step, 1e-3) and off <= max(_WITHIN * mean, min(rounding, _ROUNDED * mean)):
        return mean
    for gap, one, other in zip(gaps, slices, slices[1:], strict=False):
        names = one.path.name if one.path == other.path else f"{one.path.name} and {other.path.name}"
        if gap <= _WITHIN * max(step, 1e-3):
            raise InputError(f"{path}: {names} hold the same slice twice; leave one out")
        if abs(gap - step) > _WITHIN * step:
            times = gap / step
            missing = round(times) - 1
            what = f"{missing} missing" if missing > 0 and abs(times - round(times)) < 0.1 else "unequal spacing"
            raise InputError(f"{path}: {what} between slices of {names} ({gap:.4g} mm, others {step:.4g} mm)")
    return step


def _of_slices(values: Sequence[float]) -> float | Array:
    return values[0] if len(set(values)) == 1 else np.array(values)[None, :, None, None]


def _limits(dataset: Dataset) -> tuple[int, int]:
    bits = int(dataset.BitsStored)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dataset.PixelRepresentation else (0, 2**bits - 1)


def _padding(dataset: Dataset, part: _Slice) -> float | None:
    value = dataset.get("PixelPaddingValue")
    return None if value is None else float(np.float32(int(value) * part.slope + part.inter))


def _affine(row: Array, column: Array, normal: Array, place: Array) -> Array:
    """From (x, y, z) in samples to mm; DICOM points left and posterior, NIfTI right and anterior."""
    affine = np.eye(4)
    affine[:3] = np.stack([row, column, normal, place], axis=1)
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _hash(array: Array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()
