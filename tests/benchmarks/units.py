"""`volstyle units` on a layer of 64 units over 200 images of 256 px, page and sheet and all.

uv run python -m tests.benchmarks.units
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import torch

from volstyle.codecs import write
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle_cli import main as volstyle

COUNT, SIZE, LAYER = 200, 256, "relu2_1"


def draw(folder: Path) -> None:
    """Color noise, from coarse to fine."""
    generator = torch.Generator().manual_seed(0)
    for number in range(COUNT):
        coarse = 4 + 252 * number // COUNT
        samples = resize(torch.rand(3, coarse, coarse, generator=generator), (SIZE, SIZE)).clamp(0, 1)
        write(folder / f"{number:03d}.png", Field(samples, (Axis("y"), Axis("x"))))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        draw(folder / "images")
        wall, cpu = time.perf_counter(), time.process_time()
        code = volstyle(
            ["units", str(folder / "images"), "--layer", LAYER, "-o", str(folder / "units.html"), "--quiet"]
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = (folder / "units.html").stat().st_size / 2**20
    load = os.getloadavg()[0]
    assert code == 0
    print(f"units of {LAYER}: {COUNT} images of {SIZE} px in {wall:.0f} s, {COUNT / wall:.1f} a second")
    threads = torch.get_num_threads()
    print(f"{cpu:.0f} s of processor time, {threads} threads, at a load of {load:.1f}; a page of {size:.1f} MB")


if __name__ == "__main__":
    main()
