"""Motion and the choices of a run on a GPU give what they give on the CPU, but for rounding: `pytest -m cuda`.

Some compare the CPU with itself in the suite, so that they stay right where there is no GPU.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.tiny import numbers, stylized, tiny_field
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.loss.statistics import STATISTICS
from volstyle.loss.temporal import TemporalTerm
from volstyle.media.defaults import defaults
from volstyle.motion.links import along_motion, estimate_motion

CPU = torch.device("cpu")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


@pytest.fixture(autouse=True)
def _exact_products() -> Iterator[None]:
    """Without TF32, which keeps ten bits of a product."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def moving(count: int = 6, height: int = 40, width: int = 56) -> Field:
    """A picture that goes two samples to the right from frame to frame."""
    picture = numbers(3, height // 4, width // 4)[None]
    still = torch.nn.functional.interpolate(picture, (height, width), mode="bilinear")[0]
    frames = torch.stack([still.roll(2 * index, 2) for index in range(count)], dim=1)
    return Field(frames, (Axis("t", 0.04, "s"), Axis("y"), Axis("x")))


@pytest.mark.parametrize("device", DEVICES)
def test_motion_is_held_as_on_the_cpu(device: str) -> None:
    clip = moving()
    links = estimate_motion(clip.samples, borders=True)
    samples, found = numbers(3, *clip.shape), []
    for place in (CPU, torch.device(device)):
        there = tuple(link.to(place).resized(60, 84).resized(40, 56) for link in links)
        gradient = torch.zeros_like(samples, device=place)
        cost = TemporalTerm(1.0, there, 0.1, torch.zeros(6, device=place)).add_gradient(
            samples.to(place), gradient
        )
        found.append((cost, along_motion(gradient, there, 0.9).cpu()))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-2)
    assert float((found[1][1] - found[0][1]).norm() / found[0][1].norm()) < 2e-2


CONTENTS = {"image": tiny_field(32, 48), "video": moving(4, 32, 40), "volume": tiny_field(12, 16, 16)}
CHOICES = [
    *(("image", f"style.statistic={name}") for name in STATISTICS),
    ("image", "colors=content"),
    ("image", "optimizer.name=lbfgs"),
    ("image", "strength=0.5"),
    ("video", "temporal.smoothing=0.9"),
    ("video", "temporal.loop=true"),
    ("video", "style.frames=0"),
    ("volume", "style.frames=1"),
    ("volume", "style.frames=0"),
    ("volume", "network.inflation=mean"),
]


RUNS = [pytest.param(*choice, "cuda", marks=pytest.mark.cuda) for choice in CHOICES]
ON_CPU = [(*choice, "cpu") for choice in CHOICES if choice[1] in ("temporal.loop=true",)]


@pytest.mark.parametrize(("kind", "choice", "device"), [*RUNS, *ON_CPU])
def test_a_run_gives_what_it_gives_on_the_cpu(kind: str, choice: str, device: str) -> None:
    recipe = defaults(kind, "builtin").set("schedule.steps=1").set("schedule.smallest=24").set(choice)
    recipe = recipe.set("precision=float32").set("memory=64MB")
    style = Style(tiny_field(32, 32, seed=5))
    wanted, result = (
        stylized(CONTENTS[kind], [style], recipe.set(f"device={place}")) for place in ("cpu", device)
    )
    assert result.record.device.startswith(device)
    assert not result.field.samples.is_cuda
    assert float((result.field.samples - wanted.field.samples).abs().mean()) < 0.01
    for after, before in zip(result.record.stages, wanted.record.stages, strict=True):
        for term in before.costs:
            assert after.costs[term][0] == pytest.approx(before.costs[term][0], rel=0.05)


@pytest.mark.cuda
def test_bfloat16_is_near_float32() -> None:
    style, costs = Style(tiny_field(32, 32, seed=5)), []
    for precision in ("float32", "bfloat16"):
        recipe = defaults("image", "builtin").set("schedule.steps=1").set("schedule.smallest=999")
        recipe = recipe.set("device=cuda").set(f"precision={precision}")
        (stage,) = stylized(tiny_field(32, 48), [style], recipe).record.stages
        costs.append({term: values[0] for term, values in stage.costs.items()})
    assert costs[1] == pytest.approx(costs[0], rel=0.1, abs=1e-3)
