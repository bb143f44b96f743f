"""The laws of the design, for 1, 2 and 3 axes. Round trip is the codecs' and has a file of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import CPU, TAPS, numbers, plain_features, stylized, tiny_field, tiny_network
from volstyle.engine.blockwise import Evaluation, evaluate, plan_views, style_sums
from volstyle.engine.scene import Style
from volstyle.grid.tiles import plan
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import STATISTICS, Sums, feature_sums, gatys_distance, gram_sum
from volstyle.loss.terms import ContentTerm, StyleTerm
from volstyle.networks.extractor import Extractor, Network
from volstyle.networks.inflation import Placement
from volstyle.networks.layers import Chain, Convolution, Normalization, Rectifier
from volstyle.recipe import ContentChoice, NetworkChoice, Recipe, ScheduleChoice, StyleChoice
from volstyle.record import Record

SHAPES = {1: (13,), 2: (13, 10), 3: (9, 8, 10)}


def assert_same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], share: float = 1e-12) -> None:
    """Equal to a share of the largest feature."""
    assert set(found) == set(expected)
    for tap, features in expected.items():
        largest = float(features.abs().max())
        assert largest > 0.1
        torch.testing.assert_close(found[tap], features, rtol=0, atol=share * largest)


# ---- 1: constant extension


@pytest.mark.parametrize("replicate", [True, False], ids=["replicate", "zeros"])
@pytest.mark.parametrize("inflation", ["center", "mean"])
@pytest.mark.parametrize(("own", "axes"), [(1, 2), (1, 3), (2, 3)])
def test_constant_along_a_new_axis_changes_no_feature(
    own: int, axes: int, inflation: str, replicate: bool
) -> None:
    network = tiny_network(own, replicate=replicate)
    flat = numbers(1, 3, *SHAPES[own], seed=1, dtype=torch.float64)
    new = SHAPES[axes][: axes - own]
    extended = flat.reshape(1, 3, *(1,) * len(new), *SHAPES[own]).expand(1, 3, *new, *SHAPES[own])
    before = network.on(own)(flat, TAPS)
    after = network.on(axes, inflation)(extended, TAPS)
    for tap in TAPS:
        kept = before[tap].reshape(1, -1, *(1,) * len(new), *before[tap].shape[2:])
        torch.testing.assert_close(after[tap], kept.expand_as(after[tap]), rtol=0, atol=1e-12)
        gram = gram_sum(before[tap]) * math.prod(new)
        torch.testing.assert_close(gram_sum(after[tap]), gram, rtol=1e-12, atol=0)


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize(("own", "kept"), [(2, (1,)), (2, (0,)), (3, (1, 2)), (3, (0, 2)), (3, (2,)), (3, (0,))])
def test_a_lost_axis_is_summed_over(own: int, kept: tuple[int, ...], pooling: str) -> None:
    network = tiny_network(own, pooling=pooling)
    samples = numbers(1, 3, *(12,) * len(kept), seed=2, dtype=torch.float64)
    # In the network's own space: constant along the axes that are lost.
    shape = [12 if axis in kept else 1 for axis in range(own)]
    extended = samples.reshape(1, 3, *shape).expand(1, 3, *(12,) * own)
    found = network.placed(Placement(kept))(samples, TAPS)
    for tap, features in network.on(own)(extended, TAPS).items():
        for axis in range(own):
            if axis not in kept:
                torch.testing.assert_close(features.amax(2 + axis), features.amin(2 + axis), rtol=0, atol=1e-12)
        anywhere = features[(0, slice(None), *(slice(None) if axis in kept else 1 for axis in range(own)))]
        torch.testing.assert_close(found[tap][0], anywhere, rtol=0, atol=1e-12)


def test_the_last_axes_of_a_network_lie_on_a_field_of_fewer() -> None:
    assert tiny_network(3).on(1).placement == Placement((2,))
    assert tiny_network(2).on(3, "mean").placement == Placement(("mean", 0, 1))


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_planes_are_one_network_turned(normal: int) -> None:
    """Slices of a volume across any axis: a center-inflated kernel 1×k×k, k×1×k or k×k×1."""
    network = tiny_network(2)
    volume = numbers(1, 3, *SHAPES[3], seed=3, dtype=torch.float64)
    placement = Placement((*(0, 1)[:normal], "center", *(0, 1)[normal:]))
    slices = [plain_features(network, plane) for plane in volume.unbind(2 + normal)]
    expected = {tap: torch.stack([each[tap] for each in slices], dim=2 + normal) for tap in TAPS}
    assert_same(network.placed(placement)(volume, TAPS), expected)
    assert_same(network.inflated(placement)(volume, TAPS), expected)


def test_a_placement_may_exchange_axes() -> None:
    network = tiny_network(2)
    image = numbers(1, 3, *SHAPES[2], seed=4, dtype=torch.float64)
    turned = network.placed(Placement((1, 0)))(image.transpose(2, 3), TAPS)
    assert_same({tap: features.transpose(2, 3) for tap, features in turned.items()}, network.on(2)(image, TAPS))


def test_center_on_a_clip_is_the_network_frame_by_frame() -> None:
    network = tiny_network(2, replicate=False, dtype=torch.float32)
    clip = numbers(1, 3, 4, 24, 20, seed=5)
    frames = [network.on(2)(frame, TAPS) for frame in clip.unbind(2)]
    expected = {tap: torch.stack([frame[tap] for frame in frames], dim=2) for tap in TAPS}
    assert_same(network.on(3, "center")(clip, TAPS), expected, share=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gray_stands_for_equal_channels(axes: int) -> None:
    extractor = tiny_network(axes).on(axes)
    gray = numbers(1, 1, *SHAPES[axes], seed=6, dtype=torch.float64)
    assert_same(extractor(gray, TAPS), extractor(gray.expand(1, 3, *SHAPES[axes]), TAPS))


# ---- 2: box identity


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("replicate", [True, False], ids=["replicate", "zeros"])
@pytest.mark.parametrize(
    ("own", "axes"),
    [
        (1, ("mean", 0)),
        (1, (0, "mean")),
        (1, ("mean", "mean", 0)),
        (1, ("mean", 0, "center")),
        (2, ("mean", 0, 1)),
        (2, (0, "mean", 1)),
        (2, (1, 0, "mean")),
        (2, ("mean", 1)),
        (3, (0, 1, 2)),
    ],
)
def test_box_identity(own: int, axes: tuple[int | str, ...], replicate: bool, width: int) -> None:
    """A mean-inflated convolution is a box filter before the convolution; the gradient says the same."""
    network = tiny_network(own, replicate=replicate, width=width, dtype=torch.float32)
    placement = Placement(axes)
    results = []
    for extractor in (network.placed(placement), network.inflated(placement)):
        samples = numbers(1, 3, *SHAPES[len(axes)], seed=7).requires_grad_()
        features = extractor(samples, TAPS)
        torch.stack([f.square().sum() for f in features.values()]).sum().backward()
        results.append((features, samples.grad))
    (fast, slope), (reference, slope_reference) = results
    for tap in TAPS:
        torch.testing.assert_close(fast[tap], reference[tap], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(slope, slope_reference, rtol=0, atol=1e-5 * float(slope_reference.abs().max()))


def test_box_identity_knows_its_own_reference() -> None:
    """The explicit kernel is repeated and divided by its width, nothing else."""
    network = tiny_network(2)
    clip = numbers(1, 3, 5, 12, 9, seed=8, dtype=torch.float64)
    expected = plain_features(network, clip, "mean")
    assert_same(network.on(3, "mean")(clip, TAPS), expected)
    assert_same(network.inflated(Placement(("mean", 0, 1)))(clip, TAPS), expected)


# ---- 3: tiles


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
STYLE_TAPS = {"relu1_1": 0.5, "relu2_1": 1.0, "relu3_1": 2.0}
CONTENT_TAPS = {"relu2_1": 1.0, "relu3_1": 0.5}
ALPHA, BETA = 0.7, 1.3


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
    cells = torch.empty(len(regions), *features, dtype=regions.dtype)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in features)).reshape(-1, len(features)).tolist():
        owned = tuple(slice(at * step, (at + 1) * step) for at, step in zip(place, stride, strict=True))
        cells[(slice(None), *place)] = regions[(slice(None), *owned)].flatten(1).mean(1)
    return cells


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


# ---- 4: zero at the target


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


# ---- 5: the textbook formula
#
# Two channels of four positions. Their layout over 1, 2 or 3 axes changes none of these numbers.
#
#   G: a1 = 1 0 2 1   a2 = 0 1 1 3     G11 = 1+0+4+1 = 6   G12 = 0+0+2+3 = 5   G22 = 0+1+1+9 = 11
#   S: a1 = 1 1 0 0   a2 = 2 0 1 1     G11 = 1+1+0+0 = 2   G12 = 2+0+0+0 = 2   G22 = 4+0+1+1 = 6
#   C: a1 = 1 1 2 1   a2 = 0 1 0 1
#
#   J_style = ((6-2)² + 2·(5-2)² + (11-6)²) / (2·2·4)² = (16 + 18 + 25) / 256 = 59/256
#   J_content = ½ ((0-1)² + (1-0)² + (3-1)²) = ½ · 6 = 3

LAYOUTS = {1: (4,), 2: (2, 2), 3: (1, 2, 2)}
RESULT = ((1, 0, 2, 1), (0, 1, 1, 3))
STYLE = ((1, 1, 0, 0), (2, 0, 1, 1))
CONTENT = ((1, 1, 2, 1), (0, 1, 0, 1))


def transparent(axes: int) -> Network:
    """Features are the samples (tap "once"), then twice the samples (tap "twice"), at every position."""
    one = torch.eye(2).reshape(2, 2, *(1,) * axes)
    point: dict[str, Any] = {"bias": torch.zeros(2), "stride": (1,) * axes, "replicate": (True,) * axes}
    layers = (
        Normalization(torch.zeros(2), torch.ones(2)),
        Convolution(kernel=one, **point),
        Rectifier(2, "once"),
        Convolution(kernel=2 * one, **point),
        Rectifier(2, "twice"),
    )
    return Network("transparent", "none", axes, 2, Chain(layers), {"once": 1.0}, {"once": 1.0})


def laid_out(values: tuple[tuple[int, ...], ...], shape: tuple[int, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(2, *shape)


def textbook(
    axes: int,
    *,
    alpha: float = 0.0,
    beta: float = 0.0,
    taps: Mapping[str, float],
    style: Tensor | None = None,
    core: tuple[int, ...] | None = None,
) -> Evaluation:
    shape = LAYOUTS[axes]
    extractor = transparent(axes).on(axes)
    style = laid_out(STYLE, shape) if style is None else style
    blocks = plan(tuple(style.shape[1:]), tuple(style.shape[1:]), *extractor.reach(taps))
    source = SourceFeatures(extractor, laid_out(CONTENT, shape), taps)
    view = View(
        extractor,
        StyleTerm(beta, taps, style_sums(extractor, style, blocks, taps), gatys_distance) if beta else None,
        ContentTerm(alpha, taps, source, dict.fromkeys(taps, 2.0)) if alpha else None,
    )
    objective = Objective((view,))
    return evaluate(laid_out(RESULT, shape), objective, plan_views(objective, shape, core or shape))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_style_cost(axes: int) -> None:
    assert textbook(axes, beta=1, taps={"once": 1}).cost == pytest.approx(59 / 256, rel=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_content_cost_and_gradient(axes: int) -> None:
    found = textbook(axes, alpha=1, taps={"once": 1})
    assert found.cost == pytest.approx(3, rel=1e-6)
    slope = laid_out(((0, -1, 0, 0), (0, 0, 1, 2)), LAYOUTS[axes])  # of ½‖a − b‖²: a − b
    slope = torch.where(laid_out(RESULT, LAYOUTS[axes]) > 0, slope, 0.0)  # what ReLU stops
    torch.testing.assert_close(found.gradient, slope)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_sum_of_taps_alpha_and_beta(axes: int) -> None:
    """Features twice as large: Gram matrices 4 times, J_style 16 times, J_content 4 times."""
    found = textbook(axes, alpha=10, beta=5, taps={"once": 1, "twice": 0.5})
    assert found.costs["style"] == pytest.approx(5 * (59 / 256 + 0.5 * 16 * 59 / 256), rel=1e-6)
    assert found.costs["content"] == pytest.approx(10 * (3 + 0.5 * 4 * 3), rel=1e-6)
    assert found.cost == pytest.approx(sum(found.costs.values()))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_in_tiles(axes: int) -> None:
    core = (1,) * axes
    assert textbook(axes, beta=1, taps={"once": 1}, core=core).cost == pytest.approx(59 / 256, rel=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_style_of_another_size(axes: int) -> None:
    """S: a1 = 1 1, a2 = 2 0: (2, 2, 4), over 2 positions and times 4: (4, 4, 8). (2² + 2·1² + 3²) / 256."""
    style = laid_out(((1, 1), (2, 0)), (1,) * (axes - 1) + (2,))
    assert textbook(axes, beta=1, taps={"once": 1}, style=style).cost == pytest.approx(15 / 256, rel=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook_through_stylize(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are eighths of the integers above: contents by 8², Gram matrices by 8², style costs by 8⁴."""
    monkeypatch.setattr("volstyle.engine.outline.load_network", lambda *_, **__: transparent(axes))
    fields = [
        replace(tiny_field(*LAYOUTS[axes], channels=2), samples=laid_out(values, LAYOUTS[axes]) / 8)
        for values in (CONTENT, STYLE, RESULT)
    ]
    recipe = Recipe(
        scaling="gatys",
        content=ContentChoice(weight=10.0),
        style=StyleChoice(weight=5e3, taps={"once": 1.0, "twice": 0.5}),
        schedule=ScheduleChoice(steps=1),
        precision="float32",
        device="cpu",
    )
    content, style, init = fields
    (stage,) = stylized(content, [Style(style)], recipe, init=init).record.stages
    assert stage.costs["content"] == [pytest.approx(10 * 3 / 64, rel=1e-5)]
    assert stage.costs["style"] == [pytest.approx(5e3 * 9 * 59 / 256 / 4096, rel=1e-5)]


# ---- 7: replay


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "gd"])
@pytest.mark.parametrize("shape", [(96,), (40, 32), (3, 24, 32)], ids=["1", "2", "3"])
def test_a_record_gives_the_same_bytes_again(shape: tuple[int, ...], optimizer: str, tmp_path: Path) -> None:
    names = ("t", "y", "x") if len(shape) == 3 else None
    content, style = tiny_field(*shape, names=names), Style(tiny_field(*shape[-2:], seed=1))
    recipe = Recipe(
        network=NetworkChoice("random"),
        schedule=ScheduleChoice(smallest=48, ratio=2.0, steps=2),
        init="noise",
        memory="8MB",
        seed=4,
        device="cpu",
    ).set(f"optimizer.name={optimizer}")
    first = stylized(content, [style], recipe)
    (tmp_path / "record.json").write_text(first.record.to_json())
    record = Record.load(tmp_path / "record.json")
    again = stylized(content, [style], record.recipe)
    assert torch.equal(first.field.samples, again.field.samples)
    assert again.record.recipe == first.record.recipe
    assert [s.costs for s in again.record.stages] == [s.costs for s in first.record.stages]
    other = stylized(content, [style], replace(record.recipe, seed=5))
    assert not torch.equal(first.field.samples, other.field.samples)


def test_weights_are_placed_where_they_are_used() -> None:
    assert (
        tiny_network(2).to(CPU, torch.bfloat16).on(2)(numbers(1, 3, 8, 8), TAPS)["relu1_1"].dtype == torch.bfloat16
    )
