"""Clips of high dynamic range beside pictures, which are sRGB.

What is optimized brings the styles to the clip's range. A learned style knows sRGB alone, whatever it learned on:
it sees a clip in sRGB, and what it paints is brought to the clip's range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from volstyle.codecs.clip import Clip
from volstyle.codecs.color import BT709, Color
from volstyle.codecs.high_range import PAINTED_NOTE, in_range_of, in_srgb, is_high_range
from volstyle.codecs.video import VideoOrigin
from volstyle.engine.scene import Style
from volstyle.grid.field import Field


def color_of(source: Clip | Field) -> Color:
    """How the colors of a clip are written."""
    return source.origin.color if isinstance(source.origin, VideoOrigin) else BT709


def is_of_high_range(source: Clip | Field) -> bool:
    """Whether the samples of a clip are written by PQ or HLG, in which white is far below the highest sample."""
    return is_high_range(color_of(source))


def of_one_range(clip: Clip, styles: tuple[Style, ...]) -> tuple[Clip, tuple[Style, ...]]:
    """Styles in the range in which the clip writes its colors; the clip has a note if that is a high one."""
    if not is_of_high_range(clip):
        return clip, tuple(style_in_srgb(style) for style in styles)

    def brought(style: Style) -> Style:
        if is_of_high_range(style.field):
            return style
        samples = in_range_of(style.field.samples.expand(3, *style.field.shape), color_of(clip))
        return replace(style, field=replace(style.field, samples=samples))

    found = tuple(brought(style) for style in styles)
    changed = any(new is not old for new, old in zip(found, styles, strict=True))
    note = "style: brought to the clip's high dynamic range, its white at 203 nits"
    return (replace(clip, notes=(*clip.notes, note)) if changed else clip), found


def noted(clip: Clip) -> Clip:
    """A clip with a note on what a learned style does not see of it, if there is such a thing."""
    return replace(clip, notes=(*clip.notes, PAINTED_NOTE)) if is_of_high_range(clip) else clip


def clip_in_srgb(clip: Clip) -> Clip:
    """A clip as a learned style sees it."""
    color, frames = color_of(clip), clip.frames
    if not is_high_range(color):
        return clip

    def seen() -> Iterator[Field]:
        for frame in frames():
            yield replace(frame, samples=in_srgb(frame.samples, color))

    return noted(replace(clip, frames=seen))


def style_in_srgb(style: Style) -> Style:
    """A style whose picture may be a clip of high dynamic range."""
    field = style.field
    return replace(style, field=replace(field, samples=in_srgb(field.samples, color_of(field))))
