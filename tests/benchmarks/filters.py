"""Does training add anything to the filters of `builtin1d`? Textures of sounds with three seeds of random filters,
and with filters of the same shapes learned from sounds made by formula, heard by `volstyle.judges.sounds`.

Learned as by Coates & Ng 2011 ("The importance of encoding versus training", section 3): spherical k-means of
whitened patches of what each filter looks at, the cheapest training that finds what sounds are made of.

    uv run python -m tests.benchmarks.filters samples/rain.ogg …
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from tests.benchmarks.signals import RATE_HZ, sound
from tests.tiny import stylized
from volstyle.codecs import Selection, read
from volstyle.engine.scene import Style
from volstyle.grid.field import Field
from volstyle.judges.sounds import listen
from volstyle.media.defaults import defaults
from volstyle.media.levels import lasting, noise_like, prepare
from volstyle.networks.extractor import Network
from volstyle.networks.inflation import Placement
from volstyle.networks.layers import Chain, Composite, Context, Convolution, Layer
from volstyle.networks.random_filters import SIGNAL_SPREAD, signal_network

PATCHES, ROUNDS = 6000, 12
_AT = Context(Placement((0,)), (), lambda _, __: None)


def learned(network: Network, samples: Tensor) -> Network:
    """The network with filters learned from samples (1, C, T), each as long as its random one on average."""
    chain = _learned(network.chain, samples)
    assert isinstance(chain, Chain)
    return replace(network, digest="learned", chain=chain)


def _learned(layer: Layer, slab: Tensor) -> Layer:
    """What is inside a chain sees what has come that far; layers side by side see the same."""
    if isinstance(layer, Convolution):
        return replace(layer, kernel=_dictionary(slab, layer.kernel))
    if not isinstance(layer, Composite):
        return layer
    changed: list[Layer] = []
    for inner in layer.layers:
        changed.append(_learned(inner, slab))
        if isinstance(layer, Chain):
            slab = inner.run(slab.clone(), _AT)
    return replace(layer, layers=tuple(changed))


def _dictionary(slab: Tensor, kernel: Tensor) -> Tensor:
    """Filters (O, I, k) that tell apart the patches of a slab (1, I, T)."""
    generator = torch.Generator().manual_seed(0)
    patches = slab[0].unfold(1, kernel.shape[2], 1).movedim(1, 0).flatten(1)
    patches = patches[torch.randperm(len(patches), generator=generator)[:PATCHES]].double()
    apart = patches - patches.mean(0)
    values, vectors = torch.linalg.eigh(apart.T @ apart / len(apart))
    scale = (values + 0.01 * values.max()).rsqrt()
    white = (vectors * scale) @ vectors.T
    points = functional.normalize(apart @ white, dim=1)
    centers = functional.normalize(
        torch.randn(len(kernel), points.shape[1], generator=generator, dtype=torch.float64), dim=1
    )
    for _ in range(ROUNDS):
        likeness = points @ centers.T
        best = likeness.argmax(1)
        chosen = functional.one_hot(best, len(centers)).double() * likeness
        sums = chosen.T @ points
        centers = torch.where(sums.norm(dim=1, keepdim=True) > 0, functional.normalize(sums, dim=1), centers)
    filters = (centers @ white).float().view_as(kernel)
    return functional.normalize(filters.flatten(1), dim=1).view_as(kernel) * kernel.flatten(1).norm(dim=1).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("styles", type=Path, nargs="+", help="sounds")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args()
    recipe = defaults("sound").set(f"schedule.steps={given.steps}")
    for path in given.styles:
        field = read(path, Selection(signal=True))
        mono = Field(field.samples.mean(0, keepdim=True), field.axes)
        style = lasting(mono, round(given.seconds / mono.axes[0].step))
        ready = prepare(style, [Style(style)], joint=True)
        rate = round(1 / mono.axes[0].step)
        noise = noise_like(ready.styles[0].field.samples, style.shape[0], seed=7)
        _tell(path.stem, "noise of its spectrum", ready.levels.heard(noise), style.samples, rate)
        examples = torch.cat([sound(seed)[:1, : 2 * RATE_HZ] for seed in range(3)], dim=1)
        examples = 0.5 + SIGNAL_SPREAD * examples / examples.std()
        networks = {f"random, seed {seed}": signal_network(seed) for seed in range(3)}
        networks["learned"] = learned(signal_network(0), examples[None])
        for name, network in networks.items():
            with patch("volstyle.engine.outline.load_network", return_value=network):
                found = stylized(
                    ready.content, ready.styles, recipe.set("content.weight=0"), init=Field(noise, style.axes)
                ).field
            _tell(path.stem, name, ready.levels.heard(found.samples), style.samples, rate)


def _tell(sound: str, name: str, result: Tensor, style: Tensor, rate_hz: float) -> None:
    heard = listen(result, style, rate_hz)
    numbers = f"spectrum {heard.spectral_db:5.2f} dB, texture {heard.texture:.3f}, copy {heard.copy:.3f}"
    print(f"{sound:20} {name:22} {numbers}", flush=True)


if __name__ == "__main__":
    main()
