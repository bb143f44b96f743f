"""The files of an order as fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from volstyle.codecs import Selection, read
from volstyle.codecs.clip import Clip
from volstyle.codecs.image import ImageOrigin
from volstyle.engine.scene import Style
from volstyle.errors import InputError, RecipeError
from volstyle.grid.color import luma
from volstyle.grid.field import Axis, Field
from volstyle.media.part import Part, Problem
from volstyle.media.volume import Volume, blank, read_volume, read_volume_style
from volstyle.motion.shots import CutFinder, read_cuts

from .film import Film, opened, read_film
from .order import Order, StyleFile
from .signal import Signal, read_signal

AXES = {"image": ["y", "x"], "video": ["t", "y", "x"], "volume": ["z", "y", "x"], "signal": ["t"]}
_IS = {"image": "an image", "video": "a clip", "volume": "a volume", "signal": "a signal"}


@dataclass(frozen=True)
class Inputs:
    """parts: at the size being optimized, one after the other. volume, signal, film: what they are of, if they are
    of one."""

    parts: tuple[Part, ...]
    volume: Volume | None = None
    signal: Signal | None = None
    film: Film | None = None

    @property
    def grid(self) -> Field:
        """Of the largest part, which tells what the run takes."""
        return max(self.parts, key=lambda part: part.size).grid

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all that is styled."""
        return self.film.clip.shape if self.film else self.grid.shape

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user, on what was read."""
        if self.signal:
            return self.signal.notes
        if self.film:
            return self.film.notes
        return self.grid.origin.notes if isinstance(self.grid.origin, ImageOrigin) else ()


def read_inputs(order: Order) -> Inputs:
    """A clip only looked through. Raises InputError for a file that cannot be read or is of another kind than the
    order says."""
    if order.kind == "volume":
        return _volume_inputs(order)
    if order.kind == "signal":
        signal = read_signal(order)
        return Inputs((_part(Problem(signal.ready.content, signal.ready.styles, signal.init)),), signal=signal)
    assert order.content is not None
    finder = CutFinder() if order.shots == "auto" and order.cuts is None else None
    content = opened(order.content, order.selection, finder.look if finder else None)
    _check_kind(order, content.axes)
    styles = tuple(_style(order, style) for style in order.styles)
    _check_times(order)
    if isinstance(content, Clip):
        film = read_film(order, content, _cuts(order, content, finder), styles)
        return Inputs(film.parts(), film=film)
    init = read(order.init, order.selection) if order.init else None
    if init is not None and len(init.axes) != len(content.axes):
        raise InputError(f"{order.init}: an init must be {_IS[order.kind]} like {order.content}")
    masks = [_mask(file.mask, order.selection) for file in order.styles]
    placed = tuple(replace(s, target_mask=mask) for s, mask in zip(styles, masks, strict=True))
    return Inputs((_part(Problem(content, placed, init)),))


def _cuts(order: Order, clip: Clip, finder: CutFinder | None) -> tuple[int, ...]:
    if finder is not None:
        return finder.cuts()
    return order.cuts or (() if order.shots in ("none", "auto") else read_cuts(Path(order.shots), clip.shape[0]))


def _check_times(order: Order) -> None:
    """Now, what the engine would say of them after the plan."""
    timed = [style for style in order.styles if style.at]
    if timed and order.kind != "video":
        raise RecipeError(f"style: {timed[0].path} has a time, which is for clips alone; leave it out")
    if timed and len(timed) < len(order.styles):
        without = next(style.path for style in order.styles if not style.at)
        raise RecipeError(f"style: {without} has no time, others have; give each one, as in {without}@4s")
    if timed and any(style.mask for style in order.styles):
        raise RecipeError("style: times and --mask exclude each other; leave one of them out")


def _part(problem: Problem) -> Part:
    """Of what is in memory anyway."""
    return Part(problem.content, lambda: problem)


def _volume_inputs(order: Order) -> Inputs:
    """Styles are flat, or volumes; a file to start from is a volume, seen through its own window."""
    volume = None if order.content is None else read_volume(order.content, order.mask, order.recipe)
    problems = (Problem(blank(order.shape or ())),) if volume is None else volume.problems()
    styles = []
    for file in order.styles:
        try:
            styles.append(Style(read_volume_style(file.path), file.weight))
        except InputError as error:
            raise InputError(f"style {error}") from error
    init = None if order.init is None else read_volume_style(order.init)
    return Inputs(tuple(_part(replace(p, styles=tuple(styles), init=init)) for p in problems), volume)


def _check_kind(order: Order, axes: tuple[Axis, ...]) -> None:
    found = [axis.name for axis in axes]
    if found != AXES[order.kind]:
        kind = next((kind for kind, axes in AXES.items() if axes == found), None)
        is_now = f"is {_IS[kind]}; use `volstyle {kind}`" if kind else f"has axes {', '.join(found)}"
        raise InputError(f"{order.content}: must be {_IS[order.kind]}, {is_now}")


def _style(order: Order, file: StyleFile) -> Style:
    """Without the mask of where it goes."""
    # A clip as a style is read no larger than its statistics are taken; a painting is made smaller by the engine.
    size = order.selection.size and max(1, round(order.selection.size * order.recipe.style.scale))
    try:
        field = read(file.path, Selection(size=size))
    except InputError as error:
        raise InputError(f"style {error}") from error
    return Style(field, file.weight, source_mask=_mask(file.source_mask, Selection(size=size)))


def _mask(path: Path | None, selection: Selection) -> Tensor | None:
    """(*S) in [0, 1], the luma of an image or a clip."""
    return None if path is None else luma(read(path, selection).samples)[0]
