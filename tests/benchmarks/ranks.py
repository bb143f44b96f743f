"""What several processes that share a step tell each other: bytes and time, measured with two, reckoned for GPUs.

uv run python -m tests.benchmarks.ranks [image] [video] [volume]

Measured: two processes of one thread each, joined by gloo on one machine, VGG-19 with the defaults of each medium.
Processor time, since the two may share a core; transfers by the clock, the shortest of some.

                            one process    two, of which transfers
    image of 192x256             .19 s    .14 s   7.8 ms, 5.4 %   1.8 MB
    4 frames of 96x128           .37 s    .22 s  12.1 ms, 5.5 %   1.1 MB
    volume of 32x36x40          2.27 s    .96 s   1.6 ms,  .2 %   1.1 MB

That is 1.3, 1.7 and 2.4 times as fast; the image is small beside the halos of its two tiles. Other programs kept
the two cores busy meanwhile, so that times are rough (two processes are not more than twice as fast) and the
transfers of the first two, by the clock, too long.

Reckoned, on paper, since no GPU was at hand: the tiles are those that the engine would cut, with all their halos.
A GPU is taken to reach two fifths of an H100's rate, and a step to move the samples, the gradient and the sums as
rings do, over NVLink 4 among 8 and over one adapter of 400 Gb/s for each GPU among 64. What the first process does
alone (the optimizer, smoothness, the pull along motion) is not in it.

                            one GPU   8 GPUs, transfers     64 GPUs, transfers
    image of 8192x6144       128 ms   14.7 ms, 18 %         25.7 ms, 94 %
    24 frames of 1920x1080    94 ms   14.3 ms, 18 %         26.7 ms, 94 %
    volume of 512x512x512    761 ms  101.6 ms,  6 %         75.5 ms, 84 %

So 8 GPUs of one machine are 6.6 to 8.7 times as fast as one (more than 8, since a GPU with one tile need not look
at it twice), and 64 of 8 machines are hardly worth it for one content: every GPU gets all samples and gives a
whole gradient, of which it has a 64th. Windows alone would be a small part of that. Many contents are better
shared out as jobs (`volstyle.media.cluster`).
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from tests.benchmarks.common import clip, image, picture
from volstyle.engine.blockwise import Plans, evaluate, seen_by_views
from volstyle.engine.machine import Machine
from volstyle.engine.outline import Outline, outline
from volstyle.engine.ranks import ALONE, Joined, Ranks, joined
from volstyle.engine.scene import Scene, Style
from volstyle.engine.targets import stage_objective
from volstyle.grid.field import Axis, Field
from volstyle.grid.tiles import Shape, dealt
from volstyle.loss.objective import Objective
from volstyle.media.defaults import composed
from volstyle.networks.extractor import Extractor

STEPS, TRANSFERS = 2, 20


def volume(*shape: int) -> Field:
    return Field(picture(*shape), (Axis("z"), Axis("y"), Axis("x")))


MEASURED: dict[str, Callable[[], Field]] = {
    "image": partial(image, 192, 256),
    "video": partial(clip, 4, 96, 128),
    "volume": partial(volume, 32, 36, 40),
}

LARGE: dict[str, tuple[str, Shape]] = {
    "image of 8192x6144": ("image", (6144, 8192)),
    "24 frames of 1920x1080": ("video", (24, 1080, 1920)),
    "volume of 512x512x512": ("volume", (512, 512, 512)),
}
AXES = {"image": "yx", "video": "tyx", "volume": "zyx"}

RATE = 0.4 * 989e12
"""Operations a second: of an H100's 989 TFLOP/s of bfloat16 (NVIDIA's data sheet, dense), two fifths."""

LINKS = {8: 450e9, 64: 50e9}
"""Processes -> bytes a second that each sends at most: NVLink 4 within a machine of 8 (900 GB/s, both ways), one
400 Gb/s InfiniBand adapter for each GPU between 8 machines (NVIDIA's data sheet of the DGX H100)."""

LATENCY = 50e-6
"""Seconds of each transfer and each agreement, whatever its size: a small all-reduce over 64 GPUs."""


@dataclass(frozen=True)
class Found:
    """Of one of two processes: seconds of processor time for a step, bytes that it gives and takes for one, and
    seconds that a step's transfers take where nothing is computed."""

    computing: float
    moved: float
    transfers: float


def prepared(kind: str, ranks: Ranks) -> tuple[Tensor, Outline, Objective, Plans]:
    """Samples of the last stage, and what is minimized there."""
    content = MEASURED[kind]()
    scene = Scene.prepare(content, [Style(image(256, 256, seed=1))], keep_colors=False, coherent=kind == "video")
    run = outline(content, composed(kind, {}), ranks)
    run = run.at(run.stages[-1])
    links = tuple(link.resized(*run.stages[-1].shape[1:]) for link in scene.motion)
    return scene.content, run, *stage_objective(scene, run.stages[-1], run, links, torch.zeros(content.shape[0]))


def shared(kind: str) -> Found:
    """What each of two processes finds."""
    with joined() as ranks:
        assert isinstance(ranks, Joined)
        samples, run, objective, plans = prepared(kind, ranks)

        def shown() -> None:
            ranks.shown(samples) if ranks.leads else ranks.heard()

        ranks.moved, began = 0, time.process_time()
        for _ in range(STEPS):
            shown()
            seen_by_views(samples, objective, plans, ranks)
        computing, moved = (time.process_time() - began) / STEPS, ranks.moved / STEPS
        sums = [
            [torch.zeros(sums_size(extractor, run), dtype=torch.float64)] * sum(b.elsewhere > 0 for b in blocks)
            for extractor, blocks in zip(run.extractors, plans, strict=True)
        ]
        best = float("inf")
        for _ in range(TRANSFERS):
            began = time.perf_counter()
            shown()
            for each in (one for view in sums for one in view):
                ranks.summed([each])
            with ranks.agreeing():
                pass
            ranks.gathered(torch.zeros_like(samples), {"style": 0.0, "content": 0.0})
            best = min(best, time.perf_counter() - began)
        return Found(computing, moved, best)


def alone(kind: str) -> tuple[float, float]:
    """Seconds of processor time of a step in one process, and of what of it the first of several does alone."""
    samples, _, objective, plans = prepared(kind, ALONE)
    times = []
    for step in (seen_by_views, evaluate):
        step(samples, objective, plans)
        began = time.process_time()
        for _ in range(STEPS):
            step(samples, objective, plans)
        times.append((time.process_time() - began) / STEPS)
    return times[1], max(times[1] - times[0], 0.0)


def sums_size(extractor: Extractor, run: Outline) -> int:
    """Numbers in the sums of one group of one block."""
    channels = [extractor.tap(tap).channels for tap in run.recipe.style.taps]
    return sum(1 + count + count**2 for count in channels)


def two(kind: str) -> list[Found]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    context, lines = get_context("spawn"), []
    for index in range(2):
        here, there = context.Pipe(duplex=False)
        names = {"RANK": str(index), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        context.Process(target=_work, args=(names, kind, there)).start()
        lines.append(here)
    return [line.recv() for line in lines]


def _work(names: dict[str, str], kind: str, there: Connection) -> None:
    os.environ.update(names)
    torch.set_num_threads(1)
    there.send(shared(kind))


class Reckoned(Ranks):
    """So many processes, to plan for."""

    def __init__(self, count: int) -> None:
        self.count = count


def reckoned(kind: str, shape: Shape, count: int) -> tuple[float, float]:
    """Seconds of a step of the last stage on so many GPUs, computing and transfers."""
    axes = tuple(Axis(name) for name in AXES[kind])
    content = Field(torch.empty(3, *shape, device="meta"), axes)
    run = outline(content, composed(kind, {"schedule": {"largest": 0}}))
    machine = Machine(torch.device("cuda"), torch.bfloat16, 40 * 2**30)
    run = replace(run.at(run.stages[-1]), machine=machine, ranks=Reckoned(count))
    work = moved = calls = 0.0
    for extractor, blocks in zip(run.extractors, run.plans(shape), strict=True):
        # A multiplication is two operations; there and back is three times there.
        work += (
            3
            * 2
            * extractor.work(run.taps)
            * max(sum(block.work for block in dealt(blocks, index, count)) for index in range(count))
        )
        cut = [block for block in dealt(blocks, 0, count) if block.elsewhere]
        moved += sum(8 * sums_size(extractor, run) * len(block.groups) for block in cut)
        calls += 2 * len(cut)
    moved += 4 * 3 * prod(shape)
    if count == 1:
        return work / RATE, 0.0
    return work / RATE, 2 * moved * (count - 1) / count / LINKS[count] + (calls + 4) * LATENCY


def main() -> None:
    torch.set_num_threads(1)
    for kind in sys.argv[1:] or MEASURED:
        (one, first), (lead, other) = alone(kind), two(kind)
        transfers = max(lead.transfers, other.transfers)
        whole = max(lead.computing, other.computing) + first + transfers
        print(
            f"{kind}: {one:.2f} s a step in one process, {first:.3f} s of them for the first of several alone; "
            f"{whole:.2f} s in two, {one / whole:.2f} times as fast, of which {transfers * 1e3:.1f} ms "
            f"({transfers / whole:.1%}) are transfers of {lead.moved / 2**20:.1f} MB",
            flush=True,
        )
    for name, (kind, shape) in LARGE.items():
        alone_s, _ = reckoned(kind, shape, 1)
        for count in LINKS:
            computing, transfers = reckoned(kind, shape, count)
            whole = computing + transfers
            print(
                f"{name}, {count} GPUs: {whole * 1e3:.1f} ms a step, {transfers / whole:.1%} of it transfers, "
                f"{alone_s / whole:.1f} times as fast as one GPU ({alone_s * 1e3:.0f} ms)",
                flush=True,
            )


if __name__ == "__main__":
    main()
