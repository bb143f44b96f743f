"""OME-Zarr 0.4 and 0.5, by zarr: a folder of arrays, one for each level of a pyramid.

The finest level is read. A result is written as a copy of what was read, with all its metadata and labels, and
with new samples in all levels. Nothing is read or written outside of the folder.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import zarr

from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving_folder, check_folder
from volstyle.codecs.borders import check_room, damages, unwritable
from volstyle.codecs.outgoing import NOTICE, TYPES, check_volume, left_out, numbers, smaller
from volstyle.codecs.stored import Array, Stored, as_field, is_changed, own
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

_UNITS = {
    "nanometer": "nm",
    "micrometer": "um",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "second": "s",
}
_LONG = {short: name for name, short in _UNITS.items()}
_NOTICE_KEY = "volstyle_notice"


@dataclass(frozen=True)
class NgffOrigin(Stored):
    """names: the axes in the file, as in "tczyx"."""

    names: str = ""


def probe(path: Path) -> Facts:
    level, multiscale, names = _finest(path)
    kept = _kept(names, level.shape)
    shape = tuple(size for name, size in zip(names, level.shape, strict=True) if name in kept)
    entries = {
        "size": " x ".join(f"{name} {size}" for name, size in zip(names, level.shape, strict=True)),
        "samples": str(level.dtype),
        "levels": str(len(_levels(path, multiscale))),
    }
    return Facts("volume", shape, entries, _axes(path, multiscale, names, kept))


def read(path: Path, selection: Selection) -> Field:
    with damages(path, "damaged"):
        return _read(path)


def _read(path: Path) -> Field:
    level, multiscale, names = _finest(path)
    if np.dtype(level.dtype).kind not in "iuf":
        raise InputError(f"{path}: {level.dtype} of shape {level.shape}, must be numbers over {', '.join(names)}")
    check_room(path, level.size * level.dtype.itemsize, level.size)
    with damages(path, f"level {_levels(path, multiscale)[0]!r} cannot be read"):
        array: Array = np.asarray(level[...])
    kept = _kept(names, array.shape)
    axes = _axes(path, multiscale, names, kept)
    order = [names.index(name) for name in "tczyx" if name in names]
    laid = array.transpose(order)
    if "t" in names:
        laid = np.moveaxis(laid, 0, 1) if "c" in names else laid
    channels = array.shape[names.index("c")] if "c" in names else 1
    laid = laid.reshape(channels, *(array.shape[names.index(name)] for name in kept))
    copies = len(_levels(path, multiscale)) - 1
    return as_field(path, axes, NgffOrigin(path, laid, copies=copies, names=names))


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    check(path, field, encoding)
    origin = own(field, NgffOrigin)
    kept = origin is not None and origin.array is not None and len(origin.array) == field.channels
    made = numbers(path, field, NgffOrigin, () if kept else (*TYPES, "f2"))
    with arriving_folder(path, encoding.force, "*") as temporary, unwritable(path):
        if kept:
            assert origin is not None and origin.path is not None
            shutil.copytree(origin.path, temporary, dirs_exist_ok=True)
            _fill(temporary, made.array, origin.names)
        else:
            _create(temporary, field, made.array, made.color)
        if is_changed(field):
            zarr.open_group(temporary, mode="r+").attrs[_NOTICE_KEY] = NOTICE
    return [] if kept else left_out(path, field, ("steps", "times"))


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_folder(path, encoding.force, "*")
    check_volume(path, field)
    if path.exists() and not any((path / name).exists() for name in (".zgroup", ".zattrs", "zarr.json")):
        raise OutputError(f"{path}: is there and no OME-Zarr; give another name")


def _fill(path: Path, array: Array, names: str) -> None:
    """Write samples (C, *S) into all levels of an existing OME-Zarr."""
    group, multiscale = _opened(path, mode="r+")
    have = "ctzyx" if array.ndim == 5 else "czyx"
    for name in _levels(path, multiscale):
        level = group[name]
        whole = array
        for axis in names:
            if axis not in have:  # the axis t of a single time
                whole = whole[None]
        lead = "".join(axis for axis in reversed(names) if axis not in have)
        found = lead + have
        if "c" not in names:
            whole = whole[(slice(None),) * found.index("c") + (0,)]
            found = found.replace("c", "")
        level[...] = smaller(whole.transpose([found.index(axis) for axis in names]), level.shape)


def _create(path: Path, field: Field, array: Array, color: bool) -> None:
    """Write a new OME-Zarr 0.5 with one level."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    laid = array if len(field.axes) == 3 else np.moveaxis(array, 0, 1)
    names = ["c", *(axis.name for axis in field.axes)] if len(field.axes) == 3 else ["t", "c", "z", "y", "x"]
    steps = {axis.name: axis for axis in field.axes}
    axes: list[dict[str, str]] = []
    for name in names:
        kind = {"c": "channel", "t": "time"}.get(name, "space")
        unit = _LONG.get(steps[name].unit) if name in steps else None
        axes.append({"name": name, "type": kind, **({"unit": unit} if unit else {})})
    scale = [steps[name].step if name in steps else 1.0 for name in names]
    chunks = tuple(1 if name in "tc" else min(size, 64) for name, size in zip(names, laid.shape, strict=True))
    group.create_array("0", data=np.ascontiguousarray(laid), chunks=chunks, dimension_names=names)
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    if color and array.dtype == np.uint8:
        shown = {"start": 0, "end": 255, "min": 0, "max": 255}
        ome["omero"] = {
            "channels": [
                {"color": color, "label": label, "active": True, "window": shown}
                for color, label in (("FF0000", "red"), ("00FF00", "green"), ("0000FF", "blue"))
            ]
        }
    group.attrs["ome"] = ome


def _opened(path: Path, mode: Any = "r") -> tuple[Any, dict[str, Any]]:
    """The zarr group, and what it says of its first pyramid. Raises InputError."""
    links = [
        name
        for folder, folders, files in os.walk(path)
        for name in (*folders, *files)
        if (Path(folder) / name).is_symlink()
    ]
    if links:
        raise InputError(
            f"{path}: holds a link, {links[0]}; nothing outside the folder is read, put the files there"
        )
    with damages(path, "not OME-Zarr 0.4 or 0.5"):
        group = zarr.open_group(path, mode=mode)
        attributes: dict[str, Any] = dict(group.attrs)
        found = attributes.get("ome", attributes).get("multiscales")
        if not found or not found[0].get("datasets"):
            raise InputError(f"{path}: not OME-Zarr 0.4 or 0.5 (no multiscales); give a folder that is")
        multiscale: dict[str, Any] = found[0]
        axes = multiscale.get("axes")
        if not isinstance(axes, list) or not all(isinstance(axis, dict) and "name" in axis for axis in axes):
            version = multiscale.get("version", "unknown")
            raise InputError(
                f"{path}: OME-Zarr of version {version}, whose axes have no names or units; must be 0.4 or 0.5"
            )
    return group, multiscale


def _finest(path: Path) -> tuple[Any, dict[str, Any], str]:
    """The array of the finest level, what its pyramid says, and the names of its axes. Raises InputError."""
    group, multiscale = _opened(path)
    names, name = _names(path, multiscale), _levels(path, multiscale)[0]
    with damages(path, f"level {name!r} cannot be read"):
        level = group[name]
        if not isinstance(level, zarr.Array):
            raise InputError(f"{path}: level {name!r} is no array")
    if level.ndim != len(names):
        raise InputError(f"{path}: {level.dtype} of shape {level.shape}, must be numbers over {', '.join(names)}")
    return level, multiscale, names


def _kept(names: str, shape: tuple[int, ...]) -> str:
    """The axes that the field will have, as in "tzyx". An axis t of a single sample is left out."""
    return "".join(name for name in "tzyx" if name in names and (name != "t" or shape[names.index("t")] > 1))


def _axes(path: Path, multiscale: dict[str, Any], names: str, kept: str) -> tuple[Axis, ...]:
    with damages(path, "its coordinateTransformations or units cannot be read"):
        scale = dict(zip(names, _scale(multiscale), strict=True))
        units = {axis["name"]: _UNITS.get(axis.get("unit", ""), "px") for axis in multiscale["axes"]}
        if not all(np.isfinite(step) and step > 0 for step in scale.values()):
            raise InputError(f"{path}: steps are {list(scale.values())}, must be above 0")
        return tuple(Axis(name, float(scale[name]), "s" if name == "t" else units[name]) for name in kept)


def _names(path: Path, multiscale: dict[str, Any]) -> str:
    names = "".join(str(axis["name"]) for axis in multiscale["axes"])
    if not set("zyx") <= set(names) <= set("tczyx") or len(set(names)) < len(names):
        raise InputError(f"{path}: axes {', '.join(names)}, must be z, y, x and t or c at most")
    return names


def _levels(path: Path, multiscale: dict[str, Any]) -> list[str]:
    """The paths of the levels, the finest first. Raises InputError for a path that leaves the folder."""
    with damages(path, "its datasets cannot be read"):
        found = [str(level["path"]) for level in multiscale["datasets"]]
    for name in found:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
            raise InputError(f"{path}: a level is said to be at {name!r}, must be within the folder")
    return found


def _scale(multiscale: dict[str, Any]) -> list[float]:
    """The steps of the finest level along all axes: its own scale times that of the whole pyramid."""
    total = np.ones(len(multiscale["axes"]))
    for place in (multiscale["datasets"][0], multiscale):
        for transformation in place.get("coordinateTransformations", []):
            if transformation.get("type") == "scale":
                total = total * np.array(transformation["scale"], float)
    found: list[float] = total.tolist()
    return found
