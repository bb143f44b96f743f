"""What volstyle makes of a GPU, in at most 8 minutes: `cuda` tests, shares of its matrix rate, a film.

It was written where no GPU was at hand: no number of any card is known until somebody runs it on one and writes
the table down with the card's name: uv run python -m tests.benchmarks.gpu
On the CPU the same code runs in small, which shows that it runs and nothing else: … gpu --small
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.common import image, picture
from tests.benchmarks.step import ours
from volstyle.codecs import write
from volstyle.codecs.stream import styled
from volstyle.engine.checkpoint import Reached
from volstyle.engine.estimate import stage_work
from volstyle.engine.outline import Outline, outline
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Step, stylize
from volstyle.grid.field import Axis, Field
from volstyle.media.defaults import defaults
from volstyle.motion.windows import BEYOND, HELD, plan_windows
from volstyle.networks.registry import load_network
from volstyle.record import StageRecord

LIMIT_S = 480.0
RATE = 25


@dataclass(frozen=True)
class Setting:
    """Where it runs and how much. matrix: side of the matrices whose rate all else is compared with. pictures:
    (height, width) of a step. film: (frames, height, width). window: frames optimized together, 0 for the default.
    steps: that are timed, after one to warm up."""

    device: torch.device
    matrix: int = 8192
    pictures: tuple[tuple[int, int], ...] = ((720, 1280), (1080, 1920))
    film: tuple[int, int, int] = (10 * RATE, 1080, 1920)
    window: int = 0
    steps: int = 2

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"


def small() -> Setting:
    return Setting(torch.device("cpu"), 128, ((32, 48),), (4, 32, 48), 2, 1)


@dataclass(frozen=True)
class Row:
    """what: was measured. found: with its unit. goal: "" for none."""

    what: str
    found: str
    goal: str = ""


def waited(setting: Setting) -> float:
    """The time, once the device has done all that it was given."""
    if setting.is_gpu:
        torch.cuda.synchronize(setting.device)
    return time.perf_counter()


def seconds(work: Callable[[], object], setting: Setting, at_least: float = 0.5) -> float:
    """Of one call, the best of some after two to warm up."""
    for _ in range(2):
        work()
    best, began = float("inf"), waited(setting)
    while waited(setting) - began < (at_least if setting.is_gpu else 0):
        start = waited(setting)
        work()
        best = min(best, waited(setting) - start)
    if best == float("inf"):
        start = waited(setting)
        work()
        best = waited(setting) - start
    return best


def fresh_peak(setting: Setting) -> None:
    if setting.is_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(setting.device)


def peak(setting: Setting) -> str:
    """Memory since `fresh_peak`: of the card, or, since the process began, of the machine."""
    if setting.is_gpu:
        return f"{torch.cuda.max_memory_allocated(setting.device) / 2**30:.1f} GB of the card at the peak"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB of memory at the peak"


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


def waits(work: Callable[[], object], setting: Setting) -> str:
    """How often the host waits for the card in one call: each time the card runs out of work."""
    if not setting.is_gpu:
        return ""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return f"{sum('synchron' in str(each.message) for each in found)} waits for the card, "


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
    recipe = defaults("video").set(f"device={setting.device}")
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


def learning(setting: Setting) -> Iterator[Row]:
    """Place for learned styles: the seconds to learn one from ten seconds of film."""
    yield Row("learning a style from ten seconds of film", "not measured: this build learns no styles")


def applying(setting: Setting) -> Iterator[Row]:
    """Place for learned styles: frames a second of the network alone, with its samples on the device already, and
    of a stream from file to file. What a stream takes without a style is measured."""
    yield Row("frames a second of a learned style, the network alone", "not measured: see above", ">= 200")
    _, height, width = setting.film
    count = 48 if setting.is_gpu else 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write(path, moving(count, height, width))
        began = time.perf_counter()
        styled(path, io.BytesIO(), partial(to_and_from, setting))
        rate = count / (time.perf_counter() - began)
    yield Row(
        f"a stream of {width}x{height} decoded, sent to the device and back, encoded", f"{rate:.3g} frames/s"
    )


def to_and_from(setting: Setting, frame: Field) -> Field:
    return replace(frame, samples=frame.samples.to(setting.device).mul(1).cpu())


PARTS: Mapping[str, tuple[Callable[[Setting], Iterator[Row]], float]] = {
    "tests": (cuda_tests, 0),
    "steps": (shares, 20),
    "film": (film, 180),
    "sums": (grams, 5),
    "learning": (learning, 0),
    "applying": (applying, 30),
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
