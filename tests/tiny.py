"""A network small enough for tests, and what its features are, written out with nothing of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.engine.checkpoint import Reached
from volstyle.engine.outline import outline
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import OnStep, Stylized, stylize
from volstyle.grid.field import Axis, Field
from volstyle.networks.extractor import Network
from volstyle.networks.layers import Chain, Convolution, Layer, Normalization, Pool, Rectifier
from volstyle.recipe import Recipe

TAPS = ("relu1_1", "relu2_1", "relu3_1")
CPU = torch.device("cpu")
DEFAULT = Recipe()
NAMES = {1: ("s",), 2: ("y", "x"), 3: ("z", "y", "x")}


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random numbers in [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def tiny_field(*shape: int, seed: int = 0, channels: int = 3, names: tuple[str, ...] | None = None) -> Field:
    return Field(numbers(channels, *shape, seed=seed), tuple(Axis(name) for name in names or NAMES[len(shape)]))


def tiny_network(
    axes: int,
    *,
    pooling: str = "average",
    replicate: bool = True,
    strided: bool = False,
    width: int = 3,
    dtype: torch.dtype = torch.float64,
) -> Network:
    """Three convolutions with ReLU, made smaller between them by pooling or, as in a ResNet, by a strided one."""
    generator = torch.Generator().manual_seed(axes)
    layers: list[Layer] = [Normalization(torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3]))]
    into = 3
    for level, out in enumerate((4, 5, 6)):
        if level and not strided:
            layers.append(Pool((2,) * axes, pooling))
        kernel = torch.randn(out, into, *(width,) * axes, generator=generator)
        kernel = kernel * (2 / prod(kernel.shape[1:])) ** 0.5
        bias = 0.2 * torch.randn(out, generator=generator)
        stride = (2 if level and strided else 1,) * axes
        layers += [Convolution(kernel, bias, stride, (replicate,) * axes), Rectifier(out, TAPS[level])]
        into = out
    network = Network(
        name="tiny",
        digest="seeded",
        axes=axes,
        channels=3,
        chain=Chain(tuple(layers)),
        style_taps=dict.fromkeys(TAPS, 1.0),
        content_taps={TAPS[1]: 1.0},
    )
    return network.to(CPU, dtype)


def stylized(
    content: Field,
    styles: Sequence[Style],
    recipe: Recipe = DEFAULT,
    on_step: OnStep | None = None,
    *,
    on_stage: Callable[[Reached], None] | None = None,
    reached: Reached | None = None,
    **more: Any,
) -> Stylized:
    """A content styled by the engine alone, as one part. more: what else the part has."""
    part = Part(content, tuple(styles), **more)
    return stylize(outline(content, recipe), part, on_step, on_stage=on_stage, reached=reached)


def plain_features(network: Network, samples: Tensor, inflation: str = "center") -> dict[str, Tensor]:
    """What a tiny network gives on samples (1, C, *S): kernels inflated over all of S, torch's own functions."""
    axes = samples.dim() - 2
    new = axes - network.axes
    convolution = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    pools: dict[str, Any] = {
        "average": (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[axes - 1],
        "max": (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[axes - 1],
    }
    found = {}
    slab = samples
    for layer in network.chain.layers:
        if isinstance(layer, Normalization):
            one = (1, 3) + (1,) * axes
            slab = (slab - layer.mean.view(one)) / layer.std.view(one)
        elif isinstance(layer, Convolution):
            kernel, width = layer.kernel, layer.kernel.shape[-1]
            repeats = width if inflation == "mean" else 1
            for _ in range(new):
                kernel = torch.stack([kernel] * repeats, dim=2) / repeats
            own = [width // 2] * (2 * network.axes)
            if layer.replicate[0]:
                slab = functional.pad(slab, own + [repeats // 2] * (2 * new), mode="replicate")
            else:
                slab = functional.pad(slab, [0] * len(own) + [repeats // 2] * (2 * new), mode="replicate")
                slab = functional.pad(slab, own + [0] * (2 * new))
            slab = convolution(slab, kernel, layer.bias, stride=(1,) * new + layer.stride)
        elif isinstance(layer, Rectifier):
            slab = slab.clamp_min(0)
            found[str(layer.tap)] = slab
        elif isinstance(layer, Pool):
            slab = pools[layer.kind](slab, (1,) * new + layer.widths)
    return found
