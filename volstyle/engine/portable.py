"""A learned style as one ONNX graph, for engines that know nothing of volstyle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from volstyle.engine.painting import LearnedStage, LearnedStyle, painted_at
from volstyle.grid.color import NOISE, Colors
from volstyle.networks.graph import Graph, Slab, Value, cast, real, resized, roots, whole, written
from volstyle.record import versions

if TYPE_CHECKING:
    from onnx import ModelProto

_LONGEST = 2**15
"""The longest side that is asked about."""

_NAMES = {2: "image", 3: "volume"}
_SIDES = ("depth", "height", "width")
RESULT, WEIGHTS = "styled", "weights"


@dataclass(frozen=True)
class Form:
    """What a graph is to be. size: the long side of the content whose stages it has. shares: (S,), how much of
    each style it paints; None leaves it to an input. shape: the sides of what it takes, the slowest first; None
    is any."""

    size: int
    shares: Tensor | None = None
    shape: tuple[int, ...] | None = None


def as_graph(style: LearnedStyle, form: Form) -> ModelProto:
    """What `Brush` makes of contents (N, C, *S) in [0, 1], as one graph of plain operators.

    How many stages it has, and which network paints each, is that of a content of the form's size; how large they
    are is reckoned from what it is given. So it paints as `Brush` does wherever that has the same stages
    (`alike`), and elsewhere with strokes of the same size in samples.
    """
    graph, plan = Graph(), style.plan
    name = _NAMES[plan.axes]
    if form.shape is None:
        sides = tuple(graph("Shape", name, start=axis, end=axis + 1) for axis in range(2, 2 + plan.axes))
    else:
        sides = tuple(map(whole, form.shape))
    shares: Value = WEIGHTS if form.shares is None else form.shares.float().numpy()
    shares = graph("Unsqueeze", shares, whole(0))
    shares = graph("Div", shares, graph("ReduceSum", shares, whole(1), keepdims=1))
    numbers = _networks(style, form.size)
    content = Slab(name, sides, plan.channels)
    made = content = _in_colors(graph, content, style.colors, shares) if style.colors else content
    for number, shape in zip(numbers, _shapes(graph, sides, len(numbers), style.ratio), strict=True):
        seen = _brought(graph, content, shape)
        before = seen if made is content else _brought(graph, made, shape)
        made = _held(graph, _painted(graph, style.stages[number], seen, before, shares))
    graph("Identity", made.samples, out=RESULT)
    ends = ("batch", plan.channels, *(form.shape or _SIDES[-plan.axes :]))
    inputs: dict[str, Sequence[int | str]] = {name: ends}
    if form.shares is None:
        inputs[WEIGHTS] = (len(style.names),)
    return graph.model(inputs, (RESULT, ends), _facts(style, form), _says(style, form))


def alike(style: LearnedStyle, size: int) -> tuple[int, int]:
    """The least and the greatest long side of contents that are painted in stages like those of a size."""
    wanted = _networks(style, size)
    least, most = size, size
    while least > 1 and _networks(style, least - 1) == wanted:
        least -= 1
    while most < _LONGEST and _networks(style, most + 1) == wanted:
        most += 1
    return least, most


def stages_of(style: LearnedStyle, longest: int) -> tuple[tuple[int, int], ...]:
    """As `painted_at`, for the networks of a style."""
    return painted_at(longest, [stage.size for stage in style.stages], style.ratio)


def _networks(style: LearnedStyle, longest: int) -> tuple[int, ...]:
    """The numbers of the networks that paint a content, one for each stage."""
    return tuple(number for _, number in stages_of(style, longest))


def _shapes(graph: Graph, sides: Sequence[Value], count: int, ratio: float) -> list[tuple[Value, ...]]:
    """The sides of the content in each of so many stages, as `stage_sizes` and `fitted` reckon them."""
    own = graph("Max", *sides)
    lengths = [own]
    for _ in range(count - 1):
        longer = cast(graph, lengths[0], np.float32)
        shorter = graph("Round", graph("Div", longer, real(ratio)))
        lengths.insert(0, _whole(graph, graph("Min", shorter, graph("Sub", longer, real(1)))))
    scaled = [tuple(_scaled(graph, side, length, own) for side in sides) for length in lengths[:-1]]
    return [*scaled, tuple(sides)]


def _scaled(graph: Graph, side: Value, length: Value, own: Value) -> Value:
    """A side where the longest one, `own`, has another length."""
    product = cast(graph, graph("Mul", side, length), np.float32)
    return _whole(graph, graph("Round", graph("Div", product, cast(graph, own, np.float32))))


def _whole(graph: Graph, size: Value) -> Value:
    """A size as a whole number, at least 1."""
    return cast(graph, graph("Max", size, real(1)), np.int64)


def _in_colors(graph: Graph, slab: Slab, colors: Sequence[Colors], shares: Value) -> Slab:
    """As `Colors.given_to` makes it of each content, with the noise that `Brush` allows for."""
    side = slab.channels
    least = real(NOISE) * np.eye(side, dtype=np.float32)
    stacked = (torch.stack([getattr(each, name) for each in colors]) for name in ("mean", "spread"))
    means, spreads = (each.reshape(len(colors), -1).float().numpy() for each in stacked)
    goal = graph("Reshape", graph("MatMul", shares, spreads), whole(1, side, side))
    root, _ = roots(graph, graph("Add", goal, least), side)

    samples = graph("Reshape", slab.samples, whole(0, side, -1))
    away = graph("Sub", samples, graph("ReduceMean", samples, axes=[2], keepdims=1))
    count = cast(graph, reduce(lambda one, other: graph("Mul", one, other), slab.sizes), np.float32)
    spread = graph("Div", graph("MatMul", away, graph("Transpose", away, perm=[0, 2, 1])), count)
    both = graph("MatMul", graph("MatMul", root, graph("Add", spread, least)), root)
    _, inverse = roots(graph, both, side)
    move = graph("MatMul", graph("MatMul", root, inverse), root)
    mean = graph("Reshape", graph("MatMul", shares, means), whole(1, side, 1))
    moved = graph("Add", graph("MatMul", move, away), mean)
    return replace(slab, samples=graph("Reshape", moved, graph("Concat", whole(0, side), *slab.sizes, axis=0)))


def _brought(graph: Graph, slab: Slab, shape: tuple[Value, ...]) -> Slab:
    """At another size, and in [0, 1]."""
    slab = slab if shape == slab.sizes else resized(graph, slab, shape)
    return _held(graph, slab)


def _held(graph: Graph, slab: Slab) -> Slab:
    """In [0, 1]."""
    return replace(slab, samples=graph("Clip", slab.samples, real(0)[0], real(1)[0]))


def _painted(graph: Graph, stage: LearnedStage, seen: Slab, before: Slab, shares: Value) -> Slab:
    """What a stage makes, not held to [0, 1]."""
    plan = stage.generator.plan
    both = Slab(graph("Concat", seen.samples, before.samples, axis=1), seen.sizes, 2 * plan.channels)
    chains = [stage.generator.chain(one) for one in torch.eye(plan.styles)]
    step, room, axes = whole(plan.stride), whole(plan.stride - 1), range(2, 2 + plan.axes)
    full = tuple(graph("Mul", graph("Div", graph("Add", side, room), step), step) for side in both.sizes)
    beyond = [graph("Sub", more, side) for more, side in zip(full, both.sizes, strict=True)]
    sides = graph("Concat", whole(*[0] * (4 + plan.axes)), *beyond, axis=0)
    slab = Slab(graph("Pad", both.samples, sides, mode="edge"), full, both.channels)
    added = written(graph, chains, slab, shares).samples
    ends = graph("Concat", *both.sizes, axis=0)
    added = graph("Slice", added, whole(*[0] * plan.axes), ends, whole(*axes))
    return replace(before, samples=graph("Add", before.samples, added))


def _facts(style: LearnedStyle, form: Form) -> dict[str, str]:
    """What the metadata of a graph says, for programs."""
    least, most = alike(style, form.size)
    shares = None if form.shares is None else form.shares.tolist()
    return {
        "volstyle": versions()["volstyle"],
        "styles": json.dumps(style.names),
        "shares": json.dumps(shares),
        "learned": style.digest,
        "sizes": json.dumps([size for size, _ in stages_of(style, form.size)]),
        "alike": json.dumps([least, most]),
    }


def _says(style: LearnedStyle, form: Form) -> str:
    """What a graph is, for people."""
    name, colors = _NAMES[style.plan.axes], {1: "gray", 3: "RGB"}[style.plan.channels]
    weights = "" if form.shares is not None else f" {WEIGHTS}: how much of each of {', '.join(style.names)}."
    return (
        f"A style learned by volstyle. {name}: {colors} in [0, 1], (batch, channels, "
        f"{', '.join(_SIDES[-style.plan.axes :])}).{weights} {RESULT}: as the {name}."
    )
