"""What volstyle makes of a GPU, in at most 8 minutes: `cuda` tests, shares of its matrix rate, a film.

It was written where no GPU was at hand: no number of any card is known until somebody runs it on one and writes
the table down with the card's name: uv run python -m tests.benchmarks.gpu
On the CPU the same code runs in small, which shows that it runs and nothing else: … gpu --small
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.card import RATE, Row, Setting, fresh_peak, peak, seconds, small, waited, waits
from tests.benchmarks.common import image, picture
from tests.benchmarks.step import ours
from volstyle.codecs import DEFAULT, WHOLE, write
from volstyle.codecs.stream import Turn, styled
from volstyle.engine.checkpoint import Reached
from volstyle.engine.estimate import stage_work
from volstyle.engine.machine import Machine
from volstyle.engine.outline import Outline, outline
from volstyle.engine.painting import LearnedStyle
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Step, stylize
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import defaults
from volstyle.media.follower import Follower
from volstyle.media.learned import learn_order
from volstyle.media.lesson import lesson
from volstyle.media.order import StyleOrder
from volstyle.motion.windows import BEYOND, HELD, plan_windows
from volstyle.networks.inflation import standard_placement
from volstyle.networks.registry import load_network
from volstyle.record import StageRecord

LIMIT_S = 480.0


# ---- what is measured, in the order in which it is shown


def cuda_tests(setting: Setting) -> Iterator[Row]:
    if not setting.is_gpu:
        yield Row("cuda tests", "not run: they need a GPU")
        return
    line = [sys.executable, "-m", "pytest", "-q", "-m", "cuda"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=200)
    yield Row("cuda tests", (done.stdout.strip() or done.stderr.strip()).splitlines()[-1], "all pass")


def shares(setting: Setting) -> Iterator[Row]:
    """A step of VGG-19 at all its taps: forward, its statistics, and backward to the samples. The features of the
    content are kept."""
    network = load_network("vgg19").to(setting.device, torch.bfloat16)
    extractor = network.on(2)
    work = extractor.work(set(network.style_taps) | set(network.content_taps))
    side = setting.matrix
    matrix = torch.randn(side, side, device=setting.device).bfloat16()
    rate = 2 * side**3 / seconds(lambda: matrix @ matrix, setting)
    yield Row(f"bfloat16 matrices of {side}x{side}", f"{rate / 1e12:.3g} Tflop/s")
    for height, width in setting.pictures:
        fresh_peak(setting)
        content, style, samples = (picture(height, width, seed=seed)[None].to(setting.device) for seed in range(3))
        step = ours(network, content, style, samples)
        each = seconds(step, setting)
        share = 4 * work * height * width / each / rate  # a product and a sum, forward and backward
        said = f"{1e3 * each:.3g} ms, {share:.0%} of that rate, {waits(step, setting)}{peak(setting)}"
        yield Row(f"a step of VGG-19 at {width}x{height}", said, "> 50 %")


def grams(setting: Setting) -> Iterator[Row]:
    """ΣFFᵀ of relu1_1 as the engine takes it, in float32, and two ways that might be quicker on a card."""
    height, width = setting.pictures[-1]
    rows = torch.randn(height * width, 64, device=setting.device).relu().bfloat16()
    exact = rows.double().T @ rows.double()

    def tensor_float() -> Tensor:
        allowed = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return rows.float().T @ rows.float()
        finally:
            torch.backends.cuda.matmul.allow_tf32 = allowed

    sides: dict[str, Callable[[], Tensor]] = {"float32, as now": lambda: rows.float().T @ rows.float()}
    if setting.is_gpu:
        sides["TF32"] = tensor_float
        sides["bfloat16 summed in float32"] = lambda: torch.mm(rows.T, rows, out_dtype=torch.float32)
    for name, side in sides.items():
        off = float((side() - exact).norm() / exact.norm())
        said = f"{1e3 * seconds(side, setting, 0.2):.3g} ms, off by {off:.1e}"
        yield Row(f"sums of relu1_1 at {width}x{height}, {name}", said)


def moving(count: int, height: int, width: int) -> Field:
    """A clip of which each frame is the one before, two samples to the right."""
    still = picture(height, width)
    frames = torch.stack([still.roll(2 * index, 2) for index in range(count)], dim=1)
    return Field(frames, (Axis("t", 1 / RATE, "s"), Axis("y"), Axis("x")))


def film(setting: Setting) -> Iterator[Row]:
    """Ten seconds optimized by the defaults, at full size, worked out from a few steps of two stages of one
    window, of which each takes a + b · work."""
    count, height, width = setting.film
    recipe = defaults("video", setting.network).set(f"device={setting.device}")
    windows = plan_windows(count, (), setting.window or recipe.temporal.window, HELD, BEYOND)
    longest = max(window.count for window in windows)
    content = moving(longest, height, width)
    part = Part(content, (Style(image(height, width, seed=1)),))
    fresh_peak(setting)
    run = outline(content, recipe)
    each = [work / stage.steps for work, stage in zip(stage_work(run), run.stages, strict=True)]
    last = len(run.stages) - 1
    ends = {number: timed(run, part, number, setting) for number in dict.fromkeys((max(last - 2, 0), last))}
    (_, quick), (prepared, slow) = next(iter(ends.values())), ends[last]
    first = next(iter(ends))
    slope = (slow - quick) / (each[last] - each[first]) if first != last else 0.0
    slope = slope if 0 < slope <= slow / each[last] else slow / each[last]
    base = slow - slope * each[last]
    window = sum(stage.steps * (base + slope * work) for stage, work in zip(run.stages, each, strict=True))
    times = sum(window.count for window in windows) / longest
    size = f"{width}x{height}, {longest} frames together"
    yield Row(f"a step of a film of {size}", f"{slow:.3g} s, {peak(setting)}")
    yield Row("before its first step, mostly flow on the CPU", f"{prepared:.3g} s a window")
    total = times * (window + prepared)
    said = f"{total:.3g} s by {times:.2g} windows, {times * prepared:.3g} s of them preparing"
    yield Row(f"{count / RATE:.3g} s of film at {width}x{height}, extrapolated", said, "< 180 s on an H200")


def timed(run: Outline, part: Part, stage: int, setting: Setting) -> tuple[float, float]:
    """Seconds before the first step of a stage, and of a step. Earlier stages are taken for done."""
    times = [waited(setting)]

    def watch(_: Step) -> bool:
        times.append(waited(setting))
        return len(times) > setting.steps + 1

    done = tuple(StageRecord(each.shape, each.steps, {}, 0.0) for each in run.stages[:stage])
    before = Reached(part.content.samples, None, done)
    stylize(run, part, watch, reached=before)
    each = (times[-1] - times[1]) / (len(times) - 2)
    return max(times[1] - times[0] - each, 0.0), each


@dataclass(frozen=True)
class Taught:
    """A style learned in a few steps of each stage. preparing, stages: seconds it took, once and in each stage."""

    style: LearnedStyle
    preparing: float
    stages: tuple[float, ...]


@lru_cache(maxsize=1)
def taught(setting: Setting) -> Taught:
    """By the defaults, but for the number of steps, on a second of film."""
    count, height, width = setting.film
    choices: dict[str, object] = {
        "learn": {"steps": setting.lessons, **setting.learn},
        "device": str(setting.device),
    }
    choices["network"] = {"name": setting.network}
    with tempfile.TemporaryDirectory() as folder:
        order = lesson(
            (StyleOrder(image(height, width, seed=1)),),
            (moving(min(count, RATE), height, width),),
            Path(folder) / "a.safetensors",
            kind="video",
            size=None,
            given={},
            chosen=[choices],
            selection=WHOLE,
            encoding=DEFAULT,
            resume=False,
        )
        began = waited(setting)
        record = learn_order(order, Follower()).record
        elapsed = waited(setting) - began
        assert order.output is not None
        style = LearnedStyle.load(order.output)
    stages = tuple(stage.seconds for stage in record.stages)
    return Taught(style, elapsed - sum(stages), stages)


def learning(setting: Setting) -> Iterator[Row]:
    fresh_peak(setting)
    found, steps = taught(setting), defaults("video").learn.steps
    each = ", ".join(f"{1e3 * stage / setting.lessons:.3g}" for stage in found.stages)
    yield Row("a step of learning, in each stage", f"{each} ms, {peak(setting)}")
    total = found.preparing + sum(found.stages) * steps / setting.lessons
    said = f"{total:.3g} s for {steps} steps a stage, {found.preparing:.3g} s of them preparing"
    yield Row("learning a style on a second of film, extrapolated", said)


def applying(setting: Setting) -> Iterator[Row]:
    """The networks alone, from samples on the device to samples on the host, and a stream from a file."""
    _, height, width = setting.film
    machine = Machine.choose(str(setting.device), "auto", "auto")
    brush = taught(setting).style.brush(standard_placement(2, 2, "center"), torch.ones(1), machine)
    frame = picture(height, width).to(setting.device)
    fresh_peak(setting)
    rate = 1 / seconds(lambda: brush(frame), setting)
    said = f"{rate:.3g} frames a second, {peak(setting)}"
    yield Row(f"a learned style at {width}x{height}, the networks alone", said, ">= 200 a second")
    count = 48 if setting.is_gpu else 4
    turns: dict[str, Turn] = {
        "decoded and encoded": lambda frame: frame,
        "decoded, painted and encoded": lambda frame: replace(frame, samples=brush(frame.samples)),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write(path, moving(count, height, width))
        for name, turn in turns.items():
            began = time.perf_counter()
            styled(path, io.BytesIO(), (turn,))
            rate = count / (time.perf_counter() - began)
            yield Row(f"a stream of {width}x{height} {name}", f"{rate:.3g} frames a second")


PARTS: Mapping[str, tuple[Callable[[Setting], Iterator[Row]], float]] = {
    "tests": (cuda_tests, 0),
    "steps": (shares, 20),
    "film": (film, 180),
    "sums": (grams, 5),
    "learning": (learning, 60),
    "applying": (applying, 60),
}
"""Name -> what is measured, and seconds that must be left for it."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="on the CPU, in seconds")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args(arguments)
    if not given.small and not torch.cuda.is_available():
        raise SystemExit("gpu: no NVIDIA GPU here; --small runs the same code on the CPU")
    setting = small() if given.small else Setting(torch.device("cuda"))
    card = torch.cuda.get_device_name(setting.device) if setting.is_gpu else "NO GPU: the CPU, in small"
    print(f"| {card}, torch {torch.__version__} | measured | goal |\n|---|---|---|")
    began = time.perf_counter()
    for name in given.only:
        measure, needs = PARTS[name]
        left = LIMIT_S - (time.perf_counter() - began)
        if left < needs:
            print(f"| {name} | not measured: {left:.0f} s are left, {needs:.0f} are needed; --only {name} | |")
            continue
        for row in measure(setting):
            print(f"| {row.what} | {row.found} | {row.goal if setting.is_gpu else ''} |", flush=True)
    print(f"\nin {time.perf_counter() - began:.0f} s")
    if not setting.is_gpu:
        print("No GPU was used: these numbers say that the benchmark runs, and nothing of any card.")


if __name__ == "__main__":
    main()
