"""The box identity against an explicit Conv3d, float32. uv run python -m tests.benchmarks.box"""

from __future__ import annotations

import torch

from tests.benchmarks.common import in_turns, picture, random_vgg19
from volstyle.networks.inflation import Placement

TAPS = ("relu3_1",)


def main() -> None:
    _, network = random_vgg19("average")
    placement = Placement(("mean", 0, 1))
    box, explicit = network.placed(placement), network.inflated(placement)
    samples = picture(16, 96, 128)[None]

    def step(extractor: object) -> torch.Tensor:
        leaf = samples.clone().requires_grad_()
        extractor(leaf, TAPS)["relu3_1"].square().mean().backward()  # type: ignore[operator]
        assert leaf.grad is not None
        return leaf.grad

    with torch.no_grad():
        a, b = (extractor(samples, TAPS)["relu3_1"] for extractor in (box, explicit))
    apart = float((a - b).abs().max() / b.abs().max())
    seconds = in_turns({"box": lambda: step(box), "Conv3d": lambda: step(explicit)}, rounds=3)
    ratio = seconds["Conv3d"] / seconds["box"]
    print(f"box identity: {ratio:.1f} times as fast as Conv3d, features differ by {apart:.1e} of their maximum")


if __name__ == "__main__":
    main()
