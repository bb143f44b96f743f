"""The options of the commands, each written once; a command takes a dataclass of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from volstyle.media.defaults import SIZES


class Quality(StrEnum):
    VISUAL = "visual"
    LOSSLESS = "lossless"
    PRORES = "prores"


class StyleMode(StrEnum):
    PLANES = "planes"
    INFLATE = "inflate"
    NATIVE = "native"


_INFLATIONS = {StyleMode.PLANES: "planes", StyleMode.INFLATE: "mean", StyleMode.NATIVE: "native"}

_SIZE_HELP = "Long side being optimized: " + ", ".join(f"{size} for {kind}s" for kind, size in SIZES.items())
_LOOK, _RUN, _FILES = "Look", "Machine", "Files"


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """Where the choices of a run come from: defaults, then a file, then options, then --set, the last wins."""

    recipe: Annotated[Path | None, Option(help="Begin with the choices in this file.", rich_help_panel=_LOOK)] = (
        None
    )
    set_: Annotated[
        list[str],
        Option("--set", metavar="KEY=VALUE", help="Any choice: schedule.steps=300.", rich_help_panel=_LOOK),
    ] = field(default_factory=list)

    @property
    def medium(self) -> str:
        """The name of the medium whose defaults the choices begin with."""
        return "image"

    def choices(self) -> dict[str, Any]:
        """What the options say of a recipe, nested as in its TOML; --set is apart."""
        return {}


@dataclass(frozen=True, kw_only=True)
class EngineOptions(RecipeOptions):
    """Network and machine."""

    network: Annotated[str | None, Option(help="vgg19, builtin, random, r3d_18, …", rich_help_panel=_LOOK)] = None
    weights: Annotated[
        Path | None, Option(help="The network's weights, if not in the usual place.", rich_help_panel=_LOOK)
    ] = None
    device: Annotated[str | None, Option(help="auto, cpu, cuda or mps.", rich_help_panel=_RUN)] = None
    precision: Annotated[str | None, Option(help="auto, float32 or bfloat16.", rich_help_panel=_RUN)] = None
    memory: Annotated[str | None, Option(help="For activations: 4GB, or auto.", rich_help_panel=_RUN)] = None
    seed: Annotated[int | None, Option(help="Of noise and random filters.", rich_help_panel=_RUN)] = None

    def choices(self) -> dict[str, Any]:
        network = _given(name=self.network, weights=self.weights and str(self.weights))
        machine = _given(device=self.device, precision=self.precision, memory=self.memory, seed=self.seed)
        return super().choices() | machine | {"network": network}


@dataclass(frozen=True, kw_only=True)
class RunOptions(EngineOptions):
    """Of everything that styles."""

    force: Annotated[bool, Option("--force", help="Replace files that are there.", rich_help_panel=_FILES)] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_FILES)] = False


@dataclass(frozen=True, kw_only=True)
class LearnOptions(RunOptions):
    """The options of `volstyle learn`."""

    styles: Annotated[
        list[Path], Argument(metavar="STYLE...", help="A painting; several are learned in one file.")
    ]
    on: Annotated[
        list[Path],
        Option(
            metavar="IN",
            help="What the style is learned on: a clip, a picture, a folder of pictures, or a volume; "
            "repeat the option for several of one kind.",
            rich_help_panel=_FILES,
        ),
    ]
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            metavar="NAME.safetensors",
            help="The learned style; STYLE.safetensors in this folder if not given.",
            rich_help_panel=_FILES,
        ),
    ] = None
    kind: Annotated[
        str | None,
        Option(
            "--medium",
            metavar="image|video|volume",
            help="What the contents are, where a folder may hold pictures or the frames of a clip; pictures if "
            "not given.",
            rich_help_panel=_FILES,
        ),
    ] = None
    size: Annotated[
        int | None,
        Option(min=16, help="Long side of the contents at most; 1280 if not given.", rich_help_panel=_LOOK),
    ] = None
    content_weight: Annotated[
        float | None, Option(min=0, help="How much of the content stays.", rich_help_panel=_LOOK)
    ] = None
    style_scale: Annotated[
        float | None, Option(min=0.01, help="Size of strokes: 0.5 is half as large.", rich_help_panel=_LOOK)
    ] = None
    steps: Annotated[
        int | None, Option(min=1, help="Steps of each stage at most; 1200 if not given.", rich_help_panel=_LOOK)
    ] = None
    start: Annotated[
        str | None, Option(help="Learn from here on in a clip: 2s, 1:30 or 48f.", rich_help_panel=_FILES)
    ] = None
    end: Annotated[str | None, Option(help="Learn up to here: 2s, 1:30 or 48f.", rich_help_panel=_FILES)] = None
    preview: Annotated[
        Path | None, Option(help="A picture that is refreshed as learning goes on.", rich_help_panel=_FILES)
    ] = None
    no_resume: Annotated[
        bool, Option("--no-resume", help="Start over, though a run was cut off.", rich_help_panel=_FILES)
    ] = False

    def choices(self) -> dict[str, Any]:
        found = super().choices()
        found["content"] = _given(weight=self.content_weight)
        found["style"] = _given(scale=self.style_scale)
        found["learn"] = _given(steps=self.steps)
        return found


@dataclass(frozen=True, kw_only=True)
class StyleOptions(RunOptions):
    """Of whatever is styled after files, of any kind."""

    style: Annotated[
        list[str],
        Option(
            metavar="FILE[@WEIGHT][@TIME]",
            help="What it is styled after; again for a blend: --style a.jpg --style b.jpg@0.5, or "
            "in a clip one after the other: --style a.jpg@0s --style b.jpg@4s",
            rich_help_panel=_LOOK,
        ),
    ]
    report: Annotated[
        Path | None, Option(metavar="FILE.html", help="A page of the run, to open.", rich_help_panel=_FILES)
    ] = None
    no_resume: Annotated[
        bool, Option("--no-resume", help="Start over, though a run was cut off.", rich_help_panel=_FILES)
    ] = False
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="The result; IN-STYLE in this folder if not given.", rich_help_panel=_FILES),
    ] = None
    size: Annotated[
        int | None,
        Option(min=1, help=_SIZE_HELP, rich_help_panel=_LOOK),
    ] = None
    content_weight: Annotated[float | None, Option(min=0, help="How much stays.", rich_help_panel=_LOOK)] = None
    style_weight: Annotated[float | None, Option(min=0, help="How much changes.", rich_help_panel=_LOOK)] = None
    style_scale: Annotated[
        float | None, Option(min=0.01, help="Size of strokes: 0.5 is half as large.", rich_help_panel=_LOOK)
    ] = None
    init: Annotated[
        str | None, Option(help="Where to start: content, noise or a file.", rich_help_panel=_LOOK)
    ] = None
    preview: Annotated[Path | None, Option(help="A picture refreshed as it goes.", rich_help_panel=_FILES)] = None

    def choices(self) -> dict[str, Any]:
        content = _given(weight=self.content_weight)
        style = _given(weight=self.style_weight, scale=self.style_scale)
        return super().choices() | _given(init=self.init) | {"content": content, "style": style}


@dataclass(frozen=True, kw_only=True)
class ImageOptions(StyleOptions):
    """Of `volstyle image`."""

    content: Annotated[Path, Argument(metavar="IN", help="What is styled.")]
    full_size: Annotated[
        bool, Option("--full-size", help="Bring the style back to the source's size.", rich_help_panel=_LOOK)
    ] = False
    mask: Annotated[
        list[Path],
        Option(help="Where a style goes (white), one for each style.", rich_help_panel=_LOOK),
    ] = field(default_factory=list)
    style_mask: Annotated[
        list[Path],
        Option(help="Where a style is taken (white), one for each style.", rich_help_panel=_LOOK),
    ] = field(default_factory=list)
    keep_colors: Annotated[bool, Option("--keep-colors", help="Style brightness only.", rich_help_panel=_LOOK)] = (
        False
    )

    def choices(self) -> dict[str, Any]:
        return super().choices() | _given(colors="content" if self.keep_colors else None)


@dataclass(frozen=True, kw_only=True)
class VideoOptions(ImageOptions):
    """Of `volstyle video`."""

    start: Annotated[str | None, Option(help="Begin here: 2s, 1:30 or 48f.", rich_help_panel=_FILES)] = None
    end: Annotated[str | None, Option(help="End before: 2s, 1:30 or 48f.", rich_help_panel=_FILES)] = None
    shots: Annotated[
        str,
        Option(
            metavar="auto|none|FILE", help="Where it cuts: found, nowhere, or in a file.", rich_help_panel=_FILES
        ),
    ] = "auto"
    keep_going: Annotated[
        bool, Option("--keep-going", help="Leave out frames that are damaged.", rich_help_panel=_FILES)
    ] = False
    loop: Annotated[
        bool, Option("--loop", help="The last frame is followed by the first.", rich_help_panel=_LOOK)
    ] = False
    flow: Annotated[
        str | None,
        Option(metavar="dis|raft|FOLDER", help="Motion: found so, or of .flo files.", rich_help_panel=_LOOK),
    ] = None
    quality: Annotated[Quality, Option(help="Of the encoding.", rich_help_panel=_FILES)] = Quality.VISUAL

    @property
    def medium(self) -> str:
        return "video"

    def choices(self) -> dict[str, Any]:
        return super().choices() | {"temporal": _given(loop=self.loop or None, flow=self.flow)}


@dataclass(frozen=True, kw_only=True)
class VolumeOptions(StyleOptions):
    """Of `volstyle volume`."""

    content: Annotated[
        Path | None,
        Argument(metavar="IN", help="NIfTI, DICOM (file or folder), NRRD, MHA, TIFF, OME-Zarr, HDF5, npy or npz."),
    ] = None
    shape: Annotated[
        str | None,
        Option(metavar="Z,Y,X", help="Without IN: a solid texture of this size.", rich_help_panel=_LOOK),
    ] = None
    periodic: Annotated[
        bool, Option("--periodic", help="Opposite ends meet: it can be tiled.", rich_help_panel=_LOOK)
    ] = False
    window: Annotated[
        str | None,
        Option(help="Intensities: auto (all), lung, soft, bone, brain or LO,HI.", rich_help_panel=_LOOK),
    ] = None
    mask: Annotated[
        Path | None, Option(help="A label map: style only where it is not 0.", rich_help_panel=_LOOK)
    ] = None
    strength: Annotated[
        float | None, Option(min=0, max=1, help="Share of the style in the result.", rich_help_panel=_LOOK)
    ] = None
    color: Annotated[bool, Option("--color", help="Write R, G, B, not gray.", rich_help_panel=_LOOK)] = False
    style_mode: Annotated[
        StyleMode | None,
        Option(help="Slices along each axis, kernels made 3-D, or a 3-D network.", rich_help_panel=_LOOK),
    ] = None
    style_size: Annotated[
        str | None, Option(metavar="LENGTH", help="Of the style's long side: 40mm.", rich_help_panel=_LOOK)
    ] = None
    turn: Annotated[
        Path | None, Option(metavar="FILE.mp4", help="A clip of the result turning.", rich_help_panel=_FILES)
    ] = None

    @property
    def medium(self) -> str:
        return "volume"

    def choices(self) -> dict[str, Any]:
        found = super().choices()
        if self.style_mode is not None:
            found["network"] |= {"inflation": _INFLATIONS[self.style_mode]}
        found |= {"volume": _given(window=self.window, color=self.color or None)}
        found |= _given(strength=self.strength, periodic=self.periodic or None)
        return found


@dataclass(frozen=True, kw_only=True)
class SignalOptions(StyleOptions):
    """Of `volstyle signal`."""

    content: Annotated[
        Path | None,
        Argument(metavar="IN", help="WAV, FLAC, OGG, a clip with sound, CSV, TSV, npy, a DICOM waveform."),
    ] = None
    seconds: Annotated[
        float | None,
        Option(min=0, help="Without IN: how long the texture is; else as the style.", rich_help_panel=_LOOK),
    ] = None
    start: Annotated[str | None, Option(help="Begin IN here: 2s or 1:30.", rich_help_panel=_FILES)] = None
    end: Annotated[str | None, Option(help="End IN before: 2s or 1:30.", rich_help_panel=_FILES)] = None

    @property
    def medium(self) -> str:
        return "signal"


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Of `volstyle eval`."""

    result: Annotated[Path, Argument(metavar="RESULT", help="What is judged.")]
    content: Annotated[Path | None, Option(help="What was styled; that of the result's record if not given.")] = (
        None
    )
    style: Annotated[
        list[Path], Option(metavar="FILE", help="What it was styled after; that of the record if not given.")
    ] = field(default_factory=list)
    compare: Annotated[list[Path], Option(metavar="RESULT", help="Another result of the same.")] = field(
        default_factory=list
    )
    network: Annotated[str, Option(help="Where style is measured: one not optimized.")] = "random"
    weights: Annotated[Path | None, Option(help="The network's weights, if not in the usual place.")] = None
    size: Annotated[int | None, Option(min=16, help="Long side to judge at; the result's own if not given.")] = (
        None
    )
    start: Annotated[str | None, Option(help="Where in the content the result begins: 2s, 1:30 or 48f.")] = None
    end: Annotated[str | None, Option(help="Where in the content the result ends.")] = None
    json: Annotated[bool, Option("--json", help="Print all numbers as JSON.")] = False
    plot: Annotated[Path | None, Option(metavar="FILE.png", help="Draw them over time.")] = None
    force: Annotated[bool, Option("--force", help="Replace a plot that is there.")] = False


@dataclass(frozen=True, kw_only=True)
class InfoOptions(EngineOptions):
    """Of `volstyle info`."""

    file: Annotated[Path, Argument(metavar="FILE", help="A clip, an image or a record.")]
    size: Annotated[int | None, Option(min=1, help=_SIZE_HELP, rich_help_panel=_LOOK)] = None


@dataclass(frozen=True, kw_only=True)
class DemoOptions(RunOptions):
    """Of `volstyle demo`."""

    out: Annotated[Path, Option(help="The folder to draw into.", rich_help_panel=_FILES)] = Path("volstyle-demo")


@dataclass(frozen=True, kw_only=True)
class UnitsOptions(RunOptions):
    """Of `volstyle units`."""

    inputs: Annotated[
        list[Path],
        Argument(metavar="[IN]...", help="Files and folders to look at; pictures made by formula if none."),
    ] = field(default_factory=list)
    layer: Annotated[
        str | None, Option(help="Such as relu2_1; the network's first if not given.", rich_help_panel=_LOOK)
    ] = None
    unit: Annotated[list[int], Option(help="Only this one; again for more.", rich_help_panel=_LOOK)] = field(
        default_factory=list
    )
    of: Annotated[
        Path | None,
        Option(
            metavar="RESULT",
            help="Show what the style, the content and this result light up.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    size: Annotated[int, Option(min=1, help="Long side of what is looked at.", rich_help_panel=_LOOK)] = 256
    count: Annotated[int, Option(min=1, help="How many pictures by formula.", rich_help_panel=_LOOK)] = 96
    output: Annotated[
        Path, Option("--output", "-o", help="The page; a contact sheet, .png, beside it.", rich_help_panel=_FILES)
    ] = Path("units.html")


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """Of `volstyle web`."""

    host: Annotated[
        str, Option(help="The address to serve at; at others than 127.0.0.1 a token is asked for.")
    ] = "127.0.0.1"
    port: Annotated[int, Option(min=0, max=65535, help="The port to serve at; 0 takes any that is free.")] = 7860
    upload_limit: Annotated[int, Option(metavar="MB", min=1, help="The largest file that may be dropped.")] = 500


@dataclass(frozen=True, kw_only=True)
class SaveOptions(RecipeOptions):
    """Of `volstyle recipe save`."""

    file: Annotated[Path, Argument(metavar="FILE", help="Where to, a .toml.")]
    force: Annotated[bool, Option("--force", help="Replace a file that is there.")] = False


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
