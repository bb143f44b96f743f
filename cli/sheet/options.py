"""The options of `volstyle sheet`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..options import RunOptions

_LOOK, _FILES = "Look", "Files"


@dataclass(frozen=True, kw_only=True)
class SheetOptions(RunOptions):
    """The options of `volstyle sheet`."""

    content: Annotated[Path, Argument(metavar="PHOTO", help="The photograph.")]
    style: Annotated[
        list[str],
        Option(
            metavar="FILE|FOLDER|PATTERN",
            help="What it is styled after; a folder or a pattern is each of its files. Again for more.",
            rich_help_panel=_LOOK,
        ),
    ]
    output: Annotated[Path, Option("--output", "-o", help="The sheet, a picture.", rich_help_panel=_FILES)] = Path(
        "sheet.png"
    )
    size: Annotated[
        int, Option(min=32, help="Long side of each picture, and of what is optimized.", rich_help_panel=_LOOK)
    ] = 192
    content_weights: Annotated[
        str | None,
        Option(
            metavar="A,B,…",
            help="Content weights to try with one style, a column for each; if not given, a quarter to four times "
            "the usual weight.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    style_scales: Annotated[
        str | None,
        Option(
            metavar="A,B,…",
            help="Sizes of strokes to try with one style, a row for each; if not given, half, once and twice the "
            "usual size.",
            rich_help_panel=_LOOK,
        ),
    ] = None
