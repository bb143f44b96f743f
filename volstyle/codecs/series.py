"""Series of one or several channels: columns of a CSV or TSV with their names, and npy arrays of one or two axes.

The Field holds (C, T) in the file's own units, one axis t. Its step is that of the column of times, where there is
one, else 1 sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from volstyle.codecs.api import Encoding, Facts, Selection, check_axes
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import check_room, damages
from volstyle.codecs.table import Dialect, read_table, write_table
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field, Origin

_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("sekunde", "sekunden", "seconde", "secondes", "segundo", "segundos", "secondi", "秒"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("millisekunden", "millisecondes", "milisegundos", "millisecondi", "毫秒"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("мс",), 1e-3),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuten", "minutos", "minuti", "мин", "分"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "stunden", "heures", "horas", "ore"), 3600.0),
}
"""Units of time as columns call them -> seconds."""

_TIMES = (
    *("t", "ts", "time", "times", "timestamp", "timestamps", "date", "dates", "datetime"),
    *("epoch", "unix", "utc", "gps", "elapsed"),
)
_OF_TIMES = (
    "stamp",
    "stamps",
    "time",
    "times",
    "utc",
    "unix",
    "epoch",
    "elapsed",
    "in",
    "since",
    "start",
    "index",
)
"""Words that names of columns of times begin with, and that they go on with."""

_TIMES_ELSEWHERE = (
    *("zeit", "zeitstempel", "uhrzeit", "temps", "tiempo", "tempo", "tijd", "tid", "czas", "zaman"),
    *("время", "时间", "時間", "時刻", "시간"),
)
"""Words for time in other languages, some of which are words of English for something else."""

_BESIDE = ("in", "en", "em", "écoulé", "transcurrido", "trascorso", "vergangen")
"""Words beside those that say nothing of a unit."""

_ANYWHERE = frozenset(_TIMES[1:]) | {word for word in _SECONDS if len(word) > 3} - {"mins"}
"""Words that make a column one of times wherever they stand in its name, if its numbers go on evenly."""

_INDICES = ("index", "idx")
_COUNTS = (
    *_INDICES,
    *("sample", "samples", "row", "line", "frame", "record", "n", "no", "nr", "num", "number", "id"),
)
"""Words for the number of a line; the first two are of nothing else."""

_NO_CHANCE = 16
"""Lines from which on it is no chance that the numbers of a column go up evenly."""


@dataclass(frozen=True)
class Column:
    """A column that is no channel but holds times or an index. place: its number. cells: its text, line by
    line."""

    place: int
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class SeriesOrigin(Origin):
    """What is needed to write a series as it came.

    For a table: dialect, how it was written, None for what was none; names, the names of its channels, () without
    a header; beside, its columns that are no channels; assumed, whether the first is one by its numbers alone. For
    an npy: dtype, its type as numpy writes it; rows, whether its channels are rows, None for an array of one
    axis."""

    dialect: Dialect | None = None
    names: tuple[str, ...] = ()
    beside: tuple[Column, ...] = ()
    assumed: bool = False
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
    if origin.assumed:
        entries["kept"] = f"column {origin.beside[0].name!r}, which goes up evenly"
    return Facts("series", field.shape, entries)


def read(path: Path, selection: Selection) -> Field:
    """(C, T). Raises InputError naming line and column of what is no number."""
    return _read_array(path) if path.suffix.lower() == ".npy" else _read_table(path)


def write(path: Path, field: Field, encoding: Encoding) -> list[str]:
    """Write a table with the names and times of its source. Where the result is longer, times go on at their
    step."""
    check_axes(path, field, ("t",))
    origin = field.origin if isinstance(field.origin, SeriesOrigin) else SeriesOrigin()
    with arriving(path, encoding.force) as temporary:
        if path.suffix.lower() == ".npy":
            with temporary.open("wb") as file:
                np.save(file, _as_stored(field, origin))
        else:
            with temporary.open("w", encoding="utf-8", newline="") as text:
                write_table(text, *_named_lines(field, origin), _dialect(path, origin))
    return _left_out(path, field)


def _left_out(path: Path, field: Field) -> list[str]:
    """A note on the rate of a field, where what is written has no column of times that says it."""
    axis = field.axes[0]
    timed = isinstance(field.origin, SeriesOrigin) and path.suffix.lower() != ".npy"
    if axis.unit != "s" or timed:
        return []
    return [f"{path.name}: has no times, the rate of {1 / axis.step:g} Hz is left out"]


def check(path: Path, field: Field | None, encoding: Encoding) -> None:
    """Raise OutputError for what `write` would refuse."""
    check_target(path, encoding.force)
    if field is not None:
        check_axes(path, field, ("t",))


def _read_table(path: Path) -> Field:
    lines, dialect = read_table(path)
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
    indices = [column for column, name in enumerate(header) if _is_index(column, name, values[:, column])]
    timed = [column for column, name in enumerate(header) if _is_time(column, name, values[:, column])]
    beside = sorted({*indices, *timed})
    assumed = not beside and _is_abscissa(values)
    beside = [0] if assumed else beside
    channels = np.delete(values, beside, axis=1)
    if not channels.shape[1]:
        raise InputError(f"{path}: has times and no channel; give a column of samples beside them")
    origin = SeriesOrigin(
        path,
        dialect,
        tuple(name for column, name in enumerate(header) if column not in beside),
        tuple(Column(column, names[column], tuple(cells[column] for cells in body)) for column in beside),
        assumed,
    )
    axis = Axis("t", 1.0, "sample")
    for column in timed[:1]:  # the first one counts
        step = _step(path, header[column], [cells[column] for cells in body])
        axis = Axis("t", step * _seconds(header[column], values[0, column]), "s")
    return Field(torch.from_numpy(np.ascontiguousarray(channels.T, np.float32)), (axis,), origin)


def _words(name: str) -> list[str]:
    """ "timeInMs" and "Time_in_ms" are time, in, ms."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.split(r"[\W_]+", apart.lower().strip(" )]_"))


def _is_index(column: int, name: str, values: NDArray[np.float64]) -> bool:
    """Whether a column numbers the lines. pandas writes its index first, without a name; some recorders begin to
    count again after 255."""
    words = [word for word in _words(name) if word]
    if column == 0 and (not name.strip() or words == ["unnamed", "0"]):
        return True
    if not all(word in _COUNTS for word in words):
        return False
    return (column == 0 and bool({*_INDICES} & {*words})) or bool((np.diff(values) == 1).all())


def _is_time(column: int, name: str, values: NDArray[np.float64]) -> bool:
    """Whether a column is one of times: by its name, and, where it is not the first, by its going up; evenly, if
    the name alone does not say so."""
    if _unit(name) is not None:
        return column == 0 or bool(len(values) > 1 and np.diff(values).min() > 0)
    words = frozenset(_words(name))
    known = {*_TIMES_ELSEWHERE, *_SECONDS, *_BESIDE}  # a unit that is not would be taken for seconds
    elsewhere = column == 0 and not words.isdisjoint(_TIMES_ELSEWHERE) and words <= known
    return _is_even(values) and (elsewhere or not words.isdisjoint(_ANYWHERE))


def _is_abscissa(values: NDArray[np.float64]) -> bool:
    """Whether the first of several columns is what the others are plotted over: times, distances or frequencies,
    under a name that says nothing. values: (lines, columns)."""
    return values.shape[1] > 1 and len(values) >= _NO_CHANCE and _is_even(values[:, 0])


def _is_even(values: NDArray[np.float64]) -> bool:
    """Whether numbers go up by equal steps, but for some rounding."""
    steps = np.diff(values)
    return bool(len(steps) and steps.min() > 0 and np.ptp(steps) <= 0.02 * steps.mean())


def _unit(name: str) -> float | None:
    """Seconds of the unit of a column that is called as times are, 1 where its name says none; None for another
    name."""
    first, *rest = _words(name)
    said = next((_SECONDS[word] for word in reversed(rest) if word in _SECONDS), None)
    in_brackets = re.fullmatch(r".*[(\[](\w+)[)\]]\s*", name.lower())
    if in_brackets and in_brackets[1] in _SECONDS:
        return _SECONDS[in_brackets[1]]
    if first in _SECONDS and first not in ("s", "h", "min", "mins") and not rest:  # "min" stands beside "max"
        return _SECONDS[first]
    apart = re.match(
        r"(t|time|times|timestamps?|date)(?!\w)", name.lower()
    )  # whatever follows in words of its own
    if first in _TIMES and (apart or all(word in _OF_TIMES or word in _SECONDS for word in rest)):
        return said or 1.0
    return None


def _seconds(name: str, first: float) -> float:
    """Seconds of the unit of times. Where the name says none, times that count from 1970 say it by their size."""
    said = [_SECONDS[word] for word in _words(name) if word in _SECONDS]
    if said:
        return _unit(name) or said[-1]
    return next((small for least, small in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)) if first > least), 1.0)


def _step(path: Path, name: str, cells: Sequence[str]) -> float:
    """What a column goes on by from line to line. Raises InputError where that is unequal, or not above 0."""
    values = [Decimal(cell.strip()) for cell in cells]
    if len(values) < 2:
        return 1.0
    steps = [float(b - a) for a, b in pairwise(values)]
    usual = float(np.median(steps))
    uneven = [abs(step - usual) > 0.01 * abs(usual) + 1e-9 for step in steps]
    if usual <= 0 or any(uneven):
        at = uneven.index(True) if any(uneven) else 0
        raise InputError(
            f"{path}: line {at + 3}, {name!r} goes on by {steps[at]:g}, elsewhere by {usual:g}; "
            "must be equal steps, and go up: resample it first"
        )
    return float((values[-1] - values[0]) / (len(values) - 1))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _dialect(path: Path, origin: SeriesOrigin) -> Dialect:
    """That of the source, if it was a file of the same kind."""
    usual, own = Dialect.of(path), origin.dialect
    return own if own and (own.separator == "\t") == (usual.separator == "\t") else usual


def _named_lines(field: Field, origin: SeriesOrigin) -> tuple[list[str], list[list[str]]]:
    """The names of all columns, none without a header, and the lines."""
    # The shortest text that gives the same float32 again.
    columns = [[str(value) for value in channel.numpy()] for channel in field.samples]
    names = list(origin.names)
    for column in origin.beside:  # in the order of their places
        columns.insert(column.place, _going_on(column.cells, field.shape[0]))
        if origin.names:
            names.insert(column.place, column.name)
    lines = [list(line) for line in zip(*columns, strict=True)]
    return names, lines


def _going_on(known: tuple[str, ...], count: int) -> list[str]:
    """So many cells: those that are known, then on at their step, in decimals, so that long times stay exact."""
    if count <= len(known):
        return list(known[:count])
    first, last = Decimal(known[0].strip()), Decimal(known[-1].strip())
    decimals = max(max(-int(Decimal(cell.strip()).as_tuple().exponent), 0) for cell in (known[0], known[-1]))
    step = (last - first) / (len(known) - 1) if len(known) > 1 else Decimal(1)
    finer = 0 if step == round(step, decimals) else 9  # a step that is no decimal itself
    further = (first + step * index for index in range(len(known), count))
    return [*known, *(f"{value:.{decimals + finer}f}" for value in further)]


def _read_array(path: Path) -> Field:
    with damages(path, "damaged, or not an array of numbers"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # what its header says need not be there
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "iuf":
        raise InputError(f"{path}: {array.dtype} of shape {array.shape}, a series must be numbers of 1 or 2 axes")
    check_room(path, array.nbytes, array.size)
    bad = ~np.isfinite(array)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{path}: the sample at {place} is {array[place]}, must be finite")
    # There are more samples than channels.
    rows = None if array.ndim == 1 else array.shape[0] < array.shape[1]
    lines = np.array(array[None] if rows is None else array if rows else array.T)
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
