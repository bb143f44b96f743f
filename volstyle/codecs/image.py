"""Pictures, by OpenCV: 8 and 16 bit, gray, color, alpha; orientation applied, color profile kept.

What OpenCV does not say of a file (its size before it is decoded, how many pictures it holds, the gray that a PNG
calls transparent, the orientation of a picture with alpha, the color space of a profile) is asked of Pillow.
tifffile writes TIFF, and reads those of it that OpenCV gets wrong.
"""

from __future__ import annotations

import io
import re
import struct
import threading
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile

from volstyle.codecs import chunks
from volstyle.codecs.api import Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import free_memory, importing
from volstyle.codecs.clip import PictureOrigin
from volstyle.errors import CapacityError, InputError, OutputError
from volstyle.grid.field import Axis, Field

AXES = (Axis("y"), Axis("x"))
_DEEP = (".png", ".tif", ".tiff")
_WITH_ALPHA = (".png", ".webp", ".tif", ".tiff")
_PROFILE = int(cv2.IMAGE_METADATA_ICCP)
_LARGEST = {".webp": 16383, ".jpg": 65535, ".jpeg": 65535}
"""Suffix -> the longest side that the format can say."""

_ORIENTATION = 0x0112
"""The EXIF tag of how a picture lies."""

_LEVELS = {"1": 1, "L;2": 3, "L;4": 15}
"""Pillow's name of a gray PNG of few bits -> its whitest number."""

_LEAST_PACKED = 8 * 64
"""Samples of a JPEG that one byte can hold at most: each block of 64 takes a bit or more of a Huffman code."""

_ARITHMETIC = re.compile(rb"\xff[\xc9-\xcb\xcd-\xcf]")
"""The markers of JPEGs whose codes are arithmetic, which may take less than a bit."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of a TIFF."""


@dataclass(frozen=True)
class ImageOrigin(PictureOrigin):
    """bits: 8 or 16. gray: whether the file had one channel. profile: its ICC profile, as it was. notes: what the
    user should know of the file, one line each."""

    bits: int = 8
    gray: bool = False
    profile: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Header:
    """What a file says of itself before it is decoded. size: width and height. pictures: how many it holds. turn:
    its EXIF orientation, 1 to 8. hidden: the gray, in levels of the decoded samples, that is transparent; None for
    none."""

    size: tuple[int, int]
    pictures: int = 1
    turn: int = 1
    hidden: int | None = None


def probe(path: Path) -> Facts:
    array, _, _ = _decode(path)
    height, width = array.shape[:2]
    channels = {1: "gray", 3: "color", 4: "color with alpha"}[1 if array.ndim == 2 else array.shape[2]]
    entries = {"size": f"{width}x{height}", "samples": f"{array.dtype.itemsize * 8} bit, {channels}"}
    return Facts("image", (height, width), entries)


def read(path: Path, selection: Selection) -> Field:
    array, profile, notes = _decode(path)
    bits = 8 * array.dtype.itemsize
    gray = array.ndim == 2 or (array.shape[2] == 4 and bool((array[..., :1] == array[..., 1:3]).all()))
    samples = array.astype(np.float32) / (2**bits - 1)
    longest = max(samples.shape[:2])
    if selection.size is not None and selection.size < longest:
        height, width = (max(1, round(side * selection.size / longest)) for side in samples.shape[:2])
        samples = cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA)
    alpha = torch.from_numpy(samples[..., 3].copy()) if samples.ndim == 3 and samples.shape[2] == 4 else None
    color = np.repeat(samples[..., None], 3, axis=2) if samples.ndim == 2 else samples[..., 2::-1]
    tensor = torch.from_numpy(np.ascontiguousarray(color.transpose(2, 0, 1)))
    return Field(tensor, AXES, ImageOrigin(path, alpha, bits, gray, profile, notes))


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    data, notes = encoded(path, field)
    with arriving(path, encoding.force) as temporary:
        temporary.write_bytes(data)
    return notes


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    if field is not None:
        check_axes(path, field, ("y", "x"))
        most = _LARGEST.get(path.suffix.lower(), max(field.shape))
        if max(field.shape) > most:
            height, width = field.shape
            raise OutputError(
                f"{path}: is {width}x{height}, {path.suffix} has at most {most} a side; "
                "choose .png, or a smaller --size"
            )


def encoded(path: Path, field: Field) -> tuple[bytes, list[str]]:
    """A file of the suffix of path, and notes. PNG and TIFF keep 16 bits and alpha; gray comes back gray when the
    result is. Raises OutputError."""
    check_axes(path, field, ("y", "x"))
    origin = field.origin
    if not isinstance(origin, ImageOrigin):
        origin = ImageOrigin(alpha=origin.alpha if isinstance(origin, PictureOrigin) else None)
    suffix, notes = path.suffix.lower(), []
    bits = origin.bits
    if bits == 16 and suffix not in _DEEP:
        bits = 8
        notes.append(f"{path.name}: 16-bit samples written as 8 bit; PNG and TIFF keep them")
    samples = field.samples.clamp(0, 1)
    if samples.shape[0] == 1 or (origin.gray and bool((samples[0] == samples).all())):
        array = samples[0].numpy()
    else:
        array = samples.flip(0).permute(1, 2, 0).numpy()
    if origin.alpha is not None and tuple(origin.alpha.shape) == field.shape:
        if suffix in _WITH_ALPHA:
            color = array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)
            array = np.concatenate([color, origin.alpha.numpy()[..., None]], axis=2)
        else:
            notes.append(f"{path.name}: {suffix} has no transparency, it is left out; PNG keeps it")
    whole = (array * (2**bits - 1)).round().astype(np.uint16 if bits == 16 else np.uint8)
    profile = origin.profile
    if profile is not None and (space := _space(profile)) != (wanted := "GRAY" if whole.ndim == 2 else "RGB"):
        profile = None
        notes.append(
            f"{path.name}: its color profile is of {space}, the result is {wanted}; the profile is left out"
        )
    return _encode(path, whole, profile), notes


def _decode(path: Path) -> tuple[NDArray[Any], bytes | None, tuple[str, ...]]:
    """(H, W), (H, W, 3) BGR or (H, W, 4) BGRA of 8 or 16 bit, upright, the color profile, and notes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not data:
        raise InputError(f"{path}: the file is empty; give an image")
    header = _header(path, data)
    array: NDArray[Any] | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = ()
    if data.startswith(_TIFF):
        array, turn, profile = _pages(path).picture_of(path, data)
        array = array if array is None else _turned(array, turn)
    elif data.startswith(chunks.BEGIN):
        data, profile, notes = chunks.without_others(path, data)
    if array is None:
        array, found = _by_opencv(path, data, 1 if header is None else header.turn)
        profile = profile or found
    if header is not None and header.hidden is not None and array.ndim == 2:
        seen = np.where(array == header.hidden, 0, np.iinfo(array.dtype).max).astype(array.dtype)
        array = np.dstack([array, array, array, seen])
    if header is not None and header.pictures > 1:
        said = f"{path.name}: holds {header.pictures} pictures, the first is taken; as .gif or .mp4 all are"
        notes = (*notes, said)
    return array, profile, notes


def _by_opencv(path: Path, data: bytes, turn: int) -> tuple[NDArray[Any], bytes | None]:
    """The samples, upright, and the color profile. turn: how a picture with alpha lies, by its EXIF."""
    packed = np.frombuffer(data, np.uint8)
    try:
        decoded, kinds, blobs = cv2.imdecodeWithMetadata(packed, flags=cv2.IMREAD_UNCHANGED)
        array: NDArray[Any] | None = decoded
        # OpenCV turns a picture upright only when it is asked for a certain number of channels.
        if array is not None and (array.ndim == 2 or array.shape[2] == 3):
            kind = cv2.IMREAD_GRAYSCALE if array.ndim == 2 else cv2.IMREAD_COLOR
            array = cv2.imdecode(packed, kind | cv2.IMREAD_ANYDEPTH)
        elif array is not None:
            array = _turned(array, turn)
    except cv2.error as error:
        raise InputError(f"{path}: damaged, or not an image OpenCV knows; give PNG, JPEG, TIFF or WebP") from error
    if array is None:
        raise InputError(f"{path}: damaged, or not an image OpenCV knows; give PNG, JPEG, TIFF or WebP")
    if array.dtype not in (np.uint8, np.uint16) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InputError(f"{path}: samples are {array.dtype} of shape {array.shape}, must be 8 or 16 bit pictures")
    profiles = [np.asarray(blob).tobytes() for kind, blob in zip(kinds, blobs, strict=True) if kind == _PROFILE]
    return array, profiles[0] if profiles else None


def _pages(path: Path) -> ModuleType:
    """The module that reads and writes those pictures in TIFF that OpenCV does not."""
    with importing(path, "volumes"):
        return import_module("volstyle.codecs.pages")


_header_lock = threading.Lock()


def _header(path: Path, data: bytes) -> _Header | None:
    """None for a file that Pillow does not know; OpenCV then says whether it is a picture. Raises CapacityError
    for one whose samples would not fit into the memory that is free, InputError for one that cannot hold them."""
    with _header_lock:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None  # the memory decides, not a number
        try:
            with Image.open(io.BytesIO(data)) as picture:
                return _header_of(path, data, picture)
        except (OSError, ValueError, SyntaxError, struct.error, KeyError, IndexError, TypeError):
            return None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _header_of(path: Path, data: bytes, picture: Image.Image) -> _Header:
    width, height = picture.size
    if picture.format == "JPEG" and width * height > len(data) * _LEAST_PACKED and not _ARITHMETIC.search(data):
        raise InputError(
            f"{path}: is damaged, it says {width}x{height} samples, which {len(data)} bytes cannot hold; "
            "give the whole file"
        )
    # As decoded, at most four channels of 16 bit, and as it is styled, three and alpha of float32.
    need, free = width * height * (8 + 16), free_memory()
    if need > free:
        raise CapacityError(
            f"{path}: {width}x{height} samples take {need / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free; "
            "give a smaller picture"
        )
    hidden = picture.info.get("transparency") if picture.mode in ("1", "L", "I;16") else None
    if isinstance(hidden, int) and picture.format == "PNG":
        few = _LEVELS.get(str(picture.tile[0][3]) if isinstance(picture, ImageFile) and picture.tile else "")
        hidden = hidden * 255 // few if few else hidden
    # OpenCV turns TIFF itself.
    turn = 1 if picture.format == "TIFF" else picture.getexif().get(_ORIENTATION, 1)
    pictures = 1 if picture.format == "TIFF" else int(getattr(picture, "n_frames", 1))
    return _Header((width, height), pictures, turn, hidden if isinstance(hidden, int) else None)


def _turned(array: NDArray[Any], turn: int) -> NDArray[Any]:
    """(H, W, C) upright. turn: the EXIF orientation, 1 to 8, which says what the first row and column are."""
    if turn in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _space(profile: bytes) -> str:
    """The color space that an ICC profile is of: "RGB", "GRAY", "CMYK", …"""
    try:
        return str(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space).strip()
    except (OSError, ImageCms.PyCMSError):
        return "no known space"


def _encode(path: Path, array: NDArray[Any], profile: bytes | None) -> bytes:
    if path.suffix.lower() in (".tif", ".tiff"):
        return bytes(_pages(path).encoded_picture(array, profile))
    settings = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix.lower() in (".jpg", ".jpeg") else []
    kinds = [_PROFILE] if profile else []
    blobs = [np.frombuffer(profile, np.uint8)] if profile else []
    try:
        done, data = cv2.imencodeWithMetadata(path.suffix, array, kinds, blobs, settings)
    except cv2.error as error:
        raise OutputError(f"{path}: cannot be encoded as {path.suffix}; choose .png or .jpg") from error
    if not done:
        raise OutputError(f"{path}: cannot be encoded as {path.suffix}; choose .png or .jpg")
    return bytes(data)
