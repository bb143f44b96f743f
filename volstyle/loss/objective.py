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
    """One network placed on the field, with the terms that read its features. A field may have several views at
    once, as a volume that is looked at by its slices along each axis.

    along: the axis along which style statistics are taken in groups (of frames of a clip, or slices of a volume).
    group: how many samples along it form a group, None for all of them. groups: the samples of each, those that
    other processes see to included. seen: the samples along it that a step looks at; those between get what is
    broad in their gradient. None: each has its own. regions: (R, *S), the weights of all positions in each region
    of the style; None is one region of all positions.
    """

    extractor: Extractor
    style: StyleTerm | None
    content: ContentTerm | None
    group: int | None = None
    regions: Tensor | None = None
    along: int = 0
    groups: tuple[slice, ...] = ()
    seen: range | None = None

    @property
    def taps(self) -> frozenset[str]:
        """All taps that any term reads."""
        style = self.style.taps if self.style else {}
        content = self.content.taps if self.content else {}
        return frozenset(style) | frozenset(content)


@dataclass(frozen=True)
class Objective:
    """The sum of all terms of all views, and of the terms of the samples themselves, which have names.

    margin: for a periodic field, how far views see it continued beyond each end, from the other end; None for a
    field that is not periodic. Plans, regions and sources of content are those of the continued field.
    """

    views: tuple[View, ...]
    sample_terms: Mapping[str, SampleTerm] = field(default_factory=dict)
    margin: Shape | None = None
