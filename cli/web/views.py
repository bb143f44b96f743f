"""What the page shows of each medium: one picture while it is styled, then before and after side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial, singledispatch
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor

from volstyle.codecs import Moment, Selection, open_clip, read, write
from volstyle.codecs.clip import AXES, Clip, ClipOrigin
from volstyle.grid.field import Field
from volstyle.media.clip import Film
from volstyle.media.medium import nothing_earlier
from volstyle.media.picture import picture
from volstyle.media.result import Result
from volstyle.media.signal import Signal, is_sound
from volstyle.media.table import medium_of
from volstyle.media.volume import Volume, is_volume
from volstyle.recipe import Recipe

from ..draw.html import picture_uri, sound_uri
from .slices import Slices

PASSING, LASTING = 80, 94
"""WebP qualities: of pictures that are soon replaced by others, and of pictures that stay."""

_MOST_FRAMES = 600
"""How many frames of a clip are compared at most: to encode them again must not take long."""


@dataclass(frozen=True)
class View:
    """What the page shows. facts: values that it is given, as JSON. files: what it may fetch, by name. slices:
    those of a volume."""

    facts: Mapping[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)
    slices: Slices | None = None


def pair(before: Tensor, after: Tensor | None, quality: int = PASSING) -> dict[str, Any]:
    """Two pictures (3, H, W) in [0, 1] of one extent, the result on top; each has as many samples as it has."""
    _, height, width = before.shape
    return {
        "kind": "pictures",
        "extent": [width, height],
        "before": picture_uri(before, quality),
        "after": None if after is None else picture_uri(after, quality),
    }


@singledispatch
def content_picture(opened: Any, number: int) -> Tensor:
    """What `picture` shows of the content of a part: (3, H, W) in [0, 1]."""
    return picture(opened.part(number, nothing_earlier).content)


@content_picture.register
def _(opened: Film, number: int) -> Tensor:
    """The middle frame of a window. It is decoded apart from the run, which reads its windows in order."""
    window = opened.windows[number]
    middle = window.start + window.count // 2
    return picture(next(islice(opened.clip.frames(), middle, None)))


@singledispatch
def comparison(opened: Any, result: Result, folder: Path) -> View:
    """A content and its result, to be compared; here a picture and its own. folder: where files that
    are made for it are written."""
    return View(pair(content_picture(opened, 0), picture(result.field), LASTING))


@comparison.register
def _(opened: Film, result: Result, folder: Path) -> View:
    assert result.output is not None
    sides = {"before": opened.clip, "after": open_clip(result.output)}
    files = {f"{side}.mp4": folder / f"{side}.mp4" for side in sides}
    for clip, path in zip(sides.values(), files.values(), strict=True):
        write(path, _playable(clip))
    height, width = opened.clip.shape[1:]
    cut = opened.clip.shape[0] > _MOST_FRAMES
    note = f"compared here are the first {_MOST_FRAMES} frames" if cut else None
    return View({"kind": "clips", "extent": [width, height], "note": note}, files)


@comparison.register
def _(opened: Volume, result: Result, folder: Path) -> View:
    slices = Slices.of(opened, result.field)
    several = opened.times * len(opened.windows) > 1
    note = "shown is the first of its channels or moments" if several else None
    return View({"kind": "slices", "planes": slices.planes(), "note": note}, {}, slices)


@comparison.register
def _(opened: Signal, result: Result, folder: Path) -> View:
    facts = pair(picture(opened.source), picture(result.field), LASTING)
    if is_sound(result.field):
        sides = {"before": opened.source, "after": result.field}
        facts["sounds"] = {
            side: sound_uri(one.samples.mean(0), 1 / one.axes[0].step) for side, one in sides.items()
        }
    return View(facts)


def _playable(clip: Clip) -> Clip:
    """A clip in a form that all browsers play: 8 bits, no sound, an even number of rows and of columns."""
    height, width = (side - side % 2 for side in clip.shape[1:])

    def frames(given: Clip) -> Any:
        for frame in islice(given.frames(), _MOST_FRAMES):
            samples = frame.samples.expand(3, *frame.shape)[:, :height, :width]
            yield Field(samples.contiguous(), frame.axes)

    shape = (min(clip.shape[0], _MOST_FRAMES), height, width)
    return Clip(shape, clip.axes, ClipOrigin(), partial(frames, clip))


def glance(path: Path, size: int | None) -> Tensor:
    """What `picture` shows of a file that was not styled. Raises VolstyleError."""
    return picture(first_look(path, size))


def first_look(path: Path, size: int | None) -> Field:
    """The part of a file that can be seen at once: the first frame of a clip, the first part of a volume in [0,
    1]. size: its long side at most. Raises VolstyleError."""
    axes = medium_of(path).axes
    first = Moment(1.0, "f") if axes == AXES else None
    found = read(path, Selection(size, end=first, signal=axes == ("t",)))
    if axes == AXES:
        return Field(found.samples[:, 0].contiguous(), found.axes[1:])
    return Volume.prepare(found, None, Recipe()).checked().part(0).content if is_volume(found) else found
