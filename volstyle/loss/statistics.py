"""What a style is: sums over positions, and the distance between two of them.

Everything is a function of N, ΣF and ΣFFᵀ. They add over disjoint sets of positions, whatever the number of
axes, which is what makes tiles exact; they are divided by N only at the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from volstyle.errors import ShapeError


@dataclass(frozen=True)
class Sums:
    """Sums over the positions of each of R groups, where a group is a frame, a region of a mask, or everything.

    count: (R,), how many positions there are, or the sum of their weights. first: ΣF, (R, K). second: ΣFFᵀ,
    (R, K, K). All are float32 or better. Sums over disjoint positions add.
    """

    count: Tensor
    first: Tensor
    second: Tensor

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.count + other.count, self.first + other.first, self.second + other.second)

    def __getitem__(self, groups: Tensor) -> Sums:
        """The sums of some of the groups, chosen by a mask or by index."""
        return Sums(self.count[groups], self.first[groups], self.second[groups])

    def cpu(self) -> Sums:
        """The same sums on the CPU."""
        return Sums(self.count.cpu(), self.first.cpu(), self.second.cpu())

    def double(self) -> Sums:
        """The same sums in float64, in which many of them can be added up."""
        return Sums(self.count.double(), self.first.double(), self.second.double())

    def float(self) -> Sums:
        """The same sums in float32."""
        return Sums(self.count.float(), self.first.float(), self.second.float())

    def leaf(self) -> Sums:
        """The same numbers as leaves of a new graph, to differentiate a cost with respect to them."""
        first, second = self.first.detach().requires_grad_(), self.second.detach().requires_grad_()
        return Sums(self.count, first, second)

    def slope(self) -> Sums:
        """The derivative that was gathered in a leaf. It is zero where the cost does not depend on that leaf."""
        zero = torch.zeros((), device=self.second.device)
        return Sums(
            self.count,
            zero.expand_as(self.first) if self.first.grad is None else self.first.grad,
            zero.expand_as(self.second) if self.second.grad is None else self.second.grad,
        )

    def means(self) -> Sums:
        """The same divided by the count: count 1, the mean and the second moment."""
        count = self.count.clamp_min(torch.finfo(self.count.dtype).tiny)
        return Sums(torch.ones_like(self.count), self.first / count[:, None], self.second / count[:, None, None])

    def covariance(self) -> Tensor:
        """The covariance Σ of the features, (R, K, K)."""
        means = self.means()
        return means.second - means.first[:, :, None] * means.first[:, None, :]


def gram_sum(features: Tensor) -> Tensor:
    """Sum over positions of channel products, not normalized: sums of disjoint tiles add.

    features: (1, K, *S), any number of axes and any float type; the products are float32 or better.
    Returns (K, K). Source: Gatys et al. 2015 (arXiv 1508.06576), eq. 3. They normalize in the loss, assuming
    equal sizes; we divide by positions. Raises ShapeError unless the batch is 1.
    """
    return feature_sums(features).second[0]


def feature_sums(features: Tensor, weights: Tensor | None = None) -> Sums:
    """N, ΣF and ΣFFᵀ over all positions.

    features: (1, K, *S). weights: (R, *S), how much each position counts in each of R groups; None is one
    group in which each counts once. Returns Sums of R groups, in float32 (float64 for float64 features).
    Raises ShapeError unless the batch is 1 and the weights have the features' positions.
    """
    if features.shape[0] != 1:
        raise ShapeError(f"statistics: a batch of {features.shape[0]} fields, must be 1")
    if weights is not None and weights.shape[1:] != features.shape[2:]:
        have, need = tuple(weights.shape[1:]), tuple(features.shape[2:])
        raise ShapeError(f"statistics: weights for positions {have}, features have {need}")
    # Positions first is how channels-last features lie in memory: a view there, not a copy.
    rows = features[0].movedim(0, -1).reshape(-1, features.shape[1])
    if weights is None:
        first, second = _Moments.apply(rows)
        count = torch.full((1,), rows.shape[0], dtype=first.dtype, device=rows.device)
        return Sums(count, first[None], second[None])
    rows = _precise(rows)
    share = weights.reshape(weights.shape[0], -1).to(rows.dtype)
    second = torch.stack([(rows * w[:, None]).T @ rows for w in share])
    return Sums(share.sum(1), share @ rows, second)


class _Moments(torch.autograd.Function):
    """ΣF and ΣFFᵀ of rows (N, K), summed in float32 or better.

    Their derivative, 1 for ΣF and F (G + Gᵀ) for ΣFFᵀ, is one product in the type of the rows, where autograd
    would take two in float32, a tenth of the time of a step with VGG-19 in bfloat16. A gradient need not be more
    exact than the features are.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(rows)
        precise = _precise(rows)
        return precise.sum(0), precise.T @ precise

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        first, second = (gradient.to(rows.dtype) for gradient in gradients)
        return torch.addmm(first, rows, second + second.T)


def _precise(rows: Tensor) -> Tensor:
    return rows if rows.dtype == torch.float64 else rows.float()


def joined(groups: Sequence[Sums]) -> Sums:
    """The groups of several sums side by side, as one value."""
    return Sums(
        torch.cat([s.count for s in groups]),
        torch.cat([s.first for s in groups]),
        torch.cat([s.second for s in groups]),
    )


def blended(sums: Sequence[Sums], weights: Sequence[float]) -> Sums:
    """Several styles as one: means and second moments averaged with weights, as if their positions were mixed."""
    total = sum(weights)
    means = [s.means() for s in sums]
    first = sum((m.first * (w / total) for m, w in zip(means, weights, strict=True)), torch.zeros(()))
    second = sum((m.second * (w / total) for m, w in zip(means, weights, strict=True)), torch.zeros(()))
    return Sums(torch.ones_like(means[0].count), first, second)


def mixed(styles: Sums, shares: Tensor) -> Sums:
    """A blend of R styles for each of G groups, made as by `blended`. styles: the means of the styles. shares: (G,
    R), what each group takes of each style; each row has sum 1."""
    shares = shares.to(styles.first)
    first, second = (torch.tensordot(shares, moment, dims=([1], [0])) for moment in (styles.first, styles.second))
    return Sums(shares.sum(1), first, second)


Statistic = Callable[[Sums, Sums], Tensor]
"""A distance of sums from a target, for each group (R,), relative to the target: 0 where they agree, about 1 where
they have nothing in common. The target has as many groups, or one for all."""


def gram_distance(found: Sums, target: Sums) -> Tensor:
    """‖G − A‖²_F / ‖A‖²_F of the mean Gram matrices (Gatys et al. 2015, made relative)."""
    g, a = found.means().second, target.means().second
    return _relative(g - a, a)


def moments_distance(found: Sums, target: Sums) -> Tensor:
    """‖μ − μ̂‖² / ‖μ̂‖² + ‖Σ − Σ̂‖²_F / ‖Σ̂‖²_F. Mean and covariance count apart, so that neither hides the
    other."""
    mean, mean_target = found.means().first, target.means().first
    return _relative(mean - mean_target, mean_target) + _relative(
        found.covariance() - target.covariance(), target.covariance()
    )


def w2_distance(found: Sums, target: Sums) -> Tensor:
    """Squared Wasserstein-2 distance of Gaussians, over ‖μ̂‖² + tr Σ̂.

    ‖μ − μ̂‖² + tr(Σ + Σ̂ − 2(Σ̂^½ Σ Σ̂^½)^½), as in crowsonkb/style-transfer-pytorch, but in float64 with
    eigenvalues where they take 12 Newton–Schulz steps, and 1e-4 of the mean variance on both diagonals.
    """
    if found.first.device.type == "mps":  # this device has no float64; the sums are small
        found, target = found.cpu(), target.cpu()
    mean, mean_target = found.means().first.double(), target.means().first.double()
    wide, wide_target = found.covariance().double(), target.covariance().double()
    trace = torch.diagonal(wide_target, dim1=-2, dim2=-1).sum(-1)
    floor = (1e-4 * trace / wide.shape[-1]).clamp_min(1e-12)[:, None, None]
    floor = floor * torch.eye(wide.shape[-1], dtype=torch.float64, device=wide.device)
    wide, wide_target = wide + floor, wide_target + floor
    values, vectors = torch.linalg.eigh(wide_target)
    root = vectors * values.clamp_min(0).sqrt()[:, None, :] @ vectors.mT
    inner = torch.linalg.eigvalsh(root @ wide @ root).clamp_min(0)
    traces = torch.diagonal(wide + wide_target, dim1=-2, dim2=-1).sum(-1)
    distance: Tensor = (mean - mean_target).square().sum(-1) + traces - 2 * inner.sqrt().sum(-1)
    return distance / (mean_target.square().sum(-1) + trace).clamp_min(1e-12)


def _relative(difference: Tensor, target: Tensor) -> Tensor:
    power = target.flatten(1).square().sum(1)  # nothing is left where a style leaves all channels of a tap at zero
    return difference.flatten(1).square().sum(1) / power.clamp_min(1e-12)


STATISTICS: dict[str, Statistic] = {
    "gram": gram_distance,
    "moments": moments_distance,
    "w2": w2_distance,
}


def gatys_distance(found: Sums, target: Sums) -> Tensor:
    """‖G(S) − G(G)‖²_F / (2 · n_C · Π n_i)², the textbook's style cost, per group (R,).

    Π n_i is the number of the result's positions. A target of another size is first divided by its own number
    of positions and multiplied by the result's.
    """
    wanted = target.means().second * found.count[:, None, None]
    channels = found.first.shape[1]
    scale = (2.0 * channels * found.count).square()
    return (found.second - wanted).flatten(1).square().sum(1) / scale
