"""Slices of DICOM: the files of a series, where each slice lies, how its numbers are scaled, and whether the
slices are evenly spaced."""

from __future__ import annotations

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
)

from volstyle.codecs.borders import check_room
from volstyle.codecs.stored import Array
from volstyle.errors import InputError, VolstyleError

_SAME = ("Rows", "Columns", "SamplesPerPixel", "BitsStored", "PixelRepresentation", "ImageOrientationPatient")
_WITHIN = 0.01
"""How far slices may lie from their even places, as a share of the spacing."""
_ROUNDED = 0.25
"""How far slices may lie from their even places, as a share of the spacing, if their places are written with so
few digits that rounding alone may have moved them as far."""
_BLOCK = 2**20
"""How many bytes are inflated at once."""


@dataclass(frozen=True)
class Slice:
    """A slice, which is a file or a frame of one, and where it lies.

    pixels: (H, W) or (H, W, 3), as they are stored. place: the position of the first sample in mm, (x, y, z); None
    if the file does not say. slope, inter: physical = slope · pixels + inter. rounding: how far each of the three
    numbers of the place may be off, in mm, because it is written with a limited number of digits.
    """

    path: Path
    pixels: Array
    place: tuple[float, ...] | None
    slope: float
    inter: float
    rounding: tuple[float, ...]


def datasets_of(path: Path) -> list[tuple[Path, Dataset]]:
    """The datasets of a file, or of all DICOM files in a folder (but not in folders within it) that have pixels.

    Raises InputError for what is not DICOM, damaged or without pixels, CapacityError for more than the memory."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    found: list[tuple[Path, Dataset]] = []
    others: list[tuple[Path, Dataset]] = []
    for file in files:
        try:
            _check_inflated(file)
            dataset = pydicom.dcmread(file)
        except InvalidDicomError as error:
            if path.is_dir():
                continue  # folders with DICOM also have notes, viewers and the like in them
            raise InputError(f"{file}: not DICOM") from error
        except VolstyleError:
            raise
        except Exception as error:  # pydicom raises errors of any kind for a damaged file
            raise InputError(f"{file}: damaged ({error})") from error
        (found if "PixelData" in dataset else others).append((file, dataset))
    if not found:
        raise InputError(_without_images(path, others))
    sizes = [_declared(dataset) for _, dataset in found]
    check_room(path, sum(size for size, _ in sizes), sum(count for _, count in sizes))
    return found


def _without_images(path: Path, others: Sequence[tuple[Path, Dataset]]) -> str:
    """What is wrong with a file or a folder that holds no image. others: what it holds of DICOM."""
    for file, dataset in others:
        if "WaveformSequence" in dataset:
            kind = dataset.get("Modality", "no modality")
            return f"{file}: holds waveforms ({kind}) and no image; waveforms are for `volstyle signal`"
    if path.is_dir():
        return f"{path}: no images there, DICOM or numbered; give a folder of a series or of frames"
    kind = others[0][1].get("Modality", "no modality")
    return f"{path}: DICOM without an image ({kind}); give a file that holds one"


def _declared(dataset: Dataset) -> tuple[int, int]:
    """How many bytes and how many samples a dataset says it has; 0 for a damaged one, which is refused later."""
    try:
        count = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1) or 1)
        count *= int(dataset.get("NumberOfFrames", 1) or 1)
        return count * max(1, int(dataset.BitsAllocated) // 8), count
    except (AttributeError, TypeError, ValueError):
        return 0, 0


def _check_inflated(file: Path) -> None:
    """Raise CapacityError for a deflated file that would become larger than the memory: reading inflates it
    whole."""
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


def check_alike(path: Path, datasets: Sequence[tuple[Path, Dataset]]) -> None:
    """Raise InputError unless all datasets are of one series, one size, one type and one orientation."""
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


def slices_of(path: Path, dataset: Dataset) -> list[Slice]:
    """The slices of a dataset: one, or one for each of its frames. Raises InputError for samples that cannot be
    decoded, and for scales that cannot be inverted."""
    if "TransferSyntaxUID" not in dataset.file_meta:  # files from before 1993, or by a careless writer
        dataset.file_meta.TransferSyntaxUID = _syntax(dataset)
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # decoders raise errors of any kind
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
            Slice(
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
    """The transfer syntax of a dataset that does not name it, as pydicom found it."""
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _half_digit(number: Any) -> float:
    """How far rounding may have moved a number: half a unit of the last digit that DICOM wrote. Zeros at the end
    behind the point do not count, since most writers leave them out."""
    written = Decimal(str(getattr(number, "original_string", number)).strip())
    return 0.5 * 10.0 ** min(0, int(written.normalize().as_tuple().exponent))


def _tag(datasets: Sequence[Dataset], sequence: str, keyword: str) -> Any:
    """The value of a keyword in the first dataset that has it, either in its functional group `sequence` or at its
    top."""
    for dataset in datasets:
        inner = dataset.get(sequence)
        if inner and keyword in inner[0]:
            return inner[0].get(keyword)
        if keyword in dataset and keyword != "ImagePositionPatient":
            return dataset.get(keyword)
    return None


def plane_of(dataset: Dataset) -> tuple[Array, Array, tuple[float, float]]:
    """The directions along a row and along a column, (3,) each, and the mm from row to row and from column to
    column; (0, 0) if the file does not say."""
    shared = dataset.get("SharedFunctionalGroupsSequence", [dataset])[0]
    frame = dataset.get("PerFrameFunctionalGroupsSequence", [dataset])[0]
    places = (shared, frame, dataset)
    orientation = _tag(places, "PlaneOrientationSequence", "ImageOrientationPatient") or (1, 0, 0, 0, 1, 0)
    spacing = _tag(places, "PixelMeasuresSequence", "PixelSpacing") or (0, 0)
    numbers = np.array(orientation, float)
    return numbers[:3], numbers[3:], (float(spacing[0]), float(spacing[1]))


def even_step(path: Path, slices: Sequence[Slice], heights: Sequence[float], normal: Array) -> float:
    """The distance from slice to slice in mm; 0 for a single slice. Raises InputError unless it is even.

    It is even when slices lie off their even places by at most the share `_WITHIN` of it, or as far as rounding
    moves places that are written with few digits. heights: the places of the slices along the normal of their
    planes, in mm, going up.
    """
    gaps = np.diff(heights)
    if not len(gaps):
        return 0.0
    # The lower median of the gaps above 0 is one gap, even where some slices are missing and some are there twice.
    apart = gaps[gaps > _WITHIN * 1e-3]
    step = float(np.quantile(apart, 0.5, method="lower")) if len(apart) else 0.0
    mean = float(f"{(heights[-1] - heights[0]) / len(gaps):.10g}")
    off = float(np.abs(np.array(heights) - (heights[0] + mean * np.arange(len(heights)))).max())
    # Writers leave out zeros at the end, so the finest digit of all slices counts. It counts twice, since the
    # first and the last place, of which the mean is made, are rounded as well.
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
