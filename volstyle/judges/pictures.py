"""How good a result is: one protocol, for images and clips.

Numbers that one can win by cheating stand side by side: an unmodified copy keeps all structure, blur has no
flicker, and noise may have the statistics of a style. Each is given with what the content itself scores.

    style     distance of mean Gram matrices, in a network that should not be the one optimized
    texture   distance of Portilla–Simoncelli statistics, which need no network
    structure similarity of gradient magnitudes to the content
    warp 1    warping error, at gaps of 1 and 10 frames, along the content's own motion
    drift     of brightness where the content stands still
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.engine.blockwise import style_sums
from volstyle.engine.machine import Machine, choose_core
from volstyle.errors import ShapeError
from volstyle.grid.color import luma
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.grid.tiles import plan
from volstyle.judges.portilla_simoncelli import scales_of, texture_distance, texture_statistics
from volstyle.loss.statistics import Sums, gram_distance
from volstyle.motion.links import estimate_motion, warping_error
from volstyle.networks.extractor import Network

JUDGED = (("y", "x"), ("t", "y", "x"))
"""The axes of what can be judged: images and clips."""

GAPS = (1, 10)
"""How many frames apart the two frames of a warping error are: 1 shows flicker, 10 what creeps."""

_STILL = 2 / 255
"""A sample of the content stands still when blurred luma stays this near its median over time."""

_LEAST_STILL = 0.01


@dataclass(frozen=True)
class Verdict:
    """What one judge says of a result, and of the content in its place.

    name: short, as above; meaning: for people. value, content: the one number. over_time, content_over_time: of
    each frame (or pair, by its first frame); one for an image. better: "lower" or "higher".
    """

    name: str
    meaning: str
    value: float
    content: float
    over_time: tuple[float, ...]
    content_over_time: tuple[float, ...]
    better: str = "lower"


def judge(result: Field, content: Field, styles: Sequence[Field], network: Network) -> tuple[Verdict, ...]:
    """All verdicts that there are on a result, an image or a clip, in the order above.

    content: as many frames as the result; brought to its size. styles: their mean distance counts. network: where
    style is measured. Raises ShapeError for fields of other axes or another number of frames.
    """
    content = _alike(content, result)
    fields = (result, content)
    style = [style_distances(field, styles, network) for field in fields]
    texture = [texture_distances(field, styles) for field in fields]
    structure = [structure_kept(field, content) for field in fields]
    verdicts = [
        _mean("style", f"distance of Gram matrices from the style, in the network {network.name}", style),
        _mean("texture", "distance of Portilla–Simoncelli statistics from the style", texture),
        _mean("structure", "similarity of gradients to the content", structure, better="higher"),
    ]
    if len(result.axes) == 3:
        verdicts += _over_time(result.samples, content.samples)
    return tuple(verdicts)


def style_distances(field: Field, styles: Sequence[Field], network: Network) -> Tensor:
    """(T,) Σ_l λ_l ‖G − A‖² / ‖A‖² of each picture, over the network's style taps; the mean over styles.

    Gram matrices are means over positions. A style is brought to the long side of the field.
    """
    machine = Machine.choose("cpu", "float32", "auto")
    extractor = network.on(2)
    taps = network.style_taps

    def sums(samples: Tensor) -> dict[str, Sums]:
        shape = tuple(samples.shape[1:])
        extractor.check(samples.shape[0], shape, taps)
        core = choose_core(extractor, taps, machine, shape, None)
        return style_sums(extractor, samples, plan(shape, core, *extractor.reach(taps)), taps)

    targets = [sums(picture) for style in styles for picture in _pictures(_sized(style, field))]
    found = [sums(picture) for picture in _pictures(field)]
    share = {tap: weight / sum(taps.values()) for tap, weight in taps.items()}
    return torch.tensor(
        [
            sum(share[tap] * float(gram_distance(now[tap], target[tap])) for tap in taps for target in targets)
            / len(targets)
            for now in found
        ]
    )


def texture_distances(field: Field, styles: Sequence[Field]) -> Tensor:
    """(T,) `texture_distance` of each picture's luma from the styles', the mean over styles."""
    pictures = [picture for style in styles for picture in _pictures(_sized(style, field))]
    scales = scales_of(field.shape[-2:], *(tuple(picture.shape[1:]) for picture in pictures))
    targets = [texture_statistics(luma(picture)[0], scales) for picture in pictures]
    distances = []
    for picture in _pictures(field):
        found = texture_statistics(luma(picture)[0], scales)
        distances.append(sum(texture_distance(found, target) for target in targets) / len(targets))
    return torch.tensor(distances)


def structure_kept(field: Field, content: Field) -> Tensor:
    """(T,) mean similarity of gradient magnitudes of each picture's luma, 1 for the same.

    (2 g ĝ + c) / (g² + ĝ² + c) of Prewitt gradients at half the size, c = 170 / 255². Source: Xue et al. 2014
    (arXiv 1308.3052), whose deviation measures the damage of compression; the mean suits a change on purpose.
    """
    similar = []
    for picture, other in zip(_pictures(field), _pictures(content), strict=True):
        found, wanted = (_gradients(luma(p)) for p in (picture, other))
        c = 170 / 255**2
        similar.append(((2 * found * wanted + c) / (found.square() + wanted.square() + c)).mean())
    return torch.stack(similar)


def still_regions(clip: Tensor) -> Tensor:
    """(H, W), where a clip (C, T, H, W) stands still throughout."""
    steady = luma(clip)[0]
    for _ in range(2):
        steady = _thirds(_thirds(steady, 1), 2)
    return (steady - steady.median(0).values).abs().amax(0) <= _STILL


def brightness(clip: Tensor, where: Tensor) -> Tensor:
    """(T,) mean luma of a clip (C, T, H, W) where (H, W) is true, in gray levels of 255."""
    return 255 * luma(clip)[0][:, where].mean(1)


def _over_time(result: Tensor, content: Tensor) -> list[Verdict]:
    verdicts = []
    for gap in GAPS:
        for link in estimate_motion(content, (gap,))[:1]:
            link = link.resized(*content.shape[2:])
            errors = [warping_error(clip, link) for clip in (result, content)]
            meaning = f"warping error of frames {gap} apart along the content's motion, beside its own"
            verdicts.append(_mean(f"warp {gap}", meaning, errors))
    where = still_regions(content)
    share = float(where.float().mean())
    if share >= _LEAST_STILL:
        found, floor = (brightness(clip, where) for clip in (result, content))
        drift = [float(curve.max() - curve.min()) for curve in (found, floor)]
        curves = [_numbers(curve - curve[0]) for curve in (found, floor)]
        meaning = f"range of brightness where the content stands still ({share:.0%}), in gray levels of 255"
        verdicts.append(Verdict("drift", meaning, drift[0], drift[1], curves[0], curves[1]))
    return verdicts


def _mean(name: str, meaning: str, curves: Sequence[Tensor], better: str = "lower") -> Verdict:
    found, floor = curves
    return Verdict(
        name, meaning, float(found.mean()), float(floor.mean()), _numbers(found), _numbers(floor), better
    )


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist())


def _alike(content: Field, result: Field) -> Field:
    """The content on the result's grid."""
    names = [axis.name for axis in result.axes]
    if tuple(names) not in JUDGED:
        raise ShapeError(f"judge: the result has axes {', '.join(names)}, must be an image or a clip")
    if [axis.name for axis in content.axes] != names:
        found = ", ".join(axis.name for axis in content.axes)
        raise ShapeError(f"judge: the content has axes {found}, must have those of the result, {', '.join(names)}")
    if content.shape[:-2] != result.shape[:-2]:
        raise ShapeError(
            f"judge: the content has {content.shape[0]} frames, must have {result.shape[0]} as the result; "
            "give the same --start and --end"
        )
    apart = math.log(content.shape[-1] * result.shape[-2] / (content.shape[-2] * result.shape[-1]))
    if abs(apart) > 0.05:
        have, need = ("x".join(map(str, f.shape[:-3:-1])) for f in (content, result))
        raise ShapeError(f"judge: the content is {have}, must have the proportions of the result, {need}")
    return content.with_samples(resize(content.samples, result.shape).clamp(0, 1))


def _sized(style: Field, field: Field) -> Field:
    """A style as large as the field's pictures."""
    kept = tuple(axis.name == "t" for axis in style.axes)
    shape = fitted(style.shape, max(field.shape[-2:]), kept)
    return style.with_samples(resize(style.samples, shape).clamp(0, 1))


def _pictures(field: Field) -> Iterator[Tensor]:
    """(C, H, W): an image, or the frames of a clip."""
    yield from field.samples.movedim(1, 0) if len(field.axes) == 3 else [field.samples]


def _gradients(picture: Tensor) -> Tensor:
    """Prewitt magnitudes of (1, H, W) at half the size."""
    half = resize(picture, tuple(max(1, side // 2) for side in picture.shape[1:]), kind="linear")
    down = _neighbors(_thirds(half, 2), 1)
    across = _neighbors(_thirds(half, 1), 2)
    return ((down[2] - down[0]).square() + (across[2] - across[0]).square()).sqrt()


def _thirds(pictures: Tensor, axis: int) -> Tensor:
    """The mean of each sample and its two neighbors along an axis of (N, H, W), which repeats at its ends."""
    return torch.stack(_neighbors(pictures, axis)).mean(0)


def _neighbors(pictures: Tensor, axis: int) -> list[Tensor]:
    """The sample before, the sample, and the one after it."""
    size = pictures.shape[axis]
    place = torch.arange(size)
    return [pictures.index_select(axis, (place + shift).clamp(0, size - 1)) for shift in (-1, 0, 1)]
