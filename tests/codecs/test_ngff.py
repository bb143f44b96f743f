"""OME-Zarr comes back with all its metadata, and nothing outside of its folder is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.scans import counts
from tests.tiny import tiny_field
from volstyle.codecs import Encoding, read, write
from volstyle.codecs.outgoing import NOTICE
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis

FORCED = Encoding(force=True)


def ngff(path: Path, version: str, array: np.ndarray) -> Path:
    """Two levels, labels, and entries of others."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = []
    for level, factor in (("full", 1), ("half", 2)):
        group.create_array(level, data=np.ascontiguousarray(array[:, :, ::factor, ::factor]), chunks=(1, 4, 8, 8))
        scale = [1, 2.0, 0.5 * factor, 0.5 * factor]
        datasets.append({"path": level, "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    labels = group.create_group("labels").create_array("cells", data=np.ones((2, 3, 4)), chunks=(2, 3, 4))
    labels.attrs["who"] = "somebody"
    content: dict[str, Any] = {
        "multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}],
        "omero": {"name": "mine"},
    }
    if version == "0.4":
        group.attrs.update(content)
    else:
        del content["multiscales"][0]["version"]
        group.attrs["ome"] = {"version": "0.5", **content}
    return path


def group_of(path: Path) -> Any:
    """What zarr reads, whose types do not say which of its members are arrays."""
    return zarr.open_group(path, mode="r")


def test_levels_that_go_into_another_format_are_a_note(tmp_path: Path) -> None:
    path = ngff(tmp_path / "a.zarr", "0.5", counts(2, 6, 20, 24, dtype=np.uint16))
    (note,) = write(tmp_path / "b.nrrd", read(path))
    assert note == "b.nrrd: the format has no place for its smaller copy; left out"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_comes_back(tmp_path: Path, version: str) -> None:
    array = counts(2, 6, 20, 24, dtype=np.uint16)
    path, again = ngff(tmp_path / "a.zarr", version, array), tmp_path / "b.zarr"
    field = read(path)
    assert field.samples.shape == (2, 6, 20, 24)
    assert field.axes == (Axis("z", 2.0, "um"), Axis("y", 0.5, "um"), Axis("x", 0.5, "um"))
    write(again, field)
    before, after = group_of(path), group_of(again)
    assert dict(before.attrs) == dict(after.attrs)
    np.testing.assert_array_equal(after["full"][...], array)
    mean = array.reshape(2, 6, 10, 2, 12, 2).mean((3, 5))
    assert np.abs(after["half"][...] - mean).max() <= 1
    np.testing.assert_array_equal(after["labels/cells"][...], before["labels/cells"][...])
    assert after["labels/cells"].attrs["who"] == "somebody"
    write(again, replace(field, samples=field.samples + 3), FORCED)
    changed = group_of(again)
    np.testing.assert_array_equal(changed["full"][...], array + 3)
    assert changed.attrs["volstyle_notice"] == NOTICE
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.zarr", "b.zarr"}


def test_an_ome_zarr_reads_nothing_outside(tmp_path: Path) -> None:
    path = ngff(tmp_path / "a.zarr", "0.4", counts(1, 6, 20, 24))
    text = (path / ".zattrs").read_text()
    (path / ".zattrs").write_text(text.replace('"full"', '"../b.zarr/full"'))
    with pytest.raises(InputError, match=r"a level is said to be at '\.\./b\.zarr/full'"):
        read(path)
    (path / ".zattrs").write_text(text)
    (path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="holds a link, link"):
        read(path)
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="is there and no OME-Zarr"):
        write(tmp_path / "mine.zarr", tiny_field(6, 8, 8), FORCED)


def test_a_new_ome_zarr(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", tiny_field(6, 8, 9))
    found = group_of(tmp_path / "a.zarr")
    assert found.attrs["ome"]["version"] == "0.5" and found["0"].shape == (3, 6, 8, 9)
    channels = found.attrs["ome"]["omero"]["channels"]
    assert [channel["color"] for channel in channels] == ["FF0000", "00FF00", "0000FF"]
