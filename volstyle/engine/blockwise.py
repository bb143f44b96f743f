"""The cost of an objective and its gradient, tile by tile, exactly.

A cost that depends on features through N, ΣF and ΣFFᵀ needs no more memory than a tile (blockwise evaluation
after Galerne et al., arXiv 2212.13459): pass 1 adds up the sums without gradient; the cost is differentiated
with respect to the sums; pass 2 runs each tile again and backpropagates that. Each feature is owned by one
tile, and a tile adds its gradient over its whole window; cropping the gradient to the core, as they do, needs
twice the halo. When one tile holds all positions of its groups, or all that are seen to here, the first pass is
also the second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.engine.between import add_between
from volstyle.engine.ranks import ALONE, Ranks
from volstyle.grid.tiles import Block, Shape, Tile, plan
from volstyle.loss.features import owned_features
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import Sums, feature_sums
from volstyle.loss.terms import StyleTerm
from volstyle.loss.weighed import weighed
from volstyle.networks.extractor import Extractor
from volstyle.networks.inflation import pool

Plans = tuple[tuple[Block, ...], ...]
"""The blocks of each view of an objective."""

GroupSums = dict[str, list[Sums]]
"""tap -> Sums of each group of frames, or of other slices."""


@dataclass(frozen=True)
class Evaluation:
    """costs: term -> weighted cost. gradient: of their sum, (C, *S)."""

    costs: Mapping[str, float]
    gradient: Tensor

    @property
    def cost(self) -> float:
        return sum(self.costs.values())


def plan_views(objective: Objective, shape: Shape, core: Shape) -> Plans:
    """Cut a field of this shape for each view of the objective, with cores of at most `core` samples."""
    plans = []
    for view in objective.views:
        reach = view.extractor.reach(view.taps)
        plans.append(tuple(plan(shape, core, *reach, view.group, view.along)))
    return tuple(plans)


def evaluate(samples: Tensor, objective: Objective, plans: Plans, ranks: Ranks = ALONE) -> Evaluation:
    """Cost and gradient at samples (C, *S). Memory beyond the gradient is that of the largest tile. plans: this
    process's own, where several share the evaluation."""
    found = seen_by_views(samples, objective, plans, ranks)
    costs, gradient = dict(found.costs), found.gradient
    for name, sample_term in objective.sample_terms.items():
        costs[name] = sample_term.add_gradient(samples, gradient)
    return Evaluation(costs, gradient)


def seen_by_views(samples: Tensor, objective: Objective, plans: Plans, ranks: Ranks = ALONE) -> Evaluation:
    """Cost and gradient of all views at samples (C, *S): the first of the ranks gets those of all."""
    with ranks.agreeing():
        seen = samples if objective.margin is None else continued(samples, objective.margin)
        gradient = torch.zeros_like(seen)
        costs = {"style": 0.0, "content": 0.0}
        for view, blocks in zip(objective.views, plans, strict=True):
            own = gradient if view.seen is None else torch.zeros_like(gradient)
            for block in blocks:
                for term, cost in _add_block(seen, own, view, block, ranks).items():
                    costs[term] += cost
            if view.seen is not None:
                span = slice(view.groups[0].start, view.groups[-1].stop)
                around = objective.margin is not None
                add_between(gradient, own, view.along, view.seen, span, around=around)
        if objective.margin is not None:
            gradient = _gathered(gradient, objective.margin)
    gradient, costs = ranks.gathered(gradient, costs)
    return Evaluation(costs, gradient)


def continued(samples: Tensor, margin: Shape) -> Tensor:
    """(C, *S) with `margin` samples more beyond each end, taken from the other end: (C, *(S + 2 margin))."""
    for axis, around in enumerate(margin, start=1):
        samples = samples.index_select(axis, _around(samples.shape[axis], around).to(samples.device))
    return samples


def _gathered(gradient: Tensor, margin: Shape) -> Tensor:
    """The transpose of `continued`: what came to copies of a sample comes to the sample."""
    for axis, around in enumerate(margin, start=1):
        size = gradient.shape[axis] - 2 * around
        shape = (*gradient.shape[:axis], size, *gradient.shape[axis + 1 :])
        index = _around(size, around).to(gradient.device)
        gradient = gradient.new_zeros(shape).index_add_(axis, index, gradient)
    return gradient


def _around(size: int, margin: int) -> Tensor:
    return torch.arange(-margin, size + margin) % size


def style_sums(
    extractor: Extractor,
    samples: Tensor,
    blocks: Sequence[Block],
    taps: Collection[str],
    regions: Tensor | None = None,
    ranks: Ranks = ALONE,
) -> dict[str, Sums]:
    """tap -> Sums over the whole of samples (C, *S), tile by tile, without gradient; R regions or one. blocks: of
    all ranks."""
    total = _no_sums(extractor, taps, 1, regions, samples.device)
    everything = (slice(0, samples.shape[1]),)
    with torch.no_grad():
        for tile in (tile for block in ranks.own(blocks) for tile in block.tiles):
            features = owned_features(extractor, samples, tile, taps)
            for tap, (found,) in group_sums(extractor, features, tile, everything, regions).items():
                total[tap][0] += found.double()
    return {tap: sums for tap, (sums,) in _over(ranks, total).items()}


def group_sums(
    extractor: Extractor,
    features: Mapping[str, Tensor],
    tile: Tile,
    groups: Sequence[slice],
    regions: Tensor | None,
    along: int = 0,
) -> GroupSums:
    """tap -> for each group of frames (slices of the field along an axis), the Sums of a tile's own positions.

    features: tap -> (1, K, *S') owned by the tile. regions: (R, *S), weights over the whole field, or None.
    """
    found: GroupSums = {}
    for tap, owned in features.items():
        stride = extractor.tap(tap).reach.stride
        weights = None
        if regions is not None:
            cells = _cells(regions[(slice(None), *tile.core)], stride)
            weights = cells[(slice(None), *(slice(0, size) for size in owned.shape[2:]))]
        first, step = tile.core[along].start // stride[along], stride[along]
        spans = [slice(max(g.start // step - first, 0), -(-g.stop // step) - first) for g in groups]
        # Cut once: each slice for itself would add a gradient of the whole, frames times over.
        counts = [len(range(owned.shape[2 + along])[span]) for span in spans]
        shares = [None] * len(spans) if weights is None else torch.split(weights, counts, dim=1 + along)
        found[tap] = [
            feature_sums(piece, share)
            for piece, share in zip(torch.split(owned, counts, dim=2 + along), shares, strict=True)
        ]
    return found


def _cells(weights: Tensor, stride: Shape) -> Tensor:
    """Weights (R, *S) averaged over the samples that each feature owns, which at an end may be fewer."""
    for axis, step in enumerate(stride, start=1):
        lines = weights.movedim(axis, -1)
        means = pool(lines.reshape(1, -1, lines.shape[-1]), "average", (step,), partial=True)
        weights = means.reshape(*lines.shape[:-1], -1).movedim(-1, axis)
    return weights


@dataclass(frozen=True)
class _Look:
    """A tile seen by a network. window: (1, C, *W), the leaf that gathers its gradient; features: tap -> owned
    ones; sums: tap -> those of the positions owned, for each group of its block."""

    tile: Tile
    window: Tensor
    features: Mapping[str, Tensor]
    sums: GroupSums


def _look(samples: Tensor, view: View, block: Block, tile: Tile) -> _Look:
    window = samples[(slice(None), *tile.window)].detach()[None].requires_grad_()
    features = owned_features(view.extractor, samples, tile, view.taps, window)
    style = {tap: features[tap] for tap in view.style.taps} if view.style else {}
    sums = group_sums(view.extractor, style, tile, block.groups, view.regions, block.along)
    return _Look(tile, window, features, sums)


def _add_block(samples: Tensor, gradient: Tensor, view: View, block: Block, ranks: Ranks) -> dict[str, float]:
    """Costs of one block, or of this process's share of it; its gradient is added to gradient."""
    if len(block.tiles) == 1:
        look = _look(samples, view, block, block.tiles[0])
        looks: Iterable[_Look] = (look,)
        sums = look.sums
    else:
        looks = (_look(samples, view, block, tile) for tile in block.tiles)
        sums = _total_sums(samples, view, block)
    costs = {"style": 0.0, "content": 0.0}
    slopes: GroupSums = {}
    if view.style is not None:
        if block.elsewhere:
            sums = _over(ranks, sums)
        cost, slopes = _style_slopes(view.style, sums, block.first)
        costs["style"] = cost * block.share
    for look in looks:
        outputs, weights = _paired(look.sums, slopes)
        if view.content is not None:
            content = view.content.cost(look.features, look.tile)
            costs["content"] += float(content.detach())
            outputs.append(content)
            weights.append(torch.ones_like(content))
        torch.autograd.backward(weighed(outputs, weights))
        assert look.window.grad is not None
        gradient[(slice(None), *look.tile.window)] += look.window.grad[0]
    return costs


def _total_sums(samples: Tensor, view: View, block: Block) -> GroupSums:
    """Pass 1: the sums of a block, added up in float64."""
    if view.style is None:
        return {}
    total = _no_sums(view.extractor, view.style.taps, len(block.groups), view.regions, samples.device)
    with torch.no_grad():
        for tile in block.tiles:
            for tap, groups in _look(samples, view, block, tile).sums.items():
                total[tap] = [a + b.double() for a, b in zip(total[tap], groups, strict=True)]
    return {tap: [sums.float() for sums in groups] for tap, groups in total.items()}


def _no_sums(
    extractor: Extractor, taps: Collection[str], groups: int, regions: Tensor | None, device: torch.device
) -> GroupSums:
    """tap -> Sums of no position for each group, in float64."""
    count = 1 if regions is None else len(regions)

    def none(channels: int) -> Sums:
        shapes = ((count,), (count, channels), (count, channels, channels))
        return Sums(*(torch.zeros(shape, dtype=torch.float64, device=device) for shape in shapes))

    return {tap: [none(extractor.tap(tap).channels)] * groups for tap in taps}


def _over(ranks: Ranks, sums: GroupSums) -> GroupSums:
    """Sums added up over all ranks, in float64."""
    groups = [group.double() for tap in sums for group in sums[tap]]
    found = iter(ranks.summed([part for group in groups for part in (group.count, group.first, group.second)]))
    return {tap: [Sums(next(found), next(found), next(found)).float() for _ in sums[tap]] for tap in sums}


def _style_slopes(term: StyleTerm, sums: GroupSums, first: int) -> tuple[float, GroupSums]:
    """The style cost, and its derivative with respect to each sum."""
    leaves = {tap: [group.leaf() for group in groups] for tap, groups in sums.items()}
    cost = term.cost(leaves, first)
    torch.autograd.backward(cost)
    slopes = {tap: [group.slope() for group in groups] for tap, groups in leaves.items()}
    return float(cost.detach()), slopes


def _paired(sums: GroupSums, slopes: GroupSums) -> tuple[list[Tensor], list[Tensor]]:
    """Sums and their derivatives as two lists for autograd."""
    outputs, weights = [], []
    for tap, groups in slopes.items():
        for found, slope in zip(sums[tap], groups, strict=True):
            outputs += [found.first, found.second]
            weights += [slope.first, slope.second]
    return outputs, weights
