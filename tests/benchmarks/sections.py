"""How a solid behaves that is made from three slices of a real one, beside the real one.

The slices are those whose share of the first phase is the nearest to the whole's, as a rock's porosity is known
before it is scanned; --at takes others. Below the whole, the slices, and nine blocks of the real volume, which are
as good as a solid of their size can be, a row for each way to make one: terms of the samples, as by default, a
network beside them, and a network alone, the last as it was in 0.2.0, and four parts of a solid that was learned.
Differences of two points and of lines are from the whole real volume, and from its slices. uv run python -m
tests.benchmarks.solids --rock berea.tif --size 128 --only terms learned --sheet rock.png

What was tried for solids of 128³ by terms; surface and two points are beside those of the sections of Berea
sandstone, carbonate, sandstone, alloy:

    ends open, values 1, variation 10       surface −6, −6, −13, +5 %; two points .0026, .0079, .0046, .0012. What
                                            is rare has less surface to pay for at a face, as a drop on a wall, and
                                            gathers there: .23 of the sandstone at its faces, .18 inside (64³)
    covariances about the mean of the pairs the same: .24 and .19
    ends that meet, values 3, variation 50  −7, −8, −5, −3 %; .0016, .0049, .0013, .0005; 3/4 of the time
    values 30, variation 300                −1, −4, +1, +1 %; .0034, .0064, .0016, .0007; but +9 % at 96³ and
                                            112³ (Berea), of it half dust: 550 specks of less than 8 samples in a
                                            million, where the rock has 25
    the same with steps of .02              +8, –, +2, +16 % at 112³, without dust. Grays are left, whose variation
                                            is the mean over all places to cut, and there is more in the middle
    and smoothed before the cut             what is kept: 0, −1, 0, +1 %; .0015, .0071, .0015, .0009, specks 21 of
                                            each million
    the same with steps of .03              0, 0, −5, +1 %; .0030, .0060, .0013, .0006
    values 100, variation 100               +39 % (Berea)
    variation as the cut leaves it          −3, −5, −4 %, of dust: 250 to 350 specks of less than 8 samples in a
                                            million, where the rock has 4 and 20
    all terms as the cut leaves them        falls apart, for nothing holds what is gray
    variation of samples steepened by a     −8 % (carbonate)
    sigmoid
    two phases that lean, as three do       −9 % (Berea), in twice the time; −5 % with steps of .02
    variation near the cut alone            two points are never met (cost 64, where 1.5 is good): grays are free
    quantiles of planes under three         pores hang together no better (88 % in one piece, as without), two
    Gaussians, beside (Heeger & Bergen)     points .0053, four times the time
    noise that is smooth to start from      the coarse stage comes nearer, the last less so: −16 %, .0070 (96³)
    a last stage twice as long              +2 % where it was +9, and as much dust
    one stage, three stages                 +61 % (48³), −10 % (160³), where two have +2 and 0 %
                                            (Berea); of the sandstone 0 % with one (48³), where two have −19

What is kept percolates as the rock does, but with a tortuosity of 14, 25 and 18, for which the rock has 4.3 to
4.8: pairs of points do not say what hangs together. With open ends, where pores gather, it was 9 and 15.

Three phases (the electrode) have three channels. Each alone is met, and the cut leaves twice the neighbors that
differ from the second phase, and two thirds of those from the third (.084, .084; the sections have .051, .120).
Samples that lean to their phases have .049, .119. Transport of all channels together instead: .144, .114.

Of the .0071 of carbonate .005 is in the section: pairs that are far apart lie at its ends, whose shares are not
those of its middle. A mean of pairs less the product of their own means does not have it.

What was tried for solids that are learned, with three slices of Berea sandstone:

    gradients as they are                   grays that never become pores: those of the first steps are a hundred
                                            times as large, and Adam takes small steps for hundreds after them
    each piece to have all shares           the last stage learns nothing: pieces of 56³ have from 17 to 31 % of
                                            pores in the rock itself, and their cost is up to 165 where 25 is good
    the mean of quantiles over pieces       the same; that of shares below some values is what pieces have together
    variation to the next sample alone      blocks of two samples alike in the first stage, a chessboard in the
    last from even and odd samples, 1 to 4 apart neither; rows of dots beside edges, and chessboards in gray, where
                                            networks work in blocks
    pieces without all that a network sees  half of 56³ is of another kind than the solid, and balances the rest
    two points up to 27 samples apart       at 1/8 of their size, three quarters of how a section correlates are
                                            chance; with both the first stage had .018 fewer pores than sections
    values 50 and variation 10              blurred in all stages but the first; 1000 and 100 are kept
    finer stages with steps of .004         networks in blocks die in 50 steps; others live with .005, no faster
    finer stages near the one before, 1000  blurred: it outweighs values and variation; 200 is kept
    the last stage as cut by a steep step   smooth, with 35 % less surface: nothing grows where there is no slope
    by a step that becomes five times as    the same: 33 % less surface where it is 34
    steep as it learns
    the last stage four times as long       17 % too much surface, and ugly: of dust, 1500 specks of less than 8
                                            samples in a million, where the rock has 22
    painted at two places, and their mean   parts are washed out, and dots stay
    networks in bfloat16                    convolutions of three axes take 30 to 100 times as long on a CPU

What is kept, four parts of 128³ beside nine blocks of the rock, by the functions of `judges.solids`: porosity .191
± .022 and .196 ± .019, two points .0099 and .0074 from those of the sections (.0042 and .0019 of their means),
surface −34 and 0 %. Parts differ as much as blocks do, and are too smooth.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

import volstyle
from volstyle.codecs import Encoding, read, write
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.grid.phases import Phases
from volstyle.judges.solids import Measured, SolidVerdict, apart, judge_solid

SPACE = tuple(Axis(name) for name in "zyx")
_ALONE = dict.fromkeys(("solid.two_point", "solid.values", "solid.variation"), 0.0)
WAYS: dict[str, Mapping[str, Any]] = {
    "terms": {},
    "vgg19 beside": {"style.weight": 1.0, "network.name": "vgg19"},
    "builtin beside": {"style.weight": 1.0, "network.name": "builtin"},
    "vgg19 alone": {"style.weight": 1.0, "network.name": "vgg19", **_ALONE},
    "builtin alone": {
        "style.weight": 1.0,
        "style.share": 1.0,
        "style.frames": 1,
        "style.statistic": "w2",
        "schedule.steps": 40,
        "schedule.growth": 1.5,
        "schedule.ratio": 1.5,
        "optimizer.rate": 0.03,
        "periodic": False,
        **_ALONE,
    },
}
LEARNED = "learned"
"""The way that learns first, and then makes parts of an endless solid."""
PARTS = 4
"""How many of them."""


def compare(
    path: Path, at: Sequence[int] | None, size: int, only: Sequence[str] | None, sheet: Path | None
) -> None:
    """Print a row for blocks of the real volume and for each way to make one; draw their cuts."""
    real = read(path)
    labels = Phases.of("auto", [real.samples], [path.name]).labels_of(real.samples[0])
    at = at or [typical(labels == 0, axis) for axis in range(3)]
    sections = [
        Style(Field(labels.select(axis, place)[None].float().contiguous(), SPACE[1:]), across=axis)
        for axis, place in enumerate(at)
    ]
    seen = [(style.across, style.field) for style in sections]
    blocks = dict(_blocks(labels, size))
    known = judge_solid(_solid(next(iter(blocks.values()))), seen, Field(labels[None].float(), real.axes))
    assert known.real is not None
    print(
        f"slices {at}; shares of {path.name}, and differences of two points and lines from it, and from the slices"
    )
    print(f"{'':14} seconds  share  surface  two points       lines        Euler  percolates  tortuosity")

    def told(rows: Iterable[tuple[str, float, Tensor]]) -> Iterator[Tensor]:
        found = []
        for name, seconds, samples in rows:
            found.append(judge_solid(_solid(samples), seen).solid)
            _row(name, seconds, found[-1], known)
            yield _cut(samples)
        if len(found) > 1:
            _mean_row(found, known)

    _row("whole", 0.0, known.real, known)
    _row("slices", 0.0, known.sections, known)
    cuts = list(told((name, 0.0, block) for name, block in blocks.items()))
    for name in only or (*WAYS, LEARNED):
        cuts += told(learned(sections, size) if name == LEARNED else made(name, sections, size))
        if sheet:
            write(sheet, Field(torch.cat(cuts, 1).expand(3, -1, -1), SPACE[1:]), Encoding(force=True))


def _blocks(labels: Tensor, size: int) -> Iterator[tuple[str, Tensor]]:
    """The blocks of the corners of a volume and of its middle."""
    ends = [(0, (side - size) // 2, side - size) for side in labels.shape]
    for corner in (*product((0, 2), repeat=3), (1, 1, 1)):
        where = [end[place] for end, place in zip(ends, corner, strict=True)]
        block = labels[tuple(slice(start, start + size) for start in where)]
        yield "real " + ",".join(map(str, where)), block.float()


def made(name: str, sections: Sequence[Style], size: int) -> Iterator[tuple[str, float, Tensor]]:
    """A solid made in one of the `WAYS`: its name, the seconds it took, the samples (z, y, x)."""
    began = time.process_time()
    choices = {"solid.phases": "auto", **WAYS[name]}
    solid = volstyle.style(None, sections, shape=(size,) * 3, choices=choices).field.samples[0]
    yield name, time.process_time() - began, solid


def learned(sections: Sequence[Style], size: int) -> Iterator[tuple[str, float, Tensor]]:
    """Parts of a solid that is learned of the sections: a name, the seconds it took, the samples (z, y, x). The
    first takes the time of learning too."""
    with tempfile.TemporaryDirectory() as folder:
        path, began = Path(folder) / "learned.safetensors", time.process_time()
        volstyle.learn(list(sections), None, path, shape=(40,) * 3, choices={"solid.phases": "auto"})
        for seed in range(PARTS):
            made = volstyle.style(None, [path], shape=(size,) * 3, choices={"seed": seed}).field.samples[0]
            yield f"{LEARNED}, {seed}", time.process_time() - began, made
            began = time.process_time()


def typical(there: Tensor, axis: int) -> int:
    """The slice across an axis that has the share of the whole."""
    others = [other for other in range(3) if other != axis]
    return int((there.float().mean(others) - there.float().mean()).abs().argmin())


def _solid(samples: Tensor) -> Field:
    return Field(samples[None].float().contiguous(), SPACE)


def _cut(samples: Tensor) -> Tensor:
    """The middle planes across all axes and an oblique one side by side, (1, H, W)."""
    across = torch.arange(min(samples.shape))
    middle = [samples.select(axis, side // 2) for axis, side in enumerate(samples.shape)]
    planes = [*middle, samples[:, across, across]]
    framed = [torch.nn.functional.pad(plane, (1, 1, 1, 1), value=0.5) for plane in planes]
    return torch.cat(framed, 1)[None].repeat_interleave(2, 1).repeat_interleave(2, 2)


def _gaps(found: Measured, known: SolidVerdict) -> list[float]:
    """Mean differences of two points from the whole and from the sections, and of lines."""
    assert known.real is not None
    return [
        fmean(apart(getattr(found, kind), getattr(other, kind)).values())
        for kind in ("two_points", "lines")
        for other in (known.real, known.sections)
    ]


def _row(name: str, seconds: float, found: Measured, known: SolidVerdict) -> None:
    gaps = "  ".join(f"{gap:.4f}" for gap in _gaps(found, known))
    row = f"{name:16} {seconds:6.0f}  {found.shares[0]:.4f}  {found.surface:.4f}  {gaps}"
    if found.euler is not None and found.percolates is not None and found.tortuosity is not None:
        ends = " ".join("yes" if there else "no" for there in found.percolates.values())
        row += f"  {found.euler:6.0f}  {ends:11}  {' '.join(f'{t:.2f}' for t in found.tortuosity.values())}"
    print(row, flush=True)


def _mean_row(found: Sequence[Measured], known: SolidVerdict) -> None:
    """The mean share and its standard deviation, the surface beside that of the sections, mean differences."""
    shares = [each.shares[0] for each in found]
    surface = fmean(each.surface for each in found)
    gaps = "  ".join(
        f"{fmean(column):.4f}" for column in zip(*(_gaps(each, known) for each in found), strict=True)
    )
    print(
        f"{'mean of ' + str(len(found)):16} {'':6}  {fmean(shares):.4f} ± {stdev(shares):.4f}  "
        f"{surface:.4f}, {100 * (surface / known.sections.surface - 1):+.0f} %  {gaps}",
        flush=True,
    )
