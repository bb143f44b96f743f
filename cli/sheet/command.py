"""One photograph in all styles, or in one style at several content weights and sizes of strokes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from volstyle.codecs import Encoding, Selection, check_writable, read, write
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.media.gather import styles_of
from volstyle.media.names import stem_of
from volstyle.media.presets import KEY
from volstyle.media.style import style
from volstyle.media.table import medium_of
from volstyle.recipe import assigned, merged

from ..draw.contact_sheet import Captioned, contact_sheet
from ..recipes import recipe_of
from ..screen import Screen, duration_text
from .options import SheetOptions

_PLANE = ("y", "x")
_ACROSS = 5
"""Pictures in a row of a sheet of styles."""

_WEIGHTS, _SCALES = (0.25, 0.5, 1.0, 2.0, 4.0), (0.5, 1.0, 2.0)
"""What a grid multiplies the content weight and the size of strokes by that the recipe has."""

_LETTER = 8
"""Roughly how many samples wide a letter of a line is."""


@dataclass(frozen=True)
class _Look:
    """One picture to be made: the line below it, its style, and choices of its own."""

    line: str
    style: Path
    choices: Mapping[str, Any]


def draw_sheet(options: SheetOptions, screen: Screen) -> None:
    """Raises VolstyleError, before the first picture where it can be known."""
    check_writable(options.output, Encoding(force=options.force), _PLANE)
    if medium_of(options.content).axes != _PLANE:
        raise InputError(f"{options.content}: must be an image; give a photograph")
    photo: Captioned = ("the photograph", read(options.content, Selection(options.size)).samples)
    paths = [blend[0].path for text in options.style for blend in styles_of([text])]
    for path in (options.content, *paths):
        if path.resolve() == options.output.resolve():
            raise OutputError(f"{path}: is read and would be written over; give another --output")
    if len(paths) > 1:
        if options.content_weights or options.style_scales:
            raise RecipeError(f"content-weights, style-scales: are of one style, there are {len(paths)}; give one")
        made = _made(options, [_Look(stem_of(path), path, {}) for path in paths], screen)
        cells = [photo, *made]
        rows = [cells[first : first + _ACROSS] for first in range(0, len(cells), _ACROSS)]
    else:
        grid = _grid(options, paths[0])
        made = _made(options, [look for row in grid for look in row], screen)
        across = len(grid[0])
        first: list[Captioned] = [photo, ("the style", read(paths[0], Selection(options.size)).samples)]
        first += [("", torch.ones(3, 1, 1))] * (len(grid) - len(first))
        rows = [[first[n], *made[n * across : (n + 1) * across]] for n in range(len(grid))]
    _, height, width = photo[1].shape
    longest = max(len(line) for row in rows for line, _ in row)
    write(
        options.output,
        contact_sheet(rows, height, max(width, _LETTER * longest), whole=True),
        Encoding(force=True),
    )
    screen.entry("wrote", f"{options.output}")


def _grid(options: SheetOptions, path: Path) -> list[list[_Look]]:
    """A row for each size of strokes, a column for each content weight."""
    recipe = recipe_of(options)
    weights = _numbers("content-weights", options.content_weights, recipe.content.weight, _WEIGHTS)
    scales = _numbers("style-scales", options.style_scales, recipe.style.scale, _SCALES)
    return [
        [
            _Look(
                f"content {weight:.2g}, scale {scale:.2g}",
                path,
                {"content": {"weight": weight}, "style": {"scale": scale}},
            )
            for weight in weights
        ]
        for scale in scales
    ]


def _numbers(name: str, text: str | None, default: float, factors: Sequence[float]) -> list[float]:
    if text is None:
        return [float(f"{default * factor:.2g}") for factor in factors]
    if not re.fullmatch(r"\s*\d*\.?\d+\s*(,\s*\d*\.?\d+\s*)*", text):
        raise RecipeError(f"{name}: {text!r} must be numbers with commas between them, as in 0.1,0.2,0.4")
    return [float(number) for number in text.split(",")]


def _made(options: SheetOptions, looks: Sequence[_Look], screen: Screen) -> list[Captioned]:
    """Each picture with its line, made one after the other; in few steps, unless it is said in how many."""
    chosen = merged(options.choices(), *map(assigned, options.set_))
    if KEY not in chosen and "steps" not in chosen.get("schedule", {}) and options.recipe is None:
        chosen = chosen | {KEY: "fast"}
    pictures: list[Captioned] = []
    for number, look in enumerate(looks, start=1):
        choices = merged(chosen, look.choices)
        result = style(options.content, look.style, size=options.size, recipe=options.recipe, choices=choices)
        took = duration_text(sum(stage.seconds for stage in result.record.stages))
        screen.entry("styled", f"{number}/{len(looks)} {look.line}, {took}")
        pictures.append((look.line, result.field.samples))
    return pictures
