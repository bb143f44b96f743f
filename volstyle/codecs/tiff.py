"""TIFF of many pages, by tifffile: plain stacks, ImageJ and OME-TIFF; a TIFF of one picture goes to `image`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from volstyle.codecs import Encoding, Facts, Selection, image
from volstyle.codecs.atomic import arriving
from volstyle.codecs.stored import NOTICE, Array, Stored, as_field, is_changed, numbers
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

_DEPTH = "ZQI"  # Z, or what tifffile calls axes nobody named
_MICRONS = {"µm": "um", "um": "um", "micron": "um", "microns": "um", "\\u00B5m": "um", "mm": "mm", "cm": "cm"}


@dataclass(frozen=True)
class TiffOrigin(Stored):
    """axes: of the pages in the file, as tifffile names them. shape: of those. kind: "imagej", "ome" or "plain".
    settings: how it was written, for tifffile. notes: ImageJ's own entries."""

    axes: str = ""
    shape: tuple[int, ...] = ()
    kind: str = "plain"
    settings: dict[str, Any] | None = None
    notes: dict[str, Any] | None = None


def probe(path: Path) -> Facts:
    with _opened(path) as file:
        series = file.series[0]
        if not _has_depth(series):
            return image.probe(path)
        sizes = dict(zip(series.axes, series.shape, strict=True))
        shape = tuple(sizes[name] for name in series.axes if name in f"T{_DEPTH}YX")
        entries = {"size": " x ".join(f"{n} {size}" for n, size in sizes.items()), "samples": str(series.dtype)}
        return Facts("volume", shape, entries)


def read(path: Path, selection: Selection) -> Field:
    with _opened(path) as file:
        series = file.series[0]
        if not _has_depth(series):
            return image.read(path, selection)
        names = "".join("Z" if name in _DEPTH else name for name in series.axes)
        if len(set(names)) < len(names) or not set(names) <= set("TCZYXS") or series.dtype.kind not in "iuf":
            raise InputError(f"{path}: {series.dtype} over axes {series.axes}, must be numbers over T, Z, C, Y, X")
        try:
            array = series.asarray()
        except (ValueError, OSError, tifffile.TiffFileError) as error:
            raise InputError(f"{path}: damaged, or packed in a way that cannot be read ({error})") from error
        origin, steps = _origin(path, file, series, names, array)
    spatial = tuple(Axis(name.lower(), *steps[name]) for name in "TZYX" if name in names)
    return as_field(path, spatial, origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    if len(field.axes) == 2:
        return image.write(path, field, encoding)
    if [axis.name for axis in field.axes] not in (["z", "y", "x"], ["t", "z", "y", "x"]):
        raise OutputError(f"{path}: a stack has axes t, z, y, x; choose a suffix for {len(field.axes)} axes")
    array, color = numbers(path, field)
    origin = field.origin if isinstance(field.origin, TiffOrigin) else TiffOrigin()
    kept = origin.array is not None and origin.array.shape == array.shape
    settings = dict(origin.settings or {}) if kept else {}
    if kept:
        laid = _laid(array, _named(field), origin.axes)
        laid = laid.reshape(origin.shape)
    else:
        laid = np.moveaxis(array, 0, -1) if color else array[0]
        names = "".join(axis.name.upper() for axis in field.axes) + ("S" if color else "")
        settings |= {"ome": True, "metadata": {"axes": names, **_sizes(field)}}
    if is_changed(field, array):
        settings["software"] = NOTICE
    photometric = "rgb" if color else "minisblack"
    with arriving(path, encoding.force) as temporary:
        tifffile.imwrite(temporary, laid, photometric=photometric, **settings)
    return []


def _named(field: Field) -> str:
    return "C" + "".join(axis.name.upper() for axis in field.axes)


def _laid(array: Array, have: str, want: str) -> Array:
    """Axes in the order of the file; channels are its C, or its S, or of one sample and left out."""
    channel = "C" if "C" in want else "S" if "S" in want else ""
    if not channel:
        array, have = array[0], have[1:]
    laid: Array = array.transpose([have.index("C" if channel and name == channel else name) for name in want])
    return laid


def _origin(
    path: Path, file: tifffile.TiffFile, series: Any, names: str, array: Array
) -> tuple[TiffOrigin, dict[str, tuple[float, str]]]:
    page = series.keyframe
    color = "S" in names and page.samplesperpixel == 3
    if "S" in names and "C" in names:
        raise InputError(f"{path}: has both channels and samples ({series.axes}), must have one of them")
    channel = "C" if "C" in names else "S" if "S" in names else ""
    order = channel + "".join(name for name in "TZYX" if name in names)
    field_array = array.transpose([names.index(name) for name in order])
    settings: dict[str, Any] = {
        "byteorder": file.byteorder,
        "bigtiff": file.is_bigtiff,
        "compression": page.compression,
        "metadata": None,
    }
    steps = dict.fromkeys("TZYX", (1.0, "px"))
    if page.resolution != (1, 1) and "XResolution" in page.tags:
        settings |= {
            "resolution": (page.tags["XResolution"].value, page.tags["YResolution"].value),
            "resolutionunit": page.resolutionunit,
        }
    notes = None
    if file.is_imagej:
        notes = dict(file.imagej_metadata or {})
        unit = _MICRONS.get(str(notes.get("unit", "")).strip(), "px")
        per = page.resolution if unit != "px" and page.resolution != (1, 1) else (1.0, 1.0)
        steps |= {"X": (1 / per[0], unit), "Y": (1 / per[1], unit), "Z": (float(notes.get("spacing", 1)), unit)}
        steps["T"] = (float(notes.get("finterval", 1)) or 1.0, "s")
        own = {key: value for key, value in notes.items() if key not in _COUNTED}
        settings |= {"imagej": True, "metadata": {"axes": names, **own}, "compression": None}
    elif file.is_ome:
        settings["description"] = file.ome_metadata
        steps |= _ome_steps(file.ome_metadata or "")
    elif page.description and not file.is_shaped:
        settings["description"] = page.description
    elif file.is_shaped:
        settings["metadata"] = {"axes": series.axes} if series.axes.isupper() else {}
    kind = "imagej" if file.is_imagej else "ome" if file.is_ome else "plain"
    found = field_array if channel else field_array[None]
    origin = TiffOrigin(
        path, found, color=color, axes=names, shape=array.shape, kind=kind, settings=settings, notes=notes
    )
    return origin, steps


_COUNTED = ("ImageJ", "images", "channels", "slices", "frames", "hyperstack", "axes", "shape")
"""Entries of ImageJ that tifffile writes itself."""


def _ome_steps(xml: str) -> dict[str, tuple[float, str]]:
    """PhysicalSize and TimeIncrement of the first image, micrometers if nothing else is said."""
    document: Any = tifffile.xml2dict(xml)
    pictures = document["OME"]["Image"]
    pixels = (pictures[0] if isinstance(pictures, list) else pictures)["Pixels"]
    found = {}
    for name in "ZYX":
        if f"PhysicalSize{name}" in pixels:
            unit = _MICRONS.get(str(pixels.get(f"PhysicalSize{name}Unit", "µm")), "um")
            found[name] = (float(pixels[f"PhysicalSize{name}"]), unit)
    if len(found) < 3:
        found = {}
    if "TimeIncrement" in pixels:
        found["T"] = (float(pixels["TimeIncrement"]), "s")
    return found


def _sizes(field: Field) -> dict[str, Any]:
    axes = [axis for axis in field.axes if axis.name in "zyx" and axis.unit != "px"]
    sizes = {f"PhysicalSize{axis.name.upper()}": axis.step for axis in axes}
    units = {f"PhysicalSize{axis.name.upper()}Unit": axis.unit.replace("um", "µm") for axis in axes}
    return {**sizes, **units}


def _has_depth(series: Any) -> bool:
    return any(name in _DEPTH and size > 1 for name, size in zip(series.axes, series.shape, strict=True))


def _opened(path: Path) -> tifffile.TiffFile:
    try:
        # Never the other files that an OME-TIFF may name.
        return tifffile.TiffFile(path, _multifile=False)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise InputError(f"{path}: damaged, or not TIFF ({error})") from error
