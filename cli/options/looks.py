"""Options that say what a result is to look like, and where it is written, whatever is styled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from volstyle.media.defaults import SIZES

from .choices import RunOptions
from .panels import files, given, look

ContentWeight = Annotated[
    float | None, look("Weight of the content: a higher one keeps more of its structure.", min=0)
]
StyleScale = Annotated[float | None, look("Size of the brush strokes: 0.5 makes them half as large.", min=0.01)]
NoResume = Annotated[
    bool, files("Start from the beginning, even if an earlier run was interrupted and could go on.", "--no-resume")
]
Preview = Annotated[
    Path | None, files("Picture file that is rewritten every few seconds, to watch the run as it goes.")
]

SIZE_TEXT = "Long side, in samples, at which the result is optimized. Default: the image's own, " + ", ".join(
    f"{size} for {kind}s" for kind, size in SIZES.items()
)

STYLE_TEXT = "File whose style is taken. Repeat the option to blend several: --style a.jpg --style b.jpg@0.5."


def size_of(kind: str) -> Any:
    """The option --size of a command for one kind of content."""
    default = SIZES.get(kind, f"that of the {kind}")
    learned = " A clip that is learned on is painted at its own size." if kind == "video" else ""
    return look(f"Long side, in samples, at which the result is optimized. Default: {default}.{learned}", min=1)


@dataclass(frozen=True, kw_only=True)
class LookOptions(RunOptions):
    """Size and balance, for the commands that style something."""

    size: Annotated[int | None, look(SIZE_TEXT, min=1)] = None
    content_weight: ContentWeight = None
    style_weight: Annotated[
        float | None, look("Weight of the style: a higher one changes more of the content.", min=0)
    ] = None
    style_scale: StyleScale = None

    def choices(self) -> dict[str, Any]:
        content = given(weight=self.content_weight)
        style = given(weight=self.style_weight, scale=self.style_scale)
        return super().choices() | {"content": content, "style": style}


@dataclass(frozen=True, kw_only=True)
class StyleOptions(LookOptions):
    """Options of the commands that style something: image, video, volume and signal."""

    style: Annotated[list[str], look(STYLE_TEXT, metavar="FILE[@WEIGHT]")]
    output: Annotated[
        Path | None,
        files("File to write. Default: IN-STYLE, after both names, in the current folder.", "--output", "-o"),
    ] = None
    report: Annotated[
        Path | None,
        files("Also write a web page about the run: before and after, costs, choices.", metavar="FILE.html"),
    ] = None
    preview: Preview = None
    no_resume: NoResume = False
    init: Annotated[str | None, look("What the optimization starts from: content, noise or a file.")] = None

    def choices(self) -> dict[str, Any]:
        return super().choices() | given(init=self.init)
