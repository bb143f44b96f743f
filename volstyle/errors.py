"""Everything volstyle raises on purpose.

VolstyleError
├── InputError        a file that cannot be read, or is not what it was taken for
├── OutputError       a file that cannot be written
├── RecipeError       a choice that does not exist or cannot be met
├── ShapeError        samples that do not fit each other or the network
├── NetworkError      an extractor that does not exist or cannot be had
│   └── WeightsError  weights that are missing, damaged or of another network
├── CapacityError     not enough memory or disk, even in the smallest tiles
└── RankError         one of several processes that share a run is gone, or failed

Each message is one line: what, its value, what is allowed, what to do. Foreign exceptions are mapped where
they enter (``raise InputError(...) from error``), so a caller who catches VolstyleError has caught them all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VolstyleError(Exception):
    """The root of all errors volstyle raises on purpose; its text is one line for the user."""


class InputError(VolstyleError):
    """A file that cannot be read, or is not what it was taken for."""


class OutputError(VolstyleError):
    """A file that cannot be written."""


class RecipeError(VolstyleError):
    """A choice that does not exist or cannot be met."""


class ShapeError(VolstyleError):
    """Samples that do not fit each other or the network."""


class NetworkError(VolstyleError):
    """An extractor that does not exist or cannot be had."""


class WeightsError(NetworkError):
    """Weights that are missing, damaged or of another network."""


class CapacityError(VolstyleError):
    """Not enough memory or disk, even in the smallest tiles."""


class RankError(VolstyleError):
    """One of several processes that share a run is gone, or failed."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest one allowed, and all of them."""
    words = sorted(allowed)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(words)}"
