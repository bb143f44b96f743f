"""Pages of TIFF: which of them belong together, what their axes are, and how far apart their samples."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from volstyle.codecs.borders import damages
from volstyle.codecs.stored import MILLIMETERS
from volstyle.errors import InputError

_DEPTH = "ZQI"  # Z, or what tifffile calls axes nobody named
UNITS = {"µm": "um", "μm": "um", "micron": "um", "microns": "um", "\\u00B5m": "um"} | {
    unit: unit for unit in MILLIMETERS
}
_SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6}

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it warns of is raised or mended here


def steps_of(path: Path, file: tifffile.TiffFile, series: Any) -> dict[str, tuple[float, str]]:
    """The step and its unit along each of T, Z, Y, X."""
    found = dict.fromkeys("TZYX", (1.0, "px"))
    page = series.keyframe
    with damages(path, "its sizes cannot be read"):
        if file.is_imagej:
            notes = dict(file.imagej_metadata or {})
            unit = UNITS.get(str(notes.get("unit", "")).strip(), "px")
            known = unit != "px" and page.resolution != (1, 1) and all(page.resolution)
            across, down = page.resolution if known else (1.0, 1.0)
            found |= {"X": (1 / across, unit), "Y": (1 / down, unit), "Z": (float(notes.get("spacing", 1)), unit)}
            if float(notes.get("finterval", 0) or 0) > 0:
                found["T"] = (float(notes["finterval"]), "s")
        elif file.is_ome:
            found |= _ome_steps(file.ome_metadata or "")
        if not all(np.isfinite(step) and step > 0 for step, _ in found.values()):
            raise InputError(f"{path}: steps are {found}, must be above 0")
    return found


def _ome_steps(xml: str) -> dict[str, tuple[float, str]]:
    """PhysicalSize and TimeIncrement of the first image, micrometers and seconds if nothing else is said."""
    document: Any = tifffile.xml2dict(xml)
    pictures = document["OME"]["Image"]
    pixels = (pictures[0] if isinstance(pictures, list) else pictures)["Pixels"]
    found = {}
    for name in "ZYX":
        if f"PhysicalSize{name}" in pixels:
            unit = UNITS.get(str(pixels.get(f"PhysicalSize{name}Unit", "µm")), "px")
            found[name] = (float(pixels[f"PhysicalSize{name}"]), unit)
    if len(found) < 3 or "px" in {unit for _, unit in found.values()}:
        found = {}
    if "TimeIncrement" in pixels:
        unit = str(pixels.get("TimeIncrementUnit", "s"))
        found["T"] = (float(pixels["TimeIncrement"]) * _SECONDS.get(unit, 1.0), "s" if unit in _SECONDS else "px")
    return found


def names_of(series: Any) -> str:
    """The axes of the pages, with Z for those nobody named."""
    return "".join("Z" if name in _DEPTH else name for name in series.axes)


def kind_of(path: Path, series: Any) -> str:
    """Whether pages are an image, a clip ("video") or a volume. Raises InputError for other axes."""
    names = names_of(series)
    sizes = dict(zip(names, series.shape, strict=True))
    if len(sizes) < len(names) or not set("YX") <= set(names) <= set("TCZYXS"):
        raise InputError(f"{path}: {series.dtype} over axes {series.axes}, must be numbers over T, Z, C, Y, X")
    if sizes.get("Z", 1) > 1:
        return "volume"
    if sizes.get("C", 1) > 1:
        raise InputError(
            f"{path}: a picture of {sizes['C']} channels ({series.axes}), must be gray or RGB; "
            "give one channel, or merge them to RGB"
        )
    return "video" if sizes.get("T", 1) > 1 else "image"


def series_of(path: Path, file: tifffile.TiffFile) -> Any:
    """The pages that belong together and are read: the largest stack, or the first picture if there is none."""
    with damages(path, "damaged, its pages cannot be read"):
        found = [series for series in file.series if series.size]
        stacks = [series for series in found if _depth(series) > 1]
    if not found:
        raise InputError(f"{path}: holds no page; give a TIFF with a picture or a stack")
    return max(stacks, key=lambda series: int(series.size)) if stacks else found[0]


def _depth(series: Any) -> int:
    return max((size for name, size in zip(series.axes, series.shape, strict=True) if name in _DEPTH), default=1)


def opened(path: Path) -> tifffile.TiffFile:
    with damages(path, "damaged, or not TIFF"):
        # Never the other files that an OME-TIFF may name.
        return tifffile.TiffFile(path, _multifile=False)
