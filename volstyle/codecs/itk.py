"""NRRD and MetaImage, by SimpleITK: .nrrd and .mha; .nhdr and .mhd, which are two files, are only read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK

from volstyle.codecs import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.stored import NOTICE, Array, Stored, as_field, is_changed, numbers, spatial
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Field

_NOTICE_KEY = "volstyle_notice"
_HEADER = 2**16


@dataclass(frozen=True)
class ItkOrigin(Stored):
    """spacing, corner, direction: of SimpleITK, x first. entries: of the header. packed: samples compressed."""

    spacing: tuple[float, ...] = ()
    corner: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    entries: dict[str, str] = field(default_factory=dict)
    packed: bool = True


def probe(path: Path) -> Facts:
    reader = SimpleITK.ImageFileReader()
    _check_data_file(path)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{path}: damaged, or not what its suffix says") from error
    size, spacing = reader.GetSize(), reader.GetSpacing()
    entries = {
        "size": " x ".join(map(str, size)),
        "voxel": " x ".join(f"{step:.4g} mm" for step in spacing),
        "samples": SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()),
    }
    axes = spatial("zyx", tuple(reversed(spacing)), "mm") if len(size) == 3 else None
    return Facts("volume", tuple(reversed(size)), entries, axes)


def read(path: Path, selection: Selection) -> Field:
    header = _check_data_file(path)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path}: damaged, or not what its suffix says") from error
    axes = image.GetDimension()
    if axes not in (3, 4):
        raise InputError(f"{path}: {axes} axes, must be x, y, z or x, y, z, t")
    array: Array = SimpleITK.GetArrayFromImage(image)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path}: samples are {array.dtype}, must be real numbers")
    color = array.ndim > axes and array.shape[-1] == 3 and array.dtype == np.uint8
    array = np.moveaxis(array, -1, 0) if array.ndim > axes else array[None]
    spacing, corner, direction = image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    origin = ItkOrigin(
        path,
        array,
        color=color,
        affine=_affine(spacing, corner, direction),
        spacing=spacing,
        corner=corner,
        direction=direction,
        entries={key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if not key.startswith("ITK_")},
        packed=b"encoding: gz" in header or b"CompressedData = True" in header,
    )
    named = spatial("zyx", tuple(reversed(spacing[:3])), "mm")
    return as_field(path, named if axes == 3 else (*spatial("t", spacing[3:], "s"), *named), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    check(path, field, encoding)
    array, _ = numbers(path, field)
    vector = len(array) > 1
    image = SimpleITK.GetImageFromArray(np.moveaxis(array, 0, -1) if vector else array[0], isVector=vector)
    origin = field.origin if isinstance(field.origin, ItkOrigin) else _from_axes(field)
    image.SetSpacing(origin.spacing)
    image.SetOrigin(origin.corner)
    image.SetDirection(origin.direction)
    for key, text in origin.entries.items():
        image.SetMetaData(key, text)
    if is_changed(field, array):
        image.SetMetaData(_NOTICE_KEY, NOTICE)
    with arriving(path, encoding.force) as temporary:
        try:
            SimpleITK.WriteImage(image, str(temporary), useCompression=origin.packed)
        except RuntimeError as error:
            raise OutputError(f"{path}: cannot be written by SimpleITK ({error})") from error
    return []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    if path.suffix.lower() in (".mhd", ".nhdr"):
        raise OutputError(f"{path}: would be two files; choose .mha or .nrrd, which are one")


def _check_data_file(path: Path) -> bytes:
    """The start of the header. Raises InputError when it names a file for its samples outside its folder."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    named = re.search(rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)[ \t]*([^\r\n]*)", header, re.M | re.I)
    name = named[1].decode(errors="replace").strip() if named else "LOCAL"
    if name != "LOCAL" and (re.search(r"[/\\%]", name) or name.startswith(("LIST", "."))):
        raise InputError(f"{path}: its samples are said to be in {name!r}, must be a file of the same folder")
    return header


def _affine(spacing: tuple[float, ...], corner: tuple[float, ...], direction: tuple[float, ...]) -> Array:
    """ITK points left and posterior, NIfTI right and anterior."""
    count = len(spacing)
    affine = np.eye(4)
    affine[:3, :3] = (np.array(direction).reshape(count, count) * np.array(spacing))[:3, :3]
    affine[:3, 3] = corner[:3]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _from_axes(field: Field) -> ItkOrigin:
    steps = tuple(axis.step for axis in reversed(field.axes))
    count = len(steps)
    direction, corner = np.eye(count), np.zeros(count)
    known = field.origin.affine if isinstance(field.origin, Stored) else None
    if known is not None:
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ known
        steps = (*np.linalg.norm(affine[:3, :3], axis=0).tolist(), *steps[3:])
        direction[:3, :3] = affine[:3, :3] / np.array(steps[:3])
        corner[:3] = affine[:3, 3]
    return ItkOrigin(spacing=steps, corner=tuple(corner.tolist()), direction=tuple(direction.ravel().tolist()))
