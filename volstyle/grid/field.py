"""Samples on a regular grid with named axes: a clip, a volume, an image, a signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, as_tensor, float32, iinfo
from torch import bool as bool_

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

    @staticmethod
    def of(
        array: Any,
        axes: str,
        step: float | Sequence[float] = 1.0,
        unit: str | Sequence[str] = "px",
    ) -> Field:
        """A field of an array or a tensor.

        axes: a letter for each dimension of the array, "c" for the one of channels, as in "yxc" for a picture or
        "zyx" for a gray volume. step, unit: one for all axes, or one for each but that of channels. Whole numbers
        in a picture or a clip are divided by the largest one of their type, so that they lie in [0, 1]; those in
        volumes and signals keep their values.

            Field.of(scan, "zyx", step=(3.0, 1.2, 1.2), unit="mm")

        Raises ShapeError when letters and dimensions disagree.
        """
        samples = as_tensor(array)
        names = axes.replace("c", "")
        if samples.dim() != len(axes) or axes.count("c") > 1 or len(set(axes)) < len(axes) or not names:
            raise ShapeError(
                f"field: axes {axes!r} for an array of shape {'x'.join(map(str, samples.shape))}; "
                "must be a letter for each dimension, as in 'yxc' or 'zyx'"
            )
        if not samples.is_floating_point():
            is_picture = names in ("yx", "tyx") and samples.dtype != bool_
            samples = samples / iinfo(samples.dtype).max if is_picture else samples.float()
        samples = samples.movedim(axes.index("c"), 0) if "c" in axes else samples[None]
        steps = (step,) * len(names) if isinstance(step, int | float) else tuple(step)
        units = (unit,) * len(names) if isinstance(unit, str) else tuple(unit)
        if not len(steps) == len(units) == len(names):
            raise ShapeError(f"field: {len(steps)} steps and {len(units)} units for axes {names!r}")
        named = tuple(map(Axis, names, map(float, steps), units))
        return Field(samples.float().contiguous().cpu(), named)

    def numpy(self) -> NDArray[Any]:
        """The samples as a new array: (*S, C), channels last, or (*S) where there is one channel."""
        samples = self.samples.detach().cpu()
        found: NDArray[Any] = (samples[0] if self.channels == 1 else samples.movedim(0, -1)).numpy().copy()
        return found

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
