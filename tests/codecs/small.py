"""A small file of each format, and damage to it: cut off, flipped, and with other numbers in its header."""

from __future__ import annotations

import json
import random
import re
import struct
import wave
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import h5py
import nibabel as nib
import numpy as np
import pydicom
import SimpleITK
import soundfile
import tifffile
import zarr
from PIL import Image, ImageCms
from pydicom.data import get_testdata_file

from tests.clips import clip_field, make_clip, tone
from tests.codecs.slices import slice_of
from volstyle.codecs import Encoding, write

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
VOLUME = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) * 7
SOUND = (0.5 * np.sin(np.arange(400) / 9)).astype(np.float32)


def picture(suffix: str, dtype: type = np.uint8) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        array: np.ndarray = PICTURE.astype(dtype) * (257 if dtype is np.uint16 else 1)
        path.write_bytes(cv2.imencode(suffix, array)[1].tobytes())

    return make


def clip(codec: str, pixels: str = "yuv420p") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        make_clip(path, range(3), Fraction(1, 12), codec=codec, size=(32, 32), draw=_frame, pixels=pixels)

    return make


def clip_with_sound(path: Path) -> None:
    make_clip(path, range(3), Fraction(1, 12), size=(32, 32), draw=_frame, sound=tone)


def _frame(index: int) -> np.ndarray:
    return np.full((32, 32, 3), 40 + 30 * index, np.uint8)


def gif(path: Path) -> None:
    write(path, clip_field(count=2), Encoding())


def nifti(path: Path) -> None:
    nib.save(nib.Nifti1Image(VOLUME, np.diag([2.0, 2, 3, 1])), path)


def npy(path: Path) -> None:
    np.save(path, VOLUME)


def npz(path: Path) -> None:
    np.savez_compressed(path, scan=VOLUME, spacing=np.array([1.0, 2, 3]))


def dicom(path: Path) -> None:
    slice_of(0).save_as(path, enforce_file_format=True)


def waveform(path: Path) -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("waveform_ecg.dcm")))
    del dataset.WaveformSequence[1:]
    group = dataset.WaveformSequence[0]
    group.NumberOfWaveformSamples = 20
    group.WaveformData = group.WaveformData[: 20 * 2 * group.NumberOfWaveformChannels]
    dataset.save_as(path)


def itk(path: Path) -> None:
    image = SimpleITK.GetImageFromArray(VOLUME)
    image.SetSpacing((1.0, 2.0, 3.0))
    SimpleITK.WriteImage(image, str(path))


def tiff(path: Path) -> None:
    tifffile.imwrite(path, VOLUME, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0})


def tiff_packed(path: Path) -> None:
    tifffile.imwrite(path, PICTURE, photometric="rgb", compression="deflate", tile=(16, 16))


def tiff_with_alpha(path: Path) -> None:
    shown = np.dstack([PICTURE, PICTURE[..., :1] // 2 + 100])
    tifffile.imwrite(path, shown, photometric="rgb", compression="deflate", extrasamples=["unassalpha"])


def png_with_profile(path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PICTURE).save(path, icc_profile=profile)


def ngff(path: Path) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=VOLUME, chunks=(2, 5, 6))
    axes: Any = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [2.0, 1.0, 1.0]}]
    levels: Any = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("scan", data=VOLUME, chunks=(2, 5, 6), compression="gzip")
        stored.attrs["element_size_um"] = [3.0, 2.0, 1.0]


def wav(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((SOUND * 32767).astype("<i2").tobytes())


def sound(path: Path) -> None:
    soundfile.write(path, SOUND, 8000)


def series(path: Path) -> None:
    between = "\t" if path.suffix == ".tsv" else ","
    rows = [between.join((f"{i / 10:.1f}", f"{x:.4f}", f"{1 - x:.4f}")) for i, x in enumerate(SOUND[:30])]
    path.write_text("\n".join([between.join(("time", "a", "b")), *rows, ""]))


def series_npy(path: Path) -> None:
    np.save(path, SOUND[:50].reshape(25, 2))


PICTURES_AND_VOLUMES: dict[str, Callable[[Path], None]] = {
    "a.png": picture(".png"),
    "deep.png": picture(".png", np.uint16),
    "profile.png": png_with_profile,
    "a.jpg": picture(".jpg"),
    "a.bmp": picture(".bmp"),
    "a.webp": picture(".webp"),
    "a.gif": gif,
    "a.mp4": clip("libx264"),
    "sound.mp4": clip_with_sound,
    "a.mov": clip("mjpeg", pixels="yuvj420p"),
    "a.mkv": clip("ffv1"),
    "a.webm": clip("libvpx-vp9"),
    "a.avi": clip("mpeg4"),
    "a.nii": nifti,
    "a.nii.gz": nifti,
    "a.npy": npy,
    "a.npz": npz,
    "a.dcm": dicom,
    "a.nrrd": itk,
    "a.nhdr": itk,
    "a.mha": itk,
    "a.mhd": itk,
    "a.tif": tiff,
    "packed.tif": tiff_packed,
    "alpha.tif": tiff_with_alpha,
    "a.zarr": ngff,
    "a.h5": hdf5,
}
SIGNALS: dict[str, Callable[[Path], None]] = {
    "a.wav": wav,
    "a.flac": sound,
    "a.ogg": sound,
    "sound.mp4": clip_with_sound,
    "a.csv": series,
    "a.tsv": series,
    "series.npy": series_npy,
    "ecg.dcm": waveform,
}


# ------------------------------------------------------------------------------------------------- damage

EDGES = (0, 1, -1, 0x7F, 0x7FFF, 0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF, -0x80, -0x8000, -0x80000000, 3, 0x10000)
WORDS = ("0", "-1", "1e99", "nan", "inf", "99999999999999999999", "4000000000", "", "x", "-0.0", "1 1", "\n", "[]")


def cuts(data: bytes, count: int) -> Iterator[bytes]:
    """Cut off at each offset, or at as many as count, of which most are near the start."""
    if len(data) <= count:
        offsets = list(range(len(data)))
    else:
        offsets = sorted({round(len(data) * (i / count) ** 2) for i in range(count)})
    for offset in offsets:
        yield data[:offset]


def flips(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """With one to four bytes changed, in half of the cases near the start."""
    dice = random.Random(seed)
    for case in range(count):
        changed = bytearray(data)
        reach = len(data) if case % 2 else min(len(data), 400)
        for _ in range(dice.choice((1, 1, 2, 4))):
            changed[dice.randrange(reach)] ^= dice.choice((1, 0x80, 0xFF, 1 << dice.randrange(8)))
        yield bytes(changed)


def headers(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """With another number in one field of the header, up to count of them."""
    dice = random.Random(seed)
    cases = list(_words(data)) if _is_text(data[:64]) else []
    binary = [(place, width, edge) for place, width in _fields(data) for edge in EDGES]
    dice.shuffle(cases)
    dice.shuffle(binary)
    order = "big" if data[:4] in (b"\x89PNG", b"fLaC", b"MM\x00*") or data[4:8] == b"ftyp" else "little"
    numbers = (_with_number(data, *case, order) for case in binary)
    yield from islice((case for case in _alternating(iter(cases), numbers)), count)


def _alternating(*sources: Iterator[bytes]) -> Iterator[bytes]:
    left = list(sources)
    for source in cycle(sources):
        if source in left:
            try:
                yield next(source)
            except StopIteration:
                left.remove(source)
        if not left:
            return


def _is_text(start: bytes) -> bool:
    return all(9 <= byte < 127 for byte in start) or b"NUMPY" in start


def _words(data: bytes) -> Iterator[bytes]:
    """Each number and name of a text header replaced, as JSON where it is JSON."""
    end = data.find(b"\n\n") if data.startswith(b"NRRD") else data.find(b"LOCAL") if b"LOCAL" in data else 0
    end = end if end > 0 else min(len(data), 1500)
    for found in re.finditer(rb"-?[\d.]+|[A-Za-z_]+", data[:end]):
        for word in WORDS:
            yield data[: found.start()] + word.encode() + data[found.end() :]
    try:
        json.loads(data)
    except ValueError:
        return
    for found in re.finditer(rb"\{[^{}]*\}|\[[^\[\]]*\]|\"[^\"]*\"|[\d.]+", data):
        for word in ("null", "0", "-1", '""', "[]", "{}", "true", "1e99", "NaN", "[1, 2]", '{"a": 1}'):
            yield data[: found.start()] + word.encode() + data[found.end() :]


def _fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Offset and width of what may be numbers: all fields where the format says them, else every even place."""
    if data[:4] == struct.pack("<i", 348):  # NIfTI
        fields: Any = nib.Nifti1Header.template_dtype.fields
        for dtype, offset in fields.values():
            shape = dtype.shape[0] if dtype.shape else 1
            for index in range(min(shape, 8)):
                yield offset + index * dtype.base.itemsize, min(dtype.base.itemsize, 4)
        return
    if data[:4] in (b"II*\x00", b"MM\x00*"):  # TIFF: each entry's tag, type, count and value
        order = "little" if data[:2] == b"II" else "big"
        place = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
        for index in range(int.from_bytes(data[place : place + 2], order)):  # type: ignore[arg-type]
            entry = place + 2 + 12 * index
            yield from ((entry, 2), (entry + 2, 2), (entry + 4, 4), (entry + 8, 4))
        return
    reach = min(len(data), 1200)
    for place in range(0, reach - 4, 2):
        yield place, 4
        yield place, 2
    if data[4:8] == b"ftyp" and (table := data.find(b"moov")) > 0:  # MP4, whose tables stand behind the samples
        for place in range(table - 4, len(data) - 4, 4):
            yield place, 4


def _with_number(data: bytes, place: int, width: int, number: int, order: str) -> bytes:
    """With a whole number in a field; PNG's sums are made to fit, so that more is looked at than they."""
    raw = (number % (1 << (8 * width))).to_bytes(width, order)  # type: ignore[arg-type]
    changed = bytearray(data)
    changed[place : place + width] = raw
    return _summed(bytes(changed)) if data.startswith(b"\x89PNG") else bytes(changed)


def _summed(png: bytes) -> bytes:
    changed, place = bytearray(png), 8
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(png):
            break
        changed[end : end + 4] = zlib.crc32(png[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(changed)
