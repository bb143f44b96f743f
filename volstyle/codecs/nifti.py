"""NIfTI-1 and -2, by nibabel: .nii and .nii.gz, scaled, big-endian, over time, with channels, RGB.

The header is kept as it is in the file, scaling and codes too, and written back byte for byte; numbers in the
file's own type. Axes are x, y, z in the file's order whatever way the patient lies.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np

from volstyle.codecs import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving
from volstyle.codecs.stored import NOTICE, Array, Stored, as_field, is_changed, numbers
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

_MOST_AXES = 4
_COMMENT = 6  # NIfTI's code of an extension in plain text
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_MILLIMETERS = {"mm": 1.0, "meter": 1e3, "micron": 1e-3}
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@dataclass(frozen=True)
class NiftiOrigin(Stored):
    """header: with extensions, as it is in the file. shape: of the data in the file."""

    header: Any = None
    shape: tuple[int, ...] = ()


def probe(path: Path) -> Facts:
    header = _header(path)
    axes = _axes(path, header)
    shape = _sizes(path, header)[1:]
    entries = {
        "size": " x ".join(map(str, header.get_data_shape())),
        "voxel": " x ".join(f"{axis.step:.4g} {axis.unit}" for axis in reversed(axes)),
        "samples": f"{header.get_data_dtype()}",
        "orientation": "".join(code or "?" for code in nib.aff2axcodes(header.get_best_affine())),
    }
    return Facts("volume", shape, entries, axes)


def read(path: Path, selection: Selection) -> Field:
    header = _header(path)
    axes = _axes(path, header)
    try:
        image = cast(Any, nib.load(path))
        raw = np.asanyarray(image.dataobj.get_unscaled())
    except (EOFError, OSError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise InputError(f"{path}: damaged, its samples cannot be read ({error})") from error
    color = raw.dtype.names is not None
    if color:
        raw = np.stack([raw[name] for name in ("R", "G", "B")])
    else:
        # (i, j, k, t, c) in the file; c is NIfTI's place for the parts of a vector.
        raw = raw.reshape(_squeezed(raw.shape))
        raw = np.moveaxis(raw, -1, 0) if raw.ndim == _MOST_AXES + 1 else raw[None]
    raw = raw.transpose(0, *range(raw.ndim - 1, 0, -1)).reshape(-1, *_sizes(path, header)[1:])
    if raw.dtype.kind not in "iuf":
        raise InputError(f"{path}: samples are {raw.dtype}, must be real numbers or RGB")
    slope, inter = (1.0, 0.0) if color else (float(image.dataobj.slope), float(image.dataobj.inter))
    affine = np.asarray(header.get_best_affine(), np.float64)
    origin = NiftiOrigin(
        path, raw, slope, inter, color, affine=affine, header=header, shape=tuple(header.get_data_shape())
    )
    return as_field(path, axes, origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    names = [axis.name for axis in field.axes]
    if names not in (["z", "y", "x"], ["t", "z", "y", "x"]):
        raise OutputError(f"{path}: NIfTI has axes t, z, y, x, the result has {', '.join(names)}; choose .npy")
    array, color = numbers(path, field)
    header = _header_for(field, array, color)
    if is_changed(field, array):
        header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, NOTICE.encode()))
        header["vox_offset"] = 0  # nibabel makes room for the extensions
    plain = array.transpose(0, *range(array.ndim - 1, 0, -1))  # (C, i, j, k, t)
    flat = np.stack(list(plain), axis=-1).view(_RGB)[..., 0] if color else np.moveaxis(plain, 0, -1)
    written = io.BytesIO()
    header.write_to(written)
    written.write(bytes(int(header["vox_offset"]) - written.tell()))
    written.write(flat.astype(header.get_data_dtype()).tobytes(order="F"))
    data = written.getvalue()
    if _is_packed(path):
        data = gzip.compress(
            data, compresslevel=6, mtime=0
        )  # no time of day, so that a replay gives the same bytes
    with arriving(path, encoding.force) as temporary:
        temporary.write_bytes(data)
    return []


def _header_for(field: Field, array: Array, color: bool) -> Any:
    """The header it came with, or one made from the axes."""
    origin = field.origin
    if isinstance(origin, NiftiOrigin):
        header = origin.header.copy()
        if color and not origin.color:
            header.set_data_shape(_file_shape(field))
            header.set_data_dtype(_RGB)
            header["scl_slope"], header["scl_inter"] = 1, 0
        return header
    header = nib.Nifti1Header()
    header.set_data_dtype(_RGB if color else array.dtype)
    shape = _file_shape(field)
    if not color and len(array) > 1:
        shape = (*shape, *(1,) * (_MOST_AXES - len(shape)), len(array))
        header.set_intent("vector")
    header.set_data_shape(shape)
    known = isinstance(origin, Stored)
    if known and np.ndim(cast(Stored, origin).slope) == 0:
        header["scl_slope"], header["scl_inter"] = cast(Stored, origin).slope, cast(Stored, origin).inter
    steps = [axis.step for axis in reversed(field.axes)]
    affine = cast(Stored, origin).affine if known else None
    if affine is None:
        affine = np.diag([*steps[:3], 1.0])
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner", strip_shears=True)
    header.set_zooms([*steps, *(1.0,) * (len(shape) - len(steps))])
    header.set_xyzt_units("mm", "sec")
    return header


def _file_shape(field: Field) -> tuple[int, ...]:
    return tuple(reversed(field.shape))


def _header(path: Path) -> Any:
    """As it is in the file: nibabel's images reset scaling and codes. Raises InputError."""
    opener: Any = gzip.open if _is_packed(path) else open
    try:
        with opener(path, "rb") as file:
            start = file.read(4)
        kind = (
            nib.Nifti2Header if 540 in (int.from_bytes(start, o) for o in ("little", "big")) else nib.Nifti1Header
        )
        with opener(path, "rb") as file:
            header = kind.from_fileobj(file, check=False)
        if header["magic"].item() not in (b"n+1", b"n+2"):
            raise InputError(
                f"{path}: not NIfTI in one file (magic {header['magic'].item()!r}); give .nii or .nii.gz"
            )
        header.get_data_dtype(), header.get_data_shape()
    except (EOFError, OSError, zlib.error, nib.spatialimages.HeaderDataError) as error:
        raise InputError(f"{path}: damaged, or not NIfTI ({error})") from error
    return header


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(i, j, k), (i, j, k, t) or (i, j, k, t, c): axes of one sample left out at the end, put in before k."""
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape + (1,) * (3 - len(shape))


def _sizes(path: Path, header: Any) -> tuple[int, ...]:
    """(C, *S) of the field."""
    shape = _squeezed(header.get_data_shape())
    if len(shape) > _MOST_AXES + 1:
        raise InputError(f"{path}: {len(shape)} axes of shape {shape}, must be x, y, z, t and channels at most")
    color = header.get_data_dtype().names is not None
    channels = 3 if color else shape[_MOST_AXES] if len(shape) > _MOST_AXES else 1
    times = shape[3:4] if len(shape) > 3 and shape[3] > 1 else ()
    return (channels, *times, *reversed(shape[:3]))


def _axes(path: Path, header: Any) -> tuple[Axis, ...]:
    """Raises InputError for an affine that maps no volume to a volume."""
    affine = np.asarray(header.get_best_affine())
    steps = np.sqrt((affine[:3, :3] ** 2).sum(0))
    if not np.isfinite(affine).all() or not abs(np.linalg.det(affine[:3, :3])) > 1e-6 * steps.prod() > 0:
        rows = "; ".join(" ".join(f"{number:g}" for number in row) for row in affine[:3, :3])
        raise InputError(f"{path}: affine is singular ({rows}), must map a volume to a volume; set sform or qform")
    space, time = header.get_xyzt_units()
    steps = steps * _MILLIMETERS.get(space, 1.0)
    axes = tuple(Axis(name, float(step), "mm") for name, step in zip("zyx", reversed(steps), strict=True))
    if len(_sizes(path, header)) == 4:
        return axes
    zooms = header.get_zooms()
    step = float(zooms[3]) * _SECONDS.get(time, 1.0) if len(zooms) > 3 else 1.0
    return (Axis("t", step or 1.0, "s"), *axes)
