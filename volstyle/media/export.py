"""A learned style written for other programs, as ONNX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.borders import importing
from volstyle.engine.painting import LearnedStyle
from volstyle.engine.portable import Form, alike, as_graph, stages_of
from volstyle.errors import OutputError, RecipeError

SUFFIX = ".onnx"
_LARGEST = 2**15


@dataclass(frozen=True)
class Exported:
    """What was written. shares: how much of each style is painted, by name; empty where the graph takes them as an
    input. styles: the names, in the order of that input. sizes: the long side of each stage for a content of the
    size that was asked for. alike: the least and the greatest long side of contents that are painted as volstyle
    paints them."""

    output: Path
    styles: tuple[str, ...]
    shares: Mapping[str, float]
    sizes: tuple[int, ...]
    alike: tuple[int, int]


def export(
    path: str | PathLike[str],
    output: str | PathLike[str],
    *,
    styles: str | Sequence[str] = (),
    size: int | None = None,
    shape: Sequence[int] | None = None,
    force: bool = False,
) -> Exported:
    """Write a learned style as one ONNX graph, for onnxruntime, OpenCV, a browser; the same as `volstyle export`.

        volstyle.export("starry.safetensors", "starry.onnx")

    It takes `image` (batch, 3, height, width), RGB in [0, 1], of any height and width, and gives `styled` of the
    same shape: all stages, coarse to fine, within 1e-3 of what volstyle makes. A style of volumes takes `volume`
    (batch, channels, depth, height, width), its values brought to [0, 1]; OpenCV cannot read that one.
    It knows no motion: frames of a clip are painted each for itself, and flicker more than by `volstyle video`.

    styles: which of those in the file it paints, as "candy" or "candy@0.3", several for a blend. Without any, a
    graph of several styles takes how much of each as its second input `weights`. size: the long side of the
    contents it is meant for, which says how many stages there are and which network paints each; None is the
    largest it learned at. Contents for which volstyle has other stages (see `Exported.alike`) are painted with
    strokes of the same size in samples.
    shape: height and width (depth first) of all contents, for engines that know no other ones, such as OpenCV 4.

    Needs the extra `onnx`. Raises InputError without it and for a file that is no learned style, RecipeError for
    styles, sizes and shapes that cannot be, OutputError.
    """
    path, output = Path(path), Path(output)
    if output.suffix.lower() != SUFFIX:
        raise OutputError(f"{output}: suffix {output.suffix!r}, must be {SUFFIX}")
    check_target(output, force)
    learned = LearnedStyle.load(path)
    weights = _weights(learned, [styles] if isinstance(styles, str) else styles)
    shares = learned.shares(weights) if weights else None
    sides = None if shape is None else _shape(shape, learned.plan.axes)
    longest = max(sides) if sides else learned.stages[-1].size
    form = Form(longest if size is None else _size(size), shares, sides)
    with importing(output, "onnx"):
        model = as_graph(learned, form)
    with arriving(output, force) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return Exported(
        output=output,
        styles=learned.names,
        shares={} if shares is None else dict(zip(learned.names, shares.tolist(), strict=True)),
        sizes=tuple(size for size, _ in stages_of(learned, form.size)),
        alike=alike(learned, form.size),
    )


def _weights(learned: LearnedStyle, styles: Sequence[str]) -> dict[str, float]:
    """The weight of each style that is asked for by its name, alone or before an @ and its weight. Empty for a
    choice among several that is left open. Raises RecipeError or InputError."""
    if not styles and len(learned.names) == 1:
        return {learned.names[0]: 1.0}
    found: dict[str, float] = {}
    for text in styles:
        name, _, weight = (text, "", "1") if text in learned.names else text.rpartition("@")
        if not name or not re.fullmatch(r"\d*\.?\d+", weight):
            name, weight = text, "1"
        found[name] = found.get(name, 0.0) + float(weight)
    learned.shares(found)
    if found and not sum(found.values()):
        raise RecipeError(f"style: {', '.join(styles)} have weights of 0 alone, must be one above it")
    return found


def _size(size: int) -> int:
    if not 1 <= size <= _LARGEST:
        raise RecipeError(f"size: {size}, must be 1 to {_LARGEST} samples")
    return size


def _shape(shape: Sequence[int], axes: int) -> tuple[int, ...]:
    if len(shape) != axes:
        sides = "height and width" if axes == 2 else "depth, height and width"
        raise RecipeError(f"shape: {'x'.join(map(str, shape))} has {len(shape)} sides, must have {axes}: {sides}")
    return tuple(map(_size, shape))
