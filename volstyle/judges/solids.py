"""How a solid behaves, beside the sections that it was made from and beside a real volume.

One phase is looked at: the pores of a rock, the particles of an electrode. What a plane shows of a volume is
measured in both: its share, how likely two points are both in it, and whole lines, and its surface from the two.
What a plane cannot show, whether the phase hangs together, is measured beside a real volume alone.

Lines and percolation are measured by porespy, tortuosity by taufactor (extra `solids`), the Euler number by
scikit-image. porespy's two-point correlation is the mean of all directions, so that those of the axes are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.errors import InputError, VolstyleError
from volstyle.grid.field import Field
from volstyle.grid.phases import Phases
from volstyle.loss.solid_terms import correlations

AXES = ("z", "y", "x")
REACH = 100
"""Samples up to which two points are compared; at most half of the shortest side."""

_BLOCK = 400**3
"""Samples of a real volume that are measured at most: larger ones take more memory than most machines have."""

_LINES = (256, 256, 256)
"""The sides, in samples, of the block in which lines are followed. A sample takes eight bytes and more there."""


@dataclass(frozen=True)
class Measured:
    """What a material shows of one phase.

    shares: of all phases, their levels ascending. surface: area per volume, in 1 / sample, if the solid has no
    direction: 4 times how much S₂ falls from 0 to 1, which a plane shows as well as a volume (Debye et al. 1957);
    meshes of marching cubes have some 8 % more. two_points: axis -> (R,), the probability that two points r apart
    along it are both of the phase. lines: axis -> (R,), that all points between them are too. euler: the Euler
    number of the phase, whose samples hang together by their faces, per million samples. percolates: axis ->
    whether it joins both ends. tortuosity: axis -> the factor by which it slows diffusion, infinite where it does
    not percolate, and no number where the solver finds none. A section has none of the last three.
    """

    shares: tuple[float, ...]
    surface: float
    two_points: Mapping[str, Tensor]
    lines: Mapping[str, Tensor]
    euler: float | None = None
    percolates: Mapping[str, bool] | None = None
    tortuosity: Mapping[str, float] | None = None


@dataclass(frozen=True)
class SolidVerdict:
    """levels: of the solid's phases, ascending. phase: the number of the one that was measured. real: None where
    no real volume was given."""

    levels: tuple[float, ...]
    phase: int
    solid: Measured
    sections: Measured
    real: Measured | None


def judge_solid(
    solid: Field,
    sections: Sequence[tuple[int | None, Field]],
    real: Field | None = None,
    *,
    phases: str = "auto",
    phase: float | None = None,
    tortuosity: bool = True,
    on_solve: Callable[[str], object] = lambda _: None,
) -> SolidVerdict:
    """Measure a phase of a solid (z, y, x), of its sections and of a real volume.

    sections: each with the axis that it lies across, None for all. Levels of one material may be other numbers in
    each: the lowest stands for the lowest. phases: how many there are, "auto" for one for each level. phase: its
    level in the solid, the lowest if not given. tortuosity: whether to solve for it, which takes the longest.
    on_solve: called before each solution with what it is of: "the solid along z".

    Raises InputError for what has other axes, or another number of phases; VolstyleError without the extra.
    """
    check_extra()
    for name, field in (("the solid", solid), *(() if real is None else (("the real volume", real),))):
        if tuple(axis.name for axis in field.axes) != AXES:
            have = ", ".join(axis.name for axis in field.axes)
            raise InputError(f"{name}: has axes {have}, must have z, y, x")
    if real is not None and math.prod(real.shape) > _BLOCK:
        real = block(real, tuple(min(side, 400) for side in real.shape))
    found = Phases.of(phases, [solid.samples[:1]], ["the solid"])
    number = _number(found, phase)
    flat = [_labels(phases, field, "a section", len(found.levels)) for _, field in sections]
    planes = {
        axis: [labels for (across, _), labels in zip(sections, flat, strict=True) if across in (None, axis)]
        for axis in range(3)
    }
    whole = None if real is None else _labels(phases, real, "the real volume", len(found.levels))
    sides = [solid.shape, *(labels.shape for labels in flat), *(() if whole is None else (whole.shape,))]
    reach = min(REACH, min(map(min, sides)) // 2)
    count = len(found.levels)

    def solves(name: str) -> Callable[[str], object] | None:
        return (lambda axis: on_solve(f"{name} along {axis}")) if tortuosity else None

    return SolidVerdict(
        tuple(found.levels.tolist()),
        number,
        _measured(found.labels_of(solid.samples[0]), None, number, count, reach, solves("the solid")),
        _measured_sections(planes, number, count, reach),
        None if whole is None else _measured(whole, solid.shape, number, count, reach, solves("the real volume")),
    )


def apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, float]:
    """Axis -> mean absolute difference of two curves."""
    return {axis: float((one[axis] - other[axis]).abs().mean()) for axis in one if axis in other}


def block(field: Field, shape: Sequence[int]) -> Field:
    """The middle of a field, at most of this shape."""
    return Field(_middle(field.samples, shape).contiguous(), field.axes)


def check_extra() -> None:
    """Raises VolstyleError where the extra is not installed. It is not imported yet, which takes seconds."""
    for name in ("porespy", "skimage", "taufactor"):
        if find_spec(name) is None:
            raise VolstyleError(
                f"solids: {name} is not installed, which measures them; pip install 'volstyle[solids]'"
            )


def _from(module: str, name: str) -> Any:
    """What a module of the extra calls by a name. Raises VolstyleError where it, or what it needs, is missing."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise VolstyleError(
            f"solids: {module} cannot be imported ({error}); pip install 'volstyle[solids]'"
        ) from error


def _number(phases: Phases, level: float | None) -> int:
    if level is None:
        return 0
    levels = phases.levels.tolist()
    if level not in levels:
        raise InputError(f"phase: no sample is {level:g}; there are {', '.join(f'{one:g}' for one in levels)}")
    return levels.index(level)


def _labels(text: str, field: Field, name: str, count: int) -> Tensor:
    """(*S), the number of each sample's phase."""
    found = Phases.of(text, [field.samples[:1]], [name])
    if len(found.levels) != count:
        raise InputError(f"{name}: {len(found.levels)} phases, the solid has {count}; give --phases {count}")
    return found.labels_of(field.samples[0])


def _middle(samples: Tensor, shape: Sequence[int]) -> Tensor:
    for axis, size in enumerate(shape, start=samples.dim() - len(shape)):
        have = samples.shape[axis]
        samples = samples.narrow(axis, max(have - size, 0) // 2, min(size, have))
    return samples


def _measured(
    labels: Tensor,
    shape: tuple[int, ...] | None,
    number: int,
    count: int,
    reach: int,
    on_solve: Callable[[str], object] | None,
) -> Measured:
    """The behavior of a volume. shape: that of the block in its middle in which sizes are measured. on_solve:
    called with each axis before tortuosity along it; None for no tortuosity."""
    is_percolating = _from("porespy.metrics", "is_percolating")
    euler_number = _from("skimage.measure", "euler_number")
    there = labels == number
    inner: NDArray[Any] = (there if shape is None else _middle(there, shape)).numpy()
    percolates = {name: bool(is_percolating(inner, axis=axis)) for axis, name in enumerate(AXES)}
    curves = {name: _two_points(there, axis, reach) for axis, name in enumerate(AXES)}
    return Measured(
        _shares(labels, count),
        _surface(curves),
        curves,
        {name: _lines(_middle(there, _LINES).numpy(), axis, reach) for axis, name in enumerate(AXES)},
        float(euler_number(there.numpy(), connectivity=1)) / there.numel() * 1e6,
        percolates,
        None if on_solve is None else dict(_tortuosities(inner, percolates, on_solve)),
    )


def _measured_sections(planes: Mapping[int, Sequence[Tensor]], number: int, count: int, reach: int) -> Measured:
    """planes: axis -> labels (h, w) of the sections that lie across it."""
    every = [labels for found in planes.values() for labels in found]
    curves: dict[str, Tensor] = {}
    lines: dict[str, Tensor] = {}
    for axis, name in enumerate(AXES):
        seen = [(labels == number, along) for labels, along in _along(planes, axis)]
        curves[name] = torch.stack([_two_points(there, along, reach) for there, along in seen]).mean(0)
        lines[name] = torch.stack([_lines(there.numpy(), along, reach) for there, along in seen]).mean(0)
    shares = [_shares(labels, count) for labels in every]
    return Measured(tuple(map(fmean, zip(*shares, strict=True))), _surface(curves), curves, lines)


def _along(planes: Mapping[int, Sequence[Tensor]], axis: int) -> Iterator[tuple[Tensor, int]]:
    """Sections in which an axis of the solid can be followed, with the number that it has there."""
    for across, found in planes.items():
        if across != axis:
            own = [other for other in range(3) if other != across].index(axis)
            yield from ((labels, own) for labels in found)


def _shares(labels: Tensor, count: int) -> tuple[float, ...]:
    counts = torch.bincount(labels.flatten(), minlength=count)
    return tuple((counts / counts.sum()).tolist())


def _surface(two_points: Mapping[str, Tensor]) -> float:
    return fmean(4 * float(curve[0] - curve[1]) for curve in two_points.values())


def _two_points(there: Tensor, axis: int, reach: int) -> Tensor:
    """(reach,): S₂ of a phase along an axis, over all pairs there are."""
    planes = there.movedim(axis, -1)
    planes = planes.reshape(1, -1, *planes.shape[-2:])
    return correlations(planes.float(), (0, reach - 1))[0, 0]


def _lines(there: NDArray[Any], axis: int, reach: int) -> Tensor:
    """(reach,): the share of places for a line of r + 1 samples along an axis that lie in the phase as a whole
    (Lu & Torquato 1992)."""
    behind = _from("porespy.filters", "distance_transform_lin")(
        there, axis=axis, mode="forward"
    )  # samples of the phase up to this one
    counts = np.bincount(behind.ravel(), minlength=reach + 1)
    longer = counts[::-1].cumsum()[::-1][1 : reach + 1]
    places = there.size / there.shape[axis] * (there.shape[axis] - np.arange(reach))
    return torch.from_numpy(longer / places).float()


def _tortuosities(
    there: NDArray[Any], percolates: Mapping[str, bool], on_solve: Callable[[str], object]
) -> Iterator[tuple[str, float]]:
    for axis, (name, ends) in enumerate(percolates.items()):
        if not ends:
            yield name, math.inf
            continue
        on_solve(name)
        solver = _from("taufactor", "Solver")(np.moveaxis(there, axis, 0).astype(np.uint8), device="cpu")
        with redirect_stdout(StringIO()):  # where it would print that it has not converged
            found = float(np.ravel(solver.solve(verbose=False))[0])
        yield name, found if solver.converged else math.nan
