"""One call of the library that several processes make together."""

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
    """Do some work in the first process, while the others compute their tiles for it, and return its result.

    All processes get the field of a result that is in memory; if the result was written to a file, only the first
    process has the field. Raises in all processes whatever VolstyleError the work raises, and RankError when one
    of the processes is gone.
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
    """A result without what cannot be sent to another process."""
    if result.output is not None:
        return replace(result, made=partial(_elsewhere, result.output))
    field = result.field
    return replace(result, made=partial(Field, field.samples, field.axes))


def _elsewhere(output: Path) -> Field:
    raise RankError(f"field: is with the first process alone; read {output}, where it was written")
