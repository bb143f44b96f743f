"""Networks and resampling written as an ONNX graph (the extra `onnx`), for any number of axes.

Only operators that every engine has are written. Sizes are reckoned within the graph, so that it takes fields of
any size; where they are known, so is all that follows from them, and is written as numbers. Resampling is a
product with matrices: ONNX's own `Resize` is not the same filter in every engine, and some do not widen it where
they make smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from volstyle.networks.layers import (
    Chain,
    Convolution,
    FromBlocks,
    Layer,
    Normalization,
    Rectifier,
    Residual,
    ToBlocks,
)

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Array = NDArray[Any]
Value = str | Array
"""What an operator takes and gives: a name, or numbers that are known."""

Shape = Sequence[int | str]
"""Sides; a named one may have any size."""

_NEWTON = 26
"""Iterations for the root of a matrix. Each makes a root that is far too small larger by half; after so many, one
of a thousandth of the largest is exact."""

OPSET, IR = 17, 8
"""Versions of the operators and of the format, which readers of 2022 know."""


class Graph:
    """A graph that grows: called with an operator, its inputs and attributes, it adds that and gives what comes
    out. Where all inputs are known numbers, numbers come out."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._numbers: dict[tuple[str, tuple[int, ...], bytes], TensorProto] = {}

    def __call__(self, operator: str, *inputs: Value, out: str = "", **attributes: Any) -> Value:
        from onnx.helper import make_node

        known = [value for value in inputs if not isinstance(value, str)]
        if len(known) == len(inputs) and not out:
            return _reckoned(operator, known, attributes)
        out = out or f"{operator.lower()}{len(self._nodes)}"
        names = [value if isinstance(value, str) else self._named(value) for value in inputs]
        self._nodes.append(make_node(operator, names, [out], out, **attributes))
        return out

    def _named(self, numbers: Array) -> str:
        """The name of numbers; the same ones are kept once."""
        from onnx.numpy_helper import from_array

        key = (numbers.dtype.str, numbers.shape, numbers.tobytes())
        if key not in self._numbers:
            self._numbers[key] = from_array(numbers, f"numbers{len(self._numbers)}")
        return self._numbers[key].name

    def model(
        self, inputs: Mapping[str, Shape], output: tuple[str, Shape], facts: Mapping[str, str], says: str
    ) -> ModelProto:
        """The whole. inputs, output: names and shapes, of float32. facts: of its metadata. says: what it is, for a
        reader."""
        from onnx import TensorProto, checker, helper

        ends = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each]
            for each in (inputs.items(), [output])
        ]
        starts, results = ends
        graph = helper.make_graph(self._nodes, "volstyle", starts, results, list(self._numbers.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, doc_string=says)
        helper.set_model_props(model, dict(facts))
        checker.check_model(model, full_check=True)
        return model


def _reckoned(operator: str, inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    """What an operator makes of numbers."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    names = [f"in{number}" for number in range(len(inputs))]
    node = helper.make_node(operator, names, ["out"], **attributes)
    starts, ends = ([helper.make_empty_tensor_value_info(name) for name in each] for each in (names, ["out"]))
    model = helper.make_model(
        helper.make_graph([node], "one", starts, ends), opset_imports=[helper.make_opsetid("", OPSET)]
    )
    (found,) = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    return np.asarray(found)


@dataclass(frozen=True)
class Slab:
    """samples: the name of (N, C, *S). sizes: S, a whole number (1,) for each axis. channels: C."""

    samples: Value
    sizes: tuple[Value, ...]
    channels: int


def whole(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def real(*numbers: float) -> Array:
    return np.array(numbers, np.float32)


def cast(graph: Graph, value: Value, kind: type[np.generic]) -> Value:
    """Convert numbers to another type."""
    from onnx.helper import np_dtype_to_tensor_dtype

    return graph("Cast", value, to=int(np_dtype_to_tensor_dtype(np.dtype(kind))))


def resized(graph: Graph, slab: Slab, sizes: tuple[Value, ...]) -> Slab:
    """The same extent at other sizes, as `grid.resample.resize` makes it with "cubic"."""
    samples, last = slab.samples, 1 + len(sizes)
    for axis, (old, new) in enumerate(zip(slab.sizes, sizes, strict=True), start=2):
        order = list(range(last + 1))
        order[axis], order[last] = last, axis
        turned = samples if axis == last else graph("Transpose", samples, perm=order)
        made = graph("MatMul", turned, _resampling(graph, old, new))
        samples = made if axis == last else graph("Transpose", made, perm=order)
    return replace(slab, samples=samples, sizes=sizes)


def _resampling(graph: Graph, old: Value, new: Value) -> Value:
    """(old, new), the weight of each old sample in each new one. Whole numbers as long as can be, so that it is as
    precise for long axes as for short ones."""

    def centers(count: Value, side: int) -> Value:
        """2 i + 1, along one side of the matrix."""
        numbers = graph("Range", np.array(0), graph("Squeeze", count, whole(0)), np.array(1))
        doubled = graph("Add", graph("Mul", numbers, whole(2)), whole(1))
        return graph("Unsqueeze", doubled, whole(side))

    apart = graph("Sub", graph("Mul", centers(old, 1), new), graph("Mul", centers(new, 0), old))
    unit = graph("Mul", graph("Max", old, new), whole(2))
    distance = graph("Div", graph("Abs", cast(graph, apart, np.float32)), cast(graph, unit, np.float32))
    # Each of the two polynomials of Keys is 0 where the other one takes over, and the second one is at its end.
    near = graph("Min", distance, real(1))
    near = _polynomial(graph, near, 1.5, -2.5, 0, 1)
    far = graph("Min", graph("Max", distance, real(1)), real(2))
    far = _polynomial(graph, far, -0.5, 2.5, -4, 2)
    weights = graph("Add", near, far)
    return graph("Div", weights, graph("ReduceSum", weights, whole(0), keepdims=1))


def _polynomial(graph: Graph, value: Value, *factors: float) -> Value:
    """factors: of the highest power first."""
    found: Value = real(factors[0])
    for factor in factors[1:]:
        found = graph("Add", graph("Mul", found, value), real(factor))
    return found


def roots(graph: Graph, matrix: Value, side: int) -> tuple[Value, Value]:
    """The root of each symmetric positive matrix (N, side, side), and the inverse of that, by the iteration of
    Newton and Schulz (Higham 2008, Functions of Matrices, 6.35), which multiplies matrices and no more."""
    unit = np.eye(side, dtype=np.float32)[None]
    size = graph("ReduceSum", graph("Mul", matrix, unit), whole(1, 2), keepdims=1)  # above each eigenvalue
    root: Value = graph("Div", matrix, size)
    inverse: Value = unit
    for _ in range(_NEWTON):
        turn = graph("Mul", graph("Sub", real(3) * unit, graph("MatMul", inverse, root)), real(0.5))
        root, inverse = graph("MatMul", root, turn), graph("MatMul", turn, inverse)
    scale = graph("Sqrt", size)
    return graph("Mul", root, scale), graph("Div", inverse, scale)


def written(graph: Graph, layers: Sequence[Layer], slab: Slab, shares: Value) -> Slab:
    """The same layer of networks that differ in their biases alone, run on a slab; biases are blended.

    layers: one for each style. shares: (1, S), how much of each. Raises NotImplementedError for a layer that no
    learned style has.
    """
    first = layers[0]
    match first:
        case Chain():
            for each in zip(*(layer.layers for layer in layers if isinstance(layer, Chain)), strict=True):
                slab = written(graph, each, slab, shares)
            return slab
        case Residual():
            body, shortcut = (
                written(graph, each, slab, shares)
                for each in zip(*(layer.layers for layer in layers if isinstance(layer, Residual)), strict=True)
            )
            return replace(body, samples=graph("Add", body.samples, shortcut.samples))
        case Normalization():
            along = (1, -1, *(1,) * len(slab.sizes))
            mean, std = (_array(values).reshape(along) for values in (first.mean, first.std))
            return replace(slab, samples=graph("Div", graph("Sub", slab.samples, mean), std))
        case Rectifier():
            return replace(slab, samples=graph("Relu", slab.samples))
        case ToBlocks():
            return _to_blocks(graph, slab, first.widths)
        case FromBlocks():
            return _from_blocks(graph, slab, first.widths)
        case Convolution():
            biases = [_array(layer.bias) for layer in layers if isinstance(layer, Convolution)]
            return _convolved(graph, slab, first, graph("MatMul", shares, np.stack(biases)))
    raise NotImplementedError(f"{type(first).__name__} as ONNX")


def _convolved(graph: Graph, slab: Slab, layer: Convolution, bias: Value) -> Slab:
    widths = layer.kernel.shape[2:]
    if set(layer.stride) != {1} or not all(layer.replicate):
        raise NotImplementedError("a convolution with strides or zeros around it as ONNX")
    sides = whole(0, 0, *(width // 2 for width in widths))
    samples = graph("Pad", slab.samples, np.concatenate((sides, sides)), mode="edge")
    kernel = _array(layer.kernel)
    samples = graph("Conv", samples, kernel, graph("Reshape", bias, whole(-1)))
    return Slab(samples, slab.sizes, kernel.shape[0])


def _to_blocks(graph: Graph, slab: Slab, widths: Sequence[int]) -> Slab:
    """As `inflation.to_blocks` does it."""
    axes = len(widths)
    sizes = tuple(graph("Div", size, whole(width)) for size, width in zip(slab.sizes, widths, strict=True))
    channels = slab.channels * prod(widths)
    pairs = [side for pair in zip(sizes, map(whole, widths), strict=True) for side in pair]
    split = graph("Reshape", slab.samples, graph("Concat", whole(0, slab.channels), *pairs, axis=0))
    inner, outer = range(3, 3 + 2 * axes, 2), range(2, 2 + 2 * axes, 2)
    turned = graph("Transpose", split, perm=[0, 1, *inner, *outer])
    joined = graph("Concat", whole(0, channels), *sizes, axis=0)
    return Slab(graph("Reshape", turned, joined), sizes, channels)


def _from_blocks(graph: Graph, slab: Slab, widths: Sequence[int]) -> Slab:
    """As `inflation.from_blocks` does it."""
    axes = len(widths)
    sizes = tuple(graph("Mul", size, whole(width)) for size, width in zip(slab.sizes, widths, strict=True))
    channels = slab.channels // prod(widths)
    split = graph("Reshape", slab.samples, graph("Concat", whole(0, channels, *widths), *slab.sizes, axis=0))
    order = [n for axis in range(axes) for n in (2 + axes + axis, 2 + axis)]
    turned = graph("Transpose", split, perm=[0, 1, *order])
    joined = graph("Concat", whole(0, channels), *sizes, axis=0)
    return Slab(graph("Reshape", turned, joined), sizes, channels)


def _array(values: Tensor) -> Array:
    return np.asarray(values.detach().float().cpu().contiguous().numpy())
