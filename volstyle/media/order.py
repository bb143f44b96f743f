"""What is asked for, before anything is read: by a caller of the library, by options, or by a record."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from volstyle.codecs import Encoding, Moment, Selection
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.motion.flow import ESTIMATORS
from volstyle.recipe import INITS, Recipe

Source = Path | Field
"""Where samples come from: a file, or memory."""


NO_PICTURE = Field(torch.full((3, 1, 1), 0.5), (Axis("y"), Axis("x")))
"""Stands where the picture of a style would, when the style was learned; nobody looks at it."""


@dataclass(frozen=True)
class StyleOrder:
    """A style that is asked for. weight: its weight relative to the other styles. mask: where the content takes
    this style. source_mask: where the statistics of the style are taken. at: the moment at which a clip takes it.
    named: which of the styles in a file of learned styles is meant. across: the name of the axis of a volume whose
    slices take it, "z", "y" or "x"; None for all slices."""

    source: Source
    weight: float = 1.0
    mask: Source | None = None
    source_mask: Source | None = None
    at: Moment | None = None
    named: str = ""
    across: str | None = None

    @property
    def path(self) -> Path:
        """The style's file. Raises InputError for a style in memory."""
        return path_of(self.source)


@dataclass(frozen=True)
class Order:
    """A run as it was asked for.

    kind: the name of the content's medium. content: None for a texture, which is a volume of `shape` samples, or a
    signal of `seconds` or, without them, as long as its style. output: where the result is written; None leaves it
    in memory. full_size: bring the style back to the content's own size. mask: where a volume may change.
    style_size: the length of a style's long side, as "40mm". shots: where a clip has cuts: "none", "auto" to find
    them, or a file of frame numbers. cuts: the cuts that an earlier run found. resume: go on from what an earlier
    run left. stop_after: the stage and step after which the run stops. network_digest: the hash that the network's
    weights must have. value_range: the lowest and highest value of content in memory, which become 0 and 1.
    examples: contents that a style is learned on, in which case the output is the learned style. learns_solid:
    whether a solid is learned of its sections, in pieces of `shape`, in which case the output is the learned
    solid. begins: where the part of a learned solid begins that is made, in samples along each axis; None is at 0.
    lesson: the order to learn the style first.
    """

    kind: str
    content: Source | None
    styles: tuple[StyleOrder, ...]
    output: Path | None
    recipe: Recipe
    selection: Selection
    encoding: Encoding
    full_size: bool = False
    mask: Source | None = None
    shape: tuple[int, ...] | None = None
    style_size: str | None = None
    seconds: float | None = None
    shots: str = "none"
    cuts: tuple[int, ...] | None = None
    resume: bool = True
    stop_after: tuple[int, int] | None = None
    network_digest: str | None = None
    value_range: tuple[float, float] | None = None
    examples: tuple[Source, ...] = ()
    learns_solid: bool = False
    begins: tuple[int, ...] | None = None
    lesson: Order | None = None

    def __post_init__(self) -> None:
        if self.output is not None and self.output.name in ("", ".."):
            raise OutputError(f"--output: {str(self.output)!r} names no file or folder of its own; give it a name")

    @property
    def is_painted(self) -> bool:
        """Whether learned styles paint it, in whose place `paint_order` has put `NO_PICTURE`."""
        return any(style.source is NO_PICTURE for style in self.styles)

    @property
    def weights(self) -> Path | None:
        """The file of weights that the recipe names, if any."""
        return Path(self.recipe.network.weights) if self.recipe.network.weights else None

    @property
    def init(self) -> Path | None:
        """The file that the recipe says to start from, if it names one."""
        return None if self.recipe.init in INITS else Path(self.recipe.init)

    @property
    def flow(self) -> Path | None:
        """The folder of a clip's flow, if the recipe names one."""
        return None if self.recipe.temporal.flow in ESTIMATORS else Path(self.recipe.temporal.flow)

    @property
    def flow_weights(self) -> Path | None:
        """The file of weights for a clip's flow, if the recipe names one."""
        return Path(self.recipe.temporal.flow_weights) if self.recipe.temporal.flow_weights else None

    @property
    def record_path(self) -> Path:
        """Where the record is written, beside the output. Raises OutputError for a result that stays in memory."""
        if self.output is None:
            raise OutputError("output: none is named, so that the record has no place beside it")
        return self.output.with_name(f"{self.output.name}.json")

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All files that the run reads, each once."""
        sources = [
            self.content,
            *self.examples,
            self.mask,
            *(x for s in self.styles for x in (s.source, s.mask, s.source_mask)),
        ]
        sources += [self.init, self.weights, self.flow, self.flow_weights]
        sources += [None if self.shots in ("none", "auto") else Path(self.shots)]
        return tuple(dict.fromkeys(source for source in sources if isinstance(source, Path)))

    @property
    def in_memory(self) -> dict[str, Field]:
        """All samples that the run takes from memory, by what they are: "content", "style 1 mask"."""
        sources = {"content": self.content, "mask": self.mask}
        for number, style in enumerate(self.styles, start=1):
            sources |= {f"style {number}": style.source, f"style {number} mask": style.mask}
            sources |= {f"style {number} source mask": style.source_mask}
        return {name: source for name, source in sources.items() if isinstance(source, Field)}


def path_of(source: Source | None) -> Path:
    """The file that samples come from. Raises InputError for samples in memory."""
    if not isinstance(source, Path):
        raise InputError("samples: are in memory, must be in a file to be found again")
    return source


def style_named(text: str) -> StyleOrder:
    """A style as it is written in an option: "b.jpg@0.5@2s" is b.jpg with weight 0.5 at 2 s, "xy.png@z" is for the
    slices across z, "c.safetensors#candy" is one of the styles in a file of learned styles. Where a file has such
    a name itself, that file is meant. Raises RecipeError."""
    found = StyleOrder(Path(text))
    while not found.path.exists() and (match := re.fullmatch(r"(.+)@([\d.:]+[sf]?|[zyx])", str(found.path))):
        found = replace(found, source=Path(match[1]))
        if match[2] in "zyx":
            found = replace(found, across=match[2])
        elif re.fullmatch(r"\d*\.?\d+", match[2]):
            found = replace(found, weight=float(match[2]))
        else:
            found = replace(found, at=moment_of("style", match[2]))
    if not found.path.exists() and (named := re.fullmatch(r"(.+\.safetensors)#(.+)", str(found.path))):
        found = replace(found, source=Path(named[1]), named=named[2])
    return found


def moment_of(name: str, text: str | None) -> Moment | None:
    """ "2s", "2.5", "1:30", "0:01:30" in seconds, "48f" in frames. name: the name of the option. Raises
    RecipeError."""
    if text is None:
        return None
    frames = re.fullmatch(r"(\d{1,15})f", text)
    if frames:
        return Moment(float(frames[1]), "f")
    if re.fullmatch(r"(\d{1,15}:){0,2}\d{0,15}\.?\d{1,15}s?", text):
        seconds = 0.0
        for part in text.removesuffix("s").split(":"):
            seconds = 60 * seconds + float(part)
        return Moment(seconds)
    raise RecipeError(f"--{name}: {text!r} is no time; write 2s, 1:30 or 48f")
