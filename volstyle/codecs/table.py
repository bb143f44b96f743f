"""Tables of numbers as text: CSV and TSV, also where the comma is the decimal mark.

Where people write 1,5 for one and a half, spreadsheets put semicolons between the cells of a CSV.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TextIO

from volstyle.errors import InputError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}

_WITH_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
"""A number whose decimal mark is a comma."""

_WITH_POINT = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Dialect:
    """How a table is written. separator: what stands between cells. comma: whether it is the decimal mark."""

    separator: str = ","
    comma: bool = False

    @staticmethod
    def of(path: Path) -> Dialect:
        """The usual one for a file of this name."""
        return Dialect(_SEPARATORS[path.suffix.lower()])


def read_table(path: Path) -> tuple[list[list[str]], Dialect]:
    """The lines of a table but for empty ones, and how it is written. The decimal mark of the cells is the point,
    whatever it is in the file. Raises InputError for what is no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        separator = Dialect.of(path).separator
        said = re.match(r"sep=([;,|\t])\r?\n", text)  # as spreadsheets may begin a CSV
        if said:
            separator, text = said[1], text[said.end() :]
        elif separator == "," and _are_cells(_lines(text, ";")):
            separator = ";"
        lines = _lines(text, separator)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    cells = [cell for line in lines for cell in line]
    with_comma = separator != "," and any(map(_WITH_COMMA.fullmatch, cells))
    if not with_comma or any(map(_WITH_POINT.fullmatch, cells)):  # of two marks one divides thousands
        return lines, Dialect(separator)
    return [[_with_point(cell) for cell in line] for line in lines], Dialect(separator, comma=True)


def write_table(file: TextIO, names: Sequence[str], lines: Iterable[Sequence[str]], dialect: Dialect) -> None:
    """Write names, unless there are none, and lines of numbers whose decimal mark is the point."""
    table = csv.writer(file, delimiter=dialect.separator, lineterminator="\n")
    if names:
        table.writerow(names)
    table.writerows([cell.replace(".", ",") for cell in line] if dialect.comma else line for line in lines)


def _lines(text: str, separator: str) -> list[list[str]]:
    return [line for line in csv.reader(StringIO(text, newline=""), delimiter=separator) if line]


def _are_cells(lines: list[list[str]]) -> bool:
    """Whether a text was cut at the right letter: each line has as many cells, and more than one."""
    widths = {len(line) for line in lines}
    return len(widths) == 1 and widths != {1}


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _WITH_COMMA.fullmatch(cell) else cell
