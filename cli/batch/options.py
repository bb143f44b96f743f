"""The options of `volstyle batch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..options import LookOptions, Quality

_LOOK, _RUN, _FILES = "Look", "Machine", "Files"


@dataclass(frozen=True, kw_only=True)
class BatchOptions(LookOptions):
    """The options of `volstyle batch`."""

    inputs: Annotated[
        list[str],
        Argument(metavar="IN...", help="Files, folders, and patterns in quotes: 'scans/**/*.nii.gz'."),
    ]
    style: Annotated[
        list[str],
        Option(
            metavar="FILE[@WEIGHT]|FOLDER|PATTERN",
            help="What is styled after; a folder or a pattern is each of its files. Again for a blend.",
            rich_help_panel=_LOOK,
        ),
    ]
    output: Annotated[
        Path,
        Option("--output", "-o", help="The folder of the results.", rich_help_panel=_FILES),
    ]
    jobs: Annotated[int, Option(min=1, help="How many at once, each in a process.", rich_help_panel=_RUN)] = 1
    watch: Annotated[
        bool, Option("--watch", help="Go on with files as they arrive, until Ctrl-C.", rich_help_panel=_RUN)
    ] = False
    quality: Annotated[
        Quality, Option(help="How clips are encoded: visual looks lossless, lossless is.", rich_help_panel=_FILES)
    ] = Quality.VISUAL
    keep_going: Annotated[
        bool, Option("--keep-going", help="Leave out frames of clips that are damaged.", rich_help_panel=_FILES)
    ] = False
    no_resume: Annotated[
        bool, Option("--no-resume", help="Start over, though a run was cut off.", rich_help_panel=_FILES)
    ] = False
    json: Annotated[bool, Option("--json", help="Print what became of each, as JSON.", rich_help_panel=_FILES)] = (
        False
    )
