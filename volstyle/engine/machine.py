"""What this machine has: device, the type it multiplies fastest, and how large a tile it can hold."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import psutil
import torch

from volstyle.errors import CapacityError, RecipeError, nearest
from volstyle.grid.tiles import Shape, shrink, spread
from volstyle.networks.extractor import Extractor
from volstyle.recipe import AUTO

DEVICES = (AUTO, "cpu", "cuda", "mps")
PRECISIONS = {AUTO: None, "float32": torch.float32, "bfloat16": torch.bfloat16}

_MOST_SAMPLES = {"cpu": 2**19, "mps": 2**21, "cuda": 2**23}
"""Per tile: larger ones are no faster, they only leave the caches."""

_MOST_BYTES = 2**62


@dataclass(frozen=True)
class Machine:
    """Where and how networks run. dtype: the type of weights and activations. budget: how many bytes activations
    may take."""

    device: torch.device
    dtype: torch.dtype
    budget: int

    @staticmethod
    def choose(device: str, precision: str, memory: str, sharing: int = 1) -> Machine:
        """By the names of a recipe; "auto" is found out. sharing: how many processes share the machine's memory.
        Raises RecipeError."""
        place = choose_device(device)
        return Machine(place, choose_precision(precision, place), choose_budget(memory, place, sharing))


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first there is of cuda, mps, cpu. Raises RecipeError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == AUTO:
        return torch.device(next(device for device, is_there in there.items() if is_there))
    if name not in there:
        raise RecipeError(f"device: {name!r} is unknown; {nearest(name, DEVICES)}")
    if not there[name]:
        found = ", ".join(device for device, is_there in there.items() if is_there)
        raise RecipeError(f"device: no {name} on this machine; there is {found}")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type for networks; "auto" is bfloat16 where the processor multiplies it. Raises RecipeError."""
    if name not in PRECISIONS:
        raise RecipeError(f"precision: {name!r} is unknown; {nearest(name, PRECISIONS)}")
    chosen = PRECISIONS[name]
    if chosen is not None:
        return chosen
    return torch.bfloat16 if _multiplies_bfloat16(device) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the processor has instructions for it. Asked, not timed: a busy machine must not change a result."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def choose_budget(text: str, device: torch.device, sharing: int = 1) -> int:
    """Bytes for activations: "4GB", "512MB"; "auto" is half of what is free, of which each of the processes that
    are `sharing` it gets as much; a graphics card has one. Raises RecipeError."""
    if text == AUTO:
        return free_memory(device) // 2 // (1 if device.type == "cuda" else sharing)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if not match:
        raise RecipeError(f"memory: {text!r} is no amount; write 4GB or 512MB, or auto")
    count = float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ")
    if count >= _MOST_BYTES:
        raise RecipeError(f"memory: {text!r} is more than any machine has; write 4GB or 512MB, or auto")
    return int(count)


def free_memory(device: torch.device) -> int:
    """Bytes of a device's memory that can be had."""
    return int(torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for want of memory, on any device."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def bytes_per_sample(extractor: Extractor, taps: Collection[str], dtype: torch.dtype) -> float:
    """An upper estimate of the memory that one sample of a tile's window takes while its gradient is computed.

    Kept for the backward pass: the result of each layer, about one layer in two being a tap; beside it the
    float32 copy and the gradient of the taps that are read.
    """
    size = dtype.itemsize
    last = list(extractor.taps).index(max(taps, key=list(extractor.taps).index))
    total = 0.0
    for index, tap in enumerate(extractor.taps.values()):
        if index <= last:
            density = tap.channels / prod(tap.reach.stride)
            total += density * (3 * size + (12 if tap.name in taps else 0))
    return total + 16 * extractor.network.channels


def choose_core(
    extractor: Extractor,
    taps: Collection[str],
    machine: Machine,
    shape: Shape,
    group: int | None,
    along: int = 0,
    processes: int = 1,
) -> Shape:
    """The largest core of a tile whose window fits the machine, and that leaves tiles for so many processes as far
    as there are any. Raises CapacityError when none fits."""
    reach = extractor.reach(taps)
    each = bytes_per_sample(extractor, taps, machine.dtype)
    most = min(machine.budget / each, _MOST_SAMPLES[machine.device.type])
    largest = spread(shape, processes, reach.stride, reach.halo, group, along)
    for core in shrink(largest, shape, reach.stride, reach.halo, group, along):
        window = prod(min(c + 2 * h, s) for c, h, s in zip(core, reach.halo, shape, strict=True))
        if window <= most:
            return core
    raise CapacityError(
        f"memory: the smallest tile takes {window * each / 2**20:.0f} MB, "
        f"{machine.budget / 2**20:.0f} MB are allowed; raise --memory or choose shallower taps"
    )
