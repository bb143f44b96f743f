"""Volumes: time per sample and step from 64³ to 256³, memory at 256³, tiles against whole; and a CT in planes.

    uv run python -m tests.benchmarks.volumes            # flatness, memory, exactness
    uv run python -m tests.benchmarks.volumes ct.npz     # seconds a step at each stage of the default, and in all

Each size runs in a process of its own, whose peak the system counts. Times are those of the process (CPU seconds),
so that neighbors on the machine disturb them less.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import replace
from math import prod
from pathlib import Path

import torch

from tests.benchmarks.common import image, picture
from tests.tiny import stylized
from volstyle.codecs import read
from volstyle.engine.outline import outline
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Step
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.media.defaults import defaults
from volstyle.media.intensity import IntensityRange
from volstyle.recipe import Recipe, ScheduleChoice

SIZES = (64, 128, 256)
STEPS = 2
RECIPE = replace(defaults("volume"), schedule=ScheduleChoice(smallest=10_000, steps=STEPS), memory="2GB")


def cube(size: int) -> Field:
    """Gray smooth noise."""
    return Field(picture(size, size, size)[:1].contiguous(), tuple(Axis(name, 1.0, "mm") for name in "zyx"))


def step_seconds(content: Field, recipe: Recipe) -> float:
    """CPU seconds of a step after the first, all threads together."""
    times: list[float] = []

    def watch(_: Step) -> None:
        times.append(time.process_time())

    stylized(content, [Style(image(192, 192, seed=1))], recipe, watch)
    return (times[-1] - times[0]) / (len(times) - 1)


def measure(size: int) -> None:
    seconds = step_seconds(cube(size), RECIPE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(seconds / size**3 * 1e6, peak)


def exactness() -> float:
    """Relative difference of the result in small tiles from that in the largest ones."""
    content = cube(64)
    style = Style(image(96, 96, seed=1))
    whole, tiled = (
        stylized(content, [style], replace(RECIPE, precision="float32", memory=memory)).field
        for memory in ("4GB", "64MB")
    )
    change = (whole.samples - content.samples).norm()
    return float((whole.samples - tiled.samples).norm() / change)


def estimate(path: Path) -> None:
    """A step at each stage of the default recipe; the sum is what the whole would take."""
    source = read(path)
    content = replace(source, samples=IntensityRange.choose("auto", source.samples).inside(source.samples))
    run = outline(content, defaults("volume"))
    total = 0.0
    for stage in run.stages:
        small = Field(resize(content.samples, stage.shape).clamp(0, 1), tuple(Axis(name) for name in "zyx"))
        seconds = step_seconds(small, replace(defaults("volume"), schedule=RECIPE.schedule))
        total += seconds * stage.steps
        size = "x".join(map(str, stage.shape))
        each = seconds / prod(stage.shape) * 1e6
        print(f"{size}: {seconds:.2f} CPU s a step, {stage.steps} steps, {each:.2f} µs a sample")
    print(
        f"in all {total / 60:.1f} CPU minutes, {total / 120:.1f} minutes on two cores that share the work evenly"
    )


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        measure(int(sys.argv[1]))
        return
    if len(sys.argv) > 1:
        estimate(Path(sys.argv[1]))
        return
    print(f"tiles against whole, 64³ after {STEPS} steps: relative difference {exactness():.1e}")
    first = None
    for size in SIZES:
        command = [sys.executable, "-m", "tests.benchmarks.volumes", str(size)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        each, peak = float(found[0]), float(found[1])
        first = first or each
        ratio = each / first
        print(f"{size}³: {each:.2f} CPU µs a sample and step, {ratio:.2f} times that of 64³; peak {peak:.1f} GB")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
