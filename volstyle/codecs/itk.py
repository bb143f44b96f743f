"""NRRD and MetaImage, by SimpleITK: .nrrd and .mha; .nhdr and .mhd, which are two files, are only read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK

from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room, damages
from volstyle.codecs.outgoing import NOTICE, TYPES, check_volume, left_out, numbers
from volstyle.codecs.stored import (
    Array,
    Stored,
    affine_of,
    as_field,
    is_changed,
    own,
    spatial,
    steps_in_mm,
)
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

_NOTICE_KEY = "volstyle_notice"
_HEADER = 2**16


@dataclass(frozen=True)
class ItkOrigin(Stored):
    """spacing, corner, direction: how the samples lie in space, as SimpleITK has them, x first. entries: the
    entries of the header. packed: whether the samples are compressed."""

    spacing: tuple[float, ...] = ()
    corner: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    entries: dict[str, str] = field(default_factory=dict)
    packed: bool = True


def probe(path: Path) -> Facts:
    _check_data_file(path)
    reader = _information(path)
    size, spacing = reader.GetSize(), reader.GetSpacing()
    entries = {
        "size": " x ".join(map(str, size)),
        "voxel": " x ".join(f"{step:.4g} mm" for step in spacing),
        "samples": SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()),
    }
    return Facts("volume", tuple(reversed(size)), entries, _axes(spacing))


def read(path: Path, selection: Selection) -> Field:
    with damages(path, "damaged, or not what its suffix says"):
        return _read(path)


def _read(path: Path) -> Field:
    header = _check_data_file(path)
    information = _information(path)
    axes = information.GetDimension()
    samples = prod(information.GetSize()) * information.GetNumberOfComponents()
    check_room(path, samples * _itemsize(information), samples)
    image = SimpleITK.ReadImage(str(path))
    array: Array = SimpleITK.GetArrayFromImage(image)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path}: samples are {array.dtype}, must be real numbers")
    color = array.ndim > axes and array.shape[-1] in (3, 4) and array.dtype == np.uint8
    array = np.moveaxis(array, -1, 0) if array.ndim > axes else array[None]
    array, alpha = (array[:3], array[3]) if color and len(array) == 4 else (array, None)
    spacing, corner, direction = image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    origin = ItkOrigin(
        path,
        array,
        color=color,
        affine=_affine(spacing, corner, direction),
        alpha=alpha,
        spacing=spacing,
        corner=corner,
        direction=direction,
        entries={key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if not key.startswith("ITK_")},
        packed=b"encoding: gz" in header or b"CompressedData = True" in header,
    )
    return as_field(path, _axes(spacing), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    check(path, field, encoding)
    mine = own(field, ItkOrigin)
    parts = numbers(path, field, ItkOrigin, TYPES).parts
    vector = len(parts) > 1
    image = SimpleITK.GetImageFromArray(np.moveaxis(parts, 0, -1) if vector else parts[0], isVector=vector)
    origin = mine or _from_axes(field)
    image.SetSpacing(origin.spacing)
    image.SetOrigin(origin.corner)
    image.SetDirection(origin.direction)
    for key, text in origin.entries.items():
        image.SetMetaData(key, text)
    if is_changed(field):
        image.SetMetaData(_NOTICE_KEY, NOTICE)
    with arriving(path, encoding.force) as temporary:
        try:
            SimpleITK.WriteImage(image, str(temporary), useCompression=origin.packed)
        except RuntimeError as error:
            raise OutputError(f"{path}: cannot be written by SimpleITK ({error})") from error
    return left_out(path, field, ("steps", "times", "place", "alpha")) if mine is None else []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    check_volume(path, field)
    if path.suffix.lower() in (".mhd", ".nhdr"):
        raise OutputError(f"{path}: would be two files; choose .mha or .nrrd, which are one")


def _information(path: Path) -> Any:
    """SimpleITK's reader after it has read the header. Raises InputError unless the image has three or four
    axes."""
    with damages(path, "damaged, or not what its suffix says"):
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        axes = reader.GetDimension()
    if axes not in (3, 4):
        raise InputError(f"{path}: {axes} axes, must be x, y, z or x, y, z, t")
    return reader


def _itemsize(reader: Any) -> int:
    """Bytes of a sample, by the name of its type: "16-bit signed integer"."""
    found = re.match(r"(?:vector of )?(\d+)-bit", SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()))
    return int(found[1]) // 8 if found else 16  # complex numbers, which are refused later


def _axes(spacing: tuple[float, ...]) -> tuple[Axis, ...]:
    named = spatial("zyx", tuple(reversed(spacing[:3])), "mm")
    return named if len(spacing) == 3 else (*spatial("t", spacing[3:], "s"), *named)


def _check_data_file(path: Path) -> bytes:
    """The start of the header. Raises InputError when it names a file for its samples outside its folder, and for
    a number of axes on which ITK would write past the end of its arrays."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    for axes in re.findall(rb"^\s*(?:NDims\s*=|dimension\s*:)[ \t]*([^\s]*)", header, re.M | re.I):
        if not re.fullmatch(rb"\d", axes):
            said = axes.decode(errors="replace")
            raise InputError(f"{path}: damaged; it says it has {said!r} axes, must be x, y, z or x, y, z, t")
    named = re.search(rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)[ \t]*([^\r\n]*)", header, re.M | re.I)
    name = named[1].decode(errors="replace").strip() if named else "LOCAL"
    if name != "LOCAL" and (re.search(r"[/\\%]", name) or name.startswith(("LIST", "."))):
        raise InputError(f"{path}: its samples are said to be in {name!r}, must be a file of the same folder")
    return header


def _affine(spacing: tuple[float, ...], corner: tuple[float, ...], direction: tuple[float, ...]) -> Array:
    """(4, 4), from sample numbers (x, y, z) to mm. ITK's axes point left and posterior, those of NIfTI, which are
    given back, right and anterior."""
    count = len(spacing)
    affine = np.eye(4)
    affine[:3, :3] = (np.array(direction).reshape(count, count) * np.array(spacing))[:3, :3]
    affine[:3, 3] = corner[:3]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _from_axes(field: Field) -> ItkOrigin:
    """How a field from another format lies in space: by its affine where it has one, else by its steps alone."""
    steps = [*steps_in_mm(field), *(axis.step for axis in reversed(field.axes[:-3]))]
    count = len(steps)
    direction, corner = np.eye(count), np.zeros(count)
    known = affine_of(field)
    if known is not None:
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ known
        steps[:3] = np.linalg.norm(affine[:3, :3], axis=0).tolist()
        direction[:3, :3] = affine[:3, :3] / np.array(steps[:3])
        corner[:3] = affine[:3, 3]
    return ItkOrigin(
        spacing=tuple(steps), corner=tuple(corner.tolist()), direction=tuple(direction.ravel().tolist())
    )
