"""Images as a medium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from volstyle.codecs import Facts
from volstyle.codecs.clip import Clip
from volstyle.engine.part import Part
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted
from volstyle.media.defaults import composed
from volstyle.media.order import Order, Source
from volstyle.media.ranges import style_in_srgb
from volstyle.media.reading import (
    OtherMediumError,
    content_of,
    full_shape,
    read_mask,
    read_source,
    read_style,
    without_axes,
    without_times,
)
from volstyle.media.single import Single
from volstyle.recipe import Recipe


@dataclass(frozen=True)
class ImageMedium:
    name: str = "image"
    called: str = "an image"
    axes: tuple[str, ...] = ("y", "x")
    texture: str = "texture"

    def suffix(self, content: Path | None, style: Path, quality: str) -> str:
        return ".png"

    def size(self, asked: int | None) -> tuple[int | None, Mapping[str, Any]]:
        return asked, {}

    def recipe(
        self, content: Source | None, style: Source | None, given: Mapping[str, Any], *chosen: Mapping[str, Any]
    ) -> Recipe:
        return composed(self.name, given, *chosen)

    def open(self, order: Order) -> Single:
        content = content_of(order)
        if isinstance(content, Clip) or tuple(axis.name for axis in content.axes) != self.axes:
            raise OtherMediumError(order, [axis.name for axis in content.axes])
        without_times(order)
        without_axes(order)
        styles = [style_in_srgb(read_style(order, style)) for style in order.styles]
        masks = [read_mask(style.mask, order.selection) for style in order.styles]
        placed = tuple(replace(s, target_mask=mask) for s, mask in zip(styles, masks, strict=True))
        init = read_source(order.init, order.selection) if order.init else None
        if init is not None and len(init.axes) != len(content.axes):
            raise InputError(f"{order.init}: an init must be {self.called} like {order.content}")
        part = Part(content, placed, init)
        if not order.full_size or order.content is None:
            return Single(part, content.shape)
        return Single(part, full_shape(order.content), partial(_whole, order))

    def part_grid(self, facts: Facts, size: int | None, recipe: Recipe) -> Field:
        shape = fitted(facts.shape, min(size or max(facts.shape), max(facts.shape)), (False, False))
        return Field(torch.empty(3, *shape, device="meta"), (Axis("y"), Axis("x")))

    def sized(self, shape: tuple[int, ...]) -> str:
        height, width = shape
        return f"{width}x{height}"


def _whole(order: Order) -> Field:
    """The content of an order at its own size."""
    content = content_of(order, full=True)
    assert isinstance(content, Field)
    return content
