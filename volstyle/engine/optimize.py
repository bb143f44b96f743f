"""The optimization loop of one stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from volstyle.engine.blockwise import Evaluation
from volstyle.errors import RecipeError, nearest
from volstyle.grid.resample import resize

OPTIMIZERS = ("adam", "lbfgs", "gd")

Watch = Callable[[int, Mapping[str, float], Tensor], bool]
"""Called after each step with its number (from 1), the costs before it and the samples; True asks to stop."""


@dataclass(frozen=True)
class Momentum:
    """What Adam carries from one stage to the next: the means of gradients and of their squares, (C, *S), and
    how many steps they have seen."""

    first: Tensor
    second: Tensor
    steps: int

    def to(self, device: torch.device) -> Momentum:
        return replace(self, first=self.first.to(device), second=self.second.to(device))

    def resized(self, shape: tuple[int, ...]) -> Momentum:
        """On another grid, as if it had been gathered there: costs are means over positions, so a finer grid has
        smaller gradients. Squares are interpolated without overshoot: one near 0 would be a step of any size, and
        a speck in the result."""
        share = self.first[0].numel() / prod(shape)
        first = resize(self.first, shape) * share
        return replace(self, first=first, second=resize(self.second, shape, kind="linear") * share**2)


@dataclass(frozen=True)
class Optimized:
    """samples: (C, *S). momentum: for the next stage, if the optimizer has any. stopped: whether a watch asked to
    stop."""

    samples: Tensor
    momentum: Momentum | None = None
    stopped: bool = False


def _as_it_is(gradient: Tensor) -> Tensor:
    return gradient


def optimize(
    samples: Tensor,
    evaluate: Callable[[Tensor], Evaluation],
    *,
    optimizer: str,
    steps: int,
    rate: float,
    watch: Watch,
    momentum: Momentum | None = None,
    smooth: Callable[[Tensor], Tensor] = _as_it_is,
) -> Optimized:
    """Minimize from samples (C, *S) in [0, 1] by `optimizer`, in `steps` steps of size `rate`.

    smooth: what a step is made of instead of the gradient; not with L-BFGS, which finds curvature in it.
    Raises RecipeError for an unknown optimizer.
    """
    if optimizer == "adam":
        return _adam(samples, evaluate, steps, rate, watch, momentum, smooth)
    if optimizer == "lbfgs":
        return _lbfgs(samples, evaluate, steps, watch)
    if optimizer == "gd":
        return _gradient_descent(samples, evaluate, steps, rate, watch, smooth)
    raise RecipeError(f"optimizer: {optimizer!r} is unknown; {nearest(optimizer, OPTIMIZERS)}")


def _adam(
    samples: Tensor,
    evaluate: Callable[[Tensor], Evaluation],
    steps: int,
    rate: float,
    watch: Watch,
    momentum: Momentum | None,
    smooth: Callable[[Tensor], Tensor],
) -> Optimized:
    """Adam (Kingma & Ba 2015) with betas 0.9 and 0.99, clamped to [0, 1] at each step.

    The step size falls to 0 by half a cosine in each stage: a constant one leaves a grain of its own size on every
    sample, which crowsonkb/style-transfer-pytorch averages away over hundreds of steps that we do not take.
    """
    samples = samples.clone()
    zero = torch.zeros_like(samples)
    momentum = momentum or Momentum(zero, zero, 0)
    first, second, seen = momentum.first.clone(), momentum.second.clone(), momentum.steps
    stopped = False
    for step in range(1, steps + 1):
        found = evaluate(samples)
        slope = smooth(found.gradient)
        seen += 1
        first.lerp_(slope, 1 - 0.9)
        second.mul_(0.99).addcmul_(slope, slope, value=1 - 0.99)
        spread = (second / (1 - 0.99**seen)).sqrt_().add_(1e-12)
        now = rate * (1 + math.cos(math.pi * (step - 1) / steps)) / 2
        samples.addcdiv_(first, spread, value=-now / (1 - 0.9**seen)).clamp_(0, 1)
        stopped = watch(step, found.costs, samples)
        if stopped:
            break
    return Optimized(samples, Momentum(first, second, seen), stopped)


def _lbfgs(samples: Tensor, evaluate: Callable[[Tensor], Evaluation], steps: int, watch: Watch) -> Optimized:
    """L-BFGS with a history of 10 and a strong Wolfe line search; a step is an evaluation."""
    point = samples.clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [point],
        max_iter=steps,
        max_eval=steps,
        history_size=10,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )
    step = 0

    def closure() -> float:
        nonlocal step
        found = evaluate(point.detach())
        point.grad = found.gradient
        step += 1
        if watch(step, found.costs, point.detach()):
            raise _StopAskedError
        return found.cost

    try:
        solver.step(closure)  # type: ignore[no-untyped-call]
    except _StopAskedError:
        return Optimized(point.detach().clamp(0, 1), stopped=True)
    return Optimized(point.detach().clamp(0, 1))


class _StopAskedError(Exception):
    """The way out of a solver that knows none."""


def _gradient_descent(
    samples: Tensor,
    evaluate: Callable[[Tensor], Evaluation],
    steps: int,
    rate: float,
    watch: Watch,
    smooth: Callable[[Tensor], Tensor],
) -> Optimized:
    """G := G − rate · ∂J/∂G, as the textbook tells it; with "relative" costs, rates are of order 10⁴."""
    samples = samples.clone()
    stopped = False
    for step in range(1, steps + 1):
        found = evaluate(samples)
        samples.sub_(smooth(found.gradient), alpha=rate).clamp_(0, 1)
        stopped = watch(step, found.costs, samples)
        if stopped:
            break
    return Optimized(samples, stopped=stopped)
