"""The options of `volstyle units`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from typer import Argument

from ..completion import taps
from ..options import RunOptions
from ..options.panels import files, look


@dataclass(frozen=True, kw_only=True)
class UnitsOptions(RunOptions):
    """Options of `volstyle units`."""

    inputs: Annotated[
        list[Path],
        Argument(
            metavar="IN",
            help="Files and folders to show to the network. Default: pictures that volstyle draws by formula.",
        ),
    ] = field(default_factory=list)
    layer: Annotated[
        str | None,
        look("Layer whose units are shown, such as relu2_1. Default: the first.", autocompletion=taps),
    ] = None
    unit: Annotated[list[int], look("Number of a unit to show; repeat the option for more. Default: all.")] = (
        field(default_factory=list)
    )
    of: Annotated[
        Path | None,
        look(
            "Also compare which units are activated by this result, its content and its style.", metavar="RESULT"
        ),
    ] = None
    size: Annotated[int, look("Long side, in samples, at which files are shown to the network.", min=1)] = 256
    count: Annotated[int, look("Number of pictures that are drawn by formula.", min=1)] = 96
    output: Annotated[
        Path, files("Page to write; a contact sheet (.png) is written beside it.", "--output", "-o")
    ] = Path("units.html")
    json: Annotated[bool, files("Print the activations of each unit as JSON, and nothing else.", "--json")] = False
