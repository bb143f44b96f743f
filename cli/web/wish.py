"""What a visitor of the page asks for, translated into what the library takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from volstyle.engine.painting import LearnedStyle
from volstyle.errors import RecipeError
from volstyle.media.defaults import SIZES
from volstyle.media.medium import Medium
from volstyle.media.order import StyleOrder
from volstyle.media.painted import is_learned
from volstyle.media.table import medium_of
from volstyle.motion.flow import ESTIMATORS
from volstyle.recipe import INITS, Recipe, assigned, merged

MIDDLE = 50.0
"""The strength in the middle of the slider, at which the content weight stays that of the medium."""

_SIZES = {"image": 512, **SIZES}
"""The long side that the page begins with: an image's own may take many minutes."""

_RANGE = 8.0
"""By how much the content weight is divided at one end of the slider, and multiplied at the other."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A run as the controls of the page describe it.

    content, styles: files. size: the long side, None for the medium's own. strength: how strong the style is, from
    0 to 100; learned styles are mixed in by that percentage, for others a higher strength divides the content
    weight by more. strokes: the size of strokes relative to the medium's own. keep_colors, in_color: check boxes.
    start, end: which part of a clip or a sound is styled, "" for its own start and end. more: other choices, as
    `key=value`, one on each line.
    """

    content: Path
    styles: tuple[Path, ...]
    size: int | None = None
    strength: float = MIDDLE
    strokes: float = 1.0
    keep_colors: bool = False
    in_color: bool = False
    start: str = ""
    end: str = ""
    more: str = ""

    @cached_property
    def medium(self) -> Medium:
        """The medium of the content. Raises InputError for a file that volstyle does not know."""
        return medium_of(self.content)

    @cached_property
    def offers(self) -> Offers:
        """The controls that mean something for the content."""
        return offers(self.medium)

    @property
    def learned(self) -> bool:
        """Whether the styles were learned, so that they paint in one pass."""
        return all_learned(self.styles)

    def style_names(self) -> list[str]:
        """The styles as `volstyle.style` takes them. Of a learned file all styles are blended. Raises
        InputError."""
        if not self.learned:
            return [str(path) for path in self.styles]
        return [f"{path}#{name}" for path in self.styles for name in LearnedStyle.load(path).names]

    def options(self) -> dict[str, Any]:
        """The arguments of `volstyle.style` besides content, styles and output. Raises VolstyleError."""
        found: dict[str, Any] = {"choices": self.choices()}
        if self.offers.size and not (self.learned and self.offers.in_color):  # a volume is painted at its own size
            found["size"] = self.size
        if self.offers.part:
            found |= {"start": self.start.strip() or None, "end": self.end.strip() or None}
        return found

    def choices(self) -> dict[str, Any]:
        """Choices of the recipe, nested as in its TOML. Strength and strokes are relative to what the lines and
        the medium say, so that they always mean something. Raises RecipeError."""
        lines = [line.strip() for line in self.more.splitlines() if line.strip()]
        chosen = merged(*map(assigned, lines))
        own = self.medium.recipe(self.content, self.styles[0], {}, chosen)
        _check_no_files(own)
        if self.learned:
            return merged(chosen, {"strength": self.strength / 100}, self._colors())
        if self.strength != MIDDLE:
            weight = own.content.weight * _RANGE ** (1 - self.strength / MIDDLE)
            chosen = merged(chosen, {"content": {"weight": _rounded(weight)}})
        if self.strokes != 1 and self.offers.strokes:
            chosen = merged(chosen, {"style": {"scale": _rounded(own.style.scale * self.strokes)}})
        return merged(chosen, self._colors())

    def _colors(self) -> dict[str, Any]:
        kept = {"colors": "content"} if self.keep_colors and self.offers.keep_colors else {}
        return kept | ({"volume": {"color": True}} if self.in_color and self.offers.in_color else {})


def all_learned(styles: Sequence[Path]) -> bool:
    """Whether some styles are all files of networks that learned them, and there is at least one."""
    return bool(styles) and all(is_learned(StyleOrder(path)) for path in styles)


@dataclass(frozen=True)
class Offers:
    """Which controls mean something for a medium. The others are not shown, and their values are not passed on.
    size: the long side that the control begins with, None for media that keep their size."""

    size: int | None
    strokes: bool
    keep_colors: bool
    in_color: bool
    part: bool


def offers(medium: Medium) -> Offers:
    """The controls for a medium, which follow from its axes: pictures and clips have colors to keep, volumes have
    none yet, and what lasts in time has a start and an end."""
    is_flat, in_time = "z" not in medium.axes and "y" in medium.axes, "t" in medium.axes
    return Offers(_SIZES.get(medium.name), "y" in medium.axes, is_flat, "z" in medium.axes, in_time)


def _rounded(value: float) -> float:
    """A number with four digits, which is easier to read in the record."""
    return float(f"{value:.4g}")


def _check_no_files(recipe: Recipe) -> None:
    """Raise RecipeError for choices that name a file or a folder, which would be one of the machine that serves
    the page."""
    temporal = recipe.temporal
    named = {
        "init": recipe.init not in INITS,
        "network.weights": bool(recipe.network.weights),
        "temporal.flow": temporal.flow not in ESTIMATORS,
        "temporal.flow_weights": bool(temporal.flow_weights),
    }
    for key, is_file in named.items():
        if is_file:
            raise RecipeError(f"{key}: the page takes no names of files; leave it out, or use the command line")
