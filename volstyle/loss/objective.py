"""What is minimized: the views of a field, and the terms that are added up over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from volstyle.grid.tiles import Shape
from volstyle.loss.terms import ContentTerm, SampleTerm, StyleTerm
from volstyle.networks.extractor import Extractor


@dataclass(frozen=True)
class View:
    """One network's look at the field, and what is asked of it there.

    group: how many samples along an axis share style statistics (frames of a clip, slices of a volume), None for
    all. along: that axis.
    regions: (R, *S) weights of the positions in each region of the style, None for one region of all.
    A field may be looked at in several ways at once: a volume by its slices along each axis.
    """

    extractor: Extractor
    style: StyleTerm | None
    content: ContentTerm | None
    group: int | None = None
    regions: Tensor | None = None
    along: int = 0

    @property
    def taps(self) -> frozenset[str]:
        """All taps that some term reads."""
        style = self.style.taps if self.style else {}
        content = self.content.taps if self.content else {}
        return frozenset(style) | frozenset(content)


@dataclass(frozen=True)
class Objective:
    """The sum of all terms of all views, and of the terms of the samples, by name.

    margin: how far views see the field continued beyond each end from the other end; None for a field that ends.
    Plans, regions and sources of content are those of the continued field.
    """

    views: tuple[View, ...]
    sample_terms: Mapping[str, SampleTerm] = field(default_factory=dict)
    margin: Shape | None = None
