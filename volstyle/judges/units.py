"""What the units of a layer see: where in a set of inputs each is lit most, and what there lights it.

After Zeiler & Fergus 2013 (arXiv 1311.2901): nine patches for each unit, each beside the structure in it that
drives the unit. They project back through a deconvnet; we take the guided gradient of the unit's activation
(Springenberg et al. 2014, arXiv 1412.6806), which is the same but for a rectifier that also knows what was lit on
the way up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from volstyle.engine.blockwise import style_sums
from volstyle.engine.machine import Machine, choose_core
from volstyle.errors import NetworkError, ShapeError
from volstyle.grid.field import Field
from volstyle.grid.tiles import Box, Shape, Tile, plan
from volstyle.loss.features import owned_features
from volstyle.networks.extractor import Extractor, Tap
from volstyle.networks.inflation import Placement

COUNT = 9
_ALL = slice(None)
_STACK_SAMPLES = 2**18
"""The most samples of windows that go through the network together."""


class Fields(Protocol):
    """Fields with the same axes, had one at a time: a list, or files that are read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Field: ...


@dataclass(frozen=True)
class Peak:
    """A place at which a unit is active. input: the number of the input. place: where its feature is, counted in
    features along each axis."""

    unit: int
    input: int
    place: Shape
    activation: float


@dataclass(frozen=True)
class Patch:
    """What a unit sees at a peak.

    rank: 0 for the unit's greatest. field: the whole input. window: the unit's receptive field, slices of the
    input that may reach past its borders. drive: (C, *S) over the part of the window that lies in the input, the
    guided gradient of the activation with respect to its samples.
    """

    peak: Peak
    rank: int
    field: Field
    window: Box
    drive: Tensor

    @property
    def box(self) -> Box:
        """The part of the window that lies in the input."""
        return _inside(self.window, self.field.shape)

    @property
    def samples(self) -> Tensor:
        """The samples (C, *S) of the input in `box`."""
        return self.field.samples[(_ALL, *self.box)]


def find_peaks(
    extractor: Extractor,
    tap: str,
    inputs: Fields,
    machine: Machine,
    units: Collection[int] | None = None,
    count: int = COUNT,
    on_input: Callable[[int], None] | None = None,
) -> dict[int, list[Peak]]:
    """unit -> the places where it is lit most, the greatest first: in turn the greatest of all whose receptive
    field overlaps none taken before in the same input. Fewer than `count` where it is lit in fewer; places where
    it is 0 are none.

    inputs: fields with the extractor's axes, gone through once, one at a time, tile by tile: memory is that of an
    input, a tile and the candidates, whose number depends on the receptive field alone. What is left of an input
    behind its last whole stride is not looked at. units: all if None. on_input: called after each input, with its
    number.

    Raises NetworkError for a tap or unit that does not exist, ShapeError for an input that is smaller than the
    receptive field or does not fit the network, naming it.
    """
    place = extractor.tap(tap)
    chosen = check_units(extractor, tap, units)
    found: dict[int, list[Peak]] = {unit: [] for unit in chosen}
    for number in range(len(inputs)):
        samples = _checked(extractor, place, number, inputs[number]).samples.to(machine.device)
        floor = torch.tensor([_least(found[unit], count) for unit in chosen])
        values, places = _candidates(extractor, place, samples, machine, torch.tensor(chosen), floor, count)
        for row, value, at in _pick(values, places, _apart(place), floor, count):
            found[chosen[row]].append(Peak(chosen[row], number, at, value))
        for unit, peaks in found.items():
            found[unit] = sorted(peaks, key=lambda peak: -peak.activation)[:count]
        if on_input is not None:
            on_input(number)
    return found


def view_patches(
    extractor: Extractor,
    tap: str,
    inputs: Fields,
    machine: Machine,
    peaks: Mapping[int, Sequence[Peak]],
) -> Iterator[Patch]:
    """The patch of each peak, input after input: each input that has a peak is read once more."""
    place = extractor.tap(tap)
    # The windows lie along a new axis in front, which the network sees slice by slice, as it sees a clip.
    placement = Placement(("center", *extractor.placement.axes))
    guided = Extractor(extractor.network.guided(), placement)
    ranked = [(peak, rank) for found in peaks.values() for rank, peak in enumerate(found)]
    ranked.sort(key=lambda entry: entry[0].input)
    for number, group in groupby(ranked, key=lambda entry: entry[0].input):
        field = _checked(extractor, place, number, inputs[number])
        for (_, inner), entries in _alike(extractor, place, field.shape, group).items():
            size = max(1, _STACK_SAMPLES // entries[0][2].window_size)
            for start in range(0, len(entries), size):
                stack = entries[start : start + size]
                drives = _drives(guided, tap, field.samples, machine, stack, inner)
                for (peak, rank, tile), drive in zip(stack, drives, strict=True):
                    yield _patch(place, peak, rank, field, tile, drive)


def mean_activations(
    extractor: Extractor, tap: str, samples: Tensor, machine: Machine, regions: Tensor | None = None
) -> Tensor:
    """(K,), each unit's mean over all places of samples (C, *S), tile by tile. regions: (1, *S), how much each
    place counts. Raises ShapeError or NetworkError."""
    shape = tuple(samples.shape[1:])
    extractor.check(samples.shape[0], shape, (tap,))
    blocks = plan(shape, choose_core(extractor, (tap,), machine, shape, None), *extractor.reach((tap,)))
    counts = None if regions is None else regions.to(machine.device)
    sums = style_sums(extractor, samples.to(machine.device), blocks, (tap,), counts)[tap].cpu()
    return sums.first[0] / sums.count[0]


def check_units(extractor: Extractor, tap: str, units: Collection[int] | None) -> list[int]:
    """The units asked for, in order, or all. Raises NetworkError for one that the layer does not have."""
    channels = extractor.tap(tap).channels
    for unit in units or ():
        if not 0 <= unit < channels:
            raise NetworkError(f"unit: {unit} is none of {tap}; it has {channels}, from 0 to {channels - 1}")
    return sorted(set(units)) if units else list(range(channels))


def _checked(extractor: Extractor, tap: Tap, number: int, field: Field) -> Field:
    """An input cut to whole strides of the network. Raises ShapeError for one that is too small."""
    name = str(field.origin.path or f"input {number}")
    axes = len(extractor.placement.axes)
    if len(field.axes) != axes:
        raise ShapeError(
            f"{name}: has axes {', '.join(a.name for a in field.axes)}, must have {axes} as the first"
        )
    if not field.samples.isfinite().all():
        raise ShapeError(f"{name}: samples hold NaN or infinite numbers")
    if any(size < width for size, width in zip(field.shape, tap.reach.width, strict=True)):
        have, need = "x".join(map(str, field.shape)), "x".join(map(str, tap.reach.width))
        raise ShapeError(f"{name}: is {have} samples, must be at least {need}, what a unit of {tap.name} sees")
    extractor.check(field.channels, field.shape, (tap.name,), name)
    whole = (slice(0, size // step * step) for size, step in zip(field.shape, tap.reach.stride, strict=True))
    return replace(field, samples=field.samples[(_ALL, *whole)])


def _least(peaks: Sequence[Peak], count: int) -> float:
    """What a new peak must exceed to be taken."""
    return peaks[count - 1].activation if len(peaks) >= count else 0.0


def _apart(tap: Tap) -> Shape:
    """How many features from one place to the next whose receptive field it does not overlap."""
    return tuple(-(-width // step) for width, step in zip(tap.reach.width, tap.reach.stride, strict=True))


def _candidates(
    extractor: Extractor,
    tap: Tap,
    samples: Tensor,
    machine: Machine,
    units: Tensor,
    floor: Tensor,
    count: int,
) -> tuple[Tensor, Tensor]:
    """The greatest activations of each unit in samples (C, *S), and their places: (U, M) and (U, M, axes).

    Each place taken rules out those nearer than `_apart`, so the nine are always among the greatest 8 · zone + 1,
    whatever the tiles. What does not exceed the floor (U,) is 0.
    """
    shape = tuple(samples.shape[1:])
    most = (count - 1) * prod(2 * apart - 1 for apart in _apart(tap)) + 1
    core = choose_core(extractor, (tap.name,), machine, shape, None)
    values, places = torch.zeros(len(units), 0), torch.zeros(len(units), 0, len(shape), dtype=torch.int64)
    for tile in (tile for block in plan(shape, core, *extractor.reach((tap.name,))) for tile in block.tiles):
        with torch.no_grad():
            owned = owned_features(extractor, samples, tile, (tap.name,))[tap.name][0]
        lit = owned.amax(tuple(range(1, owned.dim()))).cpu()[units] > floor
        if not lit.any():
            continue
        rows = owned[units[lit].to(owned.device)].flatten(1)
        top = rows.topk(min(most, rows.shape[1]), dim=1)
        first = torch.tensor([side.start for side in tile.features(tap.reach.stride)])
        where = torch.stack(torch.unravel_index(top.indices.cpu(), owned.shape[1:]), dim=-1) + first
        new_values, new_places = values.new_zeros(len(units), top.values.shape[1]), _spread(where, lit)
        new_values[lit] = top.values.cpu().float()
        values, places = torch.cat((values, new_values), dim=1), torch.cat((places, new_places), dim=1)
        values, places = _greatest(values, places, floor, most)
    return values, places


def _spread(rows: Tensor, lit: Tensor) -> Tensor:
    """Rows of the units that are lit as rows of all."""
    spread = rows.new_zeros(len(lit), *rows.shape[1:])
    spread[lit] = rows
    return spread


def _greatest(values: Tensor, places: Tensor, floor: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Sorted, without columns in which none exceeds its floor; a stable sort, so that ties fall to the first."""
    values, order = values.where(values > floor[:, None], 0).sort(dim=1, descending=True, stable=True)
    kept = min(most, int((values > 0).sum(1).max()))
    order = order[:, :kept]
    return values[:, :kept], places.gather(1, order[..., None].expand(-1, -1, places.shape[-1]))


def _pick(
    values: Tensor, places: Tensor, apart: Shape, floor: Tensor, count: int
) -> Iterator[tuple[int, float, Shape]]:
    """(row, value, place): for each row in turn the greatest, and out with all that it overlaps."""
    values, distance = values.clone(), torch.tensor(apart)
    for _ in range(count if values.shape[1] else 0):
        top, best = values.max(1)
        rows = (top > floor).nonzero()[:, 0]
        if not len(rows):
            return
        here = places[rows, best[rows]]
        yield from zip(rows.tolist(), top[rows].tolist(), map(tuple, here.tolist()), strict=True)
        near = ((places[rows] - here[:, None]).abs() < distance).all(-1)
        values[rows] = values[rows].masked_fill(near, 0)


_Ranked = tuple[Peak, int, Tile]
"""A peak, its rank, and the tile that owns its feature."""


def _alike(
    extractor: Extractor, tap: Tap, shape: Shape, ranked: Iterable[tuple[Peak, int]]
) -> dict[tuple[Shape, Shape], list[_Ranked]]:
    """Peaks by the size of their tile's window and the place of the feature in it."""
    alike: dict[tuple[Shape, Shape], list[_Ranked]] = {}
    for peak, rank in ranked:
        tile = _tile(extractor, tap, peak.place, shape)
        size = tuple(side.stop - side.start for side in tile.window)
        inner = tuple(
            side.start // step for side, step in zip(tile.core_in_window(), tap.reach.stride, strict=True)
        )
        alike.setdefault((size, inner), []).append((peak, rank, tile))
    return alike


def _tile(extractor: Extractor, tap: Tap, place: Shape, shape: Shape) -> Tile:
    """The tile that owns one feature."""
    cut = extractor.reach((tap.name,))
    core = tuple(slice(i * step, (i + 1) * step) for i, step in zip(place, cut.stride, strict=True))
    window = (slice(side.start - halo, side.stop + halo) for side, halo in zip(core, cut.halo, strict=True))
    return Tile(core, _inside(tuple(window), shape))


def _drives(
    guided: Extractor, tap: str, samples: Tensor, machine: Machine, stack: Sequence[_Ranked], inner: Shape
) -> Tensor:
    """Guided gradients (B, C, *W) of one unit each over windows of samples (C, *S), all of one size."""
    windows = [samples[(_ALL, *tile.window)] for _, _, tile in stack]
    leaf = torch.stack(windows, dim=1)[None].to(machine.device).requires_grad_()
    place = (slice(i, i + 1) for i in inner)
    features = guided(leaf, (tap,))[tap][(_ALL, _ALL, _ALL, *place)].flatten(2)[0]
    units = torch.tensor([[peak.unit for peak, _, _ in stack]], device=features.device)
    torch.autograd.backward(features.gather(0, units).sum())
    assert leaf.grad is not None
    return leaf.grad[0].transpose(0, 1).cpu()


def _patch(tap: Tap, peak: Peak, rank: int, field: Field, tile: Tile, drive: Tensor) -> Patch:
    window = tap.reach.receptive_field(peak.place)
    seen = Tile(_inside(window, field.shape), tile.window).core_in_window()
    return Patch(peak, rank, field, window, drive[(_ALL, *seen)])


def _inside(window: Box, shape: Shape) -> Box:
    return tuple(slice(max(0, w.start), min(w.stop, size)) for w, size in zip(window, shape, strict=True))
