"""Series of one or several channels: columns of a CSV or TSV with their names, and npy arrays of one or two axes.

The Field holds (C, T) in the file's own units, one axis t. Its step is that of the column of times, where there is
one, else 1 sample.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from volstyle.codecs import Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field, Origin

_TIME = re.compile(r"(t|time|seconds?|secs?|timestamp|date)\b.*|.*\((s|ms)\)", re.IGNORECASE)
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class SeriesOrigin(Origin):
    """separator, names: of a table; names empty if it has no header. times: the text of the column of times, which
    is the first, and time_name its name; empty without one. dtype: of an npy, as numpy writes it. rows: whether
    its channels are rows, None for one axis."""

    separator: str = ","
    names: tuple[str, ...] = ()
    time_name: str = ""
    times: tuple[str, ...] = ()
    dtype: str = "<f4"
    rows: bool | None = None


def probe(path: Path) -> Facts:
    field = read(path, Selection())
    origin = field.origin
    assert isinstance(origin, SeriesOrigin)
    axis = field.axes[0]
    entries = {
        "length": f"{field.shape[0]} samples, {field.channels} channel{'s' if field.channels > 1 else ''}",
        "sampling": f"every {axis.step:g} {axis.unit}" if axis.unit == "s" else "not said",
    }
    if origin.names:
        entries["channels"] = ", ".join(origin.names)
    return Facts("series", field.shape, entries)


def read(path: Path, selection: Selection) -> Field:
    """(C, T). Raises InputError naming line and column of what is no number."""
    return _read_array(path) if path.suffix.lower() == ".npy" else _read_table(path)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """With names and times as they came; times go on at their step where the result is longer."""
    check_axes(path, field, ("t",))
    origin = field.origin if isinstance(field.origin, SeriesOrigin) else SeriesOrigin()
    with arriving(path, encoding.force) as temporary:
        if path.suffix.lower() == ".npy":
            with temporary.open("wb") as file:
                np.save(file, _as_stored(field, origin))
        else:
            with temporary.open("w", encoding="utf-8", newline="") as text:
                table = csv.writer(text, delimiter=_SEPARATORS[path.suffix.lower()], lineterminator="\n")
                table.writerows(_lines(field, origin))
    return []


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    if field is not None:
        check_axes(path, field, ("t",))


def _read_table(path: Path) -> Field:
    separator = _SEPARATORS[path.suffix.lower()]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, delimiter=separator) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    header = tuple(cell.strip() for cell in lines[0]) if lines and not any(map(_is_number, lines[0])) else ()
    body = lines[1:] if header else lines
    if not body:
        raise InputError(f"{path}: holds no numbers; give a table with a line for each sample")
    width = len(header) or len(body[0])
    names = header or tuple(str(column + 1) for column in range(width))
    values = np.empty((len(body), width), np.float64)
    for row, cells in enumerate(body):
        place = f"{path}: line {row + 1 + bool(header)}"
        if len(cells) != width:
            raise InputError(f"{place} has {len(cells)} columns, must have {width} as the first")
        for column, cell in enumerate(cells):
            if not _is_number(cell) or not np.isfinite(float(cell)):
                raise InputError(f"{place}, column {names[column]!r} is {cell!r}, must be a finite number")
            values[row, column] = float(cell)
    step, timed = _time_step(path, header, values)
    channels = values[:, 1:] if timed else values
    if not channels.shape[1]:
        raise InputError(f"{path}: has times and no channel; give a column of samples beside them")
    origin = SeriesOrigin(
        path,
        separator,
        header[1:] if timed else header,
        time_name=header[0] if timed else "",
        times=tuple(cells[0] for cells in body) if timed else (),
    )
    axis = Axis("t", step, "s") if timed else Axis("t", 1.0, "sample")
    return Field(torch.from_numpy(np.ascontiguousarray(channels.T, np.float32)), (axis,), origin)


def _time_step(path: Path, header: tuple[str, ...], values: NDArray[np.float64]) -> tuple[float, bool]:
    """Seconds between samples, and whether the first column says so. Raises InputError where they are unequal."""
    if not header or not _TIME.fullmatch(header[0]):
        return 1.0, False
    steps = np.diff(values[:, 0])
    if not len(steps):
        return 1.0, True
    usual = float(np.median(steps))
    uneven = np.abs(steps - usual) > 0.01 * abs(usual) + 1e-9
    if usual <= 0 or uneven.any():
        line = int(uneven.argmax()) + 3
        raise InputError(
            f"{path}: line {line}, {header[0]!r} goes on by {steps[line - 3]:g}, elsewhere by {usual:g}; "
            "must be equal steps: resample it first"
        )
    return usual * (1e-3 if "(ms)" in header[0].lower() else 1.0), True


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _lines(field: Field, origin: SeriesOrigin) -> list[list[str]]:
    # The shortest text that gives the same float32 again.
    columns = [[str(value) for value in channel.numpy()] for channel in field.samples]
    if origin.time_name:
        columns.insert(0, _times(origin, field.shape[0]))
    lines = [list(line) for line in zip(*columns, strict=True)]
    names = [origin.time_name] * bool(origin.time_name) + list(origin.names)
    return [names, *lines] if names else lines


def _times(origin: SeriesOrigin, count: int) -> list[str]:
    known = origin.times
    if count <= len(known):
        return list(known[:count])
    first, last = float(known[0]), float(known[-1])
    step = (last - first) / max(len(known) - 1, 1) or 1.0
    return [*known, *(f"{first + step * index:.10g}" for index in range(len(known), count))]


def _read_array(path: Path) -> Field:
    try:
        array = np.load(path, allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged, or not an array of numbers") from error
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "iuf":
        raise InputError(f"{path}: {array.dtype} of shape {array.shape}, a series must be numbers of 1 or 2 axes")
    bad = ~np.isfinite(array)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{path}: the sample at {place} is {array[place]}, must be finite")
    # There are more samples than channels.
    rows = None if array.ndim == 1 else array.shape[0] < array.shape[1]
    lines = array[None] if rows is None else array if rows else array.T
    origin = SeriesOrigin(path, dtype=array.dtype.str, rows=rows)
    return Field(torch.from_numpy(np.ascontiguousarray(lines, np.float32)), (Axis("t", 1.0, "sample"),), origin)


def _as_stored(field: Field, origin: SeriesOrigin) -> NDArray[Any]:
    array: NDArray[Any] = field.samples.numpy()
    kind = np.dtype(origin.dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        array = np.clip(np.rint(array.astype(np.float64)), limits.min, limits.max)
    array = array.astype(kind)
    if origin.rows is None:
        return array[0] if len(array) == 1 else array.T
    return array if origin.rows else np.ascontiguousarray(array.T)
