"""A clip as windows the engine can style one after the other, and back; it is never whole in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from volstyle.codecs import Moment, Selection, is_clip, open_clip, read
from volstyle.codecs.clip import AXES, Clip, ClipOrigin, Look, Spool, roughly
from volstyle.codecs.flow import FlowFiles
from volstyle.codecs.video import VideoOrigin
from volstyle.engine.scene import Style
from volstyle.errors import InputError
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import resampling, transfer
from volstyle.media.part import Part, Problem
from volstyle.motion.windows import BEYOND, HELD, Span, plan_windows

from .order import Order

_LEVELS = 65535
"""Of finished frames, which wait on the disk to be encoded: what is written has 8 or 10 bits, and --full-size adds
no more than a change to the source's, so that 16 lose nothing that float32, twice as large, would have kept."""


class Lasting:
    """A clip that lasts as long as another, whatever its own number of frames."""

    def __init__(self, clip: Clip, count: int) -> None:
        """count: frames of the other."""
        self._spool, self._have, self._count = Spool(clip), clip.shape[0], count

    def during(self, window: Span) -> Tensor:
        """(C, T, H, W) of a window of the other, in time by the linear `resize`; best asked for in order."""
        frames = self._span(slice(window.start, window.stop))
        return torch.cat((frames, self._span(slice(0, window.ahead))), dim=1) if window.ahead else frames

    def _span(self, span: slice) -> Tensor:
        first, weights = resampling(self._have, self._count, "linear", span)
        frames = self._spool.span(first, first + weights.shape[1])
        lasting: Tensor = torch.tensordot(frames, weights.to(frames), dims=([1], [1])).movedim(-1, 1)
        return lasting.contiguous()


@dataclass(frozen=True)
class Film:
    """clip: at the size that is styled. windows: of it, in order. styles: but for the masks that move, which stand
    in masks. init: where to start from, if a file says so. flows: how it moves, if files say so."""

    clip: Clip
    windows: tuple[Span, ...]
    content: Lasting
    styles: tuple[Style, ...]
    masks: tuple[Lasting | None, ...]
    init: Lasting | None
    flows: FlowFiles | None = None

    @property
    def cuts(self) -> tuple[int, ...]:
        """First frames of the shots but the first."""
        return tuple(window.start for window in self.windows if window.start and not window.held)

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user, on what was read."""
        if self.flows is None or self.flows.both_ways:
            return self.clip.notes
        return (*self.clip.notes, "flow: none from each frame to the one before in its folder; by DIS instead")

    def parts(self) -> tuple[Part, ...]:
        """One for each window, read when its turn comes."""
        return tuple(Part(self._grid(window), partial(self._problem, window), window) for window in self.windows)

    def kept(self, window: Span, result: Tensor) -> Tensor:
        """The frames that a window finished, of its result (3, T, H, W), as they wait to be encoded."""
        return (result[:, window.finished] * _LEVELS).round().to(torch.uint16)

    def held(self, window: Span, reached: Tensor) -> Tensor:
        """What other windows hold of what one has reached, (C, T, *S): its last frames, after the first of all."""
        last = reached[:, : window.finished.stop][:, -HELD:]
        first = reached[:, : self.windows[-1].ahead]
        return torch.cat((first, last), dim=1) if window == self.windows[0] else last.clone()

    def result(self, finished: Callable[[int], Tensor | None], full: Clip | None) -> Clip:
        """The clip with the frames that are finished; those that a stop left out stay as they were.

        finished: of a window, by its number, what is `kept`, or None. full: the clip at its own size, to bring the
        style back to; else the result is as large as what was styled.
        """
        return replace(full or self.clip, frames=partial(self._frames, finished, full))

    def _frames(self, finished: Callable[[int], Tensor | None], full: Clip | None) -> Iterator[Field]:
        given = self.clip.frames()
        large = full.frames() if full else None
        for number, window in enumerate(self.windows):
            kept = finished(number)
            for index in range(window.own.stop - window.own.start):
                small = next(given)
                frame = next(large) if large else small
                if kept is None:
                    yield frame
                    continue
                styled = kept[:, index].float() / _LEVELS
                if large:
                    styled = transfer(frame.samples, small.samples, styled)
                yield replace(frame, samples=styled)

    def _grid(self, window: Span) -> Field:
        shape = (window.count, *self.clip.shape[1:])
        return Field(torch.empty(3, *shape, device="meta"), self.clip.axes)

    def _problem(self, window: Span) -> Problem:
        styles = tuple(
            replace(style, target_mask=luma(mask.during(window))[0]) if mask else style
            for style, mask in zip(self.styles, self.masks, strict=True)
        )
        styles = tuple(s if s.at is None else replace(s, at=s.at - window.start) for s in styles)
        content = Field(self.content.during(window), self.clip.axes)
        init = None if self.init is None else Field(self.init.during(window), self.clip.axes)
        return Problem(content, styles, init, flows=self.flows and self.flows.since(window.start))


def read_film(order: Order, clip: Clip, cuts: tuple[int, ...], styles: tuple[Style, ...]) -> Film:
    """styles: without masks of where they go. Raises InputError."""
    count = clip.shape[0]
    choice = order.recipe.temporal
    windows = plan_windows(count, cuts, choice.window, HELD, BEYOND, loop=choice.loop)
    masks: list[Lasting | None] = []
    still = []
    for style, file in zip(styles, order.styles, strict=True):
        mask = None if file.mask is None else opened(file.mask, order.selection)
        style = replace(style, at=None if file.at is None else _frame(file.at, order, clip))
        masks.append(Lasting(mask, count) if isinstance(mask, Clip) else None)
        still.append(replace(style, target_mask=luma(mask.samples)[0]) if isinstance(mask, Field) else style)
    init = None if order.init is None else opened(order.init, order.selection)
    if isinstance(init, Field):
        raise InputError(f"{order.init}: an init must be a clip like {order.content}")
    start = None if init is None else Lasting(init, count)
    return Film(clip, windows, Lasting(clip, count), tuple(still), tuple(masks), start, _flows(order, clip))


def _flows(order: Order, clip: Clip) -> FlowFiles | None:
    weights = order.flow_weights
    if weights and not weights.is_file():
        raise InputError(f"{weights}: no such file of weights for flow")
    if order.flow is None:
        return None
    if isinstance(clip.origin, ClipOrigin) and any(b - a > 1 for a, b in pairwise(clip.origin.places)):
        raise InputError(
            f"{order.flow}: its flow goes from each frame to the next, and damaged ones were left out of "
            f"{order.content}; leave out --flow or --keep-going"
        )
    return FlowFiles.open(order.flow, _skipped(order, clip), clip.shape, loop=order.recipe.temporal.loop)


def _skipped(order: Order, clip: Clip) -> int:
    """Frames of the source before those that are styled."""
    start = order.selection.start
    if isinstance(clip.origin, ClipOrigin) and clip.origin.places:
        return clip.origin.places[0]
    if start is None:
        return 0
    return round(start.value) if start.unit == "f" else math.ceil((start.value - 5e-4) / clip.axes[0].step)


def _frame(moment: Moment, order: Order, clip: Clip) -> float:
    """Where a moment of the source lies among the frames that are styled; before and after them it counts on."""
    if moment.unit == "f":
        return moment.value - _skipped(order, clip)
    step, count = clip.axes[0].step, clip.shape[0]
    times = [(index + _skipped(order, clip)) * step for index in range(count)]
    if isinstance(clip.origin, VideoOrigin) and len(clip.origin.ticks) == count:
        first = clip.origin.offset - clip.origin.begin
        times = [float(first + tick * clip.origin.time_base) for tick in clip.origin.ticks]
    outside = min(moment.value - times[0], 0) + max(moment.value - times[-1], 0)
    return float(np.interp(moment.value, times, range(count))) + outside / step


def opened(path: Path, selection: Selection, look: Look | None = None) -> Clip | Field:
    """A clip, or what else a file holds. look: is shown each frame of a clip. Raises InputError."""
    if is_clip(path):
        return open_clip(path, selection, look)
    field = read(path, selection)
    if tuple(axis.name for axis in field.axes) != AXES:
        return field
    clip = Clip.of(field)
    if look is not None:
        for frame in clip.frames():
            look(roughly(frame))
    return clip
