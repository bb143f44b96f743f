"""Every choice of a run, in one frozen value; TOML in and out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import tomli_w

from volstyle.errors import RecipeError
from volstyle.recipe.nested import assigned, merged, read_choices, updated_by

__all__ = [
    "AUTO",
    "ContentChoice",
    "LearnChoice",
    "NetworkChoice",
    "OptimizerChoice",
    "Recipe",
    "ScheduleChoice",
    "SeriesChoice",
    "SolidChoice",
    "StyleChoice",
    "TemporalChoice",
    "VolumeChoice",
    "assigned",
    "merged",
    "read_choices",
]

AUTO = "auto"

INITS = ("content", "noise")
"""What a run can start from that is no file."""


@dataclass(frozen=True)
class NetworkChoice:
    """Which network compares features, and how it lies on the axes of the field.

    name: one of those in `networks.registry`. weights: a file with the weights, "" for the usual place. pooling:
    how VGG pools, "max" or "average". inflation: how the network extends to axes of the field that it does not
    have: "center" takes slice by slice, "mean" couples neighbors, "planes" looks at the slices along each axis,
    each with targets of its own, "native" takes a network that has all axes of the field itself (`builtin3d` in
    place of `builtin` on three axes).
    """

    name: str = "vgg19"
    weights: str = ""
    pooling: str = "max"
    inflation: str = "center"


@dataclass(frozen=True)
class ContentChoice:
    """How the content is kept.

    weight: α, the weight of the content. taps: tap -> λ, its weight; empty is the network's own choice. fine_taps:
    the taps of fine stages (see `ScheduleChoice`); empty is `taps` where those are given, else the network's own
    choice.
    """

    weight: float = 0.15
    taps: dict[str, float] = field(default_factory=dict, hash=False)
    fine_taps: dict[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class StyleChoice:
    """How the style is measured.

    weight: β, the weight of the style. taps, fine_taps: as for the content. statistic: gram, moments or w2; see
    `loss.statistics`.

    frames: how many frames of a clip, or slices of a volume, share statistics: 1 measures each for itself, 0 all
    together. A network that is coarse in time takes the next multiple of the frames that one of its features owns.
    scale: the size of the style relative to the content; 0.5 makes its strokes half as large.
    share: which share of the slices of a volume is looked at in each step, of those along each axis; but never
    fewer than 16, if frames is 1. Only the optimizers adam and gd can do with less than 1.
    own_size: whether scale is relative to the style's own samples instead: at 1 a sample of the style is as large
    as one of the content, as for sections of a material.
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
    """How a clip is held together along its motion.

    weight: the weight of the term that does so; 0 leaves each frame to itself. At 1 the warping error of a filmed
    clip is about the content's own; at 2 it is below it, and pictures begin to blur: measured by
    tests/benchmarks/coherence.py. smoothing: how much of its neighbor's gradient a frame takes along the motion,
    in steps of adam and gd; see `motion.links.along_motion`. window: how many frames of a long shot are optimized
    together, which memory grows with; 0 is all. loop: whether the last frame is followed by the first. flow: how
    motion is found: dis, raft, raft_small, or a folder of .flo files. flow_weights: a file with the weights of
    RAFT, "" for the usual place.
    """

    weight: float = 1.0
    smoothing: float = 0.9
    window: int = 48
    loop: bool = False
    flow: str = "dis"
    flow_weights: str = ""


@dataclass(frozen=True)
class VolumeChoice:
    """Which samples of a volume are styled, and what is written.

    window: the intensities that are styled: auto, lung, soft, bone, brain, or "LO,HI" in the file's units. color:
    whether red, green and blue are written instead of gray.
    """

    window: str = AUTO
    color: bool = False


@dataclass(frozen=True)
class SolidChoice:
    """What makes a solid behave as its sections do, besides looking like them; see `loss.solid_terms`.

    phases: none, auto (each gray level of the sections is a phase), or how many phases there are; the result then
    has the levels of the phases and no others, in the same shares as the sections. two_point, values, variation:
    the weights of the terms, 0 for none. lags: up to which distance two points are compared, in samples, at most
    half of a section.
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

    autocorrelation, quantiles: the weights of the terms, 0 for none. lags: how far the autocorrelation reaches, in
    samples, at most half of the style.
    """

    autocorrelation: float = 0.0
    quantiles: float = 0.0
    lags: int = 4096


@dataclass(frozen=True)
class ScheduleChoice:
    """The stages of a run, from coarse to fine. Sizes are long sides, in samples.

    smallest: the size of the first stage at most. largest: the size of the last one at most, 0 for the content's
    own. ratio: how many times larger each stage is than the one before it. steps: how many steps the last stage
    takes. growth: how many times more steps each coarser stage takes, where a step costs less. fine_above: stages
    larger than this, except the first, are fine: they read the fine taps alone, since coarse stages have decided
    the composition; 0 makes no stage fine. full_above: a content larger than this is first styled at this size,
    and then brought up to its own by stages that double it, with `full_steps` steps each, which add the brush to a
    picture that is done; 0 is never. stages: how many there are at most; the coarsest are left out.
    """

    smallest: int = 96
    largest: int = 0
    ratio: float = 1.5
    steps: int = 50
    growth: float = 1.3
    fine_above: int = 240
    full_above: int = 512
    full_steps: int = 8
    stages: int = 16


@dataclass(frozen=True)
class LearnChoice:
    """How a style is learned: for each stage a network is trained that makes in one pass what would else be
    optimized. Sizes are long sides, in samples.

    smallest: the size of the first stage at most. ratio: how many times larger each stage is than the one before
    it. steps: how many training steps a stage takes at most; the first one takes twice as many, but not that of a
    solid. largest: the size of the last stage at most; larger contents are painted at their own size by its
    network. rate: the step size of the training. examples: how many pieces of the contents each stage learns
    from. others: the share of pictures made by formula, beside the contents, in all that a stage no larger than
    crop learns from; with some of them the style holds for what was not shown, with none it is best on what was.
    crop: the size of a piece at most. nearness: the weight with which a finer stage keeps what the one before it
    composed. steadiness: how hard a finer stage is held together along a clip's motion, beside the first one.
    carry: how much of a painted frame is the frame before it, carried along the motion.
    """

    smallest: int = 120
    largest: int = 1280
    ratio: float = 2.25
    steps: int = 600
    rate: float = 0.002
    examples: int = 96
    others: float = 0.0
    crop: int = 256
    nearness: float = 1.0
    steadiness: float = 0.25
    carry: float = 0.9


@dataclass(frozen=True)
class OptimizerChoice:
    """What takes the steps. name: adam, lbfgs or gd (gradient descent). rate: the step size of adam and gd."""

    name: str = "adam"
    rate: float = 0.03


@dataclass(frozen=True)
class Recipe:
    """Every choice of a run.

    scaling: how costs are scaled, relative or gatys; see `loss.terms`. smoothness: the weight of squared total
    variation, which counts changes of color most. strength: the share of the result in what is written; the rest
    is the content. periodic: whether opposite ends meet, so that copies fit side by side. init: what the
    optimization starts from, "content", "noise", or a file. A lesson, which optimizes networks, starts from ones
    that give the content back ("content"), or from those of a learned style. colors: "style", or "content" to keep
    the content's. device: auto, cpu, cuda, mps. precision: auto, float32, bfloat16. memory: how much memory
    activations may take ("4GB"), or auto. seed: the seed of noise and of random filters.
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
        """The recipe as the text of a file that a person can edit; `from_toml` reads it back."""
        return tomli_w.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_toml(text: str) -> Recipe:
        """The recipe that a text says; keys that are missing keep their defaults. Raises RecipeError, which names
        the nearest key for one that is unknown."""
        return Recipe().updated(read_choices(text))

    def updated(self, values: Mapping[str, Any]) -> Recipe:
        """This recipe with some values replaced, nested as in the TOML. Raises RecipeError."""
        updated: Recipe = updated_by(values, self, _RENAMED)
        return updated

    def check(self) -> None:
        """Raise RecipeError for a number that is out of its range."""
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
        if self.learn.others > 0.9:
            raise RecipeError(f"recipe: learn.others is {self.learn.others}, must be from 0 to 0.9")
        for key in ("content.taps", "style.taps"):
            taps = attrgetter(key)(self)
            if taps and not (min(taps.values()) >= 0 and 0 < sum(taps.values()) < math.inf):
                raise RecipeError(f"recipe: {key} is {taps}, weights must be finite, at least 0, and not all 0")
        if not 0 < self.style.share <= 1:
            raise RecipeError(f"recipe: style.share is {self.style.share}, must be above 0 and at most 1")
        if self.style.share < 1 and self.optimizer.name == "lbfgs":
            raise RecipeError(
                f"recipe: style.share is {self.style.share}, but lbfgs must look at all slices in each step; "
                "set style.share=1, or optimizer.name=adam"
            )
        if not (self.content.weight or self.style.weight or self.solid.weights):
            raise RecipeError("recipe: content.weight and style.weight are both 0, one must be above")

    def set(self, assignment: str) -> Recipe:
        """This recipe with one value replaced, as "schedule.steps=300" says. Raises RecipeError."""
        return self.updated(assigned(assignment))


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
    "schedule.stages": 1,
    "schedule.fine_above": 0,
    "learn.smallest": 16,
    "learn.largest": 16,
    "learn.steps": 1,
    "learn.examples": 1,
    "learn.others": 0,
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
