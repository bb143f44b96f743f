"""A call of the library that several processes make together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from volstyle.engine.ranks import Joined, joined
from volstyle.engine.shared import serve
from volstyle.errors import RankError, VolstyleError
from volstyle.grid.field import Field
from volstyle.media.result import Result


def together(work: Callable[[], Result]) -> Result:
    """The result of some work, which the first of the processes does, while the others see to their tiles.

    The field of a result in memory comes to all; that of one which was written stays with the first process.
    Raises whatever VolstyleError the work raises, in all processes, and RankError when one of them is gone.
    """
    with joined() as ranks:
        if not isinstance(ranks, Joined):
            return work()
        if not ranks.leads:
            found = serve(ranks)
            if isinstance(found, VolstyleError):
                raise found
            assert isinstance(found, Result)
            return found
        try:
            result = work()
        except VolstyleError as error:
            ranks.end(error)
            raise
        ranks.end(_for_others(result))
        return result


def _for_others(result: Result) -> Result:
    """A result that can be sent."""
    if result.output is not None:
        return replace(result, made=partial(_elsewhere, result.output))
    field = result.field
    return replace(result, made=partial(Field, field.samples, field.axes))


def _elsewhere(output: Path) -> Field:
    raise RankError(f"field: is with the first process alone; read {output}, where it was written")
