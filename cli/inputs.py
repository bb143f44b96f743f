"""The files of an order as fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from volstyle.codecs import Selection, read
from volstyle.errors import InputError
from volstyle.field import Field
from volstyle.motion import GAPS
from volstyle.scene import Style, luma
from volstyle.shots import find_cuts, read_cuts
from volstyle.windows import frames_of, init_in, plan_windows, style_in
from volstyle_cli.order import Order, StyleFile
from volstyle_cli.signals import Signal, read_signal
from volstyle_cli.volumes import Part, Volume, blank, read_volume, read_volume_style

AXES = {"image": ["y", "x"], "video": ["t", "y", "x"], "volume": ["z", "y", "x"], "signal": ["t"]}
_IS = {"image": "an image", "video": "a clip", "volume": "a volume", "signal": "a signal"}


@dataclass(frozen=True)
class Inputs:
    """parts: at the size being optimized, one after the other. init: where to start from, if a file says so.
    volume, signal: what the parts are of, if they are of one. clip: likewise, of which they are windows."""

    parts: tuple[Part, ...]
    styles: tuple[Style, ...]
    init: Field | None
    volume: Volume | None = None
    signal: Signal | None = None
    clip: Field | None = None

    @property
    def cuts(self) -> tuple[int, ...]:
        """First frames of the shots of a clip but the first."""
        windows = [part.window for part in self.parts if part.window]
        return tuple(window.start for window in windows if window.start and not window.held)

    @property
    def content(self) -> Field:
        """The largest part, which tells what the run takes."""
        return max((part.content for part in self.parts), key=lambda content: content.shape[0])

    def styles_in(self, part: Part) -> tuple[Style, ...]:
        """As they are for a part."""
        if part.window is None or self.clip is None:
            return self.styles
        return tuple(style_in(style, part.window, self.clip.shape[0]) for style in self.styles)

    def init_in(self, part: Part) -> Field | None:
        """Where a part starts from, if a file says so."""
        if self.init is None or part.window is None or self.clip is None:
            return self.init
        return init_in(self.init, part.window, self.clip.shape[0])


def read_inputs(order: Order) -> Inputs:
    """Raises InputError for a file that cannot be read or is of another kind than the order says."""
    if order.kind == "volume":
        return _volume_inputs(order)
    if order.kind == "signal":
        signal = read_signal(order)
        return Inputs((Part(signal.ready.content),), signal.ready.styles, signal.init, signal=signal)
    assert order.content is not None
    content = read(order.content, order.selection)
    _check_kind(order, content)
    styles = tuple(_style(order, style) for style in order.styles)
    init = read(order.init, order.selection) if order.init else None
    if init is not None and len(init.axes) != len(content.axes):
        raise InputError(f"{order.init}: an init must be {_IS[order.kind]} like {order.content}")
    if order.kind != "video":
        return Inputs((Part(content),), styles, init)
    windows = plan_windows(content.shape[0], _cuts(order, content), order.recipe.temporal.window, max(GAPS))
    parts = tuple(Part(frames_of(content, window), window=window) for window in windows)
    return Inputs(parts, styles, init, clip=content)


def _cuts(order: Order, clip: Field) -> tuple[int, ...]:
    if order.cuts is not None:
        return order.cuts
    if order.shots == "none" or clip.shape[0] < 2:
        return ()
    return find_cuts(clip.samples) if order.shots == "auto" else read_cuts(Path(order.shots), clip.shape[0])


def _volume_inputs(order: Order) -> Inputs:
    """Styles are flat, or volumes; a file to start from is a volume, seen through its own window."""
    volume = None if order.content is None else read_volume(order.content, order.mask, order.recipe)
    parts = (Part(blank(order.shape or ())),) if volume is None else volume.parts()
    styles = []
    for file in order.styles:
        try:
            styles.append(Style(read_volume_style(file.path), file.weight))
        except InputError as error:
            raise InputError(f"style {error}") from error
    init = None if order.init is None else read_volume_style(order.init)
    return Inputs(parts, tuple(styles), init, volume)


def _check_kind(order: Order, content: Field) -> None:
    assert order.content is not None
    found = [axis.name for axis in content.axes]
    if found != AXES[order.kind]:
        kind = next((kind for kind, axes in AXES.items() if axes == found), None)
        is_now = f"is {_IS[kind]}; use `volstyle {kind}`" if kind else f"has axes {', '.join(found)}"
        raise InputError(f"{order.content}: must be {_IS[order.kind]}, {is_now}")


def _style(order: Order, file: StyleFile) -> Style:
    # A clip as a style is read no larger than its statistics are taken; a painting is made smaller by the engine.
    size = order.selection.size and max(1, round(order.selection.size * order.recipe.style.scale))
    try:
        field = read(file.path, Selection(size=size))
    except InputError as error:
        raise InputError(f"style {error}") from error
    return Style(
        field,
        file.weight,
        source_mask=_mask(file.source_mask, Selection(size=size)),
        target_mask=_mask(file.mask, order.selection),
    )


def _mask(path: Path | None, selection: Selection) -> Tensor | None:
    """(*S) in [0, 1], the luma of an image or a clip."""
    return None if path is None else luma(read(path, selection).samples)[0]
