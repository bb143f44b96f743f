"""The options of `volstyle sheet`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument

from ..options import RunOptions
from ..options.panels import files, look


@dataclass(frozen=True, kw_only=True)
class SheetOptions(RunOptions):
    """The options of `volstyle sheet`."""

    content: Annotated[Path, Argument(metavar="PHOTO", help="Photograph to style.")]
    style: Annotated[
        list[str],
        look(
            "Style to try: a file, or a folder or a pattern for each of its files. Repeat the option for more.",
            metavar="FILE|FOLDER|PATTERN",
        ),
    ]
    output: Annotated[Path, files("Picture to write.", "--output", "-o")] = Path("sheet.png")
    size: Annotated[
        int, look("Long side, in samples, of each picture; it is also optimized at this size.", min=32)
    ] = 192
    content_weights: Annotated[
        str | None,
        look(
            "With one style: content weights to try, a column for each. Default: from a quarter to four times the "
            "usual weight.",
            metavar="A,B,…",
        ),
    ] = None
    style_scales: Annotated[
        str | None,
        look(
            "With one style: sizes of brush strokes to try, a row for each. Default: half, once and twice the "
            "usual size.",
            metavar="A,B,…",
        ),
    ] = None
