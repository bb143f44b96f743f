"""The optimizers on a cost whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.engine.blockwise import Evaluation
from volstyle.engine.optimize import OPTIMIZERS, Momentum, Optimized, optimize
from volstyle.errors import RecipeError
from volstyle.grid.resample import resize

RATES = {"adam": 0.05, "lbfgs": 1.0, "gd": 0.1}
STEPS = {"adam": 300, "lbfgs": 30, "gd": 100}
GOAL = 0.2 + 0.6 * numbers(2, 5, 4, seed=3)
CURVATURE = 1 + 9 * numbers(2, 5, 4, seed=4)


def quadratic(samples: Tensor) -> Evaluation:
    """½ Σ c (x − goal)²."""
    apart = samples - GOAL
    return Evaluation({"half": float((CURVATURE * apart.square()).sum() / 2)}, CURVATURE * apart)


def run(
    optimizer: str,
    start: Tensor,
    steps: int | None = None,
    stop_at: int | None = None,
    momentum: Momentum | None = None,
) -> tuple[Optimized, list[float]]:
    costs: list[float] = []

    def watch(step: int, found: Mapping[str, float], samples: Tensor) -> bool:
        costs.append(found["half"])
        assert step == len(costs)
        assert samples.shape == start.shape
        return step == stop_at

    steps = steps or STEPS[optimizer]
    found = optimize(
        start, quadratic, optimizer=optimizer, steps=steps, rate=RATES[optimizer], watch=watch, momentum=momentum
    )
    return found, costs


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_minimum_is_found(optimizer: str) -> None:
    start = numbers(2, 5, 4, seed=5)
    before = start.clone()
    found, costs = run(optimizer, start)
    torch.testing.assert_close(found.samples, GOAL, rtol=0, atol=2e-3)
    assert costs[0] == pytest.approx(quadratic(start).cost)
    assert costs[-1] < 1e-3 * costs[0]
    assert torch.equal(start, before)
    assert not found.stopped


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_more_steps_than_asked(optimizer: str) -> None:
    assert len(run(optimizer, numbers(2, 5, 4, seed=5), steps=4)[1]) == 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_asked_to_stop_it_stops(optimizer: str) -> None:
    found, costs = run(optimizer, numbers(2, 5, 4, seed=5), steps=20, stop_at=3)
    assert found.stopped
    assert len(costs) == 3
    assert float(found.samples.min()) >= 0
    assert float(found.samples.max()) <= 1
    assert quadratic(found.samples).cost < costs[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_samples_stay_in_range(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.GOAL", torch.full((2, 5, 4), 1.5))
    found, _ = run(optimizer, numbers(2, 5, 4, seed=5))
    torch.testing.assert_close(found.samples, torch.ones(2, 5, 4), rtol=0, atol=1e-3)
    assert float(found.samples.max()) <= 1


def test_gradient_descent_is_the_textbooks() -> None:
    start = numbers(2, 5, 4, seed=5)
    found, _ = run("gd", start, steps=1)
    torch.testing.assert_close(found.samples, (start - 0.1 * CURVATURE * (start - GOAL)).clamp(0, 1))


def test_adam_is_torchs() -> None:
    """With its cosine; a second stage goes on with the momentum of the first, its step size anew."""
    start = 0.3 + 0.4 * numbers(2, 5, 4, seed=5)
    ours: list[Tensor] = []

    def watch(_: int, __: Mapping[str, float], samples: Tensor) -> bool:
        ours.append(samples.clone())
        return False

    def go(samples: Tensor, momentum: Momentum | None) -> Optimized:
        return optimize(samples, quadratic, optimizer="adam", steps=8, rate=0.01, watch=watch, momentum=momentum)

    once = go(start, None)
    assert once.momentum is not None
    kept = once.momentum.first.clone()
    twice = go(once.samples, once.momentum)
    assert torch.equal(once.momentum.first, kept)
    assert twice.momentum is not None and twice.momentum.steps == 16
    theirs = start.clone().requires_grad_()
    solver = torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.99), eps=1e-12)
    for step, expected in enumerate(ours):
        if step % 8 == 0:
            solver.param_groups[0] |= {"lr": 0.01, "initial_lr": 0.01}
            falling = torch.optim.lr_scheduler.CosineAnnealingLR(solver, T_max=8)
        theirs.grad = quadratic(theirs.detach()).gradient
        solver.step()
        falling.step()
        torch.testing.assert_close(expected, theirs.detach(), rtol=0, atol=1e-6)
    torch.testing.assert_close(twice.samples, ours[-1], rtol=0, atol=0)


def test_momentum_on_another_grid_is_as_if_gathered_there() -> None:
    """Costs are means, so twice as many samples have half the gradient each; squares never overshoot to 0."""
    spike = torch.full((1, 8), 0.5)
    spike[0, 4] = 1
    found = Momentum(-spike, spike, 7).resized((16,))
    assert found.first.shape == found.second.shape == (1, 16)
    assert found.steps == 7
    assert float(resize(spike, (16,)).min()) < 0.49  # cubic overshoots
    assert float(found.second.min()) == pytest.approx(0.5 / 4)
    assert float(found.first.mean()) == pytest.approx(-float(spike.mean()) / 2)
    assert torch.equal(found.resized((16,)).second, found.second)


@pytest.mark.parametrize("optimizer", ["lbfgs", "gd"])
def test_the_others_carry_nothing(optimizer: str) -> None:
    assert run(optimizer, numbers(2, 5, 4, seed=5), steps=2)[0].momentum is None


@pytest.mark.parametrize(("optimizer", "expected"), [("adam", True), ("gd", True), ("lbfgs", False)])
def test_steps_are_made_of_the_smoothed_gradient_but_those_of_lbfgs(optimizer: str, *, expected: bool) -> None:
    def go(smooth: Callable[[Tensor], Tensor]) -> Tensor:
        start = numbers(2, 5, 4, seed=5)
        settings = {"optimizer": optimizer, "steps": 3, "rate": 0.01}
        return optimize(start, quadratic, watch=lambda *_: False, smooth=smooth, **settings).samples  # type: ignore[arg-type]

    plain, flat = go(torch.clone), go(lambda gradient: gradient.mean(1, keepdim=True).expand_as(gradient))
    assert torch.equal(plain, flat) != expected


def test_an_unknown_optimizer() -> None:
    with pytest.raises(
        RecipeError, match=r"optimizer: 'adams' is unknown; did you mean 'adam'\? allowed: adam, gd"
    ):
        optimize(GOAL, quadratic, optimizer="adams", steps=1, rate=1, watch=lambda *_: False)
