"""Terms that hold in the mean over many pieces of what a network makes, and not in each piece.

A piece of a rock has more pores or fewer than the rock. Were each piece to have as many as all of it, nothing
would be learned but to fill some pores and open others: the cost of real pieces of 56³ is up to seven times that
of the smallest. What is to be right is the mean of what a term measures over all pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from volstyle.loss.objective import Objective
from volstyle.loss.terms import SampleTerm


@runtime_checkable
class Measuring(Protocol):
    """A term of samples whose cost is that of what it measures of them, a mean over places."""

    def measure(self, samples: Tensor) -> tuple[Tensor, ...]: ...

    def cost(self, measured: Sequence[Tensor]) -> Tensor: ...


@dataclass(frozen=True)
class MeanTerm:
    """The cost of the mean of what a term measures over a piece and those before it, in which each counts less the
    older it is; its gradient is that of a piece's part in the mean, as large as if it were all of it.

    before: the mean over earlier pieces, () for none. share: of a piece in the mean. told: where the mean is put.
    """

    term: Measuring
    before: tuple[Tensor, ...]
    share: float
    told: list[Tensor]

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost at samples (C, *S); its gradient is added to gradient."""
        leaf = samples.detach().requires_grad_()
        found = self.term.measure(leaf)
        now = [each.detach().clone() for each in found]
        if self.before:
            now = [mean.to(each).lerp(each, self.share) for mean, each in zip(self.before, now, strict=True)]
        self.told[:] = now
        means = [mean.clone().requires_grad_() for mean in now]
        cost = self.term.cost(means)
        slopes = torch.autograd.grad(cost, means)
        (slope,) = torch.autograd.grad(found, leaf, slopes)
        gradient += slope
        return float(cost.detach())


def in_the_mean(
    objective: Objective, means: Mapping[str, Tensor], share: float
) -> tuple[Objective, Mapping[str, list[Tensor]]]:
    """An objective whose terms of samples hold in the mean, where they can, and where the means are put, by the
    terms' names. means: those over earlier pieces, as `named` gives them."""
    terms: dict[str, SampleTerm] = {}
    told: dict[str, list[Tensor]] = {}
    for name, term in objective.sample_terms.items():
        terms[name] = term
        if isinstance(term, Measuring):
            count = sum(key.rpartition(".")[0] == name for key in means)
            told[name] = []
            terms[name] = MeanTerm(term, tuple(means[f"{name}.{n}"] for n in range(count)), share, told[name])
    return replace(objective, sample_terms=terms), told


def named(told: Mapping[str, Sequence[Tensor]]) -> dict[str, Tensor]:
    """Means by the names of their terms and a number, as a file keeps them."""
    return {f"{name}.{number}": mean for name, found in told.items() for number, mean in enumerate(found)}
