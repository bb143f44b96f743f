"""Clips whose frames come one after the other, so that they may be longer than memory is large."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field, Origin

AXES = ("t", "y", "x")

Look = Callable[[NDArray[np.uint8]], None]
"""A function that is called with each frame while a clip is looked through: (H, W, 3) in R, G, B, small and of
rough color."""


@dataclass(frozen=True)
class PictureOrigin(Origin):
    """The origin of a picture, or of one frame of a clip. alpha: (H, W) in [0, 1], how opaque it is."""

    alpha: Tensor | None = None


@dataclass(frozen=True)
class ClipOrigin(Origin):
    """pictures: the origin of each frame, where the clip is whole in memory; a frame that comes alone carries its
    own. ticks, durations: when each frame begins, counted from the first, and how long it is shown, in steps of
    the axis t unless a subclass names another unit; () where each frame lasts one step. places: the number of each
    frame in the source, counted from 0; () where it is not known."""

    pictures: tuple[Origin, ...] = ()
    ticks: tuple[int, ...] = ()
    durations: tuple[int, ...] = ()
    places: tuple[int, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A clip whose frames are decoded when they are asked for.

    shape: (T, H, W). axes, origin: those that the clip has as a Field. frames: a function that begins at the first
    frame at each call and yields all of them, (3, H, W) with a PictureOrigin. see_through: whether any alpha is
    below 1. notes: what the user should know, one line each.
    """

    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    origin: Origin
    frames: Callable[[], Iterator[Field]]
    see_through: bool = False
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(field: Field) -> Clip:
        """A clip that is whole in memory. Raises InputError for a field of other axes."""
        names = tuple(axis.name for axis in field.axes)
        if names != AXES:
            raise InputError(f"{field.origin.path}: has axes {', '.join(names)}, must be a clip: t, y, x")
        origin = field.origin if isinstance(field.origin, ClipOrigin) else ClipOrigin()
        pictures = (
            origin.pictures if len(origin.pictures) == field.shape[0] else (PictureOrigin(),) * field.shape[0]
        )

        def frames() -> Iterator[Field]:
            for index, picture in enumerate(pictures):
                yield Field(field.samples[:, index].contiguous(), field.axes[1:], picture)

        return Clip(field.shape, field.axes, field.origin, frames, any(map(is_see_through, pictures)))

    def whole(self) -> Field:
        """The clip as a Field, which holds all frames in memory."""
        samples = torch.empty(0)
        pictures = []
        for index, frame in enumerate(self.frames()):
            if not index:
                samples = torch.empty(frame.channels, *self.shape)
            samples[:, index] = frame.samples
            pictures.append(frame.origin)
        origin = self.origin
        if isinstance(origin, ClipOrigin):
            origin = replace(origin, pictures=tuple(pictures))
        return Field(samples, self.axes, origin)


def briefly(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes on single frames, shortened to two lines."""
    return tuple(notes) if len(notes) < 3 else (notes[0], f"… and {len(notes) - 1} more")


def roughly(frame: Field) -> NDArray[np.uint8]:
    """A frame as `Look` wants it: (H, W, 3), 8 bit."""
    levels = (255 * frame.samples.expand(3, *frame.shape).clamp(0, 1)).to(torch.uint8)
    return levels.permute(1, 2, 0).numpy()


def is_see_through(picture: Origin) -> bool:
    alpha = picture.alpha if isinstance(picture, PictureOrigin) else None
    return alpha is not None and bool((alpha < 1).any())


class Spool:
    """Frames of a clip by their numbers, for a reader that goes forward.

    Only the frames of the last span are kept, so that spans that overlap decode each frame once. A span that
    begins before the last one makes it decode from the first frame again."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._kept: deque[Tensor] = deque()
        self._first = 0
        self._coming: Iterator[Field] = iter(())
        self._wind_back()

    def span(self, start: int, stop: int) -> Tensor:
        """The frames from start to before stop, (3, stop - start, H, W)."""
        if start < self._first:
            self._wind_back()
        while self._first < start:
            if self._kept:
                self._kept.popleft()
            else:
                next(self._coming)
            self._first += 1
        while len(self._kept) < stop - start:
            self._kept.append(next(self._coming).samples)
        return torch.stack(list(self._kept)[: stop - start], dim=1)

    def _wind_back(self) -> None:
        self._kept.clear()
        self._first, self._coming = 0, self._clip.frames()
