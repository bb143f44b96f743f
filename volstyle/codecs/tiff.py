"""TIFF of many pages, by tifffile: plain stacks, ImageJ and OME-TIFF.

Pages in depth are a volume, pages in time are a clip, and one picture goes to `image`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import torch

from volstyle.codecs import image
from volstyle.codecs.api import Encoding, Facts, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room, damages, unwritable
from volstyle.codecs.clip import ClipOrigin
from volstyle.codecs.outgoing import NOTICE, check_volume, left_out, numbers, smaller
from volstyle.codecs.pages import (
    GRAY,
    NEGATIVE,
    RGB,
    YCBCR,
    check_strips,
    kind_of,
    names_of,
    opened,
    series_of,
    steps_of,
)
from volstyle.codecs.stored import Array, Stored, as_field, is_changed, own
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field

_RATE = 25
"""How many frames a second has, where a TIFF in time does not say."""
_TYPES = ("u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8")
"""Types of samples that OME has names for."""
_PACKINGS = ("NONE", "LZW", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS", "LZMA", "ZSTD")
"""Compressions that lose nothing, whatever the type of the samples."""
_OF_FILE = ("byteorder", "bigtiff", "imagej", "ome")
"""Settings that belong to the file as a whole, and not to its pages."""


@dataclass(frozen=True)
class TiffOrigin(Stored):
    """axes: the axes of the pages in the file, as tifffile names them. shape: their shape. settings: the arguments
    with which tifffile writes such a file. levels: the shapes of the smaller copies beside the pages, the finest
    first. lost: notes on what is not read and so is not written."""

    axes: str = ""
    shape: tuple[int, ...] = ()
    settings: dict[str, Any] | None = None
    levels: tuple[tuple[int, ...], ...] = ()
    lost: tuple[str, ...] = ()


def probe(path: Path) -> Facts:
    with opened(path) as file, damages(path, "damaged"):
        series = series_of(path, file)
        kind = kind_of(path, series)
        if kind == "image":
            return image.probe(path)
        sizes = dict(zip(series.axes, series.shape, strict=True))
        entries = {"size": " x ".join(f"{n} {size}" for n, size in sizes.items()), "samples": str(series.dtype)}
        names = names_of(series)
        steps = steps_of(path, file, series)
        axes = tuple(Axis(name.lower(), *steps[name]) for name in "TZYX" if name in names)
        if kind == "video":
            axes = _clip_axes(steps)
        shape = tuple(series.shape[names.index(axis.name.upper())] for axis in axes)
        return Facts(kind, shape, entries, axes)


def read(path: Path, selection: Selection) -> Field:
    with opened(path) as file, damages(path, "damaged"):
        series = series_of(path, file)
        kind = kind_of(path, series)
        check_room(path, int(series.nbytes), int(series.size))
        if kind == "image":
            return image.read(path, selection)
        if series.keyframe.photometric not in (GRAY, NEGATIVE, RGB, YCBCR):
            found = getattr(series.keyframe.photometric, "name", series.keyframe.photometric)
            raise InputError(f"{path}: samples are {found}, must be gray or RGB; convert it")
        check_strips(path, series.keyframe)
        with damages(path, "damaged, or packed in a way that cannot be read"):
            array = series.asarray()
        if kind == "video":
            return _clip(path, series, array, steps_of(path, file, series), selection)
        return _volume(path, file, series, array)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    check(path, field, encoding)
    if len(field.axes) == 2:
        return image.write(path, field, encoding)
    origin = own(field, TiffOrigin)
    kept = origin is not None and origin.array is not None and len(origin.array) == field.channels
    made = numbers(path, field, TiffOrigin, () if kept else _TYPES)
    parts = made.parts
    have = "C" + "".join(axis.name.upper() for axis in field.axes)
    if kept:
        assert origin is not None
        settings, notes = _packed(path, origin)
        laid = _laid(parts, have, origin.axes).reshape(origin.shape)
        levels = origin.levels
    else:
        channel = "S" if made.color else "C" if len(parts) > 1 else ""
        names = have[1:] + "S" if channel == "S" else have[1:].replace("Z", f"{channel}Z")
        laid, levels = _laid(parts, have, names), ()
        settings = {"ome": True, "metadata": {"axes": names, **_sizes(field)}}
        if made.alpha is not None:
            settings["extrasamples"] = ["unassalpha"]
        notes = left_out(path, field, ("steps", "times", "alpha"))
    settings["photometric"] = (
        "rgb" if made.color else "miniswhite" if kept and origin and origin.inverted else "minisblack"
    )
    if is_changed(field):
        settings["software"] = NOTICE
    of_file = {name: settings.pop(name) for name in _OF_FILE if name in settings}
    if isinstance(said := settings.get("description"), str):
        settings["description"] = said.encode()  # tifffile takes only ASCII text, and µm is common
    with (
        arriving(path, encoding.force) as temporary,
        unwritable(path),
        tifffile.TiffWriter(temporary, **of_file) as file,
    ):
        file.write(laid, subifds=len(levels), **settings)
        for shape in levels:
            below = {**settings, "metadata": None, "description": None, "subfiletype": 1}
            file.write(smaller(laid, shape), **below)
    return notes


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    if field is not None and len(field.axes) != 2:
        check_volume(path, field)


def _packed(path: Path, origin: TiffOrigin) -> tuple[dict[str, Any], list[str]]:
    """The settings with which the file was written, with another compression where its own loses samples or cannot
    be made here; and notes."""
    settings, notes = dict(origin.settings or {}), list(origin.lost)
    packing = tifffile.COMPRESSION(settings["compression"] or 1)
    if packing.name not in _PACKINGS or packing not in tifffile.TIFF.COMPRESSORS:
        notes.append(f"{path.name}: packed by deflate, not by {packing.name} as the source is")
        settings["compression"] = "zlib"
    return settings, notes


def _laid(array: Array, have: str, want: str) -> Array:
    """An array with its axes in the order `want`. Channels become the axis C or S; a single channel needs none."""
    channel = "C" if "C" in want else "S" if "S" in want else ""
    if not channel:
        array, have = array[0], have[1:]
    laid: Array = array.transpose([have.index("C" if channel and name == channel else name) for name in want])
    return laid


def _volume(path: Path, file: tifffile.TiffFile, series: Any, array: Array) -> Field:
    names, page = names_of(series), series.keyframe
    if "S" in names and "C" in names:
        raise InputError(f"{path}: has both channels and samples ({series.axes}), must have one of them")
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path}: {array.dtype} over axes {series.axes}, must be numbers over T, Z, C, Y, X")
    channel = "C" if "C" in names else "S" if "S" in names else ""
    order = channel + "".join(name for name in "TZYX" if name in names)
    found = array.transpose([names.index(name) for name in order])
    found = found if channel else found[None]
    color = "S" in names and page.photometric in (RGB, YCBCR) and len(found) in (3, 4)
    if "S" in names and page.extrasamples and not color:
        raise InputError(f"{path}: gray with transparency, must be gray, RGB or RGBA")
    alpha = found[3] if color and len(found) == 4 else None
    settings, levels, lost = _written(path, file, series, names)
    steps = steps_of(path, file, series)
    origin = TiffOrigin(
        path,
        found[:3] if color else found,
        color=color,
        alpha=alpha,
        inverted=page.photometric == NEGATIVE,
        copies=len(levels),
        axes=names,
        shape=array.shape,
        settings=settings,
        levels=levels,
        lost=lost,
    )
    return as_field(path, tuple(Axis(name.lower(), *steps[name]) for name in "TZYX" if name in names), origin)


def _written(
    path: Path, file: tifffile.TiffFile, series: Any, names: str
) -> tuple[dict[str, Any], tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """The settings that write such a file again, the shapes of its pyramid, and notes on what is left out."""
    page = series.keyframe
    settings: dict[str, Any] = {
        "byteorder": file.byteorder,
        "bigtiff": file.is_bigtiff,
        "compression": page.compression,
        "metadata": None,
    }
    if page.is_tiled and not file.is_imagej:
        settings["tile"] = (page.tilelength, page.tilewidth)
    if page.extrasamples:
        settings["extrasamples"] = page.extrasamples
    if page.resolution != (1, 1) and "XResolution" in page.tags:
        settings |= {
            "resolution": (page.tags["XResolution"].value, page.tags["YResolution"].value),
            "resolutionunit": page.resolutionunit,
        }
    if file.is_imagej:
        notes = dict(file.imagej_metadata or {})
        kept = {key: value for key, value in notes.items() if key not in _COUNTED}
        settings |= {"imagej": True, "metadata": {"axes": names, **kept}, "compression": None}
    elif file.is_ome:
        settings["description"] = (file.ome_metadata or "").encode()
    elif page.description and not file.is_shaped:
        settings["description"] = page.description.encode()
    elif file.is_shaped:
        settings["metadata"] = {"axes": series.axes} if series.axes.isupper() else {}
    lost = []
    levels = [level.shape for level in series.levels[1:] if level.axes == series.axes]
    if len(levels) != len(page.subifds or ()):
        levels = []
    if len(levels) != len(series.levels) - 1:
        lost.append(f"{path.name}: smaller copies of the pages ({len(series.levels) - 1} levels) are left out")
    if len(file.series) > 1:
        lost.append(f"{path.name}: the largest of {len(file.series)} series of pages; the others are left out")
    return settings, tuple(levels), tuple(lost)


_COUNTED = ("ImageJ", "images", "channels", "slices", "frames", "hyperstack", "axes", "shape")
"""The entries of ImageJ that tifffile counts and writes itself."""


def _clip(
    path: Path, series: Any, array: Array, steps: dict[str, tuple[float, str]], selection: Selection
) -> Field:
    """Pages in time as a clip in red, green and blue."""
    if array.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: a clip of {array.dtype} samples, must be of 8 or 16 bit; convert it")
    names, axes = names_of(series), _clip_axes(steps)
    channels = "S" if "S" in names else ""
    frames = array.transpose([names.index(name) for name in f"TYX{channels}"])
    if channels and frames.shape[-1] != 3:
        raise InputError(f"{path}: a clip of {frames.shape[-1]} samples each, must be gray or RGB; convert it")
    first, last = (
        None if moment is None else round(moment.value / (axes[0].step if moment.unit == "s" else 1))
        for moment in (selection.start, selection.end)
    )
    frames = frames[first:last]
    if not len(frames):
        raise InputError(f"{path}: no frames between --start and --end, it has {array.shape[names.index('T')]}")
    size, longest = selection.size, max(frames.shape[1:3])
    height, width = frames.shape[1:3]
    if size is not None and size < longest:
        height, width = (max(1, round(side * size / longest)) for side in (height, width))
    samples = torch.empty(3, len(frames), height, width)
    for number, frame in enumerate(frames):
        shown = frame.astype(np.float32) / np.iinfo(array.dtype).max
        if series.keyframe.photometric == NEGATIVE:
            shown = 1 - shown
        if (height, width) != shown.shape[:2]:
            shown = np.asarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA))
        samples[:, number] = torch.from_numpy(shown.transpose(2, 0, 1) if channels else shown)
    return Field(samples, axes, ClipOrigin(path))


def _clip_axes(steps: dict[str, tuple[float, str]]) -> tuple[Axis, ...]:
    step, unit = steps["T"]
    return (Axis("t", step if unit == "s" else 1 / _RATE, "s"), Axis("y"), Axis("x"))


def _sizes(field: Field) -> dict[str, Any]:
    """The steps of a field, by the names that OME has for them."""
    found: dict[str, Any] = {}
    for axis in field.axes:
        if axis.name == "t" and axis.unit == "s":
            found |= {"TimeIncrement": axis.step, "TimeIncrementUnit": "s"}
        elif axis.name in "zyx" and axis.unit != "px":
            name = f"PhysicalSize{axis.name.upper()}"
            found |= {name: axis.step, f"{name}Unit": axis.unit.replace("um", "µm")}
    return found
