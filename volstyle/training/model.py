"""The networks that are trained, their heads, and their export as a plain chain of convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from volstyle.networks.inflation import channels_last, pool


@dataclass(frozen=True)
class Architecture:
    """axes: the axes of the kernels. stages: the channels of each convolution; there is an average pool between
    stages. first_kernel: the width of the first kernel; the others are 3 wide. style, content: the taps that the
    weights recommend, and their shares. drawn: the stages at whose ends a head draws the picture again."""

    axes: int
    stages: tuple[tuple[int, ...], ...]
    first_kernel: int
    style: Mapping[str, float]
    content: Mapping[str, float]
    drawn: slice

    @property
    def stride(self) -> int:
        """Samples from one of the last features to the next."""
        return int(2 ** (len(self.stages) - 1))


ARCHITECTURES = {
    # 40 thousand multiplications per sample, a ninth of VGG-19's up to relu5_1; only one thin layer, of kernels
    # 5x5, works on every sample, where memory is the limit. Four taps tell as much of style as all together, in
    # less time; relu5_1, with few places and many channels to match, washes the colors out.
    "builtin": Architecture(
        axes=2,
        stages=((32,), (64, 64), (128, 128), (192, 192), (256,)),
        first_kernel=5,
        style={"relu1_1": 1.0, "relu2_2": 1.0, "relu3_2": 1.0, "relu4_2": 1.0},
        content={"relu3_1": 1.0, "relu3_2": 1.0},
        drawn=slice(2, None),
    ),
    # 9 thousand multiplications per sample, and 30 samples seen along each axis: with a pyramid, tiles of volumes
    # and their halos stay small.
    "builtin3d": Architecture(
        axes=3,
        stages=((16,), (32, 32), (64, 64)),
        first_kernel=3,
        style={"relu1_1": 1.0, "relu2_2": 1.0, "relu3_2": 1.0},
        content={"relu2_2": 1.0},
        drawn=slice(1, None),
    ),
}
PROJECTIONS = 24
"""The number of projections of the features whose covariance the heads see."""

MEAN, STD = 0.5, 0.25
"""Mean and standard deviation to which each channel of the input is normalized."""


_CONVOLUTIONS: dict[int, type[nn.Conv2d | nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMS: dict[int, type[nn.BatchNorm2d | nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Trunk(nn.Module):
    """Convolutions with replicate padding, batch norm and ReLU; average pooling between stages."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        convolution, norm = _CONVOLUTIONS[architecture.axes], _NORMS[architecture.axes]
        self.stages = nn.ModuleList()
        into, width = 3, architecture.first_kernel
        for channels in architecture.stages:
            stage = nn.ModuleList()
            for out in channels:
                layer = convolution(into, out, width, padding=width // 2, padding_mode="replicate", bias=False)
                stage.append(nn.Sequential(layer, norm(out), nn.ReLU()))
                into, width = out, 3
            self.stages.append(stage)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, *S) in [0, 1] -> the features behind each ReLU."""
        x = channels_last((pictures - MEAN) / STD)
        features = []
        for index, stage in enumerate(self.stages):
            x = _halved(x) if index else x
            for layer in cast(nn.ModuleList, stage):
                x = layer(x)
                features.append(x)
        return features


def _halved(x: Tensor) -> Tensor:
    return pool(x, "average", (2,) * (x.dim() - 2))


@dataclass(frozen=True)
class Answers:
    """programs: logits (B, P) of each stage; palettes: logits (B, Q) of each stage; traits: (B, T) of each stage,
    the program's entries; spoiled: (B, 4) of each stage; picture: (B, 3, *S)."""

    programs: list[Tensor]
    palettes: list[Tensor]
    traits: list[Tensor]
    spoiled: list[Tensor]
    picture: Tensor


class Heads(nn.Module):
    """The questions that the trunk is trained to answer. At the end of each stage, from the statistics that style
    is made of (means, and the covariance of a few projections): which program painted the picture, in which
    palette, what the entries of the program are, and how far the picture was spoiled by noise of the same
    spectrum. From some of the stages also the picture itself without its grain, so that content is not lost."""

    def __init__(self, architecture: Architecture, programs: int, palettes: int, traits: int) -> None:
        super().__init__()
        self.architecture = architecture
        ends = [channels[-1] for channels in architecture.stages]
        self.sizes = (programs, palettes, traits, 4)
        self.projections = nn.ModuleList(nn.Linear(width, PROJECTIONS) for width in ends)
        self.answers = nn.ModuleList()
        for width in ends:
            seen = width + PROJECTIONS * (PROJECTIONS + 1) // 2
            answer = nn.Linear(seen, sum(self.sizes))
            nn.init.zeros_(answer.weight)
            self.answers.append(nn.Sequential(nn.BatchNorm1d(seen), answer))
        convolution = _CONVOLUTIONS[architecture.axes]
        self.drafts = nn.ModuleList(convolution(width, 48, 1) for width in ends[architecture.drawn])
        into = 3 * self._upscaling**architecture.axes
        self.picture = nn.Sequential(nn.ReLU(), convolution(48, into, 3, padding=1))

    @property
    def _upscaling(self) -> int:
        """From the first of the stages drawn from to the picture."""
        return int(2 ** range(len(self.architecture.stages))[self.architecture.drawn][0])

    def forward(self, features: list[Tensor]) -> Answers:
        """Features behind each ReLU, sides divisible by the architecture's stride -> answers."""
        place, told, ends = -1, [], []
        for channels, project, answer in zip(
            self.architecture.stages, self.projections, self.answers, strict=True
        ):
            place += len(channels)
            ends.append(features[place])
            told.append(answer(_style(features[place], project)).split(self.sizes, dim=1))
        draft = sum(
            functional.interpolate(layer(end), scale_factor=float(2**k))
            for k, (layer, end) in enumerate(zip(self.drafts, ends[self.architecture.drawn], strict=True))
        )
        programs, palettes, traits, spoiled = (list(answers) for answers in zip(*told, strict=True))
        return Answers(programs, palettes, traits, spoiled, _shuffled(self.picture(draft), self._upscaling))


def _shuffled(draft: Tensor, times: int) -> Tensor:
    """(B, C · times^axes, *S) -> (B, C, *(times · S)): channels as the samples of a block (Shi et al. 2016)."""
    axes = draft.dim() - 2
    sides = tuple(times * side for side in draft.shape[2:])
    blocks = draft.reshape(draft.shape[0], -1, *(times,) * axes, *draft.shape[2:])
    order = (axis for side in range(2, 2 + axes) for axis in (side + axes, side))
    return blocks.permute(0, 1, *order).reshape(*blocks.shape[:2], *sides)


def _style(features: Tensor, project: nn.Module) -> Tensor:
    """The mean of each channel, and the covariance of the projections; (B, K + 300)."""
    rows = features.movedim(1, -1).flatten(1, -2)  # channels stay last: otherwise convolutions slow down
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


def sampled(features: Tensor, places: int = 144) -> Tensor:
    """(B, K, *S) -> (K, N): about so many places of each picture, enough for `redundancy` and `density`."""
    axes = features.dim() - 2
    stride = max(features.shape[-1] // round(places ** (1 / axes)), 1)
    every = (slice(None), *(slice(None, None, stride),) * axes)
    return features.movedim(1, -1)[every].flatten(0, -2).float().T


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
        flat = (1,) * trunk.architecture.axes
        tensors[f"{name}.weight"] = convolution.weight * (scale / own).view(-1, 1, *flat) * before
        tensors[f"{name}.bias"] = (norm.bias - norm.running_mean * scale) / own
        before = own.view(1, -1, *flat)
    return {name: tensor.half().cpu().contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def take_up(trunk: Trunk, tensors: Mapping[str, Tensor], pictures: Tensor) -> None:
    """The other way around: the trunk becomes the function of these tensors, its batch norms what the pictures
    (B, 3, *S) make of them. Raises KeyError or RuntimeError for tensors of another trunk."""
    x, stage = (pictures - MEAN) / STD, "conv1"
    for name, (convolution, norm, rectify) in _layers(trunk):
        before, stage = stage, name.split("_")[0]
        x = _halved(x) if stage != before else x
        convolution.weight.copy_(tensors[f"{name}.weight"])
        x = convolution(x)
        variance, mean = torch.var_mean(x, (0, *range(2, x.dim())))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + tensors[f"{name}.bias"])
        x = rectify(x + tensors[f"{name}.bias"].to(x).view(-1, *(1,) * (x.dim() - 2)))


def _layers(trunk: Trunk) -> list[tuple[str, Any]]:
    """conv{stage}_{i} and its convolution, batch norm and ReLU, in order."""
    stages = [list(cast(nn.ModuleList, stage)) for stage in trunk.stages]
    return [(f"conv{s}_{i}", layer) for s, stage in enumerate(stages, 1) for i, layer in enumerate(stage, 1)]


def _moments(features: Tensor) -> Tensor:
    """(2, K): mean and mean square of each channel."""
    rows = features.float().transpose(0, 1).flatten(1)
    return torch.stack((rows.mean(1), rows.square().mean(1)))
