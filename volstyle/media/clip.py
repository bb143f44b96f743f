"""Clips as a medium: windows that are styled one after the other; a clip is never whole in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from volstyle.codecs import Facts, Moment
from volstyle.codecs.ahead import ahead
from volstyle.codecs.clip import AXES, Clip, ClipOrigin, Spool
from volstyle.codecs.flow import FlowFiles
from volstyle.codecs.high_range import in_range_of, in_srgb
from volstyle.codecs.video import VideoOrigin
from volstyle.engine.checkpoint import Reached
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Stylized
from volstyle.errors import InputError, RecipeError
from volstyle.grid.color import luma
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted, resampling, transfer
from volstyle.media.defaults import SIZES, composed
from volstyle.media.medium import Earlier, Finished, Paint
from volstyle.media.order import Order, Source
from volstyle.media.ranges import color_of, is_of_high_range, noted, of_one_range
from volstyle.media.reading import OtherMediumError, content_of, full_shape, opened, read_style, without_axes
from volstyle.motion.shots import CutFinder, read_cuts
from volstyle.motion.windows import BEYOND, HELD, Span, plan_windows
from volstyle.recipe import Recipe

_LEVELS = 65535
"""The highest level of finished frames, which wait on the disk in 16 bits to be encoded. A clip has 8 or 10 bits,
and --full-size only adds the change to the source's own samples, so that float32, twice as large, would keep no
more that is seen."""


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
    """A clip that has been opened, with its styles. clip: the clip at the size that is styled. windows: its parts,
    in order. styles: the styles, without the masks that move, which stand in masks. init: the clip to start from,
    if a file was given. flows: the motion of the clip, if files were given. full: opens the clip at its own size,
    to bring the style back to it. full_shape: the size of the result, (T, H, W). brightest: the highest sample of
    the styles, in a clip of high dynamic range: no frame of a result is brighter than it and than the frame of the
    source. None in other clips, whose white is the highest sample there is."""

    clip: Clip
    windows: tuple[Span, ...]
    content: Lasting
    styles: tuple[Style, ...]
    masks: tuple[Lasting | None, ...]
    init: Lasting | None
    flows: FlowFiles | None = None
    full: Callable[[], Clip] | None = None
    full_shape: tuple[int, ...] = ()
    brightest: float | None = None
    kept_bytes: int = 2

    @property
    def shape(self) -> tuple[int, ...]:
        return self.clip.shape

    @property
    def grids(self) -> tuple[Field, ...]:
        return tuple(
            Field(torch.empty(3, window.count, *self.clip.shape[1:], device="meta"), self.clip.axes)
            for window in self.windows
        )

    @property
    def cuts(self) -> tuple[int, ...]:
        """First frames of the shots but the first."""
        return tuple(window.start for window in self.windows if window.start and not window.held)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what was read, one line each."""
        if self.flows is None or self.flows.both_ways:
            return self.clip.notes
        return (*self.clip.notes, "flow: none from each frame to the one before in its folder; by DIS instead")

    def part(self, number: int, earlier: Earlier) -> Part:
        """A window of the clip. Its first frames are held to what the window before it has reached, and in a loop
        its last frames to what the first window has reached."""
        window = self.windows[number]
        styles = tuple(
            replace(style, target_mask=luma(mask.during(window))[0]) if mask else style
            for style, mask in zip(self.styles, self.masks, strict=True)
        )
        before = earlier(number - 1) if window.held else None
        first = earlier(0) if window.ahead else None
        return Part(
            Field(self.content.during(window), self.clip.axes),
            tuple(s if s.at is None else replace(s, at=s.at - window.start) for s in styles),
            None if self.init is None else Field(self.init.during(window), self.clip.axes),
            flows=self.flows and self.flows.since(window.start),
            held=None if before is None else before.samples[:, -window.held :],
            ahead=None if first is None else first.samples[:, : window.ahead],
            is_whole=len(self.windows) == 1,
        )

    def kept(self, number: int, done: Stylized) -> Reached:
        """The frames that a window finished, and the frames that other windows are held to."""
        window = self.windows[number]
        finished = (done.field.samples[:, window.finished] * _LEVELS).round().to(torch.uint16)
        held = self.held(window, done.reached.samples)
        return replace(done.reached, samples=held, momentum=None, finished=finished)

    def held(self, window: Span, reached: Tensor) -> Tensor:
        """Frames (C, T, *S) that later windows must hold fixed: the last `HELD` frames of this window and, for the
        first window of a loop, before them the first frames of the clip."""
        last = reached[:, : window.finished.stop][:, -HELD:]
        first = reached[:, : self.windows[-1].ahead]
        return torch.cat((first, last), dim=1) if window == self.windows[0] else last.clone()

    def expected(self) -> Clip:
        return replace(self.clip, shape=self.full_shape or self.clip.shape)

    def result(self, finished: Finished) -> Clip:
        """The clip with the frames that are finished, decoded and styled again when they are asked for."""
        full = self.full() if self.full else None
        return replace(full or self.clip, frames=partial(self._frames, finished, full))

    def painted(self, paint: Paint) -> Clip:
        """The clip with each frame painted when it is asked for: while one is written, the next is finished, and
        the one after that is drafted."""

        color = color_of(self.clip)

        def drafted() -> Generator[tuple[Field, Tensor, Tensor], None, None]:
            for index, frame in enumerate(self.clip.frames()):
                seen = in_srgb(frame.samples, color)
                yield frame, seen, paint.draft(seen, index)

        def finished() -> Generator[Field, None, None]:
            with closing(ahead(drafted(), 1)) as drafts:
                for index, (frame, seen, draft) in enumerate(drafts):
                    made = paint.finish(seen, draft, index)
                    made = frame.samples if made is seen else in_range_of(made, color)
                    yield replace(frame, samples=paint.mixed(frame.samples, made))

        return replace(self.clip, frames=lambda: ahead(finished(), 1))

    def _frames(self, finished: Finished, full: Clip | None) -> Iterator[Field]:
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
                if self.brightest is not None:
                    styled = styled.clamp(max=max(self.brightest, float(frame.samples.max())))
                yield replace(frame, samples=styled)


@dataclass(frozen=True)
class ClipMedium:
    name: str = "video"
    called: str = "a clip"
    axes: tuple[str, ...] = AXES
    texture: str = "texture"

    def suffix(self, content: Path | None, style: Path, quality: str) -> str:
        return ".mov" if quality == "prores" else ".mp4"

    def size(self, asked: int | None) -> tuple[int | None, Mapping[str, Any]]:
        return asked or SIZES[self.name], {}

    def recipe(
        self, content: Source | None, style: Source | None, given: Mapping[str, Any], *chosen: Mapping[str, Any]
    ) -> Recipe:
        return composed(self.name, given, *chosen)

    def open(self, order: Order) -> Film:
        """Look through a clip once, without keeping its frames."""
        _check_times(order)
        without_axes(order)
        finder = CutFinder() if order.shots == "auto" and order.cuts is None else None
        clip = content_of(order, finder.look if finder else None)
        if isinstance(clip, Field):
            raise OtherMediumError(order, [axis.name for axis in clip.axes])
        cuts = finder.cuts() if finder else _given_cuts(order, clip)
        styles = tuple(read_style(order, style) for style in order.styles)
        if order.is_painted:
            return read_film(order, noted(clip), cuts, styles)
        clip, styles = of_one_range(clip, styles)
        film = read_film(order, clip, cuts, styles)
        if not is_of_high_range(clip):
            return film
        return replace(film, brightest=max(float(style.field.samples.max()) for style in styles))

    def part_grid(self, facts: Facts, size: int | None, recipe: Recipe) -> Field:
        """The grid of the longest window, as if the clip had no cuts."""
        longest = max(facts.shape[1:])
        shape = fitted(facts.shape, min(size or longest, longest), (True, False, False))
        windows = plan_windows(shape[0], (), recipe.temporal.window, HELD, BEYOND)
        frames = max(window.stop - window.start for window in windows)
        axes = facts.axes or (Axis("t", 1.0, "s"), Axis("y"), Axis("x"))
        return Field(torch.empty(3, frames, *shape[1:], device="meta"), axes)

    def sized(self, shape: tuple[int, ...]) -> str:
        frames, height, width = shape
        return f"{width}x{height}, {frames} frames"


def _given_cuts(order: Order, clip: Clip) -> tuple[int, ...]:
    return order.cuts or (() if order.shots in ("none", "auto") else read_cuts(Path(order.shots), clip.shape[0]))


def _check_times(order: Order) -> None:
    """Raises RecipeError for times of styles, before the plan, where the engine would after it."""
    timed = [style for style in order.styles if style.at]
    if timed and len(timed) < len(order.styles):
        without = next(style.source for style in order.styles if not style.at)
        name = "one in memory" if isinstance(without, Field) else without
        raise RecipeError(f"style: {name} has no time, others have; give each one, as in {name}@4s")
    if timed and any(style.mask is not None for style in order.styles):
        raise RecipeError("style: times and --mask exclude each other; leave one of them out")


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
    film = Film(clip, windows, Lasting(clip, count), tuple(still), tuple(masks), start, _flows(order, clip))
    if not order.full_size or order.content is None:
        return film
    shape = (count, *full_shape(order.content)[-2:])
    return replace(film, full=partial(_whole, order), full_shape=shape)


def _whole(order: Order) -> Clip:
    """The clip of an order at its own size."""
    clip = content_of(order, full=True)
    assert isinstance(clip, Clip)
    return clip


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
    """The number of frames of the source before the first one that is styled."""
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
