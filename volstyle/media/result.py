"""The result of a run, as the library gives it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from volstyle.codecs import read
from volstyle.codecs.clip import Clip
from volstyle.grid.field import Field
from volstyle.media.order import Order
from volstyle.media.picture import png
from volstyle.record import Record


@dataclass(frozen=True)
class Result:
    """The result of a run. record: what happened. output: where the result was written; None if nowhere. last: the
    last stage and the last step in it, stages counted over all parts. stopped: whether the run was stopped there,
    before its end."""

    record: Record
    output: Path | None
    last: tuple[int, int]
    stopped: bool
    made: Callable[[], Field]

    @cached_property
    def field(self) -> Field:
        """The result on the content's grid and in its units. A clip that was written to a file is read from it,
        since it may be longer than memory is large."""
        return self.made()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: whatever could not be done or kept as asked."""
        return self.record.notes

    def numpy(self) -> NDArray[Any]:
        """The samples as an array, channels last; see `Field.numpy`."""
        return self.field.numpy()

    def _repr_png_(self) -> bytes:
        """A picture for a notebook."""
        return png(self.field)


def in_units(result: Field | Clip, order: Order) -> Field:
    """The result in the units of its content. A clip, of which nothing is kept in memory, is read as written."""
    if isinstance(result, Clip):
        assert order.output is not None
        result = read(order.output)
    if order.value_range is None:
        return result
    low, high = order.value_range
    return result.with_samples(result.samples * (high - low) + low)
