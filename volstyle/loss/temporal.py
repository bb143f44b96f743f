"""The cost of a result that does not move as its content moves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.loss.blocks import block_means
from volstyle.loss.weighed import weighed
from volstyle.motion.flow import warp
from volstyle.motion.links import Link, frame_pairs

_BROAD_SIDE, _BROAD_WEIGHT = 8, 8.0
"""The side, in samples, of the blocks whose mean differences are counted as well, and how much more they count.
Warping is exact for what is broader than a block, so that holding it firmly costs no brush stroke, while a still
background drifts a third as much."""


_FIXED_WEIGHT = 4.0
"""The weight of a pair of frames of which one is fixed."""


@dataclass(frozen=True)
class TemporalTerm:
    """weight · mean over links of Σ (M d² + 8 M d̄²) / (Σ M · variance), where d = warp(O_{t+gap}) − O_t.

    d̄ is the mean of d over the trusted samples of a block of 8 × 8. All frames are free at once, so there
    is no order in which errors could pile up. links: how things move. variance: of the content's samples,
    which makes the cost relative, like the others. fixed: (T,), 1 at frames that stay as they are; a pair of
    which one does counts four times, since only the other can give way. Source: the short and long-term
    losses of Ruder et al. 2016, eq. 8 and 10, for both directions; their c is `trust`, here with the borders
    of moving things, which would flicker else. d̄ and the four are ours.
    """

    weight: float
    links: tuple[Link, ...]
    variance: float
    fixed: Tensor | None = None

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        """The cost of samples (C, T, H, W); its gradient is added to gradient."""
        cost = torch.zeros((), device=samples.device)
        fixed = samples.new_zeros(samples.shape[1]) if self.fixed is None else self.fixed.to(samples)
        for link in self.links:
            scale = self.weight / (len(self.links) * link.known * samples.shape[0] * self.variance)
            of_all = (frame_pairs(part, link) for part in (samples, gradient, fixed[None, :, None, None]))
            for (now, then, flow, trust), (to_now, to_then, *_), (now_fixed, then_fixed, *_) in zip(
                *of_all, strict=True
            ):
                leaf = then.detach().requires_grad_()
                with torch.enable_grad():
                    warped = warp(leaf, flow)
                apart = (warped.detach() - now) * trust
                pull = apart + _BROAD_WEIGHT * block_means(apart, _BROAD_SIDE, trust)
                pull *= 1 + (_FIXED_WEIGHT - 1) * (now_fixed - then_fixed).abs()
                cost += scale * (apart * pull).sum()
                (slope,) = torch.autograd.grad(weighed([warped], [pull * (2 * scale)]), leaf)
                to_then.add_(slope)
                to_now.sub_(pull, alpha=2 * scale)
        return float(cost)
