"""The network that is trained, its heads, and its export as a plain chain of convolutions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = ((32, 32), (64, 64), (128, 128), (192, 192))
"""Channels of each convolution; an average pool between stages. 45 thousand multiplications per sample, an
eighth of VGG-19's up to relu5_1."""

MEAN, STD = 0.5, 0.25
"""Of the input, for each channel."""


class Trunk(nn.Module):
    """3x3 convolutions with replicate padding, batch norm and ReLU; average pooling between stages."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        into = 3
        for channels in STAGES:
            stage = nn.ModuleList()
            for out in channels:
                convolution = nn.Conv2d(into, out, 3, padding=1, padding_mode="replicate", bias=False)
                stage.append(nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU()))
                into = out
            self.stages.append(stage)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] -> the features behind each ReLU."""
        x = (pictures - MEAN) / STD
        features = []
        for index, stage in enumerate(self.stages):
            x = functional.avg_pool2d(x, 2) if index else x
            for layer in stage:  # type: ignore[attr-defined]
                x = layer(x)
                features.append(x)
        return features


class Heads(nn.Module):
    """What the trunk is asked: at the end of each stage, which program painted this, told from the statistics
    that style is made of (means and the Gram matrix of a few projections); and, from the last two stages, the
    picture itself, so that content is not lost."""

    def __init__(self, programs: int) -> None:
        super().__init__()
        ends = [channels[-1] for channels in STAGES]
        self.projections = nn.ModuleList(nn.Conv2d(width, 24, 1) for width in ends)
        self.classes = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(width + 24 * 25 // 2), nn.Linear(width + 24 * 25 // 2, programs))
            for width in ends
        )
        self.fine, self.coarse = nn.Conv2d(ends[-2], 48, 1), nn.Conv2d(ends[-1], 48, 1)
        self.picture = nn.Sequential(nn.ReLU(), nn.Conv2d(48, 3 * 16, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Features behind each ReLU -> logits (B, P) of each stage, and pictures (B, 3, H, W)."""
        place, logits, ends = -1, [], []
        for channels, project, classify in zip(STAGES, self.projections, self.classes, strict=True):
            place += len(channels)
            ends.append(features[place])
            logits.append(classify(_style(features[place], project(features[place]))))
        coarse = functional.interpolate(self.coarse(ends[-1]), scale_factor=2.0)
        return logits, self.picture(self.fine(ends[-2]) + coarse)


def _style(features: Tensor, projected: Tensor) -> Tensor:
    """(B, K + 300): the mean of each channel, and the covariance of the projections."""
    rows = projected.flatten(2).float()
    rows = rows - rows.mean(2, keepdim=True)
    covariance = rows @ rows.mT / rows.shape[2]
    upper = torch.triu_indices(24, 24, device=rows.device)
    # Signed roots keep the range of covariances, which are products, that of the means.
    entries = covariance[:, upper[0], upper[1]]
    return torch.cat((features.float().mean((2, 3)), entries.sign() * (entries.abs() + 1e-6).sqrt()), dim=1)


@torch.no_grad()
def export(trunk: Trunk, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """The trunk as conv{stage}_{i}.weight and .bias in float16: batch norm folded into the kernels, and each
    channel scaled to a mean activation of 1 over the batches (Gatys et al. 2015, section 2), which leaves
    the function of the network the same but for that scale. Channels that are hardly ever active are not blown up.
    """
    trunk.eval()
    means = None
    count = 0
    for pictures in batches:
        now = [features.float().mean((0, 2, 3)) for features in trunk(pictures)]
        means = now if means is None else [a + b for a, b in zip(means, now, strict=True)]
        count += 1
    if means is None:
        raise ValueError("export: no batches, must be at least one")
    means = [mean / count for mean in means]
    tensors: dict[str, Tensor] = {}
    before = torch.ones(3)
    layers = ((s, i, layer) for s, stage in enumerate(trunk.stages, 1) for i, layer in enumerate(stage, 1))  # type: ignore[arg-type]
    for (stage, place, layer), mean in zip(layers, means, strict=True):
        convolution, norm = layer[0], layer[1]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        own = mean.clamp_min(0.1 * float(mean.mean()))
        kernel = convolution.weight * (scale / own)[:, None, None, None] * before[None, :, None, None]
        bias = (norm.bias - norm.running_mean * scale) / own
        tensors[f"conv{stage}_{place}.weight"] = kernel.half().contiguous()
        tensors[f"conv{stage}_{place}.bias"] = bias.half().contiguous()
        before = own
    return tensors
