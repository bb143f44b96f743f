"""Arrays, OME-Zarr, HDF5 and NRRD that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import SimpleITK
import zarr

from volstyle.codecs import Encoding, borders, probe, read, write
from volstyle.codecs.outgoing import NOTICE
from volstyle.errors import CapacityError, InputError
from volstyle.grid.field import Axis, Field
from volstyle_cli import main

SHAPE = (8, 9, 10)


def volume(dtype: Any = np.int16) -> np.ndarray:
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def npy(array: np.ndarray | np.floating, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def changed(path: Path) -> Field:
    field = read(path)
    return replace(field, samples=field.samples + 1)


# --------------------------------------------------------------------------------------------- npy and npz


def test_an_npz_keeps_its_members_in_their_order(tmp_path: Path) -> None:
    """A member called "file", Python objects that are never unpickled, and what is no array."""
    members = {
        "zoom.npy": npy(np.arange(3)),
        "file.npy": npy(volume()),
        "who.npy": npy(np.array({"a": 1}, dtype=object), allow_pickle=True),
        "README.txt": b"mine",
        "after.npy": npy(np.float64(3)),
    }
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert probe(tmp_path / "a.npz").entries["array"] == "'file' of 5"
    write(tmp_path / "b.npz", changed(tmp_path / "a.npz"))
    with zipfile.ZipFile(tmp_path / "b.npz") as archive:
        assert archive.namelist() == [*members, "volstyle_notice.npy"]
        for name in ("zoom.npy", "who.npy", "README.txt", "after.npy"):
            assert archive.read(name) == members[name]
    with np.load(tmp_path / "b.npz") as found:
        np.testing.assert_array_equal(found["file"], volume() + 1)
        assert str(found["volstyle_notice"]) == NOTICE
    write(tmp_path / "b.npz", changed(tmp_path / "b.npz"), Encoding(force=True))
    with zipfile.ZipFile(tmp_path / "b.npz") as archive:
        assert archive.namelist() == [*members, "volstyle_notice.npy"]


@pytest.mark.parametrize("shape", [(3, 8, 9, 10), (8, 9, 10), (2, 8, 9, 10, 3)])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_info_of_arrays(
    tmp_path: Path, shape: tuple[int, ...], suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    np.save(path, np.zeros(shape, np.float32)) if suffix == ".npy" else np.savez(path, np.zeros(shape, np.float32))
    assert main(["info", str(path)]) == 0
    assert "would take" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".nrrd", ".h5", ".zarr", ".nii.gz", ".tif"])
def test_info_of_volumes_over_time(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    axes = (Axis("t", 2.0, "s"), *(Axis(name, 1.0, "mm") for name in "zyx"))
    path = tmp_path / f"a{suffix}"
    write(path, Field(read_samples(3), axes))
    assert main(["info", str(path)]) == 0
    assert capsys.readouterr().out
    assert probe(path).shape == (3, *SHAPE)
    axes_there = probe(path).axes
    assert axes_there is not None and [axis.name for axis in axes_there] == ["t", "z", "y", "x"]


def read_samples(times: int) -> Any:
    import torch

    return torch.rand(1, times, *SHAPE)


# ------------------------------------------------------------------------------------------------- bombs


def bomb(path: Path) -> Path:
    """A file of 1 MB of zeros that is a few KB on the disk."""
    zeros = np.zeros((64, 128, 128), np.uint8)
    if path.suffix == ".npz":
        np.savez_compressed(path, zeros)
    elif path.suffix == ".zarr":
        write(path, Field(read_samples(1)[0], tuple(map(Axis, "zyx"))))
        group = zarr.open_group(path, mode="r+")
        del group["0"]
        group.create_array("0", shape=(1, *zeros.shape), dtype="u1", chunks=(1, 64, 64, 64))
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("a", shape=zeros.shape, dtype="u1", chunks=(64, 64, 64))
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(zeros), str(path), useCompression=True)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".zarr", ".h5", ".nrrd", ".mha"])
def test_a_file_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bomb(tmp_path / f"a{suffix}")
    assert read(path).shape == (64, 128, 128)
    monkeypatch.setattr(borders, "free_memory", lambda: 2**20)
    with pytest.raises(
        CapacityError, match=rf"a{suffix}: unpacks to 1 MB and takes . MB of memory, 1 MB are free"
    ):
        read(path)


def test_an_array_beside_the_volume_may_be_a_bomb_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", volume=volume(), other=np.zeros(2**21, np.uint8))
    monkeypatch.setattr(borders, "free_memory", lambda: 2**20)
    with pytest.raises(CapacityError, match=r"a\.npz: unpacks to 2 MB"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(2**20, 2**20, 2**20), (2**40, 2**40, 2**40)])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_header_that_tells_of_exabytes(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        path.write_bytes(header.getvalue() + bytes(100))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", header.getvalue() + bytes(100))
    with pytest.raises(CapacityError, match=r"unpacks to .* GB"):
        read(path)


def test_an_array_that_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(volume())[:-10])
    with pytest.raises(InputError, match=r"a\.npy: damaged or cut off, it tells of \(8, 9, 10\) samples"):
        read(tmp_path / "a.npy")
    with pytest.raises(InputError, match="beyond 3"):
        np.save(tmp_path / "b.npy", volume(np.float64) * 1e39)
        read(tmp_path / "b.npy")


# ---------------------------------------------------------------------------------------------- OME-Zarr


def ngff(path: Path, multiscale: dict[str, Any]) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=volume()[None, None], chunks=(1, 1, *SHAPE))
    group.attrs["multiscales"] = [multiscale]
    return path


@pytest.mark.parametrize(("version", "axes"), [("0.1", None), ("0.2", None), ("0.3", list("tczyx"))])
def test_old_versions_are_named(tmp_path: Path, version: str, axes: Any) -> None:
    named = {"axes": axes} if axes else {}
    path = ngff(tmp_path / "a.zarr", {"version": version, "datasets": [{"path": "0"}], **named})
    for look in (probe, read):
        with pytest.raises(InputError, match=rf"a\.zarr: OME-Zarr of version {version}, .*must be 0\.4 or 0\.5"):
            look(path)


AXES = [{"name": name, "type": "space"} for name in "tczyx"]


@pytest.mark.parametrize(
    "multiscale",
    [
        {"axes": AXES, "datasets": [{}]},
        {"axes": AXES, "datasets": [{"path": "7"}]},
        {"axes": AXES, "datasets": "0"},
        {"axes": [5], "datasets": [{"path": "0"}]},
        {"axes": AXES[:3], "datasets": [{"path": "0"}]},
        {"axes": AXES[2:], "datasets": [{"path": "0"}]},
        {
            "axes": AXES,
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]}],
        },
        {
            "axes": AXES,
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": "x"}]}],
        },
        {"axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale"}]}]},
        {
            "axes": AXES,
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0] * 5}]}],
        },
    ],
)
def test_damaged_entries_are_one_line(tmp_path: Path, multiscale: dict[str, Any]) -> None:
    path = ngff(tmp_path / "a.zarr", multiscale)
    for look in (probe, read):
        with pytest.raises(InputError, match=r"a\.zarr: "):
            look(path)


# -------------------------------------------------------------------------------------------------- HDF5


def test_labels_of_dimensions_say_what_they_are(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", data=np.moveaxis(np.stack([volume(), volume() + 1]), 0, 2))
        for number, label in enumerate("zycx"):
            dataset.dims[number].label = label
    field = read(tmp_path / "a.h5")
    assert field.samples.shape == (2, *SHAPE) and field.origin.path == tmp_path / "a.h5"
    write(tmp_path / "b.h5", changed(tmp_path / "a.h5"))
    with h5py.File(tmp_path / "b.h5") as file:
        assert [dimension.label for dimension in file["a"].dims] == list("zycx")
        np.testing.assert_array_equal(file["a"][:, :, 1], volume() + 2)


def test_a_library_that_says_much_is_cut_short(tmp_path: Path) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume()), str(tmp_path / "a.nrrd"))
    (tmp_path / "b.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes()[:100])
    with pytest.raises(InputError, match=r"b\.nrrd: damaged, or not what its suffix says \(") as found:
        read(tmp_path / "b.nrrd")
    assert "\n" not in str(found.value) and len(str(found.value)) < 220 + len(str(tmp_path))
