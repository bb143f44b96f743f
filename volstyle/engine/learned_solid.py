"""A solid that was learned as a file: its networks, and what its samples stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from volstyle.engine.endless import EndlessSolid
from volstyle.engine.network_file import SOLID, generator_of
from volstyle.grid.phases import Phases
from volstyle.grid.tiles import Box
from volstyle.networks.generator import StageGenerator
from volstyle.networks.weights import Weights


@dataclass(frozen=True)
class Material:
    """How samples of a solid become numbers of the sections.

    low, high: what 0 and 1 are, in their units. phases: those of the material, None for a solid in gray or colors.
    nearer: (P,), by how much each phase is brought nearer to samples, so that all of an endless solid has the
    shares. stored: numpy's name of the type in which the sections hold their numbers, "" for pictures.
    """

    low: float = 0.0
    high: float = 1.0
    phases: Phases | None = None
    nearer: Tensor | None = None
    stored: str = ""

    def told(self, samples: Tensor) -> Tensor:
        """Samples (C, *S), held to [0, 1], in the units of the sections; where there are phases, their levels
        (1, *S)."""
        if self.phases is not None and self.nearer is not None:
            samples = self.phases.cut(samples, self.nearer)
        else:
            samples = samples.clamp(0, 1)
        return samples * (self.high - self.low) + self.low


@dataclass(frozen=True)
class LearnedSolid:
    """generators: of each stage, coarse to fine, each on a grid twice as fine as the one before. names: of the
    sections. network: what it learned with. digest: sha256 of its file, "" for one that is in no file."""

    generators: tuple[StageGenerator, ...]
    names: tuple[str, ...]
    network: str
    material: Material
    digest: str = ""

    @property
    def channels(self) -> int:
        """How many channels a part has that is written: one where there are phases."""
        return self.generators[0].plan.channels if self.material.phases is None else 1

    def told(self, solid: EndlessSolid, box: Box) -> Iterator[tuple[Box, Tensor]]:
        """A part of a solid that these networks make, in pieces: where each lies in the box, and its samples in
        the units of the sections, (C, *S)."""
        return ((place, self.material.told(made.cpu())) for place, made in solid.pieces(box))

    def save(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write it as safetensors. facts: more to be kept with it, as JSON. Raises OSError."""
        material, tensors = self.material, {}
        if material.phases is not None and material.nearer is not None:
            levels, shares = material.phases.levels, material.phases.shares
            tensors = {"phases.levels": levels, "phases.shares": shares, "phases.nearer": material.nearer}
        about = {
            "stages": [asdict(generator.plan) for generator in self.generators],
            "names": self.names,
            "network": self.network,
            "units": [material.low, material.high],
            "stored": material.stored,
            **facts,
        }
        SOLID.save(path, self.generators, tensors, about)

    @staticmethod
    def load(path: Path) -> LearnedSolid:
        """Raises InputError for a file that is no learned solid, or one of another version."""
        return SOLID.load(path, _read)


def is_solid(path: Path) -> bool:
    """Whether a file of networks makes a solid. Raises InputError for a file that holds no tensors."""
    return SOLID.holds(path)


def _read(about: Mapping[str, Any], weights: Weights) -> LearnedSolid:
    generators = tuple(generator_of(plan, weights.tensors, number) for number, plan in enumerate(about["stages"]))
    if len({(g.plan.axes, g.plan.channels, g.plan.styles) for g in generators}) != 1:
        raise ValueError("its stages disagree")
    low, high = (float(end) for end in about["units"])
    phases = nearer = None
    if "phases.levels" in weights.tensors:
        levels, shares, nearer = (weights.tensors[f"phases.{n}"] for n in ("levels", "shares", "nearer"))
        if not levels.shape == shares.shape == nearer.shape:
            raise ValueError("its phases disagree")
        phases = Phases(levels, shares)
    stored = str(about["stored"])
    if not low < high or (stored and np.dtype(stored).kind not in "uif"):
        raise ValueError(f"its samples are from {low} to {high}, as {stored}")
    names = tuple(str(name) for name in about["names"])
    material = Material(low, high, phases, nearer, stored)
    return LearnedSolid(generators, names, str(about["network"]), material, weights.digest)
