"""Volumes to test with, made by the formats' own libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

SHAPE = (10, 12, 14)
OBLIQUE = np.array([[2.0, 0.3, 0, -20], [-0.3, 2.0, 0.1, 5], [0, -0.2, 3.0, 40], [0, 0, 0, 1]])


def counts(*shape: int, dtype: Any = np.int16, seed: int = 0) -> np.ndarray:
    """Soft blobs between -1000 and 1000, or what the type holds of them."""
    grids = np.meshgrid(*(np.linspace(0, 3 + i + seed, size) for i, size in enumerate(shape)), indexing="ij")
    smooth = np.mean([np.sin(grid) for grid in grids], axis=0)
    if np.dtype(dtype).kind == "u":
        return ((smooth * 0.5 + 0.5) * 200 + 20).astype(dtype)
    return (smooth * 1000).astype(dtype)


def loaded(path: Path | str) -> Any:
    """An image as nibabel reads it, whose types do not say that it is one of NIfTI."""
    return nib.load(path)


def nifti(path: Path, array: np.ndarray, *, kind: Any = nib.Nifti1Image, endian: str = "<", **fields: Any) -> Path:
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(array.dtype)
    image = kind(array, OBLIQUE, header)
    image.header.set_xyzt_units("mm", "msec")
    image.header["descrip"] = b"as it came"
    image.header["intent_name"] = b"test"
    image.set_sform(OBLIQUE, code=3)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"a comment"))
    if "zooms" in fields:
        image.header.set_zooms(fields["zooms"])
    if "slope" in fields:
        image.header.set_slope_inter(fields["slope"], fields["inter"])
    nib.save(image, path)
    return path
