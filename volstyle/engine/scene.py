"""Content and styles made ready for the engine, and its samples made a result: colors and regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from volstyle.errors import RecipeError, ShapeError
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import resize
from volstyle.motion.flow import Between, dis
from volstyle.motion.links import Link, estimate_motion
from volstyle.motion.rest import Rest

_TOLERANCE = 1e-3
"""How far beyond [0, 1] samples may lie; cubic resampling and rounding go a little beyond."""


@dataclass(frozen=True)
class Style:
    """A style and what it is for.

    field: an image or a clip. weight: relative to the other styles it is blended with.
    source_mask: (*S) of the field, 1 where its statistics are taken; None is everywhere.
    target_mask: (*S) of the content, 1 where the result takes this style; None is everywhere. Styles with target
    masks are not blended: each has its region, and where all masks are 0 the content stays.
    at: the frame of the content, a clip, where it is taken alone; between such frames one style turns into the
    next. May lie between frames, and outside of the clip. All styles have one, or none has.
    across: the axis of the content, a volume, that a flat style lies across, as a section does: it holds for the
    slices across that axis alone. None holds for all.
    """

    field: Field
    weight: float = 1.0
    source_mask: Tensor | None = None
    target_mask: Tensor | None = None
    at: float | None = None
    across: int | None = None


@dataclass(frozen=True)
class Scene:
    """A content and its styles as the optimizer sees them, and what is needed to make its samples a result.

    content: (C, *S), as the engine sees it: luma alone where colors are kept. styles: the styles, likewise.
    regions: (R, *S), one per style or one for all of them, or None. original: (C, *S) as it came. motion: of a
    clip, at its size. rest: of a volume over time, what it was a time before.
    """

    content: Tensor
    styles: tuple[Style, ...]
    regions: Tensor | None
    original: Tensor
    motion: tuple[Link, ...]
    rest: Rest | None = None

    @staticmethod
    def prepare(
        content: Field,
        styles: Sequence[Style],
        *,
        keep_colors: bool,
        coherent: bool,
        loop: bool = False,
        flow: Callable[[Tensor], Between] = dis,
        where: Tensor | None = None,
    ) -> Scene:
        """keep_colors: style the luma only, with the style's luma shifted to the content's mean and spread
        (Gatys et al. 2016, "Preserving color in neural artistic style transfer", arXiv 1606.05897, section 3).

        coherent: estimate how a clip moves; loop: from its last frame to its first as well; flow: of pictures.
        where: (*S), 1 where the content may change and where its statistics count; None is everywhere.

        Raises RecipeError for times that only some of the styles have, or that contradict masks or other axes,
        ShapeError for masks that do not fit, or that only some of the styles have, for samples that are not
        finite or not in [0, 1], and for weights that are not above 0.
        """
        check_samples("content", content)
        for style in styles:
            check_samples("style", style.field)
            if not 0 < style.weight < math.inf:
                raise ShapeError(f"style: its weight is {style.weight}, must be finite and above 0")
        _check_times(content, styles)
        regions = _regions(content, styles, where)
        gray = content.channels == 1 or keep_colors
        seen = luma(content.samples) if gray else content.samples
        ready = tuple(_checked(style) for style in styles)
        if gray:
            ready = tuple(replace(s, field=s.field.with_samples(luma(s.field.samples))) for s in ready)
        if keep_colors:
            ready = tuple(
                replace(s, field=s.field.with_samples(_matched(s.field.samples, seen, where))) for s in ready
            )
        is_clip = [axis.name for axis in content.axes] == ["t", "y", "x"]
        moves = is_clip and coherent
        motion = estimate_motion(content.samples, loop=loop, borders=True, flow=flow) if moves else ()
        return Scene(seen, ready, regions, content.samples, motion)

    def restored(self, samples: Tensor, strength: float) -> Tensor:
        """Result (C, *S) from optimized samples (C', *S): colors back, content where no style was asked for, and
        blended with the content as far as strength is below 1."""
        if samples.shape[0] != self.original.shape[0]:
            samples = (self.original + (samples - luma(self.original))).clamp(0, 1)
        if self.regions is None and strength == 1:
            return samples
        share = strength * (1 if self.regions is None else self.regions.sum(0).clamp(0, 1))
        return share * samples + (1 - share) * self.original


def shares_over_time(styles: Sequence[Style], count: int) -> Tensor | None:
    """(count, R), what each frame takes of each style, by lines between their times; those of one time by their
    weights. None for styles without times."""
    keys = sorted({style.at for style in styles if style.at is not None})
    if not keys:
        return None
    together = {key: sum(style.weight for style in styles if style.at == key) for key in keys}
    columns = [
        np.interp(range(count), keys, [style.weight / together[key] if style.at == key else 0.0 for key in keys])
        for style in styles
    ]
    return torch.from_numpy(np.stack(columns, axis=1))


def _check_times(content: Field, styles: Sequence[Style]) -> None:
    timed = [style for style in styles if style.at is not None]
    if not timed:
        return
    if len(timed) < len(styles):
        raise RecipeError(f"style: {len(timed)} of {len(styles)} have a time, must be all or none")
    if content.axes[0].name != "t" or len(content.axes) < 2:
        raise RecipeError("style: has a time, which is for clips alone; leave it out")
    if any(style.target_mask is not None for style in styles):
        raise RecipeError("style: times and masks of where a style goes exclude each other; leave one of them out")


def check_samples(name: str, field: Field) -> None:
    """Raises ShapeError for samples that are not finite numbers in [0, 1]. name: what the field is."""
    low, high = (float(end) for end in field.samples.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ShapeError(f"{name}: samples hold NaN or infinite numbers")
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise ShapeError(
            f"{name}: samples lie from {low:g} to {high:g}, must lie in [0, 1]; bring them there first, "
            f"or say what they lie in, as value_range=({min(low, 0):g}, {high:g})"
        )


def _matched(style: Tensor, content: Tensor, where: Tensor | None) -> Tensor:
    if where is not None:
        content = content[0][where > 0]
    spread = content.std() / style.std().clamp_min(1e-6)
    return ((style - style.mean()) * spread + content.mean()).clamp(0, 1)


def _checked(style: Style) -> Style:
    mask = style.source_mask
    if mask is not None and mask.dim() != len(style.field.axes):
        raise ShapeError(f"style mask: {mask.dim()} axes, must be {len(style.field.axes)}, those of the style")
    if mask is not None and tuple(mask.shape) != style.field.shape:
        mask = resize(mask[None], style.field.shape, kind="linear")[0]
    if mask is not None and not mask.sum() > 0:
        raise ShapeError("style mask: black everywhere, must be white where the style is")
    return replace(style, source_mask=mask)


def _regions(content: Field, styles: Sequence[Style], where: Tensor | None) -> Tensor | None:
    masks = [style.target_mask for style in styles if style.target_mask is not None]
    if where is not None and tuple(where.shape) != content.shape:
        raise ShapeError(f"where: shape {tuple(where.shape)}, must be {content.shape}, that of the content")
    if where is not None and not where.sum() > 1:
        raise ShapeError("where: nothing of the content may change")
    if not masks:
        return None if where is None else where[None]
    if len(masks) != len(styles):
        raise ShapeError(f"masks: {len(masks)} for {len(styles)} styles, must be one for each or none")
    regions = torch.stack([_fitted(mask, content.shape) for mask in masks])
    # One that moves may come to a clip later than this window of it.
    moving = content.axes[0].name == "t" and any(mask.dim() == len(content.axes) for mask in masks)
    if not moving and not regions.sum() > 0:
        raise ShapeError("mask: black everywhere, must be white where the style goes")
    return regions if where is None else regions * where


def _fitted(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A mask (*S') on the content's grid; one with fewer axes, an image for a clip, holds at each time."""
    if mask.dim() > len(shape):
        raise ShapeError(f"mask: {mask.dim()} axes, must be {len(shape)} or fewer, those of the content")
    while mask.dim() < len(shape):
        mask = mask[None].expand(shape[len(shape) - mask.dim() - 1], *mask.shape)
    return resize(mask[None], shape, kind="linear")[0].clamp(0, 1)
