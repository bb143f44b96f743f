"""Samples on a regular grid with named axes: a clip, a volume, an image, a signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, float32

from volstyle.errors import ShapeError


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: its name, the distance between two samples, and the unit of that distance."""

    name: str
    step: float = 1.0
    unit: str = "px"


@dataclass(frozen=True)
class Origin:
    """What a writer needs to put a result back where it came from; each codec extends it.

    path: the file the samples were read from, if any.
    """

    path: Path | None = None


@dataclass(frozen=True)
class Field:
    """Samples on a grid.

    samples: (C, *S) float32, one axis of S per entry of ``axes``. Pictures and clips hold R, G, B in [0, 1].
    axes: from the slowest to the fastest: ("y", "x") for an image, ("t", "y", "x") for a clip.
    origin: what the writer of the format needs besides the samples.

    Raises ShapeError when samples and axes disagree or the samples are not float32.
    """

    samples: Tensor
    axes: tuple[Axis, ...]
    origin: Origin = Origin()

    def __post_init__(self) -> None:
        if self.samples.dtype != float32:
            raise ShapeError(f"field: samples are {self.samples.dtype}, must be torch.float32")
        if self.samples.dim() != len(self.axes) + 1:
            raise ShapeError(
                f"field: samples have {self.samples.dim()} dimensions, "
                f"must be 1 (channels) + {len(self.axes)} axes ({', '.join(a.name for a in self.axes)})"
            )

    @property
    def channels(self) -> int:
        return self.samples.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples along each axis."""
        return tuple(self.samples.shape[1:])

    def with_samples(self, samples: Tensor) -> Field:
        """The same extent sampled anew: (C', *S') with as many axes; steps follow the new sizes."""
        if samples.dim() != self.samples.dim():
            raise ShapeError(f"field: samples have {samples.dim()} dimensions, must be {self.samples.dim()}")
        axes = tuple(
            axis if new == old else replace(axis, step=axis.step * old / new)
            for axis, old, new in zip(self.axes, self.shape, samples.shape[1:], strict=True)
        )
        return replace(self, samples=samples, axes=axes)
