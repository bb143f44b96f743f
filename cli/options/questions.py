"""Options of the commands that style nothing of yours: they measure, describe, demonstrate or serve."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..completion import networks
from .choices import WEIGHTS_TEXT, EngineOptions, RunOptions
from .looks import SIZE_TEXT
from .panels import files, look


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Options of `volstyle eval`."""

    result: Annotated[Path, Argument(metavar="RESULT", help="Result to measure.")]
    content: Annotated[
        Path | None, Option(help="File that was styled. Default: the one in the record of RESULT.")
    ] = None
    style: Annotated[
        list[Path],
        Option(metavar="FILE", help="File whose style was taken. Default: those in the record of RESULT."),
    ] = field(default_factory=list)
    compare: Annotated[
        list[Path],
        Option(metavar="RESULT", help="Another result from the same content and style, to measure beside it."),
    ] = field(default_factory=list)
    reference: Annotated[
        Path | None, Option(metavar="VOLUME", help="Real volume that is measured beside a solid texture.")
    ] = None
    phases: Annotated[
        str,
        Option(
            metavar="auto|N",
            help="Number of distinct materials (phases) in a solid texture; auto takes one for each gray level.",
        ),
    ] = "auto"
    phase: Annotated[
        float | None,
        Option(metavar="LEVEL", help="Gray level of the phase that is measured. Default: the lowest."),
    ] = None
    no_tortuosity: Annotated[
        bool,
        Option("--no-tortuosity", help="Leave out the tortuosity of a solid texture, which can take minutes."),
    ] = False
    network: Annotated[
        str,
        Option(
            help="Network that measures the style; take another one than the run itself used.",
            autocompletion=networks,
        ),
    ] = "random"
    weights: Annotated[Path | None, Option(help=WEIGHTS_TEXT)] = None
    size: Annotated[
        int | None, Option(min=16, help="Long side, in samples, at which to measure. Default: that of RESULT.")
    ] = None
    start: Annotated[
        str | None, Option(help="Time or frame of the content at which RESULT begins: 2s, 1:30 or 48f.")
    ] = None
    end: Annotated[str | None, Option(help="Time or frame of the content at which RESULT ends.")] = None
    json: Annotated[bool, Option("--json", help="Print all numbers as JSON.")] = False
    plot: Annotated[
        Path | None, Option(metavar="FILE.png", help="Draw the numbers over time into this picture.")
    ] = None
    force: Annotated[bool, Option("--force", help="Replace a plot that exists.")] = False


@dataclass(frozen=True, kw_only=True)
class InfoOptions(EngineOptions):
    """Options of `volstyle info`."""

    file: Annotated[
        Path, Argument(metavar="FILE", help="Clip, image, volume, signal, or the record (.json) of a run.")
    ]
    size: Annotated[int | None, look(SIZE_TEXT, min=1)] = None
    json: Annotated[bool, Option("--json", help="Print it as JSON.")] = False


@dataclass(frozen=True, kw_only=True)
class DemoOptions(RunOptions):
    """Options of `volstyle demo`."""

    out: Annotated[Path, files("Folder to write into.")] = Path("volstyle-demo")


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """Options of `volstyle web`."""

    host: Annotated[
        str,
        Option(
            help="Address to serve at. Any but 127.0.0.1 is open to the network, and asks visitors for a token."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Option(min=0, max=65535, help="Port to serve at; 0 takes any free one.")] = 7860
    upload_limit: Annotated[
        int, Option(metavar="MB", min=1, help="Size of the largest file that may be dropped on the page.")
    ] = 500
