"""Outputs whose derivatives are known, as one scalar to backpropagate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def weighed(outputs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """A scalar whose derivative with respect to each output is the weight of that output, of the same shape.

    torch takes outputs with weights too, but to compare their shapes it imports a library of symbolic algebra,
    which takes longer than many a first step.
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
