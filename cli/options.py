"""The options of the commands, each written once; a command takes a dataclass of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from volstyle.media.defaults import SIZES

from .completion import assignments, networks, presets


class Quality(StrEnum):
    VISUAL = "visual"
    LOSSLESS = "lossless"
    PRORES = "prores"


class Method(StrEnum):
    AUTO = "auto"
    OPTIMIZE = "optimize"
    LEARN = "learn"


class StyleMode(StrEnum):
    PLANES = "planes"
    INFLATE = "inflate"
    NATIVE = "native"


_INFLATIONS = {StyleMode.PLANES: "planes", StyleMode.INFLATE: "mean", StyleMode.NATIVE: "native"}

_SIZE_HELP = "Long side, in samples, at which the result is optimized. Default: the image's own, " + ", ".join(
    f"{size} for {kind}s" for kind, size in SIZES.items()
)
_LOOK, _RUN, _FILES = "Look", "Machine", "Files"


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """Where the choices of a run come from: defaults, then a file, then options, then --set, the last wins."""

    recipe: Annotated[
        Path | None,
        Option(
            help="Take the choices of a run from this TOML file, which `volstyle recipe save` writes.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    preset: Annotated[
        str | None,
        Option(
            help="Look of the result: calm, bold, fine or fast.", rich_help_panel=_LOOK, autocompletion=presets
        ),
    ] = None
    set_: Annotated[
        list[str],
        Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set any choice by its key: schedule.steps=300. `volstyle recipe show` prints all.",
            rich_help_panel=_LOOK,
            autocompletion=assignments,
        ),
    ] = field(default_factory=list)

    @property
    def medium(self) -> str:
        """The name of the medium whose defaults the choices begin with."""
        return "image"

    def choices(self) -> dict[str, Any]:
        """What the options say of a recipe, nested as in its TOML; --set is apart."""
        return _given(preset=self.preset)


@dataclass(frozen=True, kw_only=True)
class EngineOptions(RecipeOptions):
    """Options of the network and the machine."""

    network: Annotated[
        str | None,
        Option(
            help="Network whose features are compared: vgg19, builtin, random, r3d_18, …",
            rich_help_panel=_LOOK,
            autocompletion=networks,
        ),
    ] = None
    weights: Annotated[
        Path | None,
        Option(
            help="File with the weights of the network, where volstyle does not find them itself.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    device: Annotated[
        str | None, Option(help="Where to compute: auto, cpu, cuda or mps.", rich_help_panel=_RUN)
    ] = None
    precision: Annotated[
        str | None, Option(help="Type of the features: auto, float32 or bfloat16.", rich_help_panel=_RUN)
    ] = None
    memory: Annotated[
        str | None,
        Option(help="Memory that features may take: 4GB, or auto for what is free.", rich_help_panel=_RUN),
    ] = None
    seed: Annotated[
        int | None,
        Option(
            help="Seed of random numbers: of the noise to start from, of random filters.", rich_help_panel=_RUN
        ),
    ] = None

    def choices(self) -> dict[str, Any]:
        network = _given(name=self.network, weights=self.weights and str(self.weights))
        machine = _given(device=self.device, precision=self.precision, memory=self.memory, seed=self.seed)
        return super().choices() | machine | {"network": network}


@dataclass(frozen=True, kw_only=True)
class RunOptions(EngineOptions):
    """Options of all commands that compute."""

    force: Annotated[bool, Option("--force", help="Replace files that exist.", rich_help_panel=_FILES)] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=_FILES)] = (
        False
    )


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
            help="File to write. Default: STYLE.safetensors in the current folder.",
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
        Option(min=16, help="Longest long side of the contents. Default: 1280.", rich_help_panel=_LOOK),
    ] = None
    content_weight: Annotated[
        float | None, Option(min=0, help="Weight of the content: higher keeps more of it.", rich_help_panel=_LOOK)
    ] = None
    style_scale: Annotated[
        float | None, Option(min=0.01, help="Size of strokes: 0.5 is half as large.", rich_help_panel=_LOOK)
    ] = None
    steps: Annotated[
        int | None,
        Option(
            min=1,
            help="Most steps of each stage; the first takes twice as many. Default: 1200.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    start: Annotated[
        str | None, Option(help="Learn from here on in a clip: 2s, 1:30 or 48f.", rich_help_panel=_FILES)
    ] = None
    end: Annotated[str | None, Option(help="Learn up to here: 2s, 1:30 or 48f.", rich_help_panel=_FILES)] = None
    preview: Annotated[
        Path | None, Option(help="A picture that is refreshed as learning goes on.", rich_help_panel=_FILES)
    ] = None
    no_resume: Annotated[
        bool,
        Option(
            "--no-resume",
            help="Start over, even if an earlier run was cut off and could go on.",
            rich_help_panel=_FILES,
        ),
    ] = False

    def choices(self) -> dict[str, Any]:
        found = super().choices()
        found["content"] = _given(weight=self.content_weight)
        found["style"] = _given(scale=self.style_scale)
        found["learn"] = _given(steps=self.steps)
        return found


@dataclass(frozen=True, kw_only=True)
class LookOptions(RunOptions):
    """Size and balance, for the commands that style something."""

    size: Annotated[
        int | None,
        Option(min=1, help=_SIZE_HELP, rich_help_panel=_LOOK),
    ] = None
    content_weight: Annotated[
        float | None,
        Option(min=0, help="Weight of the content: more keeps more of its structure.", rich_help_panel=_LOOK),
    ] = None
    style_weight: Annotated[
        float | None, Option(min=0, help="Weight of the style: more changes more.", rich_help_panel=_LOOK)
    ] = None
    style_scale: Annotated[
        float | None,
        Option(min=0.01, help="Size of the strokes: 0.5 makes them half as large.", rich_help_panel=_LOOK),
    ] = None

    def choices(self) -> dict[str, Any]:
        content = _given(weight=self.content_weight)
        style = _given(weight=self.style_weight, scale=self.style_scale)
        return super().choices() | {"content": content, "style": style}


@dataclass(frozen=True, kw_only=True)
class StyleOptions(LookOptions):
    """Options of the commands that style something: image, video, volume and signal."""

    style: Annotated[
        list[str],
        Option(
            metavar="FILE[@WEIGHT][@TIME|@AXIS]",
            help="File whose style is taken. Several are blended: --style a.jpg --style b.jpg@0.5. In a clip, "
            "times turn one style into the next: --style a.jpg@0s --style b.jpg@4s. In a volume, axes give each "
            "style the slices across one: --style xy.png@z --style xz.png@y --style yz.png@x.",
            rich_help_panel=_LOOK,
        ),
    ]
    report: Annotated[
        Path | None,
        Option(
            metavar="FILE.html",
            help="Write a page about the run: before and after, costs, choices.",
            rich_help_panel=_FILES,
        ),
    ] = None
    no_resume: Annotated[
        bool,
        Option(
            "--no-resume",
            help="Start over, even if an earlier run was cut off and could go on.",
            rich_help_panel=_FILES,
        ),
    ] = False
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            help="File to write. Default: IN-STYLE in the current folder.",
            rich_help_panel=_FILES,
        ),
    ] = None
    init: Annotated[
        str | None,
        Option(help="What the optimization starts from: content, noise or a file.", rich_help_panel=_LOOK),
    ] = None
    preview: Annotated[
        Path | None, Option(help="Picture that is written anew while the run goes on.", rich_help_panel=_FILES)
    ] = None

    def choices(self) -> dict[str, Any]:
        return super().choices() | _given(init=self.init)


@dataclass(frozen=True, kw_only=True)
class ImageOptions(StyleOptions):
    """Options of `volstyle image`."""

    content: Annotated[Path, Argument(metavar="IN", help="File to style.")]
    mask: Annotated[
        list[Path],
        Option(help="Image that is white where the style goes; one for each --style.", rich_help_panel=_LOOK),
    ] = field(default_factory=list)
    style_mask: Annotated[
        list[Path],
        Option(
            help="Image that is white where the style is taken from; one for each --style.", rich_help_panel=_LOOK
        ),
    ] = field(default_factory=list)
    keep_colors: Annotated[
        bool,
        Option("--keep-colors", help="Style the brightness of IN and keep its colors.", rich_help_panel=_LOOK),
    ] = False

    def choices(self) -> dict[str, Any]:
        return super().choices() | _given(colors="content" if self.keep_colors else None)


@dataclass(frozen=True, kw_only=True)
class VideoOptions(ImageOptions):
    """Options of `volstyle video`."""

    content: Annotated[
        Path,
        Argument(metavar="IN", help="Clip to style: a file, a folder of numbered images, or frames/%04d.png."),
    ]
    full_size: Annotated[
        bool,
        Option(
            "--full-size",
            help="Bring the style, found at --size, back to the size of IN, with the fine detail of IN.",
            rich_help_panel=_LOOK,
        ),
    ] = False
    start: Annotated[
        str | None, Option(help="Style IN from this time or frame on: 2s, 1:30 or 48f.", rich_help_panel=_FILES)
    ] = None
    end: Annotated[
        str | None, Option(help="Style IN up to this time or frame: 2s, 1:30 or 48f.", rich_help_panel=_FILES)
    ] = None
    shots: Annotated[
        str,
        Option(
            metavar="auto|none|FILE",
            help="Cuts of IN: auto finds them, none takes it for one shot, FILE lists where shots begin.",
            rich_help_panel=_FILES,
        ),
    ] = "auto"
    keep_going: Annotated[
        bool,
        Option(
            "--keep-going",
            help="Leave out damaged frames, with a note, instead of refusing IN.",
            rich_help_panel=_FILES,
        ),
    ] = False
    loop: Annotated[
        bool,
        Option(
            "--loop", help="IN is shown in a loop: its first frame follows on its last.", rich_help_panel=_LOOK
        ),
    ] = False
    flow: Annotated[
        str | None,
        Option(
            metavar="dis|raft|FOLDER",
            help="Optical flow: dis (OpenCV), raft (torchvision), or a folder of .flo files.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    method: Annotated[
        Method,
        Option(
            help="Optimize the samples of the clip, or learn the style on it first and paint it at its own size; "
            "auto learns on clips of 24 frames and more.",
            rich_help_panel=_LOOK,
        ),
    ] = Method.AUTO
    quality: Annotated[
        Quality,
        Option(
            help="Encoding: visual looks lossless, lossless is, prores is for editing.", rich_help_panel=_FILES
        ),
    ] = Quality.VISUAL

    @property
    def medium(self) -> str:
        return "video"

    def choices(self) -> dict[str, Any]:
        return super().choices() | {"temporal": _given(loop=self.loop or None, flow=self.flow)}


@dataclass(frozen=True, kw_only=True)
class VolumeOptions(StyleOptions):
    """Options of `volstyle volume`."""

    content: Annotated[
        Path | None,
        Argument(
            metavar="IN",
            help="Volume to style: NIfTI, DICOM (file or folder), NRRD, MHA, TIFF, OME-Zarr, HDF5, npy, npz.",
        ),
    ] = None
    shape: Annotated[
        str | None,
        Option(metavar="Z,Y,X", help="Without IN: make a solid texture of this size.", rich_help_panel=_LOOK),
    ] = None
    phases: Annotated[
        str | None,
        Option(
            metavar="auto|N",
            help="Make a solid of phases, in their shares: auto takes the levels of the sections, N finds N.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    periodic: Annotated[
        bool,
        Option(
            "--periodic",
            help="Let opposite faces fit each other, so that the result can be tiled.",
            rich_help_panel=_LOOK,
        ),
    ] = False
    window: Annotated[
        str | None,
        Option(
            help="Intensities to style: auto (all), lung, soft, bone, brain or LO,HI. Others stay.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    mask: Annotated[
        Path | None,
        Option(help="Label map on the grid of IN; only where it is not 0 is styled.", rich_help_panel=_LOOK),
    ] = None
    strength: Annotated[
        float | None,
        Option(
            min=0, max=1, help="Share of the styled samples in the result; the rest is IN.", rich_help_panel=_LOOK
        ),
    ] = None
    color: Annotated[
        bool, Option("--color", help="Write colors (R, G, B) instead of gray.", rich_help_panel=_LOOK)
    ] = False
    style_mode: Annotated[
        StyleMode | None,
        Option(
            help="planes: slices along each axis. inflate: kernels made 3-D. native: a 3-D network.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    style_size: Annotated[
        str | None,
        Option(
            metavar="LENGTH",
            help="Length in IN that the long side of the style covers: 40mm.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    turn: Annotated[
        Path | None,
        Option(metavar="FILE.mp4", help="Write a clip in which the result turns.", rich_help_panel=_FILES),
    ] = None

    @property
    def medium(self) -> str:
        return "volume"

    def choices(self) -> dict[str, Any]:
        found = super().choices()
        if self.style_mode is not None:
            found["network"] |= {"inflation": _INFLATIONS[self.style_mode]}
        found |= {"volume": _given(window=self.window, color=self.color or None)}
        found |= {"solid": _given(phases=self.phases)}
        found |= _given(strength=self.strength, periodic=self.periodic or None)
        return found


@dataclass(frozen=True, kw_only=True)
class SignalOptions(StyleOptions):
    """Options of `volstyle signal`."""

    content: Annotated[
        Path | None,
        Argument(
            metavar="IN",
            help="Signal to style: WAV, FLAC, OGG, a clip with sound, CSV, TSV, npy, a DICOM waveform.",
        ),
    ] = None
    seconds: Annotated[
        float | None,
        Option(
            min=0,
            help="Without IN: length of the texture that is made. Default: that of the style.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    start: Annotated[
        str | None, Option(help="Style IN from this time on: 2s or 1:30.", rich_help_panel=_FILES)
    ] = None
    end: Annotated[str | None, Option(help="Style IN up to this time: 2s or 1:30.", rich_help_panel=_FILES)] = None

    @property
    def medium(self) -> str:
        return "signal"


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Options of `volstyle eval`."""

    result: Annotated[Path, Argument(metavar="RESULT", help="Result to judge.")]
    content: Annotated[
        Path | None, Option(help="File that was styled. Default: the one in the record of RESULT.")
    ] = None
    style: Annotated[
        list[Path],
        Option(metavar="FILE", help="File whose style was taken. Default: those in the record of RESULT."),
    ] = field(default_factory=list)
    compare: Annotated[
        list[Path],
        Option(metavar="RESULT", help="Another result from the same content and style, to judge beside it."),
    ] = field(default_factory=list)
    reference: Annotated[
        Path | None, Option(metavar="VOLUME", help="Real volume that is measured beside a solid.")
    ] = None
    phases: Annotated[
        str, Option(metavar="auto|N", help="Phases of a solid: auto takes one for each level, N so many.")
    ] = "auto"
    phase: Annotated[
        float | None, Option(metavar="LEVEL", help="Phase of a solid that is measured. Default: the lowest level.")
    ] = None
    network: Annotated[
        str,
        Option(
            help="Network that measures the style; take another than the one that was optimized.",
            autocompletion=networks,
        ),
    ] = "random"
    weights: Annotated[
        Path | None, Option(help="File with the weights of the network, where volstyle does not find them itself.")
    ] = None
    size: Annotated[int | None, Option(min=16, help="Long side at which to judge. Default: that of RESULT.")] = (
        None
    )
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
    size: Annotated[int | None, Option(min=1, help=_SIZE_HELP, rich_help_panel=_LOOK)] = None
    json: Annotated[bool, Option("--json", help="Print it as JSON.")] = False


@dataclass(frozen=True, kw_only=True)
class DemoOptions(RunOptions):
    """Options of `volstyle demo`."""

    out: Annotated[Path, Option(help="Folder to write into.", rich_help_panel=_FILES)] = Path("volstyle-demo")


@dataclass(frozen=True, kw_only=True)
class ShowOptions(RecipeOptions):
    """Options of `volstyle recipe show`."""

    json: Annotated[bool, Option("--json", help="Print it as JSON, with the keys of the TOML.")] = False


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The options of `volstyle web`."""

    host: Annotated[
        str, Option(help="The address to serve at; at others than 127.0.0.1 a token is asked for.")
    ] = "127.0.0.1"
    port: Annotated[int, Option(min=0, max=65535, help="The port to serve at; 0 takes any that is free.")] = 7860
    upload_limit: Annotated[int, Option(metavar="MB", min=1, help="The largest file that may be dropped.")] = 500


@dataclass(frozen=True, kw_only=True)
class SaveOptions(RecipeOptions):
    """Options of `volstyle recipe save`."""

    file: Annotated[Path, Argument(metavar="FILE", help="TOML file to write.")]
    force: Annotated[bool, Option("--force", help="Replace a file that exists.")] = False


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
