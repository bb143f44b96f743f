"""HDF5, by h5py: the largest dataset of three axes or more; everything else in the file stays as it is.

The labels of the dataset's dimensions name the axes: "c", "t", "z", "y" or "x". Without labels, the last three
axes are z, y, x, a fourth axis in front of them is t, and a last axis of 3 samples in 8 bit is R, G, B. Links to
other files are not followed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room, damages, unwritable
from volstyle.codecs.outgoing import NOTICE, TYPES, check_volume, left_out, numbers
from volstyle.codecs.stored import MILLIMETERS, Array, Stored, as_field, is_changed, own, spatial
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

_NOTICE_KEY = "volstyle_notice"
_SIZES_KEY = "element_size_um"  # as Fiji and ilastik call it: z, y, x
_NAME = "volume"


@dataclass(frozen=True)
class Hdf5Origin(Stored):
    """name: the name of the dataset in the file. order: its axes, as in "tzyxc"."""

    name: str = _NAME
    order: str = ""


def probe(path: Path) -> Facts:
    with damages(path, "damaged"), _opened(path) as file:  # closing it may fail as well
        dataset, order = _largest(path, file)
        sizes = dict(zip(order, dataset.shape, strict=True))
        axes = _axes(dataset, order)
        entries = {
            "size": " x ".join(str(sizes[axis.name]) for axis in axes),
            "samples": str(dataset.dtype),
            "dataset": str(dataset.name),
        }
    return Facts("volume", tuple(sizes[axis.name] for axis in axes), entries, axes)


def read(path: Path, selection: Selection) -> Field:
    with damages(path, "damaged"), _opened(path) as file:  # closing it may fail as well
        dataset, order = _largest(path, file)
        check_room(path, dataset.size * dataset.dtype.itemsize, dataset.size)
        color, name, axes = _is_color(dataset, order), str(dataset.name), _axes(dataset, order)
        with damages(path, f"dataset {name} cannot be read"):
            array: Array = dataset[()]
    wanted = "".join(letter for letter in "ctzyx" if letter in order)
    array = array.transpose([order.index(letter) for letter in wanted])
    array = array if "c" in order else array[None]
    array, alpha = (array[:3], array[3]) if color and len(array) == 4 else (array, None)
    origin = Hdf5Origin(path, array, color=color, alpha=alpha, name=name, order=order)
    return as_field(path, axes, origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """The file it came from, copied, with other samples; or a new one, whose dimensions have labels."""
    check(path, field, encoding)
    origin = own(field, Hdf5Origin)
    parts = numbers(path, field, Hdf5Origin, () if origin else (*TYPES, "f2")).parts
    order = "".join(axis.name for axis in field.axes) + ("c" if len(parts) > 1 else "")
    if origin is not None and ("c" in origin.order) == (len(parts) > 1):
        order = origin.order
    have = "c" + "".join(axis.name for axis in field.axes)
    kept = parts if "c" in order else parts[0]
    have = have if "c" in order else have[1:]
    laid = kept.transpose([have.index(letter) for letter in order])
    with arriving(path, encoding.force) as temporary, unwritable(path):
        if origin is not None and origin.path is not None:
            shutil.copyfile(origin.path, temporary)
        with h5py.File(temporary, "a") as file:
            dataset = _replaced(file, origin.name if origin else _NAME, laid)
            if is_changed(field):
                dataset.attrs[_NOTICE_KEY] = NOTICE
            if origin is None:
                for number, letter in enumerate(order):
                    dataset.dims[number].label = letter
                if all(axis.unit in MILLIMETERS for axis in field.axes[-3:]):
                    sizes = [axis.step * MILLIMETERS[axis.unit] / MILLIMETERS["um"] for axis in field.axes[-3:]]
                    dataset.attrs[_SIZES_KEY] = sizes
    return left_out(path, field, ("steps", "alpha")) if origin is None else []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    check_volume(path, field)


def _replaced(file: Any, name: str, array: Array) -> Any:
    """The dataset of that name, holding these samples; its attributes stay, and so does its layout if they fit
    it."""
    if name in file and file[name].shape == array.shape and file[name].dtype == array.dtype:
        file[name][()] = array
        return file[name]
    attributes: dict[str, Any] = {}
    if name in file:
        attributes = dict(file[name].attrs)
        del file[name]
    dataset = file.create_dataset(name, data=array, compression="gzip", track_times=False)
    for key, value in attributes.items():
        dataset.attrs[key] = value
    return dataset


def _opened(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: damaged, or not HDF5") from error


def _largest(path: Path, file: Any) -> tuple[Any, str]:
    """The dataset, and its axes in their order, as in "tzyxc".

    Raises InputError when there is none. Links are not followed, so that it lies in this file."""
    found: list[Any] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.ndim in (3, 4, 5):
            found.append(item)

    file.visititems(visit)
    inside = [item for item in found if not item.external and not item.is_virtual]
    held = [(item, order) for item in inside if (order := _order(item))]
    if not held:
        why = "its samples are in other files" if found and not inside else "no dataset of three or four axes"
        raise InputError(f"{path}: {why}; give a file that holds a volume")
    return max(held, key=lambda pair: int(pair[0].size))


def _order(dataset: Any) -> str:
    """The axes of a dataset, as in "tzyxc"; "" if they are not those of a volume."""
    labels = [str(dimension.label) for dimension in dataset.dims]
    if all(labels):
        known = len(set(labels)) == len(labels) and set("zyx") <= set(labels) <= set("ctzyx")
        return "".join(labels) if known else ""
    if dataset.ndim >= 4 and dataset.shape[-1] == 3 and dataset.dtype == np.uint8:
        return "tzyxc"[-dataset.ndim :]
    return "tzyx"[-dataset.ndim :] if dataset.ndim < 5 else ""


def _axes(dataset: Any, order: str) -> tuple[Axis, ...]:
    names = [letter for letter in "tzyx" if letter in order]
    sizes = dataset.attrs.get(_SIZES_KEY)
    if sizes is None or np.shape(sizes) != (3,):
        return spatial("".join(names), (1.0,) * len(names), "px")
    lengths = dict(zip("zyx", (float(size) for size in sizes), strict=True))
    return tuple(Axis(name, lengths.get(name, 1.0), "um" if name in lengths else "px") for name in names)


def _is_color(dataset: Any, order: str) -> bool:
    return "c" in order and dataset.shape[order.index("c")] in (3, 4) and bool(dataset.dtype == np.uint8)
