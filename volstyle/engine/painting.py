"""A style that was learned: a network for each stage, and what they make of a content in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from volstyle.engine.machine import Machine
from volstyle.engine.network_file import STYLE, generator_of
from volstyle.engine.schedule import stage_sizes
from volstyle.errors import InputError, nearest
from volstyle.grid.color import NOISE, Colors
from volstyle.grid.resample import fitted, resize
from volstyle.grid.tiles import plan
from volstyle.networks.generator import Painter, Plan, StageGenerator
from volstyle.networks.inflation import Placement
from volstyle.networks.weights import Weights

_TILE = 2**22
"""Samples of the largest tile that is painted at once."""


@dataclass(frozen=True)
class LearnedStage:
    """size: the long side it learned at, in samples. generator: its network."""

    size: int
    generator: StageGenerator


@dataclass(frozen=True)
class LearnedStyle:
    """stages: from coarse to fine. names: of the styles it knows. network: the extractor it learned with, as name
    and digest. ratio: from one stage to the next. colors: of each style, which contents are given before they are
    painted; () where contents keep theirs. digest: sha256 of its file, "" for one that is in no file."""

    stages: tuple[LearnedStage, ...]
    names: tuple[str, ...]
    network: str
    ratio: float
    colors: tuple[Colors, ...] = ()
    digest: str = ""

    @property
    def plan(self) -> Plan:
        """How its first network is built, whose axes, channels and styles are those of all."""
        return self.stages[0].generator.plan

    def shares(self, weights: Mapping[str, float]) -> Tensor:
        """(S,), how much of each style, with a sum of 1. weights: name -> weight. Raises InputError."""
        for name in weights:
            if name not in self.names:
                raise InputError(f"learned style: no style {name!r} in it; {nearest(name, self.names)}")
        found = torch.tensor([float(weights.get(name, 0.0)) for name in self.names])
        return found / found.sum()

    def brush(self, placement: Placement, shares: Tensor, machine: Machine) -> Brush:
        """It on the axes of a field, for a blend of its styles, on a device. shares: (S,), how much of each."""
        painters = tuple(
            stage.generator.painter(placement, shares).to(machine.device, machine.dtype) for stage in self.stages
        )
        colors = Colors.blended(self.colors, shares.tolist()) if self.colors else None
        return Brush(painters, tuple(stage.size for stage in self.stages), self.ratio, machine.device, colors)

    def save(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write it as safetensors. facts: more to be kept with it, as JSON. Raises OSError."""
        colors = {
            f"colors{number}.{name}": tensor
            for number, each in enumerate(self.colors)
            for name, tensor in {"mean": each.mean, "spread": each.spread}.items()
        }
        about = {
            "stages": [{"size": stage.size, "plan": asdict(stage.generator.plan)} for stage in self.stages],
            "names": self.names,
            "network": self.network,
            "ratio": self.ratio,
            **facts,
        }
        STYLE.save(path, [stage.generator for stage in self.stages], colors, about)

    @staticmethod
    def load(path: Path) -> LearnedStyle:
        """Raises InputError for a file that is no learned style, or one of another version."""
        return STYLE.load(path, _read)


@dataclass(frozen=True)
class Brush:
    """painters: of each stage, which learned at `sizes`. ratio: from one stage to the next. device: where it
    works. colors: which a content is given first; None leaves it its own."""

    painters: tuple[Painter, ...]
    sizes: tuple[int, ...]
    ratio: float
    device: torch.device
    colors: Colors | None = None

    def __call__(self, content: Tensor, size: int = 0, own: Colors | None = None) -> Tensor:
        """The styled content, (C, *S) in [0, 1] on the CPU. content: (C, *S) in [0, 1]. size: the long side of
        what is made; 0 is that of the content. own: the colors of what the content is a part of; None are its own.

        The content is given the colors of the style by a linear map, one for all of its samples, so that no
        network has to tell what colors it sees. Each stage takes it at its size and what the one before made, and
        is made by the network that learned nearest to that size, so that strokes have the size they were learned
        at. Raises ShapeError for other channels than those it learned with.
        """
        painted = self.painters[0].placement.own
        kept = tuple(axis not in painted for axis in range(content.dim() - 1))
        longest = size or max(size for size, keep in zip(content.shape[1:], kept, strict=True) if not keep)
        content = content if self.colors is None else self.colors.given_to(content, own, NOISE)
        made = content = content.to(self.device)
        for size, number in painted_at(longest, self.sizes, self.ratio):
            shape = fitted(tuple(content.shape[1:]), size, kept)
            seen = resize(content, shape).clamp_(0, 1)
            made = in_tiles(self.painters[number], seen, resize(made, shape).clamp_(0, 1)).clamp_(0, 1)
        return made.cpu()


def painted_at(longest: int, learned: Sequence[int], ratio: float) -> tuple[tuple[int, int], ...]:
    """The long side of each stage in which a content is painted, and the number of the network that paints it: the
    one that learned nearest to it.

    Stages end with the content's own size, and begin with the one nearest to the size of the first network.
    longest: the content's long side. learned: the sizes at which networks learned.
    """
    smallest = math.floor(learned[0] * math.sqrt(ratio))
    return tuple(
        (size, min(range(len(learned)), key=lambda number: apart(learned[number], size)))
        for size in stage_sizes(longest, smallest, ratio)
    )


def _read(about: Mapping[str, Any], weights: Weights) -> LearnedStyle:
    stages = tuple(
        LearnedStage(int(stage["size"]), generator_of(stage["plan"], weights.tensors, number))
        for number, stage in enumerate(about["stages"])
    )
    names = tuple(str(name) for name in about["names"])
    plans = [stage.generator.plan for stage in stages]
    if len({(plan.axes, plan.channels, plan.styles) for plan in plans}) != 1 or plans[0].styles != len(names):
        raise ValueError("its stages and names disagree")
    ratio = float(about["ratio"])
    if not 1 < ratio < math.inf:
        raise ValueError(f"its ratio is {ratio:g}")
    colors = _colors(weights.tensors, len(names), plans[0].channels)
    return LearnedStyle(stages, names, str(about["network"]), ratio, colors, weights.digest)


def _colors(tensors: Mapping[str, Tensor], styles: int, channels: int) -> tuple[Colors, ...]:
    """The colors of each style from a file's tensors, if it has any. Raises ValueError or KeyError unless they are
    those of all styles."""
    if "colors0.mean" not in tensors:
        return ()
    found = []
    for number in range(styles):
        mean, spread = (tensors[f"colors{number}.{name}"].double() for name in ("mean", "spread"))
        if mean.shape != (channels,) or spread.shape != (channels, channels):
            raise ValueError(f"colors {number} are {tuple(spread.shape)}, must be {(channels, channels)}")
        found.append(Colors(mean, spread))
    return tuple(found)


def apart(a: int, b: int) -> float:
    """How many times one size is the other."""
    return max(a, b) / min(a, b)


@torch.no_grad()
def in_tiles(painter: Painter, content: Tensor, before: Tensor, most: int = _TILE) -> Tensor:
    """What a painter makes of a field, tile by tile where it is large: the same as at once, for a painter looks no
    further than its halo.

    content, before: (C, *S). most: samples of a tile's core."""
    shape = tuple(content.shape[1:])
    if content[0].numel() <= most:
        return painter(content, before)
    stride, halo = painter.cut
    side = max(round(most ** (1 / len(painter.placement.own))), max(stride))
    core = tuple(
        min(size, side // step * step) if axis in painter.placement.own else 1
        for axis, (size, step) in enumerate(zip(shape, stride, strict=True))
    )
    result = torch.empty_like(before)
    for tile in (tile for block in plan(shape, core, stride, halo) for tile in block.tiles):
        window = (slice(None), *tile.window)
        made = painter(content[window], before[window])
        result[(slice(None), *tile.core)] = made[(slice(None), *tile.core_in_window())]
    return result
