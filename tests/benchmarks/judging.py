"""Judges of color and of patches that know neither networks nor wavelets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

DIRECTIONS, PLACES = 128, 16_384


def color_distance(found: Tensor, target: Tensor) -> float:
    """`sliced_wasserstein` of the colors of two pictures (3, H, W)."""
    return sliced_wasserstein(found.flatten(1).T, target.flatten(1).T)


def patch_distance(found: Tensor, target: Tensor, width: int = 7) -> float:
    """`sliced_wasserstein` of all patches width² of two pictures (3, H, W), their mean color taken out."""
    return sliced_wasserstein(_patches(found, width), _patches(target, width))


def grain(found: Tensor, target: Tensor) -> float:
    """How much stronger differences of neighboring samples' differences are in one picture (3, H, W) than in
    another: 1 is as much, more is grain, less is blur."""
    second = [
        sum(float(picture.diff(n=2, dim=axis).square().mean()) for axis in (1, 2)) for picture in (found, target)
    ]
    return (second[0] / max(second[1], 1e-12)) ** 0.5


def sliced_wasserstein(found: Tensor, target: Tensor) -> float:
    """Root of the mean squared Wasserstein-2 distance over random directions, between two sets of points (N, K)
    and (M, K), times √K (Rabin et al. 2011): for a shift, its length. As many of each are drawn."""
    generator = torch.Generator().manual_seed(0)
    directions = functional.normalize(torch.randn(found.shape[1], DIRECTIONS, generator=generator), dim=0)
    ranks = torch.linspace(0, 1, PLACES // 16)
    lines = [torch.quantile(_some(points, generator) @ directions, ranks, dim=0) for points in (found, target)]
    return float((found.shape[1] * (lines[0] - lines[1]).square().mean()).sqrt())


def _patches(picture: Tensor, width: int) -> Tensor:
    """(N, 3 · width²)."""
    patches = functional.unfold(picture[None], width)[0].T.unflatten(1, (3, -1))
    return (patches - patches.mean(2, keepdim=True)).flatten(1)


def _some(points: Tensor, generator: torch.Generator) -> Tensor:
    return points[torch.randperm(points.shape[0], generator=generator)[:PLACES]]
