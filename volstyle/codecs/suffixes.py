"""Which codec reads and writes which file: one table of suffixes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

CODECS: dict[str, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".webp"),
    "video": (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"),
    "nifti": (".nii", ".nii.gz"),
    "arrays": (".npy", ".npz"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "itk": (".nrrd", ".nhdr", ".mha", ".mhd"),
    "tiff": (".tif", ".tiff", ".ome.tif", ".ome.tiff"),
    "ngff": (".zarr", ".ome.zarr"),
    "hdf5": (".h5", ".hdf5", ".hdf"),
}
"""Module of this package -> the suffixes it reads and writes. Folders without a suffix go to "frames" or "dicom",
patterns to "frames"."""

PICTURES = (*CODECS["image"], *CODECS["tiff"])
"""Suffixes of files that may hold one picture."""

DECODED = (*CODECS["video"], ".mp3", ".m4a", ".aac", ".opus", ".wma", ".aif", ".aiff")
"""Suffixes of files whose sound is read and not written: that of clips, and sounds of other formats."""

SIGNALS: dict[str, tuple[str, ...]] = {
    "audio": (".wav", ".flac", ".ogg", *DECODED),
    "series": (".csv", ".tsv", ".npy"),
    "waveform": (".dcm",),
}
"""Module of this package -> the suffixes that it reads and writes as signals, fields of one axis: the sound of a
clip, an array as a series."""

OF_SIGNALS = {suffix: module for module, suffixes in SIGNALS.items() for suffix in suffixes}
"""Suffix -> the module that reads and writes it as a signal."""

OF_ALL = OF_SIGNALS | {suffix: module for module, suffixes in CODECS.items() for suffix in suffixes}
"""Suffix -> the module that reads and writes it as anything else; as a signal where it can be nothing else."""


def suffix_of(path: Path) -> str:
    """The suffix of a name, which says its format: ".nii.gz", ".png", or one that no codec knows.

    It is "" for a name without a suffix. An unknown suffix is a letter and more letters or digits, so that
    1.2.840.10008 and Smith.John-styled have none.
    """
    name = path.name.lower()
    known = max((suffix for suffix in OF_ALL if name.endswith(suffix)), key=len, default="")
    found = known or path.suffix
    return path.name[-len(found) :] if known or re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]*", found) else ""


def by_suffix(path: Path, table: Mapping[str, str] = OF_ALL) -> str | None:
    """The module for a path, by the longest suffix in the table that its name ends with; None if there is none."""
    name = path.name.lower()
    fitting = [suffix for suffix in table if name.endswith(suffix)]
    return table[max(fitting, key=len)] if fitting else None
