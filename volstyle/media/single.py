"""A content that is one part, whole in memory: an image, or the blank from which a solid texture is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from volstyle.codecs.image import ImageOrigin
from volstyle.engine.checkpoint import Reached
from volstyle.engine.part import Part
from volstyle.engine.scene import Style
from volstyle.engine.stylize import Stylized
from volstyle.grid.field import Field
from volstyle.grid.resample import transfer
from volstyle.media.medium import Earlier, Finished, Paint


@dataclass(frozen=True)
class Single:
    """A content that has been opened as one part. only: that part. full_shape: the size of the result. full: reads
    the content at its own size, to bring the style back to it; None where the content has that size already."""

    only: Part
    full_shape: tuple[int, ...]
    full: Callable[[], Field] | None = None
    cuts: tuple[int, ...] | None = None
    kept_bytes: int = 4

    @property
    def grids(self) -> tuple[Field, ...]:
        return (self.only.content,)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.only.content.shape

    @property
    def notes(self) -> tuple[str, ...]:
        origin = self.only.content.origin
        return origin.notes if isinstance(origin, ImageOrigin) else ()

    @property
    def styles(self) -> tuple[Style, ...]:
        return self.only.styles

    def part(self, number: int, earlier: Earlier) -> Part:
        return self.only

    def kept(self, number: int, done: Stylized) -> Reached:
        return replace(done.reached, samples=torch.empty(0), momentum=None, finished=done.field.samples)

    def expected(self) -> Field:
        content = self.only.content
        return replace(content, samples=torch.empty(content.channels, *self.full_shape, device="meta"))

    def painted(self, paint: Paint) -> Field:
        return self.result(lambda number: paint(self.only.content.samples, number))

    def result(self, finished: Finished) -> Field:
        content, samples = self.only.content, finished(0)
        if samples is None:
            samples = content.samples
        if self.full is None:
            return content.with_samples(samples)
        full = self.full()
        return replace(full, samples=transfer(full.samples.clone(), content.samples, samples))
