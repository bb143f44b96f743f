"""What a style is learned on: pieces of clips, pictures and volumes, drawn once for each stage, and pictures that
are made by formula."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.codecs.clip import Clip
from volstyle.engine.learning import Example
from volstyle.engine.painting import Brush
from volstyle.errors import InputError
from volstyle.grid.color import NOISE, Colors, luma
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.motion.links import estimate_motion
from volstyle.world.pictures import picture

GAPS, NEAR_GAPS = (1, 2, 4, 8), (1, 2)
"""Frames between the two of a pair, in the first stage and in finer ones, where a piece shows too little of a clip
to find far motion in it."""

_SHIFT = 2
"""How far the second frame of a pair is moved at most, and a picture, in samples along each axis. A network works
in blocks of samples; what is moved by less than a block teaches it to paint the same wherever its blocks lie."""

_FORMULA_ZOOM = 2.0
"""How many times larger everything is in a picture made by formula than where networks are trained to tell styles:
a photograph has fewer things in it than a painting has strokes."""

_FORMULA_SHIFT = 4
"""How far such a picture moves at most from one frame to the other, in samples along each axis."""


@dataclass(frozen=True)
class Pair:
    """Two frames of a clip, and where its piece begins in each: (y, x)."""

    frames: tuple[int, int]
    corners: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Draw:
    """How the examples of a stage are drawn. size: the long side of a content at this stage. crop: that of a
    piece, at most. count: how many. styles: how many there are, which take turns. colors: of each style, which
    contents are given; () leaves them theirs. coarser: for each style, what makes a content as the stage before
    did, whose size was `before`; () in the first stage."""

    size: int
    crop: int
    count: int
    seed: int
    styles: int = 1
    colors: tuple[Colors, ...] = ()
    coarser: tuple[Brush, ...] = ()
    before: int = 0

    def shown(self, content: Tensor, style: int) -> Tensor:
        """A content (C, *S) in the colors of a style."""
        return self.colors[style].given_to(content, noise=NOISE) if self.colors else content

    def brought(self, content: Tensor, kept: tuple[bool, ...], style: int) -> tuple[Tensor, Tensor]:
        """A content (C, *S) in a style's colors at the size of the stage, and what the stage before made of it."""
        shape = fitted(tuple(content.shape[1:]), self.size, kept)
        seen = resize(self.shown(content, style), shape).clamp_(0, 1)
        if not self.coarser:
            return seen, seen
        return seen, resize(self.coarser[style](content, self.before), shape).clamp_(0, 1)

    def piece(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a piece of a content of this shape."""
        crop = fitted(shape, self.crop, (False,) * len(shape))
        return tuple(min(size, side) for size, side in zip(shape, crop, strict=True))


def pairs_of(cuts: Sequence[int], shape: tuple[int, ...], draw: Draw) -> list[Pair]:
    """The pairs of frames that a stage learns from. cuts: first frames of the shots but the first. shape: of the
    clip at this stage, (T, H, W). Raises InputError for a clip without two frames in one shot."""
    generator = torch.Generator().manual_seed(draw.seed)
    count, *sides = shape
    shot = torch.bucketize(torch.arange(count), torch.tensor(sorted(cuts), dtype=torch.int64), right=True)
    piece = draw.piece(tuple(sides))
    room = [size - side for size, side in zip(sides, piece, strict=True)]
    tried = NEAR_GAPS if draw.coarser else GAPS
    starts = {gap: [t for t in range(count - gap) if shot[t] == shot[t + gap]] for gap in tried}
    gaps = [gap for gap in tried if starts[gap]]
    if not gaps:
        raise InputError("learn: no two frames in one shot, so that nothing holds a clip together; give pictures")

    def drawn(most: int) -> int:
        return int(torch.randint(most + 1, (1,), generator=generator))

    pairs = []
    for number in range(draw.count):
        gap = gaps[number % len(gaps)]
        t = starts[gap][drawn(len(starts[gap]) - 1)]
        corner = (drawn(room[0]), drawn(room[1]))
        moved = (corner[0] + drawn(2 * _SHIFT) - _SHIFT, corner[1] + drawn(2 * _SHIFT) - _SHIFT)
        pairs.append(Pair((t, t + gap), (corner, moved)))
    return pairs


def clip_examples(clip: Clip, cuts: Sequence[int], draw: Draw) -> list[Example]:
    """Examples of a clip, which is decoded once: of each frame only what pieces show of it is kept."""
    shape = fitted(clip.shape, draw.size, (True, False, False))
    pairs = pairs_of(cuts, shape, draw)
    piece = draw.piece(shape[1:])
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, pair in enumerate(pairs):
        for which, frame in enumerate(pair.frames):
            wanted[frame].append((number, which))
    found: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    spread: dict[tuple[int, int], float] = {}
    for index, shown in enumerate(clip.frames()):
        if index in wanted:
            made: dict[int, list[Tensor]] = {}
            for number, which in wanted[index]:
                style = number % draw.styles
                if style not in made:
                    parts = draw.brought(shown.samples[:, None], (True, False, False), style)
                    spread[index, style] = variance_of(draw.shown(shown.samples, style))
                    made[style] = [_around(part) for part in parts]
                both = made[style]
                y, x = (place + _SHIFT for place in pairs[number].corners[which])
                sides = (slice(None), slice(None), slice(y, y + piece[0]), slice(x, x + piece[1]))
                found[number, which] = (both[0][sides].clone(), both[1][sides].clone())
    examples = []
    for number in range(len(pairs)):
        content, before = (torch.cat([found[number, which][part] for which in (0, 1)], dim=1) for part in (0, 1))
        links, style = estimate_motion(content, (1,), borders=True), number % draw.styles
        variance = sum(spread[frame, style] for frame in pairs[number].frames) / 2
        examples.append(Example(content, before, links, style, variance))
    return examples


def variance_of(samples: Tensor) -> float:
    """The variance of a content's samples, but at least 0.001, since costs are divided by it."""
    return max(float(samples.var()), 1e-3)


def _around(picture: Tensor, room: int = _SHIFT) -> Tensor:
    """A picture (C, H, W) or a frame (C, 1, H, W) with its border values beyond its ends, as far as pieces are
    moved."""
    return functional.pad(picture, (room,) * 4, mode="replicate") if room else picture


def field_examples(field: Field, draw: Draw) -> list[Example]:
    """Examples of a picture or a volume; no motion holds them together."""
    generator = torch.Generator().manual_seed(draw.seed)
    made: dict[int, tuple[Tensor, Tensor]] = {}
    spread: dict[int, float] = {}
    room = _SHIFT if len(field.axes) == 2 else 0
    examples = []
    for number in range(draw.count):
        style = number % draw.styles
        if style not in made:
            content, before = draw.brought(field.samples, (False,) * len(field.axes), style)
            made[style] = (_around(content, room), _around(before, room))
            spread[style] = variance_of(draw.shown(field.samples, style))
        content, before = made[style]
        shape = tuple(content.shape[1:])
        box = [slice(None)]
        for size, side in zip(shape, draw.piece(tuple(size - 2 * room for size in shape)), strict=True):
            at = int(torch.randint(size - side + 1, (1,), generator=generator))
            box.append(slice(at, at + side))
        content, before = (each[tuple(box)].clone() for each in (content, before))
        examples.append(Example(content, before, (), style, spread[style]))
    return examples


def formula_examples(shape: tuple[int, ...], contents: Sequence[Tensor], draw: Draw) -> list[Example]:
    """Examples that are no content but pictures made by formula. What learns from few contents, or from frames of
    one clip, knows them by heart and paints others pale; among such pictures no two are alike. They have the
    colors of contents: what has others asks for other changes, and little is learned from both.

    shape: of a content at this stage, (H, W), or (2, H, W) for two frames that move. contents: (C, *S), whose
    colors they have, from the first to the last.
    """
    generator = torch.Generator().manual_seed(draw.seed % 2**63)
    *moving, height, width = shape
    kept = (*(True for _ in moving), False, False)
    examples = []
    for number in range(draw.count):
        shown = picture(draw.seed * 7919 + number, max(height, width) + _FORMULA_SHIFT, zoom=_FORMULA_ZOOM)
        like = contents[number * len(contents) // draw.count]
        shown = Colors.of(like).given_to(shown if like.shape[0] == 3 else luma(shown)).clamp_(0, 1)
        frames = []
        for _ in range(moving[0] if moving else 1):
            y, x = torch.randint(_FORMULA_SHIFT + 1, (2,), generator=generator).tolist()
            frames.append(shown[:, y : y + height, x : x + width])
        style = number % draw.styles
        content, before = draw.brought(torch.stack(frames, dim=1) if moving else frames[0], kept, style)
        links = estimate_motion(content, (1,), borders=True) if moving else ()
        examples.append(Example(content, before, links, style, variance_of(content)))
    return examples
