"""What volstyle must know of each kind of content, as two protocols that image, clip, volume and signal implement.

A `Medium` stands for the kind, before anything is read. It opens an `Opened`, which stands for one content: the
parts that the engine styles one after the other, and the way their results go back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from volstyle.codecs import Facts
from volstyle.codecs.clip import Clip
from volstyle.engine.checkpoint import Reached
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Stylized
from volstyle.grid.field import Field
from volstyle.media.order import Order, Source
from volstyle.recipe import Recipe

Earlier = Callable[[int], Reached | None]
"""A function from the number of a part to what that part has reached, which later parts may hold fixed; None while
it has reached nothing."""


def nothing_earlier(number: int) -> Reached | None:
    """An `Earlier` for parts that need nothing of others."""
    return None


Finished = Callable[[int], Tensor | None]
"""A function from the number of a part to its finished samples; None for a part that a stop left out."""


@dataclass(frozen=True)
class Paint:
    """What a learned style makes of the frames of a clip, or of the parts of another medium, in two steps. The
    second looks back at frames before, so that frames take it in their order; the first does not, so that the next
    frame may be drafted while one is finished.

    draft: from samples (C, *S), and the number of their frame or part. finish: from the samples, their draft and
    the number; where it gives back the samples themselves, nothing is painted. strength: the share of what is
    painted in the result; the rest is the content.
    """

    draft: Callable[[Tensor, int], Tensor]
    finish: Callable[[Tensor, Tensor, int], Tensor]
    strength: float = 1.0

    def __call__(self, content: Tensor, number: int) -> Tensor:
        """Both steps, and the mixture."""
        return self.mixed(content, self.finish(content, self.draft(content, number), number))

    def mixed(self, content: Tensor, made: Tensor) -> Tensor:
        """The share of what was made, and the rest of the content."""
        if self.strength == 1 or made is content:
            return made
        return self.strength * made + (1 - self.strength) * content


class Opened(Protocol):
    """A content that has been opened, with its styles, for a run."""

    @property
    def grids(self) -> tuple[Field, ...]:
        """The grid of each part, with its axes and channels; samples may be on the meta device."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each axis of all that is styled."""
        ...

    @property
    def cuts(self) -> tuple[int, ...] | None:
        """First frames of the shots but the first; None for what has no shots."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the files that were read."""
        ...

    @property
    def styles(self) -> tuple[Style, ...]:
        """The styles of the order, with the frames of a clip that they are taken at."""
        ...

    @property
    def kept_bytes(self) -> int:
        """Bytes of a finished sample while it waits on the disk to be written."""
        ...

    def part(self, number: int, earlier: Earlier) -> Part:
        """The part of a number, from 0, read when its turn comes. Raises InputError."""
        ...

    def kept(self, number: int, done: Stylized) -> Reached:
        """What must be kept of a part that is done: its finished samples, and the samples that later parts hold
        fixed."""
        ...

    def painted(self, paint: Paint) -> Field | Clip:
        """The result where each frame of a clip, or each part of another medium, is painted by a style that was
        learned."""
        ...

    def expected(self) -> Field | Clip:
        """What `result` will give, with samples on the meta device, to check whether it can be written."""
        ...

    def result(self, finished: Finished) -> Field | Clip:
        """The result on the grid and in the units that it is written in; parts that a stop left out stay as they
        were."""
        ...


class Medium(Protocol):
    """A kind of content."""

    @property
    def name(self) -> str:
        """Its name in commands and records: "image"."""
        ...

    @property
    def called(self) -> str:
        """Its name in a sentence: "an image"."""
        ...

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of its axes, the slowest first; a volume over time has one more."""
        ...

    @property
    def texture(self) -> str:
        """What the name of a result without a content begins with."""
        ...

    def suffix(self, content: Path | None, style: Path, quality: str) -> str:
        """What the name of a result ends in if nobody names it: a format that keeps what its content's has, empty
        for a folder. content: None for a texture, which is like its style."""
        ...

    def size(self, asked: int | None) -> tuple[int | None, Mapping[str, Any]]:
        """What a size that is asked for, the long side in samples, means: the size that files are read at, and
        choices of the recipe. Raises RecipeError where a size means nothing."""
        ...

    def recipe(
        self, content: Source | None, style: Source | None, given: Mapping[str, Any], *chosen: Mapping[str, Any]
    ) -> Recipe:
        """The medium's defaults, then choices that are given as a file or a whole recipe, then those that are
        chosen one by one; the last wins. content: None for a texture. Raises RecipeError."""
        ...

    def open(self, order: Order) -> Opened:
        """Open content and styles. Raises InputError for a file that cannot be read or is of another medium."""
        ...

    def part_grid(self, facts: Facts, size: int | None, recipe: Recipe) -> Field:
        """The grid of the largest part of a file that has only been probed, on the meta device.

        size: the long side that the file is read at."""
        ...

    def sized(self, shape: tuple[int, ...]) -> str:
        """How people write a size: "384x216, 48 frames"."""
        ...
