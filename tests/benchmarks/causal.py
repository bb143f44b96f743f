"""All frames together against frame after frame, in the manner of manuelruder/artistic-videos (Ruder et al. 2016).

Theirs, on our engine: one scale, the first frame in --steps steps of L-BFGS from the content; each next frame
begins with the last result warped along the motion, is held to it where that is trusted, and takes half the
steps. They give it 2000 and 1000. Ours: a clip's own recipe. Printed are the style cost of the same objective,
warping errors beside the content's own, and how much longer theirs takes until each frame has our style cost. The
time of flow is not counted.
uv run python -m tests.benchmarks.causal CLIP STYLE [STYLE …] [--steps 2000] [--frames 14] [--size 96]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.coherence import estimated
from tests.tiny import stylized
from volstyle.codecs import Moment, Selection, read
from volstyle.engine.blockwise import evaluate
from volstyle.engine.optimize import optimize
from volstyle.engine.outline import outline
from volstyle.engine.scene import Scene, Style
from volstyle.engine.targets import stage_objective
from volstyle.grid.field import Field
from volstyle.media.defaults import defaults
from volstyle.motion.flow import warp
from volstyle.motion.links import Link, estimate_motion, warping_error


@dataclass(frozen=True)
class HeldTerm:
    """weight · Σ M (x − wanted)² / (Σ M · variance), M the trust: what holds one frame to those that are done."""

    weight: float
    wanted: Tensor
    trust: Tensor
    variance: float

    def add_gradient(self, samples: Tensor, gradient: Tensor) -> float:
        scale = self.weight / (max(float(self.trust.sum()), 1.0) * samples.shape[0] * self.variance)
        apart = (samples - self.wanted) * self.trust
        gradient.add_(apart, alpha=2 * scale)
        return float(scale * apart.square().sum())


@dataclass(frozen=True)
class Watched:
    """Style costs of the steps of one frame, and the seconds since its first."""

    began: float = field(default_factory=time.perf_counter)
    costs: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __call__(self, _: int, costs: Mapping[str, float], __: Tensor) -> bool:
        self.costs.append(costs["style"])
        self.seconds.append(time.perf_counter() - self.began)
        return False

    def until(self, cost: float) -> float:
        """Seconds until the style cost was no larger, or to the end."""
        reached = (s for s, c in zip(self.seconds, self.costs, strict=True) if c <= cost)
        return next(reached, self.seconds[-1])


def causal(content: Field, style: Field, steps: int, past: Link) -> tuple[Tensor, list[Watched]]:
    """past: the motion at gap −1. Returns (3, T, H, W), and what was watched of each frame."""
    recipe = defaults("video").set("schedule.smallest=1000000000").set(f"schedule.steps={steps}")
    link = past.resized(*content.shape[1:])
    done: list[Tensor] = []
    watched: list[Watched] = []
    for t in range(content.shape[0]):
        frame = replace(content, samples=content.samples[:, t : t + 1])
        run = outline(frame, recipe)
        scene = Scene.prepare(frame, [Style(style)], keep_colors=False, coherent=False)
        objective, plans = stage_objective(scene, run.stages[-1], run, (), torch.zeros(1, dtype=torch.bool))
        start = frame.samples
        if done:
            flow, trust = link.flow[t - 1 : t].float(), link.trust[t - 1]
            start = warp(done[-1].movedim(1, 0), flow).movedim(0, 1)
            variance = max(float(content.samples.var()), 1e-4)
            held = HeldTerm(recipe.temporal.weight, start, trust.float(), variance)
            objective = replace(objective, sample_terms={**objective.sample_terms, "temporal": held})
        watched.append(Watched())
        found = optimize(
            start,
            partial(evaluate, objective=objective, plans=plans),
            optimizer="lbfgs",
            steps=max(steps // 2, 1) if done else steps,
            rate=recipe.optimizer.rate,
            watch=watched[-1],
        )
        done.append(found.samples)
    return torch.cat(done, dim=1), watched


def compare(content: Field, style: Field, name: str, steps: int) -> None:
    links = estimated(content.samples)
    own = {gap: float(warping_error(content.samples, link).mean()) for gap, link in links.items()}
    result = stylized(content, [Style(style)], defaults("video"))
    cost = result.record.stages[-1].costs["style"][-1]
    seconds = sum(stage.seconds for stage in result.record.stages)
    theirs, watched = causal(content, style, steps, estimate_motion(content.samples, (1,))[1])
    costs = [frame.costs[-1] for frame in watched]
    whole, equal = (sum(f.seconds[-1] for f in watched), sum(f.until(cost) for f in watched))
    missed = sum(min(frame.costs) > cost for frame in watched)
    for side, samples, style_cost, took in (
        ("together", result.field.samples, cost, seconds),
        ("frame after frame", theirs, sum(costs) / len(costs), whole),
    ):
        errors = (
            f"gap {g}: {float(warping_error(samples, link).mean()) / own[g]:.2f}" for g, link in links.items()
        )
        print(
            f"{name}, {side}: style cost {style_cost:.4f}, warping error {', '.join(errors)} times the content's "
            f"own, {took:.0f} s"
        )
    steps_each = sum(len(frame.costs) for frame in watched) / len(watched)
    print(
        f"{name}: frame after frame ended after {steps_each:.0f} steps a frame; fewer than asked: no better found"
    )
    late = f", {missed} frames never did" if missed else ""
    print(f"{name}: until our style cost, frame after frame takes {equal / seconds:.1f} times as long{late}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", type=Path)
    parser.add_argument("styles", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--size", type=int, default=96)
    chosen = parser.parse_args()
    clip = read(chosen.clip, Selection(chosen.size, end=Moment(chosen.frames, "f")))
    for path in chosen.styles:
        compare(clip, read(path, Selection(256)), f"{chosen.clip.name}, {path.stem}", chosen.steps)


if __name__ == "__main__":
    main()
