"""Sound files, by soundfile: rate, subtype, channels and tags as they were. The sound of a clip, by PyAV.

The Field holds (C, T) in [-1, 1], one axis t whose step is one over the rate. Whole numbers are written by our own
rounding: libsndfile's scales by 32767 what it has read by 32768, so that a file read and written again changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from volstyle.codecs import CODECS, Encoding, Facts, Moment, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field, Origin

_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}
_MOST_CHANNELS = {"FLAC": 8, "OGG": 255, "WAV": 1024}
_CLIPPED_RUN = 3


@dataclass(frozen=True)
class AudioOrigin(Origin):
    """rate_hz: samples a second. subtype: libsndfile's name of how samples are written, None for the format's own.
    tags: title, artist and the like. clipped: in how many places the sound was cut off at full scale."""

    rate_hz: int = 44100
    subtype: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    clipped: int = 0


def probe(path: Path) -> Facts:
    if _is_clip(path):
        samples, rate = _decoded(path)
        count, channels, written = samples.shape[1], samples.shape[0], "the sound of a clip"
    else:
        with _opened(path) as file:
            count, channels, rate = file.frames, file.channels, file.samplerate
            written = f"{file.format} {file.subtype}"
    entries = {
        "length": f"{count / rate:.2f} s, {count} samples",
        "rate": f"{rate} Hz, {channels} channel{'s' if channels > 1 else ''}",
        "codec": written,
    }
    return Facts("audio", (count,), entries)


def read(path: Path, selection: Selection) -> Field:
    """(C, T). Raises InputError for a file that is empty, cut off, or holds numbers that are none."""
    if _is_clip(path):
        samples, rate = _decoded(path)
        subtype, tags = None, {}
    else:
        with _opened(path) as file:
            _check_whole(path, file)
            try:
                samples = np.ascontiguousarray(file.read(dtype="float32", always_2d=True).T)
            except soundfile.LibsndfileError as error:
                raise InputError(
                    f"{path}: cut off, or damaged ({error.error_string}); give a whole one"
                ) from error
            if samples.shape[1] < file.frames:
                raise InputError(f"{path}: ends after {samples.shape[1]} of {file.frames} samples; cut off there")
            rate, subtype, tags = file.samplerate, file.subtype, file.copy_metadata()
    if not samples.shape[1]:
        raise InputError(f"{path}: holds no samples; give a sound that lasts")
    bad = ~np.isfinite(samples)
    if bad.any():
        at = int(bad.any(0).argmax())
        value = samples[:, at][bad[:, at]][0]
        raise InputError(f"{path}: sample {at} ({at / rate:.3f} s) is {value}, must be finite")
    samples = samples[:, _range(path, selection, samples.shape[1], rate)]
    origin = AudioOrigin(path, rate, subtype, tags, _clipped(samples))
    return Field(torch.from_numpy(np.ascontiguousarray(samples)), (Axis("t", 1 / rate, "s"),), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """A signal (C, T) at its rate. Notes what is cut off at full scale, and a subtype the format does not have."""
    name = _format(path, field)
    origin = field.origin if isinstance(field.origin, AudioOrigin) else AudioOrigin()
    notes = []
    subtype = origin.subtype or soundfile.default_subtype(name)
    if not soundfile.check_format(name, subtype):
        subtype = soundfile.default_subtype(name)
        notes.append(f"sound: {origin.subtype} does not fit into {path.suffix}, written as {subtype}")
    samples = field.samples.T.contiguous().numpy()
    over = int((np.abs(samples) > 1).any(1).sum())
    if over and subtype not in ("FLOAT", "DOUBLE"):
        notes.append(f"sound: {over} samples beyond full scale, cut off")
    rate = round(1 / field.axes[0].step)
    try:
        with (
            arriving(path, encoding.force) as temporary,
            soundfile.SoundFile(temporary, "w", rate, field.channels, subtype, format=name) as file,
        ):
            for tag, text in origin.tags.items():
                setattr(file, tag, text)
            file.write(_whole(samples, _BITS[subtype]) if subtype in _BITS else samples)
    except soundfile.LibsndfileError as error:
        raise OutputError(f"{path}: cannot be written ({error.error_string})") from error
    return notes


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    _format(path, field)


def _format(path: Path, field: Field | None) -> str:
    """libsndfile's name of the format of path. Raises OutputError for a field that does not go into it."""
    name = _FORMATS.get(path.suffix.lower())
    if name is None:
        raise OutputError(f"{path}: a sound cannot be written as {path.suffix}; use {', '.join(_FORMATS)}")
    if field is None:
        return name
    check_axes(path, field, ("t",))
    most = _MOST_CHANNELS[name]
    if field.channels > most:
        raise OutputError(f"{path}: {field.channels} channels, {name} has at most {most}; use .wav")
    return name


def _whole(samples: NDArray[np.float32], bits: int) -> NDArray[Any]:
    """[-1, 1] as the whole numbers of that many bits, in the high bits of a type libsndfile takes as it is."""
    full = 2.0 ** (bits - 1)
    levels = np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype(np.int64)
    wide = 16 if bits <= 16 else 32
    return (levels << (wide - bits)).astype(np.int16 if wide == 16 else np.int32)


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in CODECS["video"]


def _opened(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise InputError(f"{path}: damaged, or not a sound libsndfile knows; give WAV, FLAC or OGG") from error


def _check_whole(path: Path, file: soundfile.SoundFile) -> None:
    """Raises InputError for a file that ends before its header says, which libsndfile reads without a word."""
    if file.format == "OGG":
        with path.open("rb") as raw:
            raw.seek(max(0, path.stat().st_size - 2**16))
            tail = raw.read()
        last = tail.rfind(b"OggS")
        # RFC 3533: bit 2 of the sixth byte marks the last page of a stream.
        if last < 0 or len(tail) < last + 27 or not tail[last + 5] & 4:
            raise InputError(f"{path}: its last page is missing; cut off, or damaged there")
    elif file.format == "WAV":
        promised, there = _data_bytes(path)
        if there < promised < 2**32 - 1:
            raise InputError(f"{path}: holds {there} of {promised} bytes of sound; cut off there")


def _data_bytes(path: Path) -> tuple[int, int]:
    """Bytes of sound a WAV promises, and how many are there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return length, size - file.tell()
            file.seek(length + length % 2, 1)
    return 0, 0


def _decoded(path: Path) -> tuple[NDArray[np.float32], int]:
    """The first sound of a clip: (C, T) and its rate. Raises InputError."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise InputError(f"{path}: no sound (found: {found}); give a clip that has some")
            stream = container.streams.audio[0]
            resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
            frames = [ready for frame in container.decode(stream) for ready in resampler.resample(frame)]
            frames += resampler.resample(None)
            parts = [frame.to_ndarray() for frame in frames]
            rate = int(stream.rate)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: its sound cannot be decoded ({error}); cut off, or damaged") from error
    samples: NDArray[np.float32] = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), np.float32)
    return samples.astype(np.float32, copy=False), rate


def _range(path: Path, selection: Selection, count: int, rate: int) -> slice:
    def place(moment: Moment | None, otherwise: int) -> int:
        if moment is None:
            return otherwise
        return round(moment.value * (rate if moment.unit == "s" else 1))

    start, end = place(selection.start, 0), min(place(selection.end, count), count)
    if start >= end:
        raise InputError(f"{path}: no sample between --start and --end; it lasts {count / rate:.2f} s")
    return slice(start, end)


def _clipped(samples: NDArray[np.float32]) -> int:
    """In how many places three samples in a row stand at the same full scale, and none goes beyond."""
    top = np.abs(samples).max()
    if not 0.999 <= top <= 1:
        return 0
    flat = (samples == samples.max()) | (samples == samples.min())
    runs = flat[:, : -_CLIPPED_RUN + 1].copy()
    for offset in range(1, _CLIPPED_RUN):
        runs &= flat[:, offset : flat.shape[1] - _CLIPPED_RUN + 1 + offset]
    starts = runs[:, :1].sum() + (runs[:, 1:] & ~runs[:, :-1]).sum()
    return int(starts)
