"""What is asked for, before anything is read: from options, or from a record to do it again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from volstyle.codecs import CODECS, SIGNALS, Encoding, Moment, Selection, suffix_of
from volstyle.errors import OutputError, RecipeError
from volstyle.media.defaults import SIZES
from volstyle.media.volume import shape_of
from volstyle.motion.flow import ESTIMATORS
from volstyle.recipe import Recipe

from ..options import ImageOptions, SignalOptions, StyleOptions, VideoOptions, VolumeOptions
from ..recipes import recipe_of


@dataclass(frozen=True)
class StyleFile:
    """weight: in the blend. mask: where it goes. source_mask: where it is taken. at: when, in a clip."""

    path: Path
    weight: float = 1.0
    mask: Path | None = None
    source_mask: Path | None = None
    at: Moment | None = None


@dataclass(frozen=True)
class Order:
    """A run as it was asked for.

    kind: "image", "video", "volume" or "signal", what the content must be. content: None for a texture, made of
    `shape` samples, or a signal of so many seconds, or as long as its style. mask: of a volume, where it may
    change. style_size: a length. turn: where to show it turning. shots: of a clip, "none", "auto" or a file of
    cuts; cuts: those that were found. resume: from a state there is. report: a page to write. stop_after,
    network_digest: of a run to be done again, the stage and step after which it was stopped and the hash of its
    network's weights.
    """

    kind: str
    content: Path | None
    styles: tuple[StyleFile, ...]
    output: Path
    recipe: Recipe
    selection: Selection
    encoding: Encoding
    full_size: bool = False
    preview: Path | None = None
    mask: Path | None = None
    shape: tuple[int, ...] | None = None
    style_size: str | None = None
    turn: Path | None = None
    seconds: float | None = None
    shots: str = "none"
    cuts: tuple[int, ...] | None = None
    resume: bool = True
    report: Path | None = None
    stop_after: tuple[int, int] | None = None
    network_digest: str | None = None

    def __post_init__(self) -> None:
        if self.output.name in ("", ".."):
            raise OutputError(f"--output: {str(self.output)!r} names no file or folder of its own; give it a name")

    @property
    def weights(self) -> Path | None:
        """The file of weights the recipe names, if any."""
        return Path(self.recipe.network.weights) if self.recipe.network.weights else None

    @property
    def init(self) -> Path | None:
        """The file the recipe says to start from, if it names one."""
        return None if self.recipe.init in ("content", "noise") else Path(self.recipe.init)

    @property
    def flow(self) -> Path | None:
        """The folder of a clip's flow, if the recipe names one."""
        named = self.kind == "video" and self.recipe.temporal.flow not in ESTIMATORS
        return Path(self.recipe.temporal.flow) if named else None

    @property
    def flow_weights(self) -> Path | None:
        """The file of weights for a clip's flow, if the recipe names one."""
        named = self.kind == "video" and self.recipe.temporal.flow_weights
        return Path(named) if named else None

    @property
    def record_path(self) -> Path:
        return self.output.with_name(f"{self.output.name}.json")

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All files it reads, each once."""
        files = [self.content, self.mask, *(f for s in self.styles for f in (s.path, s.mask, s.source_mask))]
        files += [self.init, self.weights, self.flow, self.flow_weights]
        files += [None if self.shots in ("none", "auto") else Path(self.shots)]
        return tuple(dict.fromkeys(file for file in files if file is not None))


def order_of(kind: str, options: StyleOptions) -> Order:
    """The order that options give. Raises VolstyleError."""
    return replace(_order_of(kind, options), resume=not options.no_resume, report=options.report)


def _order_of(kind: str, options: StyleOptions) -> Order:
    if isinstance(options, VolumeOptions):
        return _volume_order(options)
    if isinstance(options, SignalOptions):
        return _signal_order(options)
    assert isinstance(options, ImageOptions)
    quality, shots = "visual", "none"
    selection = Selection(options.size or SIZES[kind])
    if isinstance(options, VideoOptions):
        quality, shots = options.quality.value, options.shots
        start, end = moment_of("start", options.start), moment_of("end", options.end)
        selection = replace(selection, start=start, end=end, keep_going=options.keep_going)
    styles = _styles(options.style, options.mask, options.style_mask)
    return Order(
        kind=kind,
        content=options.content,
        styles=styles,
        output=options.output or _default_output(kind, options.content, styles, quality),
        recipe=recipe_of(options),
        selection=selection,
        encoding=Encoding(quality, options.force),
        full_size=options.full_size,
        preview=options.preview,
        shots=shots,
    )


def _volume_order(options: VolumeOptions) -> Order:
    if (options.content is None) == (options.shape is None):
        raise RecipeError("volume: give either IN, what is styled, or --shape Z,Y,X of a solid texture")
    styles = _styles(options.style, (), ())
    return Order(
        kind="volume",
        content=options.content,
        styles=styles,
        output=options.output or _default_volume(options.content, styles),
        recipe=recipe_of(options),
        selection=Selection(),
        encoding=Encoding(force=options.force),
        preview=options.preview,
        mask=options.mask,
        shape=None if options.shape is None else shape_of(options.shape),
        style_size=options.style_size,
        turn=options.turn,
    )


_ONE_FILE = {".mhd": ".mha", ".nhdr": ".nrrd"}


def _default_volume(content: Path | None, styles: Sequence[StyleFile]) -> Path:
    """IN-STYLE in the current folder, in the format of the source."""
    named = "-".join(style.path.stem for style in styles)
    if content is None:
        return Path(f"solid-{named}.nii.gz")
    suffix = suffix_of(content)
    if content.is_dir() and suffix.lower() not in CODECS["ngff"]:
        suffix = ""  # a folder of slices, whatever its name
    stem = content.name.removesuffix(suffix) or content.absolute().name
    return Path(f"{stem}-{named}{_ONE_FILE.get(suffix.lower(), suffix)}")


def _signal_order(options: SignalOptions) -> Order:
    if options.content is not None and options.seconds is not None:
        raise RecipeError("seconds: of a texture, without IN; of IN, give --start and --end")
    if options.size is not None:
        raise RecipeError("size: of pictures; a signal keeps its rate")
    styles = _styles(options.style, (), ())
    source = options.content or styles[0].path
    return Order(
        kind="signal",
        content=options.content,
        styles=styles,
        output=options.output or _default_signal(source, options.content, styles),
        recipe=recipe_of(options),
        selection=Selection(None, moment_of("start", options.start), moment_of("end", options.end), signal=True),
        encoding=Encoding(force=options.force),
        preview=options.preview,
        seconds=options.seconds,
    )


def _default_signal(source: Path, content: Path | None, styles: Sequence[StyleFile]) -> Path:
    """IN-STYLE in the current folder; a series in the format of the source, a sound as WAV."""
    suffix = ".wav" if source.suffix.lower() in SIGNALS["audio"] else source.suffix
    return Path("-".join([content.stem if content else "texture", *(s.path.stem for s in styles)]) + suffix)


def _styles(texts: Sequence[str], masks: Sequence[Path], source_masks: Sequence[Path]) -> tuple[StyleFile, ...]:
    for name, files in (("mask", masks), ("style-mask", source_masks)):
        if files and len(files) != len(texts):
            raise RecipeError(f"--{name}: {len(files)} for {len(texts)} styles, must be one for each or none")
    nothing = [None] * len(texts)
    return tuple(
        replace(_style_file(text), mask=mask, source_mask=source)
        for text, mask, source in zip(texts, masks or nothing, source_masks or nothing, strict=True)
    )


def _style_file(text: str) -> StyleFile:
    """ "b.jpg@0.5@2s" -> b.jpg, 0.5, 2 s; a file that is there under a longer name is meant."""
    found = StyleFile(Path(text))
    while not found.path.exists() and (match := re.fullmatch(r"(.+)@([\d.:]+[sf]?)", str(found.path))):
        found = replace(found, path=Path(match[1]))
        if re.fullmatch(r"\d*\.?\d+", match[2]):
            found = replace(found, weight=float(match[2]))
        else:
            found = replace(found, at=moment_of("style", match[2]))
    return found


def moment_of(name: str, text: str | None) -> Moment | None:
    """ "2s", "2.5", "1:30", "0:01:30" in seconds, "48f" in frames."""
    if text is None:
        return None
    frames = re.fullmatch(r"(\d+)f", text)
    if frames:
        return Moment(float(frames[1]), "f")
    if re.fullmatch(r"(\d+:){0,2}\d*\.?\d+s?", text):
        seconds = 0.0
        for part in text.removesuffix("s").split(":"):
            seconds = 60 * seconds + float(part)
        return Moment(seconds)
    raise RecipeError(f"--{name}: {text!r} is no time; write 2s, 1:30 or 48f")


def _default_output(kind: str, content: Path, styles: Sequence[StyleFile], quality: str) -> Path:
    """IN-STYLE in the current folder: what the formats of the source lose, these keep."""
    suffix = ".png" if kind == "image" else ".mov" if quality == "prores" else ".mp4"
    name = re.sub(r"[^\w-]*%.*|[^\w-]*[*?].*", "", content.stem) or content.absolute().parent.name
    return Path("-".join([name, *(style.path.stem for style in styles)]) + suffix)
