"""The options of `volstyle export`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The options of `volstyle export`."""

    learned: Annotated[
        Path, Argument(metavar="NAME.safetensors", help="A style, or several, learned by `volstyle learn`.")
    ]
    output: Annotated[
        Path | None,
        Argument(metavar="NAME.onnx", help="File to write. Default: NAME.onnx in the current folder."),
    ] = None
    style: Annotated[
        list[str],
        Option(
            metavar="NAME[@WEIGHT]",
            help="Which of several styles it paints; again for a blend. Without it, the graph takes how much of "
            "each as a second input, `weights`.",
        ),
    ] = field(default_factory=list)
    size: Annotated[
        int | None,
        Option(
            min=1,
            help="Long side, in samples, of the pictures it is meant for: they are painted as volstyle does it, "
            "others with strokes of the same size in samples. Default: the largest it learned at.",
        ),
    ] = None
    shape: Annotated[
        str | None,
        Option(
            metavar="HEIGHTxWIDTH",
            help="Take pictures of this size alone, for programs that know no other ones, such as OpenCV 4.",
        ),
    ] = None
    force: Annotated[bool, Option("--force", help="Replace a file that exists.")] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print nothing but errors.")] = False
