"""A solid to be learned of its sections, as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from volstyle.codecs import Encoding, Selection
from volstyle.errors import RecipeError
from volstyle.media.defaults import composed, learned
from volstyle.media.lesson import check_file_and_styles, lesson
from volstyle.media.order import Order, Source, StyleOrder
from volstyle.recipe import LearnChoice, Recipe, merged


def lesson_of(
    styles: tuple[StyleOrder, ...],
    examples: tuple[Source, ...],
    output: Path | None,
    *,
    shape: tuple[int, ...] | None,
    kind: str | None,
    size: int | None,
    given: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    selection: Selection,
    encoding: Encoding,
    resume: bool,
) -> Order:
    """The order to learn a solid of its sections, in pieces of a shape, or without one styles on examples; the
    other parameters are those of `lesson`. Raises VolstyleError."""
    if shape is None:
        return lesson(
            styles,
            examples,
            output,
            kind=kind,
            size=size,
            given=given,
            chosen=chosen,
            selection=selection,
            encoding=encoding,
            resume=resume,
        )
    for name, is_given in {
        "on": bool(examples),
        "medium": kind not in (None, "volume"),
        "size": size is not None,
        "start": selection.start is not None,
        "end": selection.end is not None,
    }.items():
        if is_given:
            raise RecipeError(f"{name}: does nothing where a solid is learned; leave it out, or --shape")
    solid = merged(given, *chosen).get("solid")
    defaults = "phases" if isinstance(solid, Mapping) and solid.get("phases", "none") != "none" else "solid"
    return Order(
        kind="volume",
        content=None,
        styles=styles,
        output=output,
        recipe=composed(defaults, learned(defaults), given, *chosen),
        selection=Selection(),
        encoding=encoding,
        shape=shape,
        resume=resume,
        learns_solid=True,
    )


def check_solid_lesson(order: Order) -> None:
    """Raises OutputError or RecipeError for an order to learn a solid that cannot be carried out."""
    check_file_and_styles(order, "a learned solid is a file, as in rock.safetensors")
    recipe, usual = order.recipe, Recipe()
    unused = [
        *(f"learn.{name}" for name in _UNUSED if getattr(recipe.learn, name) != _usual(name)),
        *(["colors"] if recipe.colors != usual.colors else []),
        *(["init"] if recipe.init != usual.init else []),
        *(["content.weight"] if recipe.content.weight else []),
        *(["volume.window"] if recipe.volume != usual.volume else []),
    ]
    if unused:
        raise RecipeError(f"{unused[0]}: does nothing where a solid is learned; leave it out")
    if recipe.periodic:
        raise RecipeError("periodic: is for what is made, not for what is learned; leave it out here")


_UNUSED = ("smallest", "largest", "ratio", "examples", "others", "crop", "steadiness", "carry")
"""The choices of how a style is learned that mean nothing to a solid."""


def _usual(name: str) -> Any:
    return 0.0 if name == "others" else getattr(LearnChoice(), name)
