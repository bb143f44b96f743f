"""A stage's network fitted to examples, by the objective that samples are else optimized with.

What is minimized is the same J(G), evaluated in the same way; only that G is not free but made by a network of a
content. `evaluate` gives ∂J/∂G, and the network carries it into its weights; pictures and clips weigh alike,
however loud they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from volstyle.engine.blockwise import Evaluation, Plans, evaluate
from volstyle.engine.checkpoint import damaged, load_tensors, save_tensors
from volstyle.engine.outline import Outline
from volstyle.engine.targets import objective_of
from volstyle.engine.turns import turn
from volstyle.errors import RecipeError
from volstyle.grid.tiles import Box
from volstyle.loss.mean_terms import in_the_mean, named
from volstyle.loss.objective import Objective
from volstyle.loss.statistics import Sums
from volstyle.loss.temporal import TemporalTerm
from volstyle.loss.terms import NearnessTerm, PatternTerm
from volstyle.loss.weighed import weighed
from volstyle.motion.links import Link
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import Placement

_BETAS = (0.9, 0.99)
_WARM_UP = 20
"""Steps until the step size is whole."""

_FINER_RATE = 0.5
"""The step size in finer stages, as a share of that in the first: their pieces differ more from one another."""

_LAST_SHARE = 0.3
"""The share of all steps, the last ones, in which the step size falls to nothing."""

_FREE_SHARE = 0.5
"""The share of all steps, the first ones, over which the weight that holds a clip together grows to its whole.
Held from the first step on, a network finds that nothing moves less than a copy of what it is given, and paints no
more."""

_CHECK_SHARE = 0.05
"""The share of all steps between two looks at the examples that are not learned from."""

_IMPROVEMENT, _PATIENCE = 0.01, 3
"""When none of so many checks is better than the best before them by this share, the step size begins to fall."""

_BROKEN = 1.5
"""When a check costs so many times the best one before, learning has broken down: after steps that were too large,
units of a network fall silent for good. It goes back to the best check and takes steps half as large."""

_SLOWEST = 1 / 16
"""The least share of the step size that is asked for with which learning goes on after it broke down."""

_OUTSIDE = 10.0
"""How much it costs samples to lie outside of [0, 1], where they are cut off: the mean of the squared distances
times this."""

_PATTERN = 20.0
"""The weight of a pattern that repeats with the blocks a network works in. At 100 a network learns little else at
first, and paints less in the end."""

_FRESH = 0.1
"""The share of a piece in the means of what terms measure, where the same is asked of all pieces."""

_BLOCK = 4
"""Side of the blocks whose means a finer stage keeps, in samples."""


@dataclass(frozen=True)
class Example:
    """What a network is shown at once. content, before: (C, *S) in [0, 1], the content at the size of the stage
    and what the stage before made of it, which is the content itself in the first stage. links: how it moves, if
    it is a piece of a clip. style: the number of the one it is to take.
    variance: of the samples of what it is a piece of, which makes costs of a flat piece no larger than others.
    inner: of what is made, the samples that are looked at; () for all."""

    content: Tensor
    before: Tensor
    links: tuple[Link, ...] = ()
    style: int = 0
    variance: float = 1.0
    inner: Box = ()

    def to(self, device: torch.device) -> Example:
        links = tuple(link.to(device) for link in self.links)
        return replace(self, content=self.content.to(device), before=self.before.to(device), links=links)


@dataclass(frozen=True)
class Lesson:
    """What a stage's network is to learn.

    run: with the taps of the stage. targets: of each style, those of each view. examples: to learn from. checks:
    to see whether it still improves. placement: how the network lies on them. steps: at most. batch: examples in
    each. is_first: whether no stage comes before. given: what is minimized for all examples alike; None where it
    follows from each. as_seen: what a network makes, as it is looked at, (C, *S) each; None for as it is.
    """

    run: Outline
    targets: Sequence[Sequence[Mapping[str, Sums]]]
    examples: Sequence[Example]
    checks: Sequence[Example]
    placement: Placement
    steps: int
    batch: int
    is_first: bool
    given: tuple[Objective, Plans] | None = None
    as_seen: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Learned:
    """Where learning has come to.

    weights, first, second: name -> a weight, and the means of its gradients and of their squares. best: the
    weights at the best check, at first those it began with. step: how many were made. falling: the step from which
    on the step size falls. pace: the step size as a share of what was asked for. costs: term -> weighted cost at
    each step. checks: (step, cost) of the examples that are not learned from. means: of what terms measure over
    the pieces so far, where they hold in the mean.
    """

    weights: Mapping[str, Tensor]
    first: Mapping[str, Tensor]
    second: Mapping[str, Tensor]
    best: Mapping[str, Tensor] = field(default_factory=dict)
    step: int = 0
    falling: int | None = None
    pace: float = 1.0
    costs: Mapping[str, list[float]] = field(default_factory=dict)
    checks: tuple[tuple[int, float], ...] = ()
    means: Mapping[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> Learned:
        moved: dict[str, Any] = {
            kind: {name: t.to(device) for name, t in getattr(self, kind).items()} for kind in _KINDS
        }
        return replace(self, **moved)

    def save(self, path: Path) -> None:
        """Raises OSError."""
        tensors = {
            f"{kind}.{name}": tensor.detach().cpu().clone()  # two that share memory are not saved
            for kind in _KINDS
            for name, tensor in getattr(self, kind).items()
        }
        facts = {name: getattr(self, name) for name in _FACTS} | {"checks": self.checks}
        save_tensors(tensors, path, {"facts": json.dumps(facts)})

    @staticmethod
    def load(path: Path) -> Learned:
        """Raises InputError for a file that is none."""
        tensors, facts = load_tensors(path)
        try:
            kinds: dict[str, Any] = {
                kind: {key.partition(".")[2]: t for key, t in tensors.items() if key.startswith(f"{kind}.")}
                for kind in _KINDS
            }
            found = json.loads(facts["facts"])
            checks = tuple((int(step), float(cost)) for step, cost in found["checks"])
            return Learned(**kinds, **{name: found[name] for name in _FACTS}, checks=checks)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, error) from error


_KINDS = ("weights", "first", "second", "best", "means")
_FACTS = ("step", "falling", "pace", "costs")

_Seen = dict[int, tuple[Objective, Plans]]
"""The identity of an example -> its objective, kept from when it was drawn first."""

OnLearned = Callable[[Learned], bool | None]
"""Called after each step; True asks to stop."""


def learn_stage(
    lesson: Lesson, generator: StageGenerator, reached: Learned | None, on_learned: OnLearned
) -> tuple[StageGenerator, Learned]:
    """Fit a stage's network. reached: where an earlier call came to, to go on from there, with the same result.
    Raises RecipeError for a step size with which learning breaks down again and again.

    Each step draws examples, has the network make what it makes of them, evaluates the objective there, and
    carries its gradient into the weights by Adam (Kingma & Ba 2014). The step size falls to nothing in the last
    share of the steps, which begins earlier when the checks stop improving.
    """
    nothing = {name: torch.zeros_like(weight) for name, weight in generator.weights.items()}
    now = reached or Learned(generator.weights, nothing, nothing, best=generator.weights)
    seen: _Seen = {}
    stopped = False
    while not stopped and not has_ended(now, lesson.steps):
        now = _stepped(lesson, generator, now, seen)
        if now.step % math.ceil(_CHECK_SHARE * lesson.steps) == 0:
            now = _checked(lesson, generator, now, seen)
        stopped = bool(on_learned(now))
    return replace(generator, weights=now.weights), now


def has_ended(now: Learned, steps: int) -> bool:
    """Whether nothing is left to learn. steps: at most."""
    falls = math.ceil(_LAST_SHARE * steps)
    return now.step >= (steps if now.falling is None else min(steps, now.falling + falls))


def _rate(now: Learned, lesson: Lesson) -> float:
    """The step size as a share of the largest."""
    falls = math.ceil(_LAST_SHARE * lesson.steps)
    begins = lesson.steps - falls if now.falling is None else min(now.falling, lesson.steps - falls)
    left = 1 - max(0, now.step - begins) / falls
    return now.pace * min(1.0, (now.step + 1) / _WARM_UP) * (1 + math.cos(math.pi * (1 - left))) / 2


def _stepped(lesson: Lesson, generator: StageGenerator, now: Learned, seen: _Seen) -> Learned:
    """One step of Adam."""
    draw = torch.Generator().manual_seed(lesson.run.recipe.seed * 1_000_003 + now.step)
    numbers = torch.randint(len(lesson.examples), (lesson.batch,), generator=draw).tolist()
    leaves = {name: weight.detach().clone().requires_grad_() for name, weight in now.weights.items()}
    learner = replace(generator, weights=leaves)
    costs: dict[str, float] = {}
    means: Mapping[str, Tensor] = now.means
    share = min(1.0, (now.step + 1) / math.ceil(_FREE_SHARE * lesson.steps))
    for number in numbers:
        told: dict[str, Tensor] = {**means}
        grown, found = _looked_at(lesson, learner, lesson.examples[number], seen, share, now.step, told)
        means = told
        for name, cost in found.costs.items():
            costs[name] = costs.get(name, 0.0) + cost / lesson.batch
        is_evened = lesson.given is not None or lesson.run.recipe.style.share == 1
        heard = _evened(found.gradient) if is_evened else found.gradient
        torch.autograd.backward(weighed([grown], [heard]))
    rate = lesson.run.recipe.learn.rate * (1.0 if lesson.is_first else _FINER_RATE)
    return replace(_adam(now, leaves, rate * _rate(now, lesson), costs), means=means)


def _evened(gradient: Tensor) -> Tensor:
    """A gradient with a root mean square of 1. The costs of one example may be ten times those of another, and the
    loudest would set the step size of Adam for all. What is minimized is thereby about the sum of the roots of
    their costs. Of pieces of which the same is asked, the first are the loudest: far from it a gradient is a
    hundred times what it becomes, and Adam would take small steps for long. Where a step looks at some slices of a
    volume only, the size of a gradient tells how much there was to see in them, and is kept."""
    return gradient / gradient.square().mean().sqrt().clamp_min(1e-12)


def _looked_at(
    lesson: Lesson,
    generator: StageGenerator,
    example: Example,
    seen: _Seen,
    share: float = 1.0,
    step: int = 0,
    means: dict[str, Tensor] | None = None,
) -> tuple[Tensor, Evaluation]:
    """What a network makes of an example, and the cost and gradient there. share: of the weight that holds a clip
    together. step: its number, which says what slices of a volume have their turn. means: of what terms measure
    over earlier examples, where the same is asked of all; they are replaced by those with this one."""
    shares = torch.eye(len(lesson.targets), device=example.content.device)[example.style]
    made = generator.painter(lesson.placement, shares)(example.content, example.before)
    made = made[(slice(None), *example.inner)]
    if lesson.as_seen is not None:
        made = lesson.as_seen(made)
    samples = made.detach().clamp(0, 1)
    if lesson.given is None and id(example) not in seen:
        seen[id(example)] = _objective(lesson, example, generator.plan)
    objective, plans = _objective(lesson, example, generator.plan) if lesson.given else seen[id(example)]
    told: Mapping[str, Sequence[Tensor]] = {}
    if lesson.given is not None and means is not None:
        objective, told = in_the_mean(objective, means, max(_FRESH, 1 / (1 + step)))
    found = evaluate(samples, *turn(_held(objective, share), plans, lesson.run.recipe.style.share, step))
    if means is not None:
        means.update(named(told))
    outside = made.detach() - samples
    gradient = found.gradient.masked_fill_(outside * found.gradient < 0, 0.0)  # cut off, it leads nowhere
    gradient += outside * (2 * _OUTSIDE / outside.numel())
    return made, Evaluation({**found.costs, "outside": float(_OUTSIDE * outside.square().mean())}, gradient)


def _objective(lesson: Lesson, example: Example, plan: Plan) -> tuple[Objective, Plans]:
    """What is minimized for an example: the terms of its stage, in finer stages nearness to what the one before
    made, and a pattern of blocks where a network that is built by a plan rectifies what it has enlarged. Volumes
    go without: gains alone leave no pattern there, and with the term little is learned in as many steps, as
    tests/benchmarks/learned.py has it."""
    objective, plans = lesson.given or objective_of(
        example.content, lesson.targets[example.style], lesson.run, example.links, variance=example.variance
    )
    terms = dict(objective.sample_terms)
    if plan.deep and plan.axes < 3:
        terms["pattern"] = PatternTerm(_PATTERN, plan.stride, lesson.placement.own, example.variance)
    if not lesson.is_first and lesson.run.recipe.learn.nearness:
        before = example.before[(slice(None), *example.inner)]
        frames, weight = lesson.run.kept[0], lesson.run.recipe.learn.nearness
        terms["nearness"] = NearnessTerm(weight, before, _BLOCK, frames, example.variance)
    return replace(objective, sample_terms=terms), plans


def _held(objective: Objective, share: float) -> Objective:
    """An objective with a share of the weight that holds a clip together."""
    term = objective.sample_terms.get("temporal")
    if share == 1 or not isinstance(term, TemporalTerm):
        return objective
    held = replace(term, weight=share * term.weight)
    return replace(objective, sample_terms={**objective.sample_terms, "temporal": held})


def _checked(lesson: Lesson, generator: StageGenerator, now: Learned, seen: _Seen) -> Learned:
    """The mean cost of the examples that are not learned from, whether the step size is to fall from here on, and
    whether to go back."""
    if not lesson.checks:
        return now
    generator, total = replace(generator, weights=now.weights), 0.0
    for example in lesson.checks:
        total += _looked_at(lesson, generator, example, seen)[1].cost
    cost, least = total / len(lesson.checks), min((cost for _, cost in now.checks), default=math.inf)
    now = replace(now, checks=(*now.checks, (now.step, cost)))
    if cost < least:
        now = replace(now, best=now.weights)
    elif not cost <= _BROKEN * least:
        if now.pace <= _SLOWEST:
            rate = lesson.run.recipe.learn.rate
            raise RecipeError(f"learn.rate: {rate:g} breaks learning down again and again; give a tenth of it")
        nothing = {name: torch.zeros_like(weight) for name, weight in now.best.items()}
        return replace(now, weights=now.best, first=nothing, second=nothing, pace=now.pace / 2)
    whole = [cost for step, cost in now.checks if step >= _FREE_SHARE * lesson.steps]
    before, latest = whole[:-_PATIENCE], whole[-_PATIENCE:]
    stands = bool(before) and min(latest) > (1 - _IMPROVEMENT) * min(before)
    return replace(now, falling=now.step if now.falling is None and stands else now.falling)


def _adam(now: Learned, leaves: Mapping[str, Tensor], rate: float, costs: Mapping[str, float]) -> Learned:
    """The next state by Adam with `_BETAS`."""
    fast, slow = _BETAS
    step = now.step + 1
    weights, first, second = {}, {}, {}
    for name, leaf in leaves.items():
        slope = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        first[name] = now.first[name].lerp(slope, 1 - fast)
        second[name] = (now.second[name] * slow).addcmul_(slope, slope, value=1 - slow)
        spread = (second[name] / (1 - slow**step)).sqrt_().add_(1e-8)
        weights[name] = leaf.detach().addcdiv(first[name], spread, value=-rate / (1 - fast**step))
    history = {name: [*now.costs.get(name, []), cost] for name, cost in costs.items()}
    return replace(now, weights=weights, first=first, second=second, step=step, costs=history)
