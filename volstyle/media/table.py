"""The one table of media, and which of them a content is."""

from __future__ import annotations

from volstyle.codecs import probe
from volstyle.errors import InputError, RecipeError, ShapeError, nearest
from volstyle.grid.field import Field
from volstyle.media.clip import ClipMedium
from volstyle.media.image import ImageMedium
from volstyle.media.medium import Medium, Opened
from volstyle.media.order import Order, Source
from volstyle.media.reading import OtherMediumError
from volstyle.media.signal import SignalMedium
from volstyle.media.volume import VolumeMedium

_VOLUME = VolumeMedium()

BY_AXES: dict[tuple[str, ...], Medium] = {
    **{medium.axes: medium for medium in (ImageMedium(), ClipMedium(), _VOLUME, SignalMedium())},
    ("t", *_VOLUME.axes): _VOLUME,
}
"""The names of a content's axes -> its medium."""

MEDIA: dict[str, Medium] = {medium.name: medium for medium in BY_AXES.values()}
"""The name of a medium in commands and records -> the medium."""


def medium_named(name: str) -> Medium:
    """Raises RecipeError for a name that no medium has."""
    if name not in MEDIA:
        raise RecipeError(f"medium: {name!r} is unknown; {nearest(name, MEDIA)}")
    return MEDIA[name]


def medium_of(source: Source) -> Medium:
    """The medium of a content: by its axes in memory, by what its codec finds in a file.

    A file that may be several things, such as a clip with a sound, is what `volstyle info` says. Raises InputError
    or ShapeError."""
    if isinstance(source, Field):
        names = tuple(axis.name for axis in source.axes)
        if names not in BY_AXES:
            known = "; ".join(", ".join(axes) for axes in BY_AXES)
            raise ShapeError(f"content: has axes {', '.join(names)}, must have {known}")
        return BY_AXES[names]
    facts = probe(source)
    return BY_AXES[("t",)] if len(facts.shape) == 1 else medium_named(facts.kind)


def open_order(order: Order) -> Opened:
    """The content and the styles of an order.

    Raises InputError, and says which medium the content has if it is not that of the order."""
    medium = medium_named(order.kind)
    try:
        return medium.open(order)
    except OtherMediumError as error:
        found = BY_AXES.get(error.axes)
        is_now = (
            f"is {found.called}; use `volstyle {found.name}`" if found else f"has axes {', '.join(error.axes)}"
        )
        raise InputError(f"{error.content}: must be {medium.called}, {is_now}") from error
