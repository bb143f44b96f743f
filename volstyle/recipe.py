"""Every choice of a run, in one frozen value; TOML in and out."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, get_type_hints

import tomli_w

from volstyle.errors import RecipeError, nearest

AUTO = "auto"


@dataclass(frozen=True)
class NetworkChoice:
    """Which extractor, and how it lies on the field.

    name: see `networks.registry`. weights: a file instead of the usual place. pooling: how VGG pools. inflation:
    along axes the network does not have, "center" (slice by slice) or "mean" (couples neighbors); "planes" looks
    at the slices along each axis, each with targets of its own; "native" is a network with all axes of the field,
    for `builtin` on three of them `builtin3d`.
    """

    name: str = "vgg19"
    weights: str = ""
    pooling: str = "max"
    inflation: str = "center"


@dataclass(frozen=True)
class ContentChoice:
    """weight: α. taps: tap -> λ; empty is the network's own choice. fine_taps: the taps of fine stages (see
    `ScheduleChoice`); empty is `taps` where those are given, else the network's own choice."""

    weight: float = 0.15
    taps: dict[str, float] = field(default_factory=dict, hash=False)
    fine_taps: dict[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class StyleChoice:
    """weight: β. taps: tap -> λ; empty is the network's own choice. fine_taps: the taps of fine stages, as for the
    content.
    statistic: gram, moments or w2.

    frames: how many frames of a clip, or slices of a volume, share statistics; 1 is each for itself, 0 all. A
    network that is coarse in time takes the next multiple of the frames one of its features owns.
    scale: size of the style relative to the content; 0.5 makes its strokes half as large.
    share: of the groups of slices, or of frames, that are looked at in each step, at random; adam and gd alone.
    own_size: scale is relative to the style's own samples instead: at 1 a sample of the style is one of the
    content, as for sections of a material.
    """

    weight: float = 1.0
    taps: dict[str, float] = field(default_factory=dict, hash=False)
    fine_taps: dict[str, float] = field(default_factory=dict, hash=False)
    statistic: str = "moments"
    frames: int = 1
    scale: float = 1.0
    share: float = 1.0
    own_size: bool = False


@dataclass(frozen=True)
class TemporalChoice:
    """weight: of the term that holds a clip together along its motion; 0 leaves each frame to itself.

    At 1 the warping error of a filmed clip is about the content's own; at 2 it is below it, and pictures begin to
    blur: measured by tests/benchmarks/coherence.py. smoothing: how much of its neighbor's gradient a frame takes
    along the motion, in steps of adam and gd; see `motion.links.along_motion`. window: frames of a long shot that
    are optimized together, which is what memory grows with; 0 is all. loop: the last frame is followed by the
    first. flow: dis, raft, raft_small, or a folder of .flo files. flow_weights: a file for RAFT, instead of the
    usual place.
    """

    weight: float = 1.0
    smoothing: float = 0.9
    window: int = 48
    loop: bool = False
    flow: str = "dis"
    flow_weights: str = ""


@dataclass(frozen=True)
class VolumeChoice:
    """window: the intensities that are styled: auto, lung, soft, bone, brain, or "LO,HI" in the file's units.
    color: write R, G, B instead of gray.
    """

    window: str = AUTO
    color: bool = False


@dataclass(frozen=True)
class SolidChoice:
    """What makes a solid behave as its sections do, beside looking like them; see `loss.solid_terms`.

    phases: none, auto (each level of the sections is one), or how many there are; the result then has their levels
    and no others, in their shares. two_point, values, variation: weights of the terms, 0 for none. lags: of the
    two-point correlation, in samples, at most half of a section.
    """

    phases: str = "none"
    two_point: float = 0.0
    values: float = 0.0
    variation: float = 0.0
    lags: int = 32

    @property
    def weights(self) -> bool:
        """Whether there is a term of the samples."""
        return max(self.two_point, self.values, self.variation) > 0


@dataclass(frozen=True)
class SeriesChoice:
    """What makes a signal plausible and not just similar; see `loss.signal_terms`.

    autocorrelation, quantiles: weights of the terms, 0 for none. lags: of the autocorrelation, in samples, at most
    half of the style.
    """

    autocorrelation: float = 0.0
    quantiles: float = 0.0
    lags: int = 4096


@dataclass(frozen=True)
class ScheduleChoice:
    """Coarse to fine: stages of growing size.

    smallest: long side of the first stage at most. largest: of the last one at most, 0 for the content's own.
    ratio: from one stage to the next. steps: at the last stage; growth: how many times more at each coarser one,
    where they cost less. fine_above: stages with a longer side than this, but for the first, are
    fine: they read the fine taps alone, for coarse stages have decided the composition; 0 is none.
    full_above: what is larger than this is first made at this size, and then brought up to its own by stages that
    double it, of `full_steps` each: they add the brush to a picture that is done. 0 is none.
    """

    smallest: int = 96
    largest: int = 0
    ratio: float = 1.5
    steps: int = 50
    growth: float = 1.3
    fine_above: int = 240
    full_above: int = 512
    full_steps: int = 8


@dataclass(frozen=True)
class LearnChoice:
    """How a style is learned: a network for each stage makes in one pass what else is optimized.

    smallest: long side of the first stage at most. ratio: from one stage to the next. steps: of each stage at
    most, in the first one twice as many. largest: long side of the last stage at most; larger contents are painted
    at their own size by its network. rate: the step size. examples: pieces of the contents that each stage learns
    from. crop: their long side at most, in samples. nearness: weight with which a finer stage keeps what the one
    before it composed. steadiness: how much a finer stage is held together along a clip's motion, beside the
    first one. carry: how much of a frame that is painted is the one before it, carried along the motion.
    """

    smallest: int = 120
    largest: int = 1280
    ratio: float = 2.25
    steps: int = 1200
    rate: float = 0.002
    examples: int = 96
    crop: int = 256
    nearness: float = 1.0
    steadiness: float = 0.25
    carry: float = 0.8


@dataclass(frozen=True)
class OptimizerChoice:
    """name: adam, lbfgs or gd. rate: the step size of adam and gd."""

    name: str = "adam"
    rate: float = 0.03


@dataclass(frozen=True)
class Recipe:
    """Every choice of a run.

    scaling: relative or gatys. smoothness: weight of squared total variation, most of it of color. strength: share
    of the result in what is written, the rest is the content. periodic: opposite ends meet, so that copies fit
    side by side. init: what the optimization starts from, "content", "noise", or a file. colors: "style", or
    "content" to keep the content's. device: auto, cpu, cuda, mps. precision: auto, float32, bfloat16. memory:
    bytes for activations ("4GB"), or auto. seed: the seed of noise and random filters.
    """

    network: NetworkChoice = NetworkChoice()
    content: ContentChoice = ContentChoice()
    style: StyleChoice = StyleChoice()
    temporal: TemporalChoice = TemporalChoice()
    volume: VolumeChoice = VolumeChoice()
    solid: SolidChoice = SolidChoice()
    series: SeriesChoice = SeriesChoice()
    schedule: ScheduleChoice = ScheduleChoice()
    optimizer: OptimizerChoice = OptimizerChoice()
    learn: LearnChoice = LearnChoice()
    scaling: str = "relative"
    smoothness: float = 0.7
    strength: float = 1.0
    periodic: bool = False
    init: str = "content"
    colors: str = "style"
    device: str = AUTO
    precision: str = AUTO
    memory: str = AUTO
    seed: int = 0

    def to_toml(self) -> str:
        """As a file a person can edit; `from_toml` reads it back."""
        return tomli_w.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_toml(text: str) -> Recipe:
        """Keys that are missing keep their defaults. Raises RecipeError naming the nearest key for an unknown."""
        return Recipe().updated(read_choices(text))

    def updated(self, values: Mapping[str, Any]) -> Recipe:
        """With some values replaced, nested as in the TOML. Raises RecipeError."""
        updated: Recipe = _updated(self, values, "")
        return updated

    def check(self) -> None:
        """Raises RecipeError for numbers that cannot be meant."""
        for key, least in _LEAST.items():
            value = attrgetter(key)(self)
            if not least <= value < 2**63:
                raise RecipeError(f"recipe: {key} is {value}, must be at least {least} and below 2**63")
        for key, bound in _ABOVE.items():
            value = attrgetter(key)(self)
            if not bound < value < 2**63:
                raise RecipeError(f"recipe: {key} is {value}, must be above {bound} and below 2**63")
        if self.strength > 1:
            raise RecipeError(f"recipe: strength is {self.strength}, must be from 0 to 1")
        for key in ("temporal.smoothing", "learn.carry"):
            if attrgetter(key)(self) >= 1:
                raise RecipeError(f"recipe: {key} is {attrgetter(key)(self)}, must be at least 0 and below 1")
        for key in ("content.taps", "style.taps"):
            taps = attrgetter(key)(self)
            if taps and not (min(taps.values()) >= 0 and 0 < sum(taps.values()) < math.inf):
                raise RecipeError(f"recipe: {key} is {taps}, weights must be finite, at least 0, and not all 0")
        if not 0 < self.style.share <= 1:
            raise RecipeError(f"recipe: style.share is {self.style.share}, must be above 0 and at most 1")
        if self.style.share < 1 and self.optimizer.name == "lbfgs":
            raise RecipeError(
                "recipe: style.share is below 1, at which lbfgs finds no way; choose adam, or share 1"
            )
        if not (self.content.weight or self.style.weight or self.solid.weights):
            raise RecipeError("recipe: content.weight and style.weight are both 0, one must be above")

    def set(self, assignment: str) -> Recipe:
        """With one value replaced: "schedule.steps=300". Raises RecipeError."""
        return self.updated(assigned(assignment))


def read_choices(text: str) -> dict[str, Any]:
    """The choices in a file of TOML, nested; they need not be all there are. Raises RecipeError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe: not TOML ({error})") from error


def assigned(assignment: str) -> dict[str, Any]:
    """One choice, nested: "schedule.steps=300" is {"schedule": {"steps": 300}}. Raises RecipeError."""
    key, equals, text = assignment.partition("=")
    if not equals:
        raise RecipeError(f"set: {assignment!r} must be KEY=VALUE, as in schedule.steps=300")
    value: Any = text.strip()
    try:
        value = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        with suppress(ValueError):  # ".5" and "1e-3", which TOML does not take for numbers
            value = float(value)
    for part in reversed(key.strip().split(".")):
        value = {part: value}
    return dict(value)


def merged(*choices: Mapping[str, Any]) -> dict[str, Any]:
    """Nested choices as one; the last wins. A table of taps is replaced whole, not merged."""
    found: dict[str, Any] = {}
    for layer in choices:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
            found[key] = merged(found[key], value) if both and not key.endswith("taps") else value
    return found


def _updated(choice: Any, values: Mapping[str, Any], prefix: str) -> Any:
    hints = get_type_hints(type(choice))
    changes = {}
    for given, value in values.items():
        name = f"{prefix}{given}"
        key = _RENAMED.get(name, given)
        if key not in hints:
            raise RecipeError(f"recipe: no key {name!r}; {nearest(key, hints)}")
        if key in changes:
            raise RecipeError(f"recipe: {prefix}{key} is given twice, once by its old name; leave one out")
        changes[key] = _checked(getattr(choice, key), value, name, hints[key])
    return dataclasses.replace(choice, **changes)


def _checked(old: Any, value: Any, name: str, kind: type) -> Any:
    if dataclasses.is_dataclass(old):
        if not isinstance(value, Mapping):
            raise RecipeError(f"recipe: {name} is {value!r}, must be a table of keys")
        return _updated(old, value, f"{name}.")
    if isinstance(old, dict):
        if not isinstance(value, Mapping) or not all(_is_number(v) for v in value.values()):
            raise RecipeError(f"recipe: {name} is {value!r}, must be a table of taps and weights")
        return {str(tap): float(weight) for tap, weight in value.items()}
    if kind is float and _is_number(value):
        return float(value)
    if type(value) is not kind:
        raise RecipeError(f"recipe: {name} is {value!r}, must be {_KINDS[kind]}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}

_LEAST = {
    "content.weight": 0,
    "style.weight": 0,
    "style.frames": 0,
    "temporal.weight": 0,
    "temporal.smoothing": 0,
    "temporal.window": 0,
    "solid.two_point": 0,
    "solid.values": 0,
    "solid.variation": 0,
    "solid.lags": 1,
    "series.autocorrelation": 0,
    "series.quantiles": 0,
    "series.lags": 1,
    "smoothness": 0,
    "strength": 0,
    "schedule.smallest": 1,
    "schedule.largest": 0,
    "schedule.steps": 1,
    "schedule.fine_above": 0,
    "learn.smallest": 16,
    "learn.largest": 16,
    "learn.steps": 1,
    "learn.examples": 1,
    "learn.crop": 32,
    "learn.nearness": 0,
    "learn.steadiness": 0,
    "learn.carry": 0,
    "seed": 0,
}
_RENAMED = {"style.window": "frames"}
"""Keys of older recipes and records -> what they are called now, in the same table."""

_ABOVE = {
    "style.scale": 0,
    "schedule.ratio": 1,
    "schedule.growth": 0,
    "optimizer.rate": 0,
    "learn.ratio": 1,
    "learn.rate": 0,
}
