"""Pictures through standard input and output, which a dash stands for."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from volstyle.codecs import Selection, read
from volstyle.codecs.image import encoded
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Field

PIPE = Path("-")

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "BMP": ".bmp", "WEBP": ".webp", "TIFF": ".tif"}
"""Pillow's name of a format -> the suffix of its files."""


def picture_in(size: int | None) -> Field:
    """The picture that comes through standard input, as it would be read from a file. Raises InputError."""
    data = sys.stdin.buffer.read()
    try:
        with Image.open(io.BytesIO(data)) as found:
            suffix = _SUFFIXES.get(str(found.format))
    except UnidentifiedImageError:
        suffix = None
    if suffix is None:
        raise InputError(f"stdin: {len(data)} bytes that are no picture; give PNG, JPEG, TIFF, WebP or BMP")
    with tempfile.TemporaryDirectory(prefix="volstyle-") as folder:
        path = Path(folder) / f"stdin{suffix}"
        path.write_bytes(data)
        try:
            return read(path, Selection(size))
        except InputError as error:
            raise InputError(str(error).replace(str(path), "stdin")) from error


def check_out() -> None:
    """Raises OutputError when standard output is a terminal, which shows no picture."""
    if sys.stdout.isatty():
        raise OutputError("stdout: is a terminal; give -o FILE, or send it to a file or another program")


def picture_out(field: Field) -> None:
    """Write a picture to standard output, as PNG. Raises OutputError."""
    data, _ = encoded(Path("stdout.png"), field)
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise OutputError("stdout: was closed before all of the picture was written") from error
