"""Time per frame and step from 8 to 128 frames. uv run python -m tests.benchmarks.frames"""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise

from tests.benchmarks.common import clip, image
from tests.tiny import stylized
from volstyle.engine.scene import Style
from volstyle.recipe import Recipe

COUNTS = (8, 16, 32, 64, 128)
RECIPE = Recipe().set("schedule.smallest=10000").set("schedule.steps=4")


def main() -> None:
    best = dict.fromkeys(COUNTS, float("inf"))
    style = Style(image(96, 160, seed=1))
    for _ in range(3):
        for count in COUNTS:
            stamps: list[float] = []
            stylized(clip(count, 96, 160), [style], RECIPE, partial(_stamp, stamps))
            best[count] = min(best[count], *((b - a) / count for a, b in pairwise(stamps)))
    middle = sorted(best.values())[len(best) // 2]
    for count, seconds in best.items():
        print(f"{count:4d} frames: {1000 * seconds:.1f} ms a frame and step, {seconds / middle:.2f} of the median")


def _stamp(stamps: list[float], _: object) -> None:
    stamps.append(time.perf_counter())


if __name__ == "__main__":
    main()
