"""Options of the commands that style one kind of content each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Argument

from .looks import STYLE_TEXT, StyleOptions, size_of
from .panels import files, given, look


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


@dataclass(frozen=True, kw_only=True)
class ImageOptions(StyleOptions):
    """Options of `volstyle image`."""

    content: Annotated[Path, Argument(metavar="IN", help="Picture to style; - reads it from standard input.")]
    size: Annotated[int | None, size_of("image")] = None
    mask: Annotated[
        list[Path],
        look("Picture, white where IN is to be styled and black elsewhere; give one for each --style, or none."),
    ] = field(default_factory=list)
    style_mask: Annotated[
        list[Path],
        look("Picture, white where the style is taken from its file; give one for each --style, or none."),
    ] = field(default_factory=list)
    keep_colors: Annotated[bool, look("Style the brightness alone; the colors of IN stay.", "--keep-colors")] = (
        False
    )

    def choices(self) -> dict[str, Any]:
        return super().choices() | given(colors="content" if self.keep_colors else None)


@dataclass(frozen=True, kw_only=True)
class VideoOptions(ImageOptions):
    """Options of `volstyle video`."""

    content: Annotated[
        Path,
        Argument(
            metavar="IN",
            help="Clip to style: a file, a folder of numbered pictures, a pattern such as frames/%04d.png, or - "
            "for a stream on standard input.",
        ),
    ]
    style: Annotated[
        list[str],
        look(
            f"{STYLE_TEXT} With times, one style turns into the next: --style a.jpg@0s --style b.jpg@4s.",
            metavar="FILE[@WEIGHT][@TIME]",
        ),
    ]
    size: Annotated[int | None, size_of("video")] = None
    full_size: Annotated[
        bool,
        look(
            "Write the result at the full size of IN, with its fine detail, although it is optimized at --size.",
            "--full-size",
        ),
    ] = False
    start: Annotated[str | None, files("First moment of IN to style, as a time or a frame: 2s, 1:30 or 48f.")] = (
        None
    )
    end: Annotated[str | None, files("Moment of IN at which to stop: 2s, 1:30 or 48f.")] = None
    shots: Annotated[
        str,
        files(
            "Where IN cuts from one shot to the next: auto finds the cuts, none takes IN for one shot, FILE lists "
            "the first frame of each shot.",
            metavar="auto|none|FILE",
        ),
    ] = "auto"
    keep_going: Annotated[
        bool, files("Leave out damaged frames, and say so, instead of refusing IN.", "--keep-going")
    ] = False
    loop: Annotated[
        bool, look("Make the last frame lead into the first, for a clip that is played in a loop.", "--loop")
    ] = False
    flow: Annotated[
        str | None,
        look(
            "How motion between frames is found (optical flow): dis is quick (OpenCV), raft is a neural network "
            "(torchvision), FOLDER holds .flo files.",
            metavar="dis|raft|FOLDER",
        ),
    ] = None
    method: Annotated[
        Method,
        look(
            "optimize adjusts the frames themselves; learn first trains a small network on this clip, which then "
            "paints it at its full size; auto learns if the clip has 24 frames or more.",
        ),
    ] = Method.AUTO
    quality: Annotated[
        Quality,
        files("Encoding of the result: visual (no loss to be seen), lossless, or prores (for editing programs)."),
    ] = Quality.VISUAL

    @property
    def medium(self) -> str:
        return "video"

    def choices(self) -> dict[str, Any]:
        return super().choices() | {"temporal": given(loop=self.loop or None, flow=self.flow)}


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
    style: Annotated[
        list[str],
        look(
            f"{STYLE_TEXT} With axes, each style goes to the slices across one axis: --style xy.png@z --style "
            "xz.png@y --style yz.png@x.",
            metavar="FILE[@WEIGHT][@AXIS]",
        ),
    ]
    size: Annotated[int | None, size_of("volume")] = None
    shape: Annotated[
        str | None,
        look("Size of a solid texture that is made from the style alone; leave IN out.", metavar="Z,Y,X"),
    ] = None
    origin: Annotated[
        str | None,
        look(
            "With --shape, of a learned solid: where the part that is made begins in the endless solid, in "
            "samples. Default: 0,0,0.",
            metavar="Z,Y,X",
        ),
    ] = None
    phases: Annotated[
        str | None,
        look(
            "With --shape: make a solid of a few distinct materials (phases), in the same shares as in the style. "
            "auto makes each gray level of the style one; N groups its levels into N.",
            metavar="auto|N",
        ),
    ] = None
    periodic: Annotated[
        bool, look("Make opposite faces match, so that copies fit side by side; --phases does.", "--periodic")
    ] = False
    window: Annotated[
        str | None,
        look(
            "Intensities to style, the others stay: auto (all), lung, soft, bone, brain, or LO,HI in the units of "
            "IN.",
        ),
    ] = None
    mask: Annotated[
        Path | None, look("Volume on the same grid as IN; IN is styled only where the mask is not 0.")
    ] = None
    strength: Annotated[
        float | None,
        look("Share of the styled volume in the result, the rest is IN. Default: 1.", min=0, max=1),
    ] = None
    color: Annotated[bool, look("Write colors (red, green, blue) instead of gray.", "--color")] = False
    style_mode: Annotated[
        StyleMode | None,
        look(
            "How the network sees a volume: planes looks at slices along each axis, inflate extends its 2-D "
            "filters into 3-D, native takes a network made for 3-D. Default: planes.",
        ),
    ] = None
    style_size: Annotated[
        str | None,
        look("Physical length that the long side of the style stands for in IN, such as 40mm.", metavar="LENGTH"),
    ] = None
    turn: Annotated[
        Path | None, files("Also write a clip in which the result turns around.", metavar="FILE.mp4")
    ] = None

    @property
    def medium(self) -> str:
        return "volume"

    def choices(self) -> dict[str, Any]:
        found = super().choices()
        if self.style_mode is not None:
            found["network"] |= {"inflation": _INFLATIONS[self.style_mode]}
        found |= {"volume": given(window=self.window, color=self.color or None)}
        found |= {"solid": given(phases=self.phases)}
        found |= given(strength=self.strength, periodic=self.periodic or None)
        return found


@dataclass(frozen=True, kw_only=True)
class SignalOptions(StyleOptions):
    """Options of `volstyle signal`."""

    content: Annotated[
        Path | None,
        Argument(
            metavar="IN",
            help="Signal to style: WAV, FLAC, OGG, MP3, a clip with sound, CSV, TSV, npy, a DICOM waveform.",
        ),
    ] = None
    size: Annotated[int | None, look("A signal has no size to choose: refused.", hidden=True)] = None
    seconds: Annotated[
        float | None,
        look(
            "Length of a texture that is made from the style alone; leave IN out. Default: that of the style.",
            min=0,
        ),
    ] = None
    start: Annotated[str | None, files("Time of IN at which styling begins: 2s or 1:30.")] = None
    end: Annotated[str | None, files("Time of IN at which styling stops: 2s or 1:30.")] = None

    @property
    def medium(self) -> str:
        return "signal"
