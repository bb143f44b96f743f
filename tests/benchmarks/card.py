"""A device to be measured, and how: its clock, its memory, and how often the host waits for it."""

from __future__ import annotations

import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch

RATE = 25
"""Frames a second of the film."""


@dataclass(frozen=True)
class Setting:
    """Where it runs and how much. matrix: side of the matrices whose rate all else is compared with. pictures:
    (height, width) of a step. film: (frames, height, width). window: frames optimized together, 0 for the default.
    steps: that are timed, after one to warm up. lessons: steps of learning in each stage. choices: of
    learning, other than the defaults. network: of the film and of learning."""

    device: torch.device
    matrix: int = 8192
    pictures: tuple[tuple[int, int], ...] = ((720, 1280), (1080, 1920))
    film: tuple[int, int, int] = (10 * RATE, 1080, 1920)
    window: int = 0
    steps: int = 2
    lessons: int = 20
    choices: tuple[tuple[str, int], ...] = ()
    network: str = "vgg19"

    @property
    def learn(self) -> dict[str, int]:
        return dict(self.choices)

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"


def small() -> Setting:
    few = (("examples", 4), ("smallest", 32), ("crop", 32))
    return Setting(torch.device("cpu"), 128, ((32, 48),), (3, 24, 32), 2, 1, 1, few, "builtin")


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
