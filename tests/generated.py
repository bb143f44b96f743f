"""Recipes and the like that hypothesis makes up, by the types that their fields say they have."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

from hypothesis import strategies as st

from volstyle.recipe import Recipe

NUMBERS = st.floats(allow_nan=False)  # which equals nothing, so that no round trip of it could be seen

OF_TYPES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: NUMBERS,
    bool: st.booleans(),
    dict[str, float]: st.dictionaries(st.text(), NUMBERS, max_size=4),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type: one of `OF_TYPES`, or a dataclass of such."""
    if not dataclasses.is_dataclass(kind):
        return OF_TYPES[kind]
    hints = get_type_hints(kind)
    # All that differ from the defaults at once would take hypothesis long to make.
    return st.fixed_dictionaries({}, optional={name: values(hint) for name, hint in hints.items()}).map(
        lambda chosen: kind(**chosen)  # type: ignore[operator]
    )


RECIPES: st.SearchStrategy[Recipe] = values(Recipe)
