"""The options of `volstyle learn`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from typer import Argument

from .choices import RunOptions
from .looks import ContentWeight, NoResume, Preview, StyleScale
from .panels import files, given, look


@dataclass(frozen=True, kw_only=True)
class LearnOptions(RunOptions):
    """The options of `volstyle learn`."""

    styles: Annotated[
        list[Path],
        Argument(
            metavar="STYLE",
            help="Picture whose style is learned; several are learned into one file. With --shape, a section of "
            "the solid, or three with the axis that each lies across: xy.png@z xz.png@y yz.png@x.",
        ),
    ]
    on: Annotated[
        list[Path],
        files(
            "What to learn on, of the kind that is to be painted later: a clip, a picture, a folder of "
            "pictures, or a volume. Repeat the option for more of the same kind.",
            metavar="IN",
        ),
    ] = field(default_factory=list)
    shape: Annotated[
        str | None,
        look(
            "Learn a solid texture instead, of which `volstyle volume --shape` then makes any part: the size of "
            "the piece that a step looks at, such as 64,64,64; leave --on out.",
            metavar="Z,Y,X",
        ),
    ] = None
    phases: Annotated[
        str | None,
        look(
            "With --shape: a solid of a few distinct materials (phases), in the same shares as in the sections. "
            "auto makes each gray level a phase; N groups the levels into N.",
            metavar="auto|N",
        ),
    ] = None
    output: Annotated[
        Path | None,
        files(
            "File to write. Default: STYLE.safetensors in the current folder.",
            "--output",
            "-o",
            metavar="NAME.safetensors",
        ),
    ] = None
    kind: Annotated[
        str | None,
        files(
            "Kind of what is given to --on. Default: found by its name; a folder of pictures counts as single "
            "pictures, with video as the frames of a clip.",
            "--medium",
            metavar="image|video|volume",
        ),
    ] = None
    size: Annotated[
        int | None,
        look("Long side, in samples, to which larger contents are reduced for learning. Default: 1280.", min=16),
    ] = None
    content_weight: ContentWeight = None
    style_scale: StyleScale = None
    steps: Annotated[
        int | None,
        look(
            "Training steps of each stage, at most; the first stage takes twice as many, but not that of a solid. "
            "Default: 600, of volumes 800, of solids 250.",
            min=1,
        ),
    ] = None
    init: Annotated[
        str | None,
        look(
            "What learning starts from: a file of learned styles, of which those of the same names go on and "
            "others begin as their mean; or content, networks that give their content back. Default: content."
        ),
    ] = None
    start: Annotated[
        str | None, files("First moment of a clip to learn on, as a time or a frame: 2s, 1:30 or 48f.")
    ] = None
    end: Annotated[str | None, files("Moment of a clip at which to stop: 2s, 1:30 or 48f.")] = None
    preview: Preview = None
    no_resume: NoResume = False

    def choices(self) -> dict[str, Any]:
        found = super().choices()
        found["content"] = given(weight=self.content_weight)
        found["style"] = given(scale=self.style_scale)
        found["learn"] = given(steps=self.steps)
        found["solid"] = given(phases=self.phases)
        return found | given(init=self.init)
