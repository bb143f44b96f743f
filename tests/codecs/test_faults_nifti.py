"""NIfTI files that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import gzip
import struct
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.scans import loaded
from volstyle.codecs import borders, probe, read, write
from volstyle.errors import CapacityError, InputError, VolstyleError

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def saved(path: Path, array: Any, units: str = "mm") -> Path:
    image = nib.Nifti1Image(array, AFFINE)
    image.header.set_xyzt_units(units, "sec")
    nib.save(image, path)
    return path


def volume(dtype: Any = np.int16) -> np.ndarray:
    return np.arange(8 * 9 * 10).reshape(8, 9, 10).astype(dtype)


def test_a_name_that_lies_about_gzip(tmp_path: Path) -> None:
    packed = saved(tmp_path / "a.nii.gz", volume())
    (tmp_path / "b.nii").write_bytes(packed.read_bytes())
    (tmp_path / "c.nii.gz").write_bytes(gzip.decompress(packed.read_bytes()))
    for name, good in (("b.nii", ".nii.gz"), ("c.nii.gz", ".nii")):
        for look in (probe, read):
            with pytest.raises(InputError, match=f"rename it to {good} if it is NIfTI"):
                look(tmp_path / name)


@pytest.mark.parametrize("units", ["micron", "meter"])
def test_the_place_is_in_millimeters_too(tmp_path: Path, units: str) -> None:
    field = read(saved(tmp_path / "a.nii", volume(), units))
    write(tmp_path / "b.nrrd", field)
    factor = {"micron": 1e-3, "meter": 1e3}[units]
    assert [axis.step for axis in read(tmp_path / "b.nrrd").axes] == pytest.approx(
        [3 * factor, 2 * factor, 2 * factor]
    )
    assert [axis.step for axis in field.axes] == pytest.approx([3 * factor, 2 * factor, 2 * factor])


def test_colors_of_16_bits_are_a_vector(tmp_path: Path) -> None:
    import tifffile

    pages = np.arange(8 * 9 * 10 * 3).reshape(8, 9, 10, 3).astype(np.uint16) * 20
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
    write(tmp_path / "b.nii.gz", read(tmp_path / "a.tif"))
    np.testing.assert_array_equal(
        np.asarray(loaded(tmp_path / "b.nii.gz").dataobj)[:, :, :, 0].T, pages.transpose(3, 0, 1, 2)
    )


def test_numbers_beyond_float32_are_named(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"are beyond 3\.4e38"):
            read(saved(tmp_path / "a.nii", volume(np.float64) * 1e300))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_more_samples_than_memory_are_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / f"a{suffix}", np.zeros((40, 40, 40), np.uint8))
    monkeypatch.setattr(borders, "free_memory", lambda: 100_000)
    with pytest.raises(CapacityError, match="unpacks to 0 MB and takes 0 MB of memory, 0 MB are free"):
        read(path)
    assert probe(path).shape == (40, 40, 40)


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_tells_of_terabytes(tmp_path: Path, packed: bool) -> None:
    data = bytearray(saved(tmp_path / "a.nii", volume()).read_bytes())
    data[40:56] = struct.pack("<8h", 4, 32767, 32767, 32767, 30000, 1, 1, 1)
    path = tmp_path / ("b.nii.gz" if packed else "b.nii")
    path.write_bytes(gzip.compress(bytes(data)) if packed else bytes(data))
    with pytest.raises(CapacityError if packed else InputError, match=r"unpacks to .* GB|tells of more samples"):
        read(path)


@pytest.mark.parametrize("offset", [1e30, float("nan"), float("inf"), -5.0, 3e12])
def test_samples_that_begin_nowhere(tmp_path: Path, offset: float) -> None:
    data = bytearray(saved(tmp_path / "a.nii", volume()).read_bytes())
    data[108:112] = struct.pack("<f", offset)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(data)))
    (tmp_path / "b.nii").write_bytes(bytes(data))
    for name in ("b.nii", "b.nii.gz"):
        with pytest.raises(VolstyleError):
            read(tmp_path / name)


@pytest.mark.parametrize("sizes", [(3, 0, 4, 5), (3, -4, 4, 5), (0, 1, 1, 1), (9, 4, 4, 4)])
def test_sizes_that_are_none(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    data = bytearray(saved(tmp_path / "a.nii", volume()).read_bytes())
    data[40:48] = struct.pack("<4h", *sizes)
    (tmp_path / "b.nii").write_bytes(bytes(data))
    for look in (probe, read):
        with pytest.raises(InputError):
            look(tmp_path / "b.nii")
