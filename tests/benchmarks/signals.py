"""10 s of 44.1 kHz stereo styled by the default recipe. uv run python -m tests.benchmarks.signals

Prints the time of the whole run and of a step, the processor time it took, the peak of memory with an allowance
of 1 GB for activations, and the load of the machine, since a shared one is slower. Give a number of steps to try
fewer than the default.
"""

from __future__ import annotations

import os
import resource
import sys
import time

import torch
from torch import Tensor

from tests.tiny import stylized
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Step
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import defaults
from volstyle.media.levels import prepare

RATE_HZ, SECONDS = 44100, 10


def sound(seed: int) -> Tensor:
    """(2, T): bursts of noise at random times, a little different on each side."""
    generator = torch.Generator().manual_seed(seed)
    count = RATE_HZ * SECONDS
    noise = torch.randn(2, count, generator=generator) + torch.randn(1, count, generator=generator)
    steps = torch.rand(1, count, generator=generator) < 3 / RATE_HZ
    envelope = torch.fft.irfft(
        torch.fft.rfft(steps.float(), 2 * count)
        * torch.fft.rfft(torch.exp(-torch.arange(count) / 5000), 2 * count)
    )
    return 0.1 * noise * envelope[:, :count]


def main() -> None:
    axis = Axis("t", 1 / RATE_HZ, "s")
    content, style = (Field(sound(seed), (axis,)) for seed in range(2))
    recipe = defaults("sound").set("memory=1GB")
    if len(sys.argv) > 1:
        recipe = recipe.set(f"schedule.steps={sys.argv[1]}")
    ready = prepare(content, [Style(style)], joint=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, worked = time.perf_counter(), time.process_time()
    times: list[float] = []

    def watch(_: Step) -> None:
        times.append(time.perf_counter())

    stylized(ready.content, ready.styles, recipe, watch)
    whole, work = time.perf_counter() - began, time.process_time() - worked
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    each = (times[-1] - times[0]) / (len(times) - 1)
    print(f"{len(times)} steps of {SECONDS} s of stereo: {whole:.0f} s, {each:.2f} s a step, {peak:.0f} MB")
    print(f"{work:.0f} s of processor time: {work / 2:.0f} s on two idle cores at best")
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
