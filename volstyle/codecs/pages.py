"""Pages of TIFF: which belong together, their axes, the steps of their samples; and pages that are pictures."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from volstyle.codecs.borders import check_room, damages
from volstyle.codecs.stored import MILLIMETERS, Array
from volstyle.errors import InputError

NEGATIVE, GRAY, RGB, YCBCR = 0, 1, 2, 6
"""What a TIFF says that its samples are ("photometric interpretation")."""

_ORIENTATION, _PROFILE = 274, 34675
"""Numbers of the tags that say how a picture lies, and that hold its ICC profile."""

_ASSOCIATED, _SEPARATE = 1, 2
"""What tags say of colors that were multiplied by alpha, and of channels that lie one after the other."""

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
        found = [series for series in file.series if series.size and series.axes]
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


def picture_of(path: Path, data: bytes) -> tuple[Array | None, int, bytes | None]:
    """The first page of a TIFF where OpenCV would read it wrongly, how it lies, and its ICC profile.

    data: the file. The samples are (H, W), or (H, W, 3 or 4) in B, G, R and alpha, of 8 or 16 bit, and not turned
    upright; None for a page that OpenCV reads rightly. OpenCV multiplies colors of 8 bits by alpha and leaves
    colors that were multiplied so, drops the alpha of gray, mixes up planes of 16 bits, and shows a negative of
    16 bits as it is stored. The second value is the EXIF orientation, 1 to 8. Raises InputError for what is
    damaged.
    """
    with damages(path, "damaged, or packed in a way that cannot be read"), _of_bytes(data) as file:
        page: Any = file.pages[0]
        turn, profile = (page.tags[name].value if name in page.tags else None for name in (_ORIENTATION, _PROFILE))
        if not _is_special(page):
            return None, turn or 1, profile
        check_room(path, int(page.nbytes), int(page.size))
        check_strips(path, page)
        array: Array = page.asarray()
        array = np.moveaxis(array, 0, -1) if page.planarconfig == _SEPARATE and array.ndim == 3 else array
        if page.photometric == NEGATIVE:
            array = np.iinfo(array.dtype).max - array
        if page.photometric == RGB:
            array = array[..., [2, 1, 0, 3][: array.shape[-1]]]
        elif array.ndim == 3:
            array = array[..., [0, 0, 0, 1]]
        if _ASSOCIATED in page.extrasamples:
            array = np.dstack([_divided(array[..., :3], array[..., 3:]), array[..., 3:]])
        return array, turn or 1, profile


def check_strips(path: Path, page: Any) -> None:
    """Raises InputError for a page that names fewer strips or tiles than its size asks for, of which tifffile
    looks for each: for a damaged height, for minutes."""
    needed, named = int(np.prod(page.chunked)), len(page.dataoffsets)
    if named < needed:
        raise InputError(f"{path}: damaged, a page has {named} of {needed} strips")


def _is_special(page: Any) -> bool:
    """Whether a page is a picture of 8 or 16 bit that OpenCV reads wrongly."""
    if page.dtype not in (np.uint8, np.uint16) or page.photometric not in (GRAY, NEGATIVE, RGB):
        return False
    colors, deep = 3 if page.photometric == RGB else 1, page.dtype == np.uint16
    if page.samplesperpixel == colors + 1:
        return bool(page.photometric != NEGATIVE)
    planes = page.planarconfig == _SEPARATE and colors == 3
    return bool(page.samplesperpixel == colors and deep and (planes or page.photometric == NEGATIVE))


def _divided(color: Array, alpha: Array) -> Array:
    """Colors (H, W, 3) that were multiplied by alpha (H, W, 1), as they were before; 0 where alpha is."""
    most = np.iinfo(color.dtype).max
    exact = color * (most / np.maximum(alpha.astype(np.float64), 1))
    divided: Array = np.rint(exact.clip(0, most)).astype(color.dtype)
    return divided


def encoded_picture(array: Array, profile: bytes | None) -> bytes:
    """A TIFF of one picture, (H, W) or (H, W, 3 or 4) in B, G, R and alpha, of 8 or 16 bit, packed by deflate."""
    settings: dict[str, Any] = {"photometric": "minisblack" if array.ndim == 2 else "rgb"}
    if array.ndim == 3:
        array = array[..., [2, 1, 0, 3][: array.shape[2]]]
        settings |= {"extrasamples": ["unassalpha"]} if array.shape[2] == 4 else {}
    data = io.BytesIO()
    tifffile.imwrite(
        data, array, compression="zlib", iccprofile=profile, metadata=None, software=False, **settings
    )
    return data.getvalue()


def _of_bytes(data: bytes) -> tifffile.TiffFile:
    return tifffile.TiffFile(io.BytesIO(data), _multifile=False)
