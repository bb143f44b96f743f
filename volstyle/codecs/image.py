"""Pictures, by OpenCV: 8 and 16 bit, gray, color, alpha; orientation applied, color profile kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from volstyle.codecs import Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.clip import PictureOrigin
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

AXES = (Axis("y"), Axis("x"))
_DEEP = (".png", ".tif", ".tiff")
_WITH_ALPHA = (".png", ".webp", ".tif", ".tiff")
_PROFILE = int(cv2.IMAGE_METADATA_ICCP)


@dataclass(frozen=True)
class ImageOrigin(PictureOrigin):
    """bits: 8 or 16. gray: the file had one channel. profile: ICC, as it was."""

    bits: int = 8
    gray: bool = False
    profile: bytes | None = None


def probe(path: Path) -> Facts:
    array, _ = _decode(path)
    height, width = array.shape[:2]
    channels = {1: "gray", 3: "color", 4: "color with alpha"}[1 if array.ndim == 2 else array.shape[2]]
    entries = {"size": f"{width}x{height}", "samples": f"{array.dtype.itemsize * 8} bit, {channels}"}
    return Facts("image", (height, width), entries)


def read(path: Path, selection: Selection) -> Field:
    array, profile = _decode(path)
    bits = 8 * array.dtype.itemsize
    gray = array.ndim == 2
    samples = array.astype(np.float32) / (2**bits - 1)
    longest = max(samples.shape[:2])
    if selection.size is not None and selection.size < longest:
        height, width = (max(1, round(side * selection.size / longest)) for side in samples.shape[:2])
        samples = cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA)
    alpha = torch.from_numpy(samples[..., 3].copy()) if samples.ndim == 3 and samples.shape[2] == 4 else None
    color = np.repeat(samples[..., None], 3, axis=2) if gray else samples[..., 2::-1]
    tensor = torch.from_numpy(np.ascontiguousarray(color.transpose(2, 0, 1)))
    return Field(tensor, AXES, ImageOrigin(path, alpha, bits, gray, profile))


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
    return _encode(path, whole, origin.profile), notes


def _decode(path: Path) -> tuple[NDArray[Any], bytes | None]:
    """(H, W), (H, W, 3) BGR or (H, W, 4) BGRA of 8 or 16 bit, upright, and the color profile."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not data.size:
        raise InputError(f"{path}: the file is empty; give an image")
    try:
        decoded, kinds, blobs = cv2.imdecodeWithMetadata(data, flags=cv2.IMREAD_UNCHANGED)
        array: NDArray[Any] | None = decoded
        # OpenCV turns a picture upright only when it is asked for a certain number of channels.
        if array is not None and (array.ndim == 2 or array.shape[2] == 3):
            kind = cv2.IMREAD_GRAYSCALE if array.ndim == 2 else cv2.IMREAD_COLOR
            array = cv2.imdecode(data, kind | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise InputError(f"{path}: damaged, or not an image OpenCV knows; give PNG, JPEG, TIFF or WebP") from error
    if array is None:
        raise InputError(f"{path}: damaged, or not an image OpenCV knows; give PNG, JPEG, TIFF or WebP")
    if array.dtype not in (np.uint8, np.uint16) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InputError(f"{path}: samples are {array.dtype} of shape {array.shape}, must be 8 or 16 bit pictures")
    profiles = [np.asarray(blob).tobytes() for kind, blob in zip(kinds, blobs, strict=True) if kind == _PROFILE]
    return array, profiles[0] if profiles else None


def _encode(path: Path, array: NDArray[Any], profile: bytes | None) -> bytes:
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
