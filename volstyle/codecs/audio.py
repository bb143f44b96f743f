"""Sound files, by soundfile: rate, subtype, channels and tags as they were. The sound of a clip, MP3 and others
are read, by PyAV, and not written.

The Field holds (C, T) in [-1, 1], one axis t whose step is one over the rate. Whole numbers are written by our own
rounding: libsndfile's scales by 32767 what it has read by 32768, so that a file read and written again changes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from volstyle.codecs.api import Encoding, Facts, Moment, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room
from volstyle.codecs.suffixes import DECODED
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field, Origin

_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}
_MOST_CHANNELS = {"FLAC": 8, "OGG": 255, "WAV": 1024}
_CLIPPED_RUN = 3

_MOST_HERTZ = {"OGG": 200_000}
"""The highest rate that libvorbis takes; a higher one crashes the process."""

_BLOCK = 2**16
"""Samples a channel written at once: libvorbis takes all that it is given on the stack."""

_VORBIS = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
"""Number of channels -> where each channel of a WAV lies in an OGG, whose order is another (Vorbis I, section
4.3.9; RFC 7845, section 5.1.1.2). libsndfile gives and takes them as they lie there."""

_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""What libsndfile prints of a RIFF, AIFF, AU or Wave64 that ends before its header says: bytes promised, bytes
there."""

_STREAMED = 0x7FFF0000
"""A WAV that promises this many bytes of sound, or more, was written to a pipe by sox, arecord or FFmpeg, which
did not know how long it would be."""


@dataclass(frozen=True)
class AudioOrigin(Origin):
    """rate_hz: samples a second. subtype: libsndfile's name of the type of the samples, None for the format's own.
    tags: title, artist and the like. clipped: the number of places at which the sound was cut off at full scale.
    speakers: the layout of the channels, as FFmpeg names it ("5.1"); None if the file does not say."""

    rate_hz: int = 44100
    subtype: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    clipped: int = 0
    speakers: str | None = None


def probe(path: Path) -> Facts:
    if _is_decoded(path):
        samples, rate, _ = _decoded(path)
        count, channels, written = samples.shape[1], samples.shape[0], "decoded by FFmpeg"
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
    if _is_decoded(path):
        samples, rate, speakers = _decoded(path)
        subtype, tags = None, {}
    else:
        with _opened(path) as file:
            _check_whole(path, file)
            check_room(path, 4 * file.frames * file.channels, file.frames * file.channels)
            try:  # so many samples, since not every file can tell where it is
                samples = np.ascontiguousarray(file.read(file.frames, dtype="float32", always_2d=True).T)
            except soundfile.LibsndfileError as error:
                raise InputError(
                    f"{path}: cut off, or damaged ({error.error_string}); give a whole one"
                ) from error
            if samples.shape[1] < file.frames:
                raise InputError(f"{path}: ends after {samples.shape[1]} of {file.frames} samples; cut off there")
            rate, subtype, tags = file.samplerate, file.subtype, file.copy_metadata()
            speakers = _speakers(path) if file.format in ("WAVEX", "OGG") else None
            if file.format == "OGG" and file.channels in _VORBIS:
                samples = samples[list(_VORBIS[file.channels])]
    if not samples.shape[1]:
        raise InputError(f"{path}: holds no samples; give a sound that lasts")
    bad = ~np.isfinite(samples)
    if bad.any():
        at = int(bad.any(0).argmax())
        value = samples[:, at][bad[:, at]][0]
        raise InputError(f"{path}: sample {at} ({at / rate:.3f} s) is {value}, must be finite")
    samples = samples[:, _range(path, selection, samples.shape[1], rate)]
    origin = AudioOrigin(path, rate, subtype, tags, _clipped(samples), speakers)
    return Field(torch.from_numpy(np.ascontiguousarray(samples)), (Axis("t", 1 / rate, "s"),), origin)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """A signal (C, T) at its rate. Notes what is cut off at full scale, and what the format does not have."""
    plan = _planned(path, field)
    notes = list(plan.notes)
    samples = field.samples.T.contiguous().numpy()
    over = int((np.abs(samples) > 1).any(1).sum())
    if over and plan.subtype not in ("FLOAT", "DOUBLE"):
        notes.append(f"sound: {over} samples beyond full scale, cut off")
    origin = field.origin if isinstance(field.origin, AudioOrigin) else AudioOrigin()
    try:
        with (
            arriving(path, encoding.force) as temporary,
            soundfile.SoundFile(
                temporary, "w", plan.rate, field.channels, plan.subtype, format=plan.format
            ) as file,
        ):
            for tag, text in origin.tags.items():
                setattr(file, tag, text)
            for start in range(0, len(samples), _BLOCK):
                block = samples[start : start + _BLOCK]
                if plan.format == "OGG" and field.channels in _VORBIS:
                    block = block[:, np.argsort(_VORBIS[field.channels])]
                file.write(_whole(block, _BITS[plan.subtype]) if plan.subtype in _BITS else block)
    except soundfile.LibsndfileError as error:
        raise OutputError(f"{path}: cannot be written ({error.error_string})") from error
    return notes


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    _format(path)
    if field is not None:
        _planned(path, field)


@dataclass(frozen=True)
class _Plan:
    """How a sound is written. format, subtype: libsndfile's names. notes: what the format cannot hold."""

    format: str
    subtype: str
    rate: int
    notes: tuple[str, ...] = ()


def _format(path: Path) -> str:
    """libsndfile's name of the format of path. Raises OutputError."""
    name = _FORMATS.get(path.suffix.lower())
    if name is None:
        raise OutputError(f"{path}: a sound cannot be written as {path.suffix}; use {', '.join(_FORMATS)}")
    return name


def _planned(path: Path, field: Field) -> _Plan:
    """Raises OutputError for a field that the format of path cannot hold: libsndfile is asked, not a table."""
    name = _format(path)
    check_axes(path, field, ("t",))
    origin = field.origin if isinstance(field.origin, AudioOrigin) else AudioOrigin()
    rate, channels = round(1 / field.axes[0].step), field.channels
    most = _MOST_CHANNELS[name]
    if channels > most:
        raise OutputError(f"{path}: {channels} channels, {name} has at most {most}; use .wav")
    if rate > _MOST_HERTZ.get(name, rate):
        raise OutputError(f"{path}: {rate} Hz, {name} has at most {_MOST_HERTZ[name]}; use .wav")
    usual = soundfile.default_subtype(name)
    subtype, notes = origin.subtype or usual, []
    if _trial(name, subtype, rate, channels) is None:
        subtype = usual
        notes.append(f"sound: {origin.subtype} does not fit into {path.suffix}, written as {subtype}")
    trial = _trial(name, subtype, rate, channels)
    if trial is None:
        raise OutputError(f"{path}: {channels} channels at {rate} Hz do not go into {name}; use .wav")
    if origin.speakers is None:
        return _Plan(name, subtype, rate, tuple(notes))
    if name == "WAV":
        name, trial = "WAVEX", _trial("WAVEX", subtype, rate, channels)
    if trial is None or _speakers(trial) != origin.speakers:
        notes.append(f"sound: {path.suffix} does not say that its speakers are {origin.speakers}")
        name = _format(path)
    return _Plan(name, subtype, rate, tuple(notes))


def _trial(name: str, subtype: str, rate: int, channels: int) -> io.BytesIO | None:
    """A short silence written in memory; None where libsndfile does not write that."""
    if not soundfile.check_format(name, subtype):
        return None
    data = io.BytesIO()
    try:
        with soundfile.SoundFile(data, "w", rate, channels, subtype, format=name) as file:
            file.write(np.zeros((64, channels), np.float32))
    except (soundfile.LibsndfileError, ValueError):
        return None
    data.seek(0)
    return data


def _speakers(file: Path | io.BytesIO) -> str | None:
    """Where the channels are heard, as FFmpeg names it; None where it does not know."""
    try:
        with av.open(str(file) if isinstance(file, Path) else file, metadata_errors="replace") as container:
            return _named(container.streams.audio[0].layout.name)
    except (av.error.FFmpegError, OSError, IndexError, AttributeError):  # the last for a codec it does not know
        return None


def _named(layout: str) -> str | None:
    """The name of a layout, where the number of channels does not say it already; else None."""
    return None if layout in ("mono", "stereo") or layout.endswith("channels") else layout


def _whole(samples: NDArray[np.float32], bits: int) -> NDArray[Any]:
    """Samples in [-1, 1] as whole numbers of so many bits, in the high bits of a type that libsndfile writes as it
    is."""
    full = 2.0 ** (bits - 1)
    levels = np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype(np.int64)
    wide = 16 if bits <= 16 else 32
    return (levels << (wide - bits)).astype(np.int16 if wide == 16 else np.int32)


def _is_decoded(path: Path) -> bool:
    """Whether PyAV reads it: the sound of a clip, MP3 and others."""
    return path.suffix.lower() in DECODED


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
        return
    for promised, there in _PROMISED.findall(file.extra_info):
        if int(there) < int(promised) < _STREAMED:
            raise InputError(f"{path}: holds {there} of {promised} bytes of sound; cut off there")


def _decoded(path: Path) -> tuple[NDArray[np.float32], int, str | None]:
    """The first sound of a file: (C, T), its rate, and its speakers. Raises InputError."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.audio:
                found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise InputError(f"{path}: no sound (found: {found}); give a clip that has some")
            stream = container.streams.audio[0]
            if stream.codec_context is None or not stream.rate:
                raise InputError(f"{path}: damaged, or its sound is of a kind that FFmpeg cannot decode")
            speakers, channels = _named(stream.layout.name), stream.layout.nb_channels
            count = round((container.duration or 0) / av.time_base * stream.rate) * channels
            check_room(path, 4 * count, count)
            # Packed, since PyAV reads past the end of the list of planes where there are eight.
            resampler = av.AudioResampler("flt", stream.layout, stream.rate)
            frames = [ready for frame in container.decode(stream) for ready in resampler.resample(frame)]
            frames += resampler.resample(None)
            parts = [frame.to_ndarray().reshape(-1, channels).T for frame in frames]
            rate = int(stream.rate)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: its sound cannot be decoded ({error}); cut off, or damaged") from error
    samples: NDArray[np.float32] = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), np.float32)
    return samples.astype(np.float32, copy=False), rate, speakers


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
