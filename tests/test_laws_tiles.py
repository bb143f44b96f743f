"""Laws 3 and 4: tiles give the cost and the gradient of the whole, and both are zero at the target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.tiny import TAPS, numbers, plain_features, tiny_network
from volstyle.engine.blockwise import Evaluation, evaluate, plan_views, style_sums
from volstyle.grid.tiles import plan
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import STATISTICS, Sums, feature_sums, gatys_distance
from volstyle.loss.terms import ContentTerm, StyleTerm
from volstyle.networks.extractor import Extractor, Network


@dataclass(frozen=True)
class Case:
    """A field and how a network lies on it; strides: per tap, of its features."""

    own: int
    shape: tuple[int, ...]
    core: tuple[int, ...]
    inflation: str = "center"
    strided: bool = False

    @property
    def strides(self) -> dict[str, tuple[int, ...]]:
        new = (1,) * (len(self.shape) - self.own)
        return {tap: new + (step,) * self.own for tap, step in zip(TAPS, (1, 2, 4), strict=True)}

    def groups(self, kind: str) -> int | None:
        """One feature of the coarsest tap per group, several, or all there are."""
        least = self.strides[TAPS[-1]][0]
        return {"one": least, "some": 2 * least, "all": None}[kind]


# No size is divisible by the stride of 4; the last core of 37 samples holds a single one.
CASES = {
    "signal": Case(1, (61,), (12,)),
    "image": Case(2, (37, 30), (12, 16)),
    "clip": Case(2, (5, 22, 19), (2, 8, 12)),
    "clip-mean": Case(2, (5, 14, 19), (2, 8, 8), "mean"),
    "volume": Case(3, (13, 10, 9), (4, 8, 4)),
    "strided": Case(2, (25, 22), (8, 12), strided=True),
}
ALPHA, BETA = 0.7, 1.3
STYLE_TAPS = {"relu1_1": 0.5, "relu2_1": 1.0, "relu3_1": 2.0}
CONTENT_TAPS = {"relu2_1": 1.0, "relu3_1": 0.5}


def plain_distance(kind: str, found: Tensor, weights: Tensor, target: Tensor, target_weights: Tensor) -> Tensor:
    """The distance of features (K, N) with weights (N) from a target's, by the formulas as they are written."""

    def square(x: Tensor) -> Tensor:
        return (x * x).sum()

    def moments(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        mean = (x * w).sum(1) / w.sum()
        apart = x - mean[:, None]
        return mean, (apart * w) @ apart.T / w.sum()

    n, m = weights.sum(), target_weights.sum()
    gram = (found * weights) @ found.T
    gram_target = (target * target_weights) @ target.T
    if kind == "gatys":
        return square(gram - gram_target / m * n) / (2 * found.shape[0] * n) ** 2
    if kind == "gram":
        return square(gram / n - gram_target / m) / square(gram_target / m)
    mean, wide = moments(found, weights)
    mean_target, wide_target = moments(target, target_weights)
    if kind == "moments":
        return square(mean - mean_target) / square(mean_target) + square(wide - wide_target) / square(wide_target)
    power = wide_target.trace()
    floor = 1e-4 * power / len(mean) * torch.eye(len(mean), dtype=found.dtype)
    roots = [torch.linalg.cholesky(each + floor) for each in (wide, wide_target)]
    overlap = torch.linalg.svdvals(roots[0].T @ roots[1]).sum()  # tr (Σ̂^½ Σ Σ̂^½)^½, as a nuclear norm
    traces = (wide + wide_target + 2 * floor).trace()
    return (square(mean - mean_target) + traces - 2 * overlap) / (square(mean_target) + power)


def plain_cells(regions: Tensor, stride: tuple[int, ...], features: tuple[int, ...]) -> Tensor:
    """Weights (R, *S) averaged over the samples that each feature owns; at the end there may be fewer."""
    for axis, (step, size) in enumerate(zip(stride, features, strict=True), start=1):
        owned = regions.split(step, axis)[:size]
        regions = torch.stack([samples.mean(axis) for samples in owned], axis)
    return regions


def plain_cost(
    case: Case,
    network: Network,
    samples: Tensor,
    content: Tensor,
    styles: list[Tensor],
    kind: str,
    group: int | None,
    regions: Tensor | None,
) -> Tensor:
    """The whole cost at once, differentiable, with nothing of the engine."""
    found = plain_features(network, samples[None], case.inflation)
    wanted = plain_features(network, content[None], case.inflation)
    frames = case.shape[0]
    size = group or frames
    groups = math.ceil(frames / size)
    total = torch.zeros((), dtype=samples.dtype)
    for tap, weight in STYLE_TAPS.items():
        stride = case.strides[tap]
        cells = torch.ones(1, *found[tap].shape[2:], dtype=samples.dtype)
        if regions is not None:
            cells = plain_cells(regions, stride, tuple(found[tap].shape[2:]))
        for region, style in enumerate(styles):
            target = plain_features(network, style[None])[tap][0].flatten(1)
            for start in range(0, frames, size):
                span = slice(start // stride[0], math.ceil((start + size) / stride[0]))
                rows, weights = found[tap][0][:, span].flatten(1), cells[region][span].flatten()
                if weights.sum() > 0:
                    apart = plain_distance(kind, rows, weights, target, torch.ones_like(target[0]))
                    total = total + BETA * weight * apart / (groups * len(styles))
    for tap, weight in CONTENT_TAPS.items():
        scale = 2 if kind == "gatys" else wanted[tap].square().sum()
        total = total + ALPHA * weight * (found[tap] - wanted[tap]).square().sum() / scale
    return total


def sums_of(features: Mapping[str, Tensor]) -> dict[str, Sums]:
    return {tap: feature_sums(features[tap]) for tap in STYLE_TAPS}


def tiled(
    case: Case,
    extractor: Extractor,
    samples: Tensor,
    content: Tensor,
    targets: Mapping[str, Sums],
    kind: str,
    group: int | None,
    regions: Tensor | None,
    core: tuple[int, ...],
) -> tuple[Evaluation, int]:
    """The engine's cost and gradient, and in how many tiles."""
    reach = extractor.reach(TAPS)
    blocks = plan(case.shape, core, reach.stride, reach.halo, group)
    source = SourceFeatures(extractor, content, CONTENT_TAPS)
    scales = dict.fromkeys(CONTENT_TAPS, 2.0) if kind == "gatys" else source.powers(blocks)
    distance = gatys_distance if kind == "gatys" else STATISTICS[kind]
    groups = sum(len(block.groups) for block in blocks)
    style = StyleTerm(BETA, STYLE_TAPS, targets, distance, groups)
    objective = Objective(
        (View(extractor, style, ContentTerm(ALPHA, CONTENT_TAPS, source, scales), group, regions),)
    )
    found = evaluate(samples, objective, plan_views(objective, case.shape, core))
    return found, sum(len(block.tiles) for block in blocks)


def mask_regions(shape: tuple[int, ...]) -> Tensor:
    """Two soft regions; the second is absent from the second half of the field, so from some frames altogether."""
    soft = numbers(2, *shape, seed=9, dtype=torch.float64)
    soft[1, shape[0] // 2 :] = 0
    return soft


def check_tiles(case: Case, kind: str, group_kind: str, masked: bool, pooling: str) -> None:
    network = tiny_network(case.own, pooling=pooling, strided=case.strided)
    extractor = network.on(len(case.shape), case.inflation)
    samples = numbers(3, *case.shape, seed=10, dtype=torch.float64)
    content = numbers(3, *case.shape, seed=11, dtype=torch.float64)
    styles = [
        numbers(3, *(20,) * case.own, seed=12 + i, dtype=torch.float64) ** (1 + i) for i in range(1 + masked)
    ]
    regions = mask_regions(case.shape) if masked else None
    group = case.groups(group_kind)

    leaf = samples.clone().requires_grad_()
    cost = plain_cost(case, network, leaf, content, styles, kind, group, regions)
    cost.backward()
    assert leaf.grad is not None

    each = [sums_of(plain_features(network, style[None])) for style in styles]
    targets = {
        tap: Sums(
            *(torch.cat([getattr(sums[tap], part) for sums in each]) for part in ("count", "first", "second"))
        )
        for tap in STYLE_TAPS
    }
    for core, many in ((case.shape, False), (case.core, True)):
        found, tiles = tiled(case, extractor, samples, content, targets, kind, group, regions, core)
        assert (tiles > 1) == many or group is not None
        # Sums are rounded to float32, and a covariance is a small difference of large ones. What is not exact,
        # as a gradient cropped to the core or a halo too small by one, is off by 1e-3 and more.
        allowed = 1e-4 if kind == "moments" else 1e-5
        assert found.cost == pytest.approx(float(cost.detach()), rel=allowed)
        error = (found.gradient - leaf.grad).norm() / leaf.grad.norm()
        assert error < allowed, f"{error:.1e} off in {tiles} tiles"


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("group", ["one", "some", "all"])
@pytest.mark.parametrize("kind", [*STATISTICS, "gatys"])
@pytest.mark.parametrize("case", CASES)
def test_tiles_give_the_cost_and_gradient_of_the_whole(case: str, kind: str, group: str, masked: bool) -> None:
    check_tiles(CASES[case], kind, group, masked, "average")


@pytest.mark.parametrize("case", ["signal", "image", "clip-mean", "volume"])
def test_tiles_are_exact_with_max_pooling(case: str) -> None:
    check_tiles(CASES[case], "moments", "all", masked=True, pooling="max")


@pytest.mark.parametrize("case", CASES)
def test_sums_of_tiles_are_those_of_the_whole(case: str) -> None:
    which = CASES[case]
    network = tiny_network(which.own, strided=which.strided)
    extractor = network.on(len(which.shape), which.inflation)
    samples = numbers(3, *which.shape, seed=13, dtype=torch.float64)
    reach = extractor.reach(TAPS)
    found = style_sums(extractor, samples, plan(which.shape, which.core, *reach), TAPS)
    expected = sums_of(plain_features(network, samples[None], which.inflation))
    for tap in TAPS:
        assert float(found[tap].count) == float(expected[tap].count)
        torch.testing.assert_close(found[tap].first, expected[tap].first.float(), rtol=1e-6, atol=0)
        torch.testing.assert_close(found[tap].second, expected[tap].second.float(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("tiles", ["one tile", "tiles"])
@pytest.mark.parametrize("kind", [*STATISTICS, "gatys"])
@pytest.mark.parametrize("case", ["signal", "image", "clip", "volume"])
def test_at_the_target_cost_and_gradient_are_zero(case: str, kind: str, tiles: str) -> None:
    which = CASES[case]
    extractor = tiny_network(which.own, dtype=torch.float32).on(len(which.shape))
    samples = numbers(3, *which.shape, seed=14)
    core = which.shape if tiles == "one tile" else which.core
    targets = style_sums(extractor, samples, plan(which.shape, core, *extractor.reach(TAPS)), TAPS)

    def at(where: Tensor) -> Evaluation:
        return tiled(which, extractor, where, samples, targets, kind, None, None, core)[0]

    target, elsewhere = at(samples), at((samples + 0.2 * numbers(*samples.shape, seed=15)).clamp(0, 1))
    assert abs(target.cost) < 1e-6 * elsewhere.cost
    assert target.gradient.norm() < 1e-4 * elsewhere.gradient.norm()
