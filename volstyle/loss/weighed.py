"""One scalar to backpropagate, made of outputs by which the derivatives of a cost are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def weighed(outputs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """A scalar whose derivative with respect to each output is the weight of that output. A weight has the shape
    of its output.

    torch.autograd takes outputs with weights too, but to compare their shapes it imports a library of symbolic
    algebra, which takes longer than a whole step of a small run.
    """
    with torch.enable_grad():
        scalar: Tensor = _Weighed.apply(weights, *outputs)
    return scalar


class _Weighed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Sequence[Tensor], *outputs: Tensor) -> Tensor:
        ctx.weights = weights
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *ctx.weights)
