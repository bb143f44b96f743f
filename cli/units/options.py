"""The options of `volstyle units`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..completion import taps
from ..options import RunOptions

_LOOK, _FILES = "Look", "Files"


@dataclass(frozen=True, kw_only=True)
class UnitsOptions(RunOptions):
    """Options of `volstyle units`."""

    inputs: Annotated[
        list[Path],
        Argument(
            metavar="[IN]...", help="Files and folders to show to the network. Default: pictures made by formula."
        ),
    ] = field(default_factory=list)
    layer: Annotated[
        str | None,
        Option(
            help="Layer whose units are shown, such as relu2_1. Default: the first.",
            rich_help_panel=_LOOK,
            autocompletion=taps,
        ),
    ] = None
    unit: Annotated[
        list[int],
        Option(help="Number of a unit to show; give it again for more. Default: all.", rich_help_panel=_LOOK),
    ] = field(default_factory=list)
    of: Annotated[
        Path | None,
        Option(
            metavar="RESULT",
            help="Also compare which units this result, its content and its style light up.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    size: Annotated[
        int, Option(min=1, help="Long side at which files are shown to the network.", rich_help_panel=_LOOK)
    ] = 256
    count: Annotated[int, Option(min=1, help="Number of pictures made by formula.", rich_help_panel=_LOOK)] = 96
    output: Annotated[
        Path,
        Option(
            "--output", "-o", help="Page to write; a contact sheet (.png) lies beside it.", rich_help_panel=_FILES
        ),
    ] = Path("units.html")
    json: Annotated[
        bool,
        Option("--json", help="Print each unit's activations as JSON, and nothing else.", rich_help_panel=_FILES),
    ] = False
