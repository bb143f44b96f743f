"""The network that is trained, its heads, and its export as a plain chain of convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = ((32,), (64, 64), (128, 128), (192, 192), (256,))
"""Channels of each convolution; an average pool between stages. 40 thousand multiplications per sample, a ninth of
VGG-19's up to relu5_1; only one thin layer, of kernels 5x5, works on every sample, where memory is the limit."""
STYLE = {"relu1_1": 1.0, "relu2_2": 1.0, "relu3_2": 1.0, "relu4_2": 1.0}
CONTENT = {"relu3_1": 1.0, "relu3_2": 1.0}
"""The taps that the weights recommend, and their shares. Four tell as much of style as all together, in less time;
relu5_1, with few places and many channels to match, washes the colors out."""
FIRST_KERNEL = 5
PROJECTIONS = 24
"""Of features, whose covariance the heads see."""

MEAN, STD = 0.5, 0.25
"""Of the input, for each channel."""


class Trunk(nn.Module):
    """Convolutions with replicate padding, batch norm and ReLU; average pooling between stages."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        into, width = 3, FIRST_KERNEL
        for channels in STAGES:
            stage = nn.ModuleList()
            for out in channels:
                convolution = nn.Conv2d(into, out, width, padding=width // 2, padding_mode="replicate", bias=False)
                stage.append(nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU()))
                into, width = out, 3
            self.stages.append(stage)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] -> the features behind each ReLU."""
        x = (pictures - MEAN) / STD
        features = []
        for index, stage in enumerate(self.stages):
            x = functional.avg_pool2d(x, 2) if index else x
            for layer in cast(nn.ModuleList, stage):
                x = layer(x)
                features.append(x)
        return features


@dataclass(frozen=True)
class Answers:
    """programs: logits (B, P) of each stage; palettes: logits (B, Q) of each stage; traits: (B, T) of each stage,
    the program's entries; spoiled: (B, 4) of each stage; picture: (B, 3, H, W)."""

    programs: list[Tensor]
    palettes: list[Tensor]
    traits: list[Tensor]
    spoiled: list[Tensor]
    picture: Tensor


class Heads(nn.Module):
    """What the trunk is asked. At the end of each stage, told from the statistics that style is made of (means,
    and the covariance of a few projections): which program painted this, in which palette, what the program's
    entries are, and how far the picture was spoiled by noise of the same spectrum. From the last three stages:
    the picture itself without its grain, so that content is not lost."""

    def __init__(self, programs: int, palettes: int, traits: int) -> None:
        super().__init__()
        ends = [channels[-1] for channels in STAGES]
        self.sizes = (programs, palettes, traits, 4)
        self.projections = nn.ModuleList(nn.Linear(width, PROJECTIONS) for width in ends)
        self.answers = nn.ModuleList()
        for width in ends:
            seen = width + PROJECTIONS * (PROJECTIONS + 1) // 2
            answer = nn.Linear(seen, sum(self.sizes))
            nn.init.zeros_(answer.weight)
            self.answers.append(nn.Sequential(nn.BatchNorm1d(seen), answer))
        self.drafts = nn.ModuleList(nn.Conv2d(width, 48, 1) for width in ends[2:])
        self.picture = nn.Sequential(nn.ReLU(), nn.Conv2d(48, 3 * 16, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, features: list[Tensor]) -> Answers:
        """Features behind each ReLU, sides divisible by 16 -> answers."""
        place, told, ends = -1, [], []
        for channels, project, answer in zip(STAGES, self.projections, self.answers, strict=True):
            place += len(channels)
            ends.append(features[place])
            told.append(answer(_style(features[place], project)).split(self.sizes, dim=1))
        draft = sum(
            functional.interpolate(layer(end), scale_factor=float(2**k))
            for k, (layer, end) in enumerate(zip(self.drafts, ends[2:], strict=True))
        )
        programs, palettes, traits, spoiled = (list(answers) for answers in zip(*told, strict=True))
        return Answers(programs, palettes, traits, spoiled, self.picture(draft))


def _style(features: Tensor, project: nn.Module) -> Tensor:
    """The mean of each channel, and the covariance of the projections; (B, K + 300)."""
    rows = features.permute(0, 2, 3, 1).flatten(1, 2)  # channels stay last: otherwise convolutions slow down
    projected = project(rows)
    projected = projected - projected.mean(1, keepdim=True)
    covariance = (projected.mT @ projected).float() / rows.shape[1]
    upper = torch.triu_indices(PROJECTIONS, PROJECTIONS, device=rows.device)
    # Signed roots keep the range of covariances, which are products, that of the means.
    entries = covariance[:, upper[0], upper[1]]
    means = rows.mean(1, dtype=torch.float32)
    return torch.cat((means, entries.sign() * (entries.abs() + 1e-6).sqrt()), dim=1)


def redundancy(rows: Tensor) -> Tensor:
    """How much channels tell the same, from features (K, N): squared correlations with the others, summed and
    averaged over channels. Style is matched by a covariance relative to its own size, which sees little beyond a
    few strong directions when channels go together (Zbontar et al. 2021 for the penalty)."""
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / (rows.square().sum(1, keepdim=True) + 1e-4).sqrt()
    correlation = rows @ rows.mT
    return (correlation.square().sum() - correlation.diagonal().square().sum()) / rows.shape[0]


def density(rows: Tensor) -> Tensor:
    """(E f)² / E f² of features (K, N) as far as it is above a tenth, averaged over channels (Treves & Rolls
    1991): small where channels are picky. Dense random features tell little but the spectrum."""
    return (rows.mean(1).square() / (rows.square().mean(1) + 1e-4) - 0.1).clamp_min(0).mean()


def sampled(features: Tensor, side: int = 12) -> Tensor:
    """(B, K, H, W) -> (K, N): about side² places of each picture, enough for `redundancy` and `density`."""
    stride = max(features.shape[-1] // side, 1)
    return features.permute(0, 2, 3, 1)[:, ::stride, ::stride].flatten(0, 2).float().T


@torch.no_grad()
def export(trunk: Trunk, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """The trunk as conv{stage}_{i}.weight and .bias in float16: batch norm folded into the kernels, channels
    scaled over the batches so that all of a layer deviate alike and their mean activation is 1. It stays the
    same function but for these scales.

    Gatys et al. 2015 (section 2) scale each channel to mean 1; then the rarest channels, whose deviation is
    largest against their mean, rule the covariance. Channels that hardly deviate are not blown up.
    """
    trunk.eval()
    seen = [[_moments(features) for features in trunk(pictures)] for pictures in batches]
    if not seen:
        raise ValueError("export: no batches, must be at least one")
    tensors: dict[str, Tensor] = {}
    before: Tensor | float = 1.0
    for (name, (convolution, norm, _)), moments in zip(_layers(trunk), zip(*seen, strict=True), strict=True):
        mean, square = torch.stack(moments).mean(0)
        deviation = (square - mean.square()).clamp_min(0).sqrt()
        deviation = deviation.clamp_min(0.05 * float(deviation.mean()))
        own = deviation * (mean / deviation).mean()
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        tensors[f"{name}.weight"] = convolution.weight * (scale / own)[:, None, None, None] * before
        tensors[f"{name}.bias"] = (norm.bias - norm.running_mean * scale) / own
        before = own[None, :, None, None]
    return {name: tensor.half().cpu().contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def take_up(trunk: Trunk, tensors: Mapping[str, Tensor], pictures: Tensor) -> None:
    """The other way around: the trunk becomes the function of these tensors, its batch norms what the pictures
    (B, 3, H, W) make of them. Raises KeyError or RuntimeError for tensors of another trunk."""
    x, stage = (pictures - MEAN) / STD, "conv1"
    for name, (convolution, norm, rectify) in _layers(trunk):
        before, stage = stage, name.split("_")[0]
        x = functional.avg_pool2d(x, 2) if stage != before else x
        convolution.weight.copy_(tensors[f"{name}.weight"])
        x = convolution(x)
        variance, mean = torch.var_mean(x, (0, 2, 3))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + tensors[f"{name}.bias"])
        x = rectify(x + tensors[f"{name}.bias"].to(x)[:, None, None])


def _layers(trunk: Trunk) -> list[tuple[str, Any]]:
    """conv{stage}_{i} and its convolution, batch norm and ReLU, in order."""
    stages = [list(cast(nn.ModuleList, stage)) for stage in trunk.stages]
    return [(f"conv{s}_{i}", layer) for s, stage in enumerate(stages, 1) for i, layer in enumerate(stage, 1)]


def _moments(features: Tensor) -> Tensor:
    """(2, K): mean and mean square of each channel."""
    rows = features.float().transpose(0, 1).flatten(1)
    return torch.stack((rows.mean(1), rows.square().mean(1)))
