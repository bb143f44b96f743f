"""Peak memory of `volstyle video` on clips of 1, 10 and 60 s. uv run python -m tests.benchmarks.long

Each run is a process of its own, whose peak the system counts. Its windows are equally long in all three clips, 5
frames, 8 that are held and 4 beyond, since memory is that of a window; the steps are few, since they need no
memory of their own. The clip of 60 s would be 1 GB if it were whole in memory.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from tests.benchmarks.common import image
from volstyle.codecs import write

SECONDS, RATE = (1, 10, 60), 25
WIDTH, HEIGHT = 320, 180
CHOICES = ["temporal.window=5", "schedule.steps=1", "schedule.smallest=10000", "style.statistic=gram"]
OPTIONS = ["-q", "--memory", "128MB", "--size", str(WIDTH), "--shots", "none"]


def draw(path: Path, seconds: int) -> None:
    """A soft pattern that moves, drawn and encoded frame by frame."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(seconds * RATE):
            waves = [np.sin(9 * x + index / 9), np.cos(7 * y - index / 7), np.sin(8 * (x + y) + index / 5)]
            rgb = np.stack([(127 * (1 + wave)).astype(np.uint8) for wave in waves], axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))


def peak(folder: Path, clip: Path) -> float:
    """Megabytes at the peak of styling a clip."""
    output = folder / f"styled-{clip.name}"
    choices = [word for choice in CHOICES for word in ("--set", choice)]
    line = ["video", str(clip), "--style", str(folder / "style.png"), "-o", str(output), *OPTIONS, *choices]
    code = "import sys, volstyle_cli; sys.exit(volstyle_cli.main())"
    process = os.posix_spawn(sys.executable, [sys.executable, "-c", code, *line], os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{clip.name}: the run ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "style.png", image(HEIGHT, WIDTH, seed=1))
        peaks = []
        for seconds in SECONDS:
            clip = folder / f"{seconds}s.mp4"
            draw(clip, seconds)
            peaks.append(peak(folder, clip))
        for seconds, found in zip(SECONDS, peaks, strict=True):
            size = seconds * RATE * HEIGHT * WIDTH * 3 * 4 / 2**20
            said = f"peak {found:.0f} MB, {found / peaks[0]:.2f} of the shortest's"
            print(f"{seconds:3d} s, {size:.0f} MB of frames: {said}")


if __name__ == "__main__":
    main()
