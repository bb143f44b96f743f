"""Peak memory of 16, 64 and 256 frames, beside the clip-sized arrays. uv run python -m tests.benchmarks.memory

Each length runs in a process of its own, whose peak the system counts. What grows with the clip is the clip
itself: content, result, gradient, average, the two moments of Adam, and the flow that holds frames together.
The rest, the activations of a tile and the kept features of the content, stays under the budget of --memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys

from tests.benchmarks.common import clip, image
from tests.tiny import stylized
from volstyle.engine.scene import Style
from volstyle.recipe import Recipe

COUNTS = (16, 64, 256)
HEIGHT, WIDTH = 144, 256


def peak(frames: int) -> float:
    """Megabytes at the peak of one short run, less those before it."""
    recipe = Recipe().set("schedule.smallest=10000").set("schedule.steps=2").set("memory=512MB")
    content, style = clip(frames, HEIGHT, WIDTH), Style(image(HEIGHT, WIDTH, seed=1))
    stylized(clip(2, 32, 32), [style], recipe)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stylized(content, [style], recipe)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    if len(sys.argv) > 1:
        print(peak(int(sys.argv[1])))
        return
    for frames in COUNTS:
        command = [sys.executable, "-m", "tests.benchmarks.memory", str(frames)]
        found = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        size = frames * HEIGHT * WIDTH * 3 * 4 / 2**20
        print(f"{frames:4d} frames of {size:.0f} MB: peak {found:.0f} MB, {found / size:.1f} times the clip")


if __name__ == "__main__":
    main()
