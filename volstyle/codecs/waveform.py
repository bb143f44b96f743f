"""DICOM waveforms (ECG and the like), by pydicom: channels in their units; written as a derived object.

The Field holds (C, T) of the first multiplex group. The others, and all that is said of the patient, stay as they
were; the instance and its series get new identifiers, since this is no measurement any more.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from pydicom.uid import generate_uid
from pydicom.waveforms.numpy_handler import WAVEFORM_DTYPES, multiplex_array

from volstyle.codecs.api import Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import damages, unwritable
from volstyle.codecs.outgoing import NOTICE
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field, Origin

_TYPES = {("SS", 16): "<i2", ("SB", 8): "<i1", ("UB", 8): "<u1", ("US", 16): "<u2"}


@dataclass(frozen=True)
class WaveformOrigin(Origin):
    """names: the names of the channels. dataset: the DICOM dataset as it was read."""

    names: tuple[str, ...] = ()
    dataset: Any = None


def probe(path: Path) -> Facts:
    field = read(path, Selection())
    assert isinstance(field.origin, WaveformOrigin)
    entries = {
        "length": f"{field.shape[0] * field.axes[0].step:.2f} s, {field.shape[0]} samples",
        "rate": f"{1 / field.axes[0].step:g} Hz, {field.channels} channels",
        "channels": ", ".join(field.origin.names),
    }
    return Facts("series", field.shape, entries)


def read(path: Path, selection: Selection) -> Field:
    """(C, T) in the units of the channels. Raises InputError."""
    with damages(path, "no waveform that can be decoded; give an ECG or the like"):
        with damages(path, "damaged, or not DICOM"):
            dataset = pydicom.dcmread(path)
        groups = dataset.WaveformSequence
        group = groups[0]
        _kind(path, group)
        samples = np.asarray(dataset.waveform_array(0), np.float64)
        rate = float(group.SamplingFrequency)
        names = tuple(
            str(channel.ChannelSourceSequence[0].get("CodeMeaning", number + 1))
            for number, channel in enumerate(group.ChannelDefinitionSequence)
        )
    if not samples.size or not np.isfinite(samples).all():
        raise InputError(f"{path}: {samples.shape[0]} samples, must be some, and finite")
    if not 0 < rate < math.inf:
        raise InputError(f"{path}: {rate:g} samples a second, must be above 0")
    axis = Axis("t", 1 / rate, "s")
    values = torch.from_numpy(np.ascontiguousarray(samples.T, np.float32))
    return Field(values, (axis,), WaveformOrigin(path, names, dataset))


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """In the type and sensitivity of the source. Notes what does not fit into it."""
    dataset = deepcopy(_source(path, field))
    group = dataset.WaveformSequence[0]
    kind = _kind(path, group)
    before = np.asarray(dataset.waveform_array(0).T, np.float32)
    own = multiplex_array(dataset, 0).T
    raw = field.samples.numpy().astype(np.float64)
    for line, channel in zip(raw, group.ChannelDefinitionSequence, strict=True):
        sensitivity = float(channel.get("ChannelSensitivity", 1)) * float(
            channel.get("ChannelSensitivityCorrectionFactor", 1)
        )
        line[:] = np.rint((line - float(channel.get("ChannelBaseline", 0))) / sensitivity)
    limits = np.iinfo(kind)
    over = int(((raw < limits.min) | (raw > limits.max)).any(0).sum())
    most = float(limits.max) if kind.itemsize < 8 else float(np.nextafter(float(limits.max), 0))
    stored = np.clip(raw, limits.min, most).astype(kind)
    if before.shape == stored.shape:  # what did not change keeps all its bits, more than float32 has
        stored = np.where(before == field.samples.numpy(), own, stored).astype(kind)
    group.WaveformData = np.ascontiguousarray(stored.T, kind).tobytes()
    group.NumberOfWaveformSamples = field.shape[0]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SeriesDescription = NOTICE
    with arriving(path, encoding.force) as temporary, unwritable(path):
        dataset.save_as(temporary)
    return [f"waveform: {over} samples beyond the range of its type, cut off"] if over else []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    if field is not None:
        _source(path, field)


def _kind(path: Path, group: Any) -> np.dtype[Any]:
    """The type of a group's samples. Raises InputError for one whose numbers are no linear scale."""
    said = int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation)
    linear = {key: name for key, name in WAVEFORM_DTYPES.items() if key[1] not in ("MB", "AB")}
    if said not in linear:
        raise InputError(
            f"{path}: samples of {said[0]} bit {said[1]}, must be one of "
            f"{', '.join(f'{bits} bit {name}' for bits, name in linear)}; export the waveform anew"
        )
    return np.dtype(linear[said]).newbyteorder("<")


def _source(path: Path, field: Field) -> Any:
    """The dataset that a field was read from. Raises OutputError for a field from elsewhere."""
    check_axes(path, field, ("t",))
    if not isinstance(field.origin, WaveformOrigin):
        raise OutputError(f"{path}: only what was read from a DICOM waveform can be written as one; use .csv")
    return field.origin.dataset
