"""HDF5, by h5py: the largest dataset of three axes or more, with everything else in the file as it is.

The last axes are z, y, x, a fourth in front is t. Links to other files are not followed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from volstyle.codecs import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving
from volstyle.codecs.stored import NOTICE, Array, Stored, as_field, is_changed, numbers, spatial
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

_NOTICE_KEY = "volstyle_notice"
_NAME = "volume"


@dataclass(frozen=True)
class Hdf5Origin(Stored):
    """name: of the dataset in the file."""

    name: str = _NAME


def probe(path: Path) -> Facts:
    with _opened(path) as file:
        dataset = _largest(path, file)
        shape = dataset.shape[:-1] if _is_color(dataset) else dataset.shape
        entries = {
            "size": " x ".join(map(str, shape)),
            "samples": str(dataset.dtype),
            "dataset": str(dataset.name),
        }
    return Facts("volume", shape, entries)


def read(path: Path, selection: Selection) -> Field:
    with _opened(path) as file:
        dataset = _largest(path, file)
        color, name, sizes = _is_color(dataset), str(dataset.name), dataset.attrs.get("element_size_um")
        try:
            array: Array = dataset[()]
        except OSError as error:
            raise InputError(f"{path}: dataset {name} cannot be read ({error})") from error
    array = np.moveaxis(array, -1, 0) if color else array[None]
    count = array.ndim - 1
    axes: tuple[Axis, ...] = spatial("tzyx"[-count:], (1.0,) * count, "px")
    if sizes is not None and np.shape(sizes) == (3,):  # of Fiji and ilastik: z, y, x
        axes = (*axes[:-3], *spatial("zyx", tuple(float(size) for size in sizes), "um"))
    return as_field(path, axes, Hdf5Origin(path, array, color=color, name=name))


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """The file it came from, copied, with other samples; or a new one."""
    array, color = numbers(path, field)
    laid = np.moveaxis(array, 0, -1) if color or len(array) > 1 else array[0]
    origin = field.origin
    with arriving(path, encoding.force) as temporary:
        if isinstance(origin, Hdf5Origin) and origin.path is not None:
            shutil.copyfile(origin.path, temporary)
        name = origin.name if isinstance(origin, Hdf5Origin) else _NAME
        with h5py.File(temporary, "a") as file:
            dataset = _replaced(file, name, laid)
            if is_changed(field, array):
                dataset.attrs[_NOTICE_KEY] = NOTICE
            if not isinstance(origin, Hdf5Origin) and all(axis.unit == "mm" for axis in field.axes[-3:]):
                dataset.attrs["element_size_um"] = [1000 * axis.step for axis in field.axes[-3:]]
    return []


def _replaced(file: Any, name: str, array: Array) -> Any:
    """The dataset of that name with these samples: in its own layout where they fit, its attributes kept."""
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


def _largest(path: Path, file: Any) -> Any:
    """Raises InputError when there is none. Links are not followed, so that it lies in this file."""
    found: list[Any] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.ndim in (3, 4, 5):
            found.append(item)

    file.visititems(visit)
    held = [item for item in found if not item.external and not item.is_virtual]
    held = [item for item in held if item.ndim < 5 or _is_color(item)]
    if not held:
        why = "its samples are in other files" if found else "no dataset of three or four axes"
        raise InputError(f"{path}: {why}; give a file that holds a volume")
    return max(held, key=lambda item: item.size)


def _is_color(dataset: Any) -> bool:
    return bool(dataset.ndim >= 4 and dataset.shape[-1] == 3 and dataset.dtype == np.uint8)
