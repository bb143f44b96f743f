"""One step of VGG-19 (relu1_1 … relu5_1 and relu4_2, 512x384): ours against a plain loop of hooks.

Prints how many times faster a step is, the cosine of its gradient to the plain one's, and the share of this
machine's own bfloat16 matrix rate that it reaches; and what share of it a step of `builtin` takes.
uv run python -m tests.benchmarks.step
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from tests.benchmarks.common import in_turns, picture, random_vgg19
from volstyle.engine.blockwise import evaluate, style_sums
from volstyle.grid.tiles import plan
from volstyle.loss.features import SourceFeatures
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import gram_distance
from volstyle.loss.terms import ContentTerm, StyleTerm
from volstyle.networks.extractor import Network
from volstyle.networks.registry import load_network

HEIGHT, WIDTH = 384, 512
STYLE = {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu5_1": 29}  # tap -> torchvision's number
CONTENT = {"relu4_2": 22}


def plain(features: torch.nn.Sequential, content: Tensor, style: Tensor, image: Tensor) -> Callable[[], Tensor]:
    """The costs as one first writes them down: hooks on torchvision's network, float32, max pooling."""
    seen: dict[int, Tensor] = {}
    for number in (*STYLE.values(), *CONTENT.values()):
        features[number].register_forward_hook(lambda _, __, out, number=number: seen.update({number: out}))

    def gram(a: Tensor) -> Tensor:
        rows = a.flatten(2)[0]
        return rows @ rows.T / rows.shape[1]

    def look(samples: Tensor) -> dict[int, Tensor]:
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        features[:30]((samples - mean) / std)
        return dict(seen)

    with torch.no_grad():
        grams = {n: gram(look(style)[n]) for n in STYLE.values()}
        wanted = {n: look(content)[n].clone() for n in CONTENT.values()}

    def step() -> Tensor:
        leaf = image.clone().requires_grad_()
        found = look(leaf)
        losses = [functional.mse_loss(found[n], wanted[n]) / wanted[n].square().mean() for n in wanted]
        cost = torch.stack(losses).sum()
        for n, target in grams.items():
            cost = cost + (gram(found[n]) - target).square().sum() / target.square().sum() / len(grams)
        cost.backward()
        assert leaf.grad is not None
        return leaf.grad[0]

    return step


def ours(network: Network, content: Tensor, style: Tensor, image: Tensor) -> Callable[[], Tensor]:
    """The costs by the engine, at the taps that the network recommends: for VGG-19 the same."""
    extractor = network.on(2)
    style_taps = {tap: weight / sum(network.style_taps.values()) for tap, weight in network.style_taps.items()}
    content_taps = network.content_taps
    reach = extractor.reach({**style_taps, **content_taps})
    shape = tuple(image.shape[2:])
    blocks = plan(shape, shape, *reach)
    source = SourceFeatures(extractor, content[0], content_taps)
    objective = Objective(
        (
            View(
                extractor,
                StyleTerm(1.0, style_taps, style_sums(extractor, style[0], blocks, style_taps), gram_distance),
                ContentTerm(1.0, content_taps, source, source.powers(blocks)),
            ),
        )
    )
    return lambda: evaluate(image[0], objective, (tuple(blocks),)).gradient


def main() -> None:
    content, style, image = (picture(HEIGHT, WIDTH, seed=seed)[None] for seed in range(3))
    features, network = random_vgg19("max")
    cpu = torch.device("cpu")
    sides = {
        "plain float32": plain(features, content, style, image),
        "float32": ours(network.to(cpu, torch.float32), content, style, image),
        "bfloat16": ours(network.to(cpu, torch.bfloat16), content, style, image),
        "builtin": ours(load_network("builtin").to(cpu, torch.bfloat16), content, style, image),
    }
    matrix = torch.randn(2048, 2048).bfloat16()
    seconds = in_turns({**sides, "matrix": lambda: matrix @ matrix})
    reference = sides["plain float32"]().flatten()
    for name in ("float32", "bfloat16"):
        cosine = functional.cosine_similarity(sides[name]().flatten(), reference, dim=0)
        ratio = seconds["plain float32"] / seconds[name]
        print(f"{name}: {ratio:.2f} times as fast as the plain loop, cosine of the gradient {float(cosine):.4f}")
    share = _operations() / seconds["bfloat16"] / (2 * 2048**3 / seconds["matrix"])
    print(f"bfloat16: {share:.0%} of this machine's bfloat16 matrix rate")
    print(f"builtin: a step takes 1/{seconds['bfloat16'] / seconds['builtin']:.1f} of VGG-19's, both in bfloat16")


def _operations() -> float:
    """Of a step: forward, and backward to the samples; the content's features are kept, not computed again."""
    samples, total, into = HEIGHT * WIDTH, 0.0, 3
    for stage, channels in enumerate(([64] * 2, [128] * 2, [256] * 4, [512] * 4, [512])):
        for out in channels:
            total += 2 * 9 * into * out * samples / 4**stage
            into = out
    return 2 * total


if __name__ == "__main__":
    main()
