"""What the benchmarks share: a VGG-19 without a download, and timing two sides in turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from volstyle.grid.field import Axis, Field
from volstyle.networks.extractor import Network
from volstyle.networks.registry import load_network


def random_vgg19(pooling: str) -> tuple[nn.Sequential, Network]:
    """torchvision's VGG-19 with He weights, as its module and as our network; training changes no speed."""
    torch.manual_seed(0)
    with torch.device("meta"):
        features = models.vgg19(weights=None).features
    features = features.to_empty(device="cpu")
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vgg19.pth"
        torch.save({f"features.{name}": tensor for name, tensor in features.state_dict().items()}, path)
        return features, load_network("vgg19", weights=path, pooling=pooling)


def in_turns(sides: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Seconds of each side, the best of some rounds after one to warm up; taken in turns, so that a noisy
    neighbor disturbs all of them."""
    best = dict.fromkeys(sides, float("inf"))
    for turn in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def picture(*shape: int, seed: int = 0) -> Tensor:
    """Smooth color noise (3, *shape) in [0, 1], for whose size and content nothing is special."""
    generator = torch.Generator().manual_seed(seed)
    samples = torch.rand(3, *shape, generator=generator)
    for axis in range(1, samples.dim()):
        samples = (samples + samples.roll(1, axis) + samples.roll(-1, axis)) / 3
    return samples


def clip(frames: int, height: int, width: int) -> Field:
    """A clip of `picture`, 25 frames a second."""
    return Field(picture(frames, height, width), (Axis("t", 0.04, "s"), Axis("y"), Axis("x")))


def image(height: int, width: int, seed: int = 0) -> Field:
    return Field(picture(height, width, seed=seed), (Axis("y"), Axis("x")))
