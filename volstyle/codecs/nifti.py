"""NIfTI-1 and -2, by nibabel: .nii and .nii.gz, scaled, big-endian, over time, with channels, RGB and RGBA.

The header is kept as it is in the file, scaling and codes too, and written back byte for byte; numbers in the
file's own type. Axes are x, y, z in the file's order whatever way the patient lies.
"""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np

from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room, damages
from volstyle.codecs.outgoing import NOTICE, TYPES, Numbers, check_volume, left_out, numbers
from volstyle.codecs.stored import Stored, affine_of, alpha_of, as_field, is_changed, own, steps_in_mm
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

_MOST_AXES = 4
_COMMENT = 6  # NIfTI's code of an extension in plain text
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_MILLIMETERS = {"mm": 1.0, "meter": 1e3, "micron": 1e-3}
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_RGBA = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")])
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class NiftiOrigin(Stored):
    """header: the header as it is in the file, with its extensions. shape: the shape of the samples in the
    file."""

    header: Any = None
    shape: tuple[int, ...] = ()


def probe(path: Path) -> Facts:
    with damages(path, "damaged"):
        return _probe(path)


def read(path: Path, selection: Selection) -> Field:
    with damages(path, "damaged"):
        return _read(path)


def _probe(path: Path) -> Facts:
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


def _read(path: Path) -> Field:
    header = _header(path)
    axes = _axes(path, header)
    sizes = _sizes(path, header)
    check_room(path, _declared(header) + int(header["vox_offset"]), prod(sizes))
    with damages(path, "damaged, its samples cannot be read"), _silent():
        image = cast(Any, nib.load(path))
        raw = np.asanyarray(image.dataobj.get_unscaled())
    color, alpha = raw.dtype.names is not None, None
    if color:
        if "A" in raw.dtype.names:
            alpha = raw["A"].transpose().reshape(sizes[1:])
        raw = np.stack([raw[name] for name in ("R", "G", "B")])
    else:
        # (i, j, k, t, c) in the file; c is NIfTI's place for the parts of a vector.
        raw = raw.reshape(_squeezed(raw.shape))
        raw = np.moveaxis(raw, -1, 0) if raw.ndim == _MOST_AXES + 1 else raw[None]
    raw = raw.transpose(0, *range(raw.ndim - 1, 0, -1)).reshape(-1, *sizes[1:])
    if raw.dtype.kind not in "iuf":
        raise InputError(f"{path}: samples are {raw.dtype}, must be real numbers or RGB")
    slope, inter = (1.0, 0.0) if color else (float(image.dataobj.slope), float(image.dataobj.inter))
    affine = np.asarray(header.get_best_affine(), np.float64)
    affine[:3] *= _MILLIMETERS.get(header.get_xyzt_units()[0], 1.0)
    shape = tuple(header.get_data_shape())
    origin = NiftiOrigin(path, raw, slope, inter, color, affine=affine, alpha=alpha, header=header, shape=shape)
    return as_field(path, axes, origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    check(path, field, encoding)
    origin = own(field, NiftiOrigin)
    made = _numbers(path, field, origin)
    header = _own_header(origin, made) if origin else _new_header(field, made)
    colors = (_RGB if made.alpha is None else _RGBA) if made.color else None
    if colors is not None:
        header.set_data_dtype(colors)
    if is_changed(field):
        header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, NOTICE.encode()))
        header["vox_offset"] = 0  # nibabel makes room for the extensions
    plain = [part.transpose() for part in made.parts]  # (i, j, k, t)
    flat = np.ascontiguousarray(np.stack(plain, axis=-1))
    if colors is not None:
        flat = flat.view(colors)[..., 0]
    written = io.BytesIO()
    header.write_to(written)
    written.write(bytes(int(header["vox_offset"]) - written.tell()))
    written.write(flat.astype(header.get_data_dtype()).tobytes(order="F"))
    data = written.getvalue()
    if _is_packed(path):
        # Without the time of day, so that a replay gives the same bytes.
        data = gzip.compress(data, compresslevel=6, mtime=0)
    with arriving(path, encoding.force) as temporary:
        temporary.write_bytes(data)
    return left_out(path, field, ("steps", "times", "place", "alpha")) if origin is None else []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    check_volume(path, field)


def _numbers(path: Path, field: Field, origin: NiftiOrigin | None) -> Numbers:
    """What to write; scaled numbers of another format stay so where one slope and one intercept do for all.

    Colors of more than 8 bits are a vector, since RGB of NIfTI has 8."""
    source = field.origin
    if origin is None and _is_scaled_alike(field):
        assert isinstance(source, Stored)
        return Numbers(source.restored(field.samples), source.color, alpha_of(field) if source.color else None)
    made = numbers(path, field, NiftiOrigin, TYPES if origin is None else ())
    return made if made.array.dtype == np.uint8 else Numbers(made.array, color=False)


def _is_scaled_alike(field: Field) -> bool:
    """Whether a field comes from another format's whole numbers and one rescale that NIfTI can say as well."""
    source = own(field, Stored)
    if source is None or not source.scaled or source.array is None or len(source.array) != field.channels:
        return False
    return np.ndim(source.slope) == 0 and np.ndim(source.inter) == 0 and source.array.dtype.str[1:] in TYPES


def _own_header(origin: NiftiOrigin, made: Numbers) -> Any:
    """The header of the source; where a gray volume became a color one, without its scaling."""
    header = origin.header.copy()
    if made.color and not origin.color:
        header.set_data_shape(tuple(reversed(made.array.shape[1:])))
        header["scl_slope"], header["scl_inter"] = 1, 0
    return header


def _new_header(field: Field, made: Numbers) -> Any:
    """A header made from the axes, and from where the volume lies if its file says so."""
    header = nib.Nifti1Header()
    header.set_data_dtype(made.array.dtype)
    shape = tuple(reversed(field.shape))
    if not made.color and len(made.array) > 1:
        shape = (*shape, *(1,) * (_MOST_AXES - len(shape)), len(made.array))
        header.set_intent("vector")
    header.set_data_shape(shape)
    if _is_scaled_alike(field):
        source = cast(Stored, field.origin)
        header["scl_slope"], header["scl_inter"] = source.slope, source.inter
    steps = steps_in_mm(field)
    affine = affine_of(field)
    if affine is None:
        affine = np.diag([*steps, 1.0])
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner", strip_shears=True)
    times = [field.axes[0].step] if len(field.axes) > 3 else []
    header.set_zooms([*header.get_zooms()[:3], *times, *(1.0,) * (len(shape) - 3 - len(times))])
    header.set_xyzt_units("mm", "sec")
    return header


def _header(path: Path) -> Any:
    """The header as it is in the file, which nibabel's images do not keep: they reset scaling and codes.

    Raises InputError for a file that is damaged, cut off or not NIfTI."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if packed != _is_packed(path):
        is_now, name = ("packed by gzip", ".nii.gz") if packed else ("not packed by gzip", ".nii")
        raise InputError(f"{path}: is {is_now}, which its name does not say; rename it to {name} if it is NIfTI")
    opener: Any = gzip.open if packed else open
    with damages(path, "damaged, or not NIfTI"), _silent():
        with opener(path, "rb") as file:
            start = file.read(4)
        second = 540 in (int.from_bytes(start, order) for order in ("little", "big"))
        kind: Any = nib.Nifti2Header if second else nib.Nifti1Header
        with opener(path, "rb") as file:
            bare: Any = kind(file.read(kind.sizeof_hdr), check=False)
        if bare["magic"].item() not in (b"n+1", b"n+2"):
            raise InputError(
                f"{path}: not NIfTI in one file (magic {bare['magic'].item()!r}); give .nii or .nii.gz"
            )
        shape, before = tuple(bare.get_data_shape()), int(bare["vox_offset"])
        if min(shape, default=0) < 1 or before < 0:
            raise InputError(f"{path}: damaged, its header tells of samples {shape} from byte {before} on")
        if not packed and before + _declared(bare) > path.stat().st_size:
            raise InputError(f"{path}: damaged or cut off, its header tells of more samples than there are")
        check_room(path, before, 0)  # the extensions, which are read with the header
        with opener(path, "rb") as file:
            return kind.from_fileobj(file, check=False)


def _declared(header: Any) -> int:
    """Bytes of the samples a header tells of."""
    return int(prod(header.get_data_shape()) * header.get_data_dtype().itemsize)


@contextmanager
def _silent() -> Iterator[None]:
    """Without nibabel's warnings on headers that are a little off, which mean nothing to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with three axes or more: without axes of one sample at its end, and with such axes where k, or j
    and k, are missing. What comes back is (i, j, k), (i, j, k, t) or (i, j, k, t, c)."""
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape + (1,) * (3 - len(shape))


def _sizes(path: Path, header: Any) -> tuple[int, ...]:
    """The shape (C, *S) that the field will have. Raises InputError for more than five axes."""
    shape = _squeezed(header.get_data_shape())
    if len(shape) > _MOST_AXES + 1:
        raise InputError(f"{path}: {len(shape)} axes of shape {shape}, must be x, y, z, t and channels at most")
    color = header.get_data_dtype().names is not None
    channels = 3 if color else shape[_MOST_AXES] if len(shape) > _MOST_AXES else 1
    times = shape[3:4] if len(shape) > 3 and shape[3] > 1 else ()
    return (channels, *times, *reversed(shape[:3]))


def _axes(path: Path, header: Any) -> tuple[Axis, ...]:
    """The axes of the field. Raises InputError for an affine that maps the volume to a plane, a line or a
    point."""
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
