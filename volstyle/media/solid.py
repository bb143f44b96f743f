"""Solids made of sections: what the medium of volumes opens where there is no content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from volstyle.codecs import read
from volstyle.codecs.stored import Stored
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Axis, Field, Origin
from volstyle.grid.phases import Phases
from volstyle.media.medium import Finished
from volstyle.media.order import Order, Source
from volstyle.media.single import Single

AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Solid(Single):
    """A solid to be made. low, high: what 0 and 1 stand for, in the units of the sections. phases: those of the
    material, None for a solid in gray or colors. unlike: the share of neighbors that may be of two phases.
    periodic: whether opposite ends meet."""

    low: float = 0.0
    high: float = 1.0
    phases: Phases | None = None
    unlike: float = 1.0
    periodic: bool = False

    def expected(self) -> Field:
        found = super().expected()
        return found if self.phases is None else replace(found, samples=found.samples[:1])

    def result(self, finished: Finished) -> Field:
        """Samples in the units of the sections; a solid of phases has only their levels."""
        samples = super().result(finished).samples
        if self.phases is not None:
            samples = self.phases.told(samples, self.unlike, periodic=self.periodic)
        return replace(self.only.content, samples=samples * (self.high - self.low) + self.low)


def open_solid(order: Order, styles: Sequence[Style], init: Field | None) -> Solid:
    """A solid of the order's shape after its styles, as `volume.open` read them. Raises VolstyleError."""
    sections = [style.field for style in styles]
    names = [f"style {_name(style.source)}" for style in order.styles]
    if order.recipe.solid.phases != "none" or any(style.across is not None for style in styles):
        _check_sections(sections, names, styles)
    origin, low, high = _units(sections)
    if all(is_gray(field) for field in sections):
        sections = [field.with_samples(field.samples[:1]) for field in sections]
    phases, unlike = None, 1.0
    if order.recipe.solid.phases != "none":
        for field, name in zip(sections, names, strict=True):
            if field.channels > 1:
                raise InputError(f"{name}: has colors; the phases of a section are levels of gray")
        phases = Phases.of(order.recipe.solid.phases, [field.samples for field in sections], names)
        if order.recipe.style.own_size:  # else they are resized, nobody knows yet by how much
            unlike = phases.unlike([field.samples for field in sections]) / order.recipe.style.scale
        sections = [field.with_samples(phases.seen(field.samples)) for field in sections]
        low, high = 0.0, 1.0
    sections = [field.with_samples((field.samples - low) / (high - low)) for field in sections]
    channels = max(field.channels for field in sections)
    sections = [field.with_samples(field.samples.expand(channels, *field.shape)) for field in sections]
    blank = torch.full((channels, *(order.shape or ())), 0.5)
    content = Field(blank, tuple(Axis(name) for name in AXES), origin)
    ready = tuple(replace(style, field=field) for style, field in zip(styles, sections, strict=True))
    return Solid(
        Part(content, ready, init),
        content.shape,
        low=low,
        high=high,
        phases=phases,
        unlike=unlike,
        periodic=order.recipe.periodic,
    )


def read_section(source: Source) -> Field:
    """A style as its file has it; a volume that is one slice thick becomes a section."""
    field = source if isinstance(source, Field) else read(source)
    names = [axis.name for axis in field.axes]
    if names == list(AXES) and 1 in field.shape:
        across = field.shape.index(1)
        kept = tuple(axis for place, axis in enumerate(field.axes) if place != across)
        return Field(field.samples.squeeze(1 + across), tuple(map(_pixel, ("y", "x"), kept)), field.origin)
    return field


def is_gray(field: Field) -> bool:
    """Whether all channels are equal."""
    return bool((field.samples == field.samples[:1]).all())


def _pixel(name: str, axis: Axis) -> Axis:
    return replace(axis, name=name)


def _name(source: Source) -> str:
    return "in memory" if isinstance(source, Field) else str(source)


def _check_sections(sections: Sequence[Field], names: Sequence[str], styles: Sequence[Style]) -> None:
    """Raise RecipeError or InputError for styles that cannot be sections of one solid."""
    for field, name in zip(sections, names, strict=True):
        if len(field.axes) != 2 or field.axes[0].name == "t":
            have = ", ".join(axis.name for axis in field.axes)
            raise InputError(f"{name}: has axes {have}; a section has two, y and x: give one slice of it")
    across = [style.across for style in styles]
    if across == [None] * len(across) and len(across) == 1:
        return
    if len(across) > 3 or len(set(across)) < len(across) or None in across or len(across) < 3:
        have = ", ".join("no axis" if axis is None else AXES[axis] for axis in across)
        raise RecipeError(
            f"style: sections across {have}; give one alone, for all axes, or three, for one each, as in "
            "xy.png@z, xz.png@y and yz.png@x"
        )
    found: dict[int, tuple[int, str]] = {}
    for field, name, axis in zip(sections, names, across, strict=True):
        for along, size in zip((other for other in range(3) if other != axis), field.shape, strict=True):
            first, of = found.setdefault(along, (size, name))
            if first != size:
                raise InputError(
                    f"{name}: {size} samples along {AXES[along]}, {of} has {first}; sections must be of one "
                    "block and one scale"
                )


def _units(sections: Sequence[Field]) -> tuple[Origin, float, float]:
    """The origin that says how the result is written, and what 0 and 1 stand for: numbers in the units of the
    file, where the sections come from volumes or arrays; 0 and 1 themselves, where they are pictures."""
    stored = [field.origin for field in sections if isinstance(field.origin, Stored)]
    ends = [field.samples.aminmax() for field in sections]
    low, high = min(float(end.min) for end in ends), max(float(end.max) for end in ends)
    if low >= 0 and high <= 1 and not stored:
        return Origin(), 0.0, 1.0
    return (stored[0] if stored else Origin()), low, high if high > low else low + 1
