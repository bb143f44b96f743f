"""Neural style transfer for anything sampled on a grid: clips, volumes, images, signals.

    import volstyle
    content = volstyle.read(Path("clip.mp4"), volstyle.Selection(size=256))
    style = volstyle.Style(volstyle.read(Path("painting.jpg")))
    part = volstyle.Part(content, (style,))
    result = volstyle.stylize(volstyle.outline(content, volstyle.Recipe()), part)
    volstyle.write(Path("styled.mp4"), result.field)

Names are looked up when first used, so that importing volstyle does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volstyle.codecs import Encoding, Facts, Moment, Selection, probe, read, write
    from volstyle.engine.outline import outline
    from volstyle.engine.part import Part
    from volstyle.engine.scene import Style
    from volstyle.engine.stylize import Step, Stylized, stylize
    from volstyle.errors import (
        CapacityError,
        InputError,
        NetworkError,
        OutputError,
        RecipeError,
        ShapeError,
        VolstyleError,
        WeightsError,
    )
    from volstyle.grid.field import Axis, Field, Origin
    from volstyle.recipe import Recipe
    from volstyle.record import Record

_ROOMS = {
    "codecs": ("Encoding", "Facts", "Moment", "Selection", "probe", "read", "write"),
    "errors": (
        "CapacityError",
        "InputError",
        "NetworkError",
        "OutputError",
        "RecipeError",
        "ShapeError",
        "VolstyleError",
        "WeightsError",
    ),
    "grid.field": ("Axis", "Field", "Origin"),
    "engine.stylize": ("Step", "Stylized", "stylize"),
    "recipe": ("Recipe",),
    "record": ("Record",),
    "engine.outline": ("outline",),
    "engine.part": ("Part",),
    "engine.scene": ("Style",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Axis",
    "CapacityError",
    "Encoding",
    "Facts",
    "Field",
    "InputError",
    "Moment",
    "NetworkError",
    "Origin",
    "OutputError",
    "Part",
    "Recipe",
    "RecipeError",
    "Record",
    "Selection",
    "ShapeError",
    "Step",
    "Style",
    "Stylized",
    "VolstyleError",
    "WeightsError",
    "__version__",
    "outline",
    "probe",
    "read",
    "stylize",
    "write",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("volstyle")
    if name not in _HOME:
        raise AttributeError(f"module 'volstyle' has no attribute {name!r}")
    return getattr(import_module(f"volstyle.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
