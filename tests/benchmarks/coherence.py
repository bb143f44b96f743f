"""Coherence: frames one by one against frames together, and motion against what it truly is.

On a clip, on the harbor and on a moving disc, whose true motion is known: warping error at gaps 1 and 10 beside
the content's own, style distance in a network that is not optimized, and structure kept. Three sides: each frame
for itself as an image, all together as a clip, and the same with gradients as they are.
Where the true motion is known, the first frame painted as a picture and moved by it is judged too: all is judged
by a bilinear warp, which no painting stands without a loss. Then precision and recall of masks, the judge's and
the term's; the drift of brightness where a scene stands still; the error where windows join; and the time of flow
at 1280x720.
uv run python -m tests.benchmarks.coherence CLIP STYLE [STYLE …] [--frames 12] [--size 160]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.common import picture
from tests.benchmarks.scenes import KnownScene, known_scene
from tests.tiny import stylized
from volstyle.codecs import Moment, Selection, read
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted, resize
from volstyle.judges.pictures import brightness, structure_kept, style_distances
from volstyle.media.defaults import defaults
from volstyle.motion.flow import warp
from volstyle.motion.links import Link, estimate_motion, warping_error
from volstyle.motion.windows import BEYOND, HELD, plan_windows
from volstyle.networks.registry import load_network
from volstyle.recipe import Recipe
from volstyle_cli.art import harbor

_HARBOR_START = 24

SIDES = {
    "image by image": Recipe().set("temporal.weight=0"),
    "together": defaults("video"),
    "together, gradients as they are": defaults("video").set("temporal.smoothing=0"),
}


def compare(
    name: str,
    content: Field,
    links: dict[int, Link],
    style: Field,
    back: Callable[[int], Tensor] | None = None,
    sides: Sequence[str] = tuple(SIDES),
) -> None:
    """Each side's errors beside the content's own, and its style distance beside those of the sides before, in a
    network that was not optimized. back: the flow (2, H, W) from frame t to the first, if it is known."""
    network = load_network("builtin")
    own = {gap: float(warping_error(content.samples, link).mean()) for gap, link in links.items()}
    print(f"{name}: the content's own warping error {', '.join(f'{error:.1e}' for error in own.values())}")
    if back is not None:
        first = replace(content, samples=content.samples[:, :1])
        painted = stylized(first, [Style(style)], SIDES["image by image"]).field
        moved = moved_by(painted.samples, content, back)
        print(f"{name}, one painting moved: warping error {_times(moved, links, own)} the content's own")
    distances: list[float] = []
    for side in sides:
        recipe = SIDES[side]
        began = time.perf_counter()
        result = stylized(content, [Style(style)], recipe).field
        seconds = time.perf_counter() - began
        distance = float(style_distances(result, [style], network).mean())
        beside = ", ".join(f"{distance / other - 1:+.1%}" for other in distances)
        distances.append(distance)
        print(
            f"{name}, {side}: warping error {_times(result.samples, links, own)} the content's own, "
            f"style distance {distance:.4f} ({beside}), "
            f"structure kept {float(structure_kept(result, content).mean()):.3f}, {seconds:.0f} s",
            flush=True,
        )


def moved_by(painted: Tensor, content: Field, back: Callable[[int], Tensor]) -> Tensor:
    """A first frame (3, 1, H, W) in all frames of a content."""
    frame = painted.movedim(1, 0)
    return torch.cat([warp(frame, back(t)[None].float()) for t in range(content.shape[0])]).movedim(0, 1)


def _times(samples: Tensor, links: dict[int, Link], own: dict[int, float]) -> str:
    errors = (float(warping_error(samples, link).mean()) / own[gap] for gap, link in links.items())
    return ", ".join(f"gap {gap}: {error:6.2f} times" for gap, error in zip(links, errors, strict=True))


def estimated(clip: Tensor) -> dict[int, Link]:
    return {gap: estimate_motion(clip, (gap,))[0] for gap in (1, 10)}


def true(scene: KnownScene) -> dict[int, Link]:
    return {gap: Link(gap, scene.flow(gap).half(), scene.visible(gap)[:, None].to(torch.uint8)) for gap in (1, 10)}


def harbor_scene(frames: int, size: int) -> tuple[Field, dict[int, Link], Callable[[int], Tensor]]:
    """Some frames of the harbor, as it is drawn, how it truly moves, and from frame t to the first of them."""
    layers = harbor.harbor()
    numbers = range(_HARBOR_START, _HARBOR_START + frames)
    drawn = [torch.from_numpy(harbor.draw_frame(layers, n).picture).permute(2, 0, 1) for n in numbers]
    clip = torch.stack(drawn, dim=1)
    small = resize(clip, fitted(tuple(clip.shape[1:]), size, (True, False, False))).clamp(0, 1)

    def link(at: Sequence[int], gap: int) -> Link:
        found = [harbor.true_motion(layers, n, gap) for n in at]
        flow = torch.from_numpy(np.stack([motion for motion, _ in found])).half()
        seen = torch.from_numpy(np.stack([there for _, there in found]))[:, None].to(torch.uint8)
        return Link(gap, flow, seen).resized(*small.shape[2:])

    links = {gap: link(numbers[:-gap], gap) for gap in (1, 10)}
    axes = (Axis("t", 1 / harbor.RATE, "s"), Axis("y"), Axis("x"))
    return Field(small, axes), links, lambda t: link([numbers[t]], -t).flow[0]


def masks(scene: KnownScene, *, borders: bool) -> None:
    """Of samples that are trusted: how many truly are to be seen; of those to be seen, how many are trusted. And
    the same of samples that are hidden."""
    side = "the term's" if borders else "the judge's"
    for gap in (1, 2, 4, 10):
        trusted = estimate_motion(scene.clip.samples, (gap,), borders=borders)[0].trust[:, 0].bool()
        seen = scene.visible(gap)
        both, hidden = (trusted & seen).sum(), (~trusted & ~seen).sum()
        print(
            f"{side} masks at gap {gap}: visible precision {float(both / trusted.sum()):.3f}, "
            f"recall {float(both / seen.sum()):.3f}; hidden precision {float(hidden / (~trusted).sum()):.3f}, "
            f"recall {float(hidden / (~seen).sum()):.3f}"
        )


def drift(style: Field) -> None:
    """A still background of 10 s at 5 frames a second, in front of which something moves."""
    still = picture(64, 96, seed=3)[:, None].expand(3, 50, 64, 96).clone()
    for t in range(50):
        still[:, t, 20:36, t : t + 16] = 0.9
    content = Field(still, (Axis("t", 0.2, "s"), Axis("y"), Axis("x")))
    result = stylized(content, [Style(style)], defaults("video").set("temporal.window=0")).field
    where = torch.zeros(64, 96, dtype=torch.bool)
    where[44:] = True
    curve = brightness(result.samples, where)
    print(f"still background over 10 s: brightness within {float(curve.max() - curve.min()):.2f} gray levels")


def joins(content: Field, style: Field) -> None:
    """In two windows: the warping error where the second follows the first, and between all other frames."""
    (link,) = estimate_motion(content.samples, (1,))[:1]
    own = warping_error(content.samples, link)
    for beyond in (BEYOND, 0):
        done = torch.empty(3, 0, *content.shape[1:])
        for window in plan_windows(content.shape[0], (), -(-content.shape[0] // 2), HELD, beyond):
            part = replace(content, samples=content.samples[:, window.start : window.stop])
            held = done[:, -window.held :] if window.held else None
            result = stylized(part, [Style(style)], defaults("video"), held=held)
            done = torch.cat((done, result.reached.samples[:, window.finished]), dim=1)
        times = warping_error(done, link) / own
        border = window.own.start - 1
        others = torch.cat((times[:border], times[border + 1 :])).mean()
        print(
            f"windows that look {beyond} frames ahead: warping error {float(times[border]):.2f} times the "
            f"content's own where they join, {float(others):.2f} times elsewhere",
            flush=True,
        )


def speed() -> None:
    pair = torch.nn.functional.interpolate(picture(2, 180, 320, seed=4)[None], (2, 720, 1280), mode="trilinear")[0]
    best = min(_seconds(pair) for _ in range(3))
    print(f"flow at 1280x720, both ways with masks: {best / 2:.3f} s a pair and direction")


def _seconds(pair: Tensor) -> float:
    began = time.perf_counter()
    estimate_motion(pair, (1,))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", type=Path)
    parser.add_argument("styles", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--scenes", nargs="*", default=["clip", "harbor", "disc"])
    parser.add_argument("--sides", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--only-compare", action="store_true", help="no masks, flow, drift and joins")
    chosen = parser.parse_args()
    scene = known_scene(chosen.frames, chosen.size * 2 // 3, chosen.size)
    clip = read(chosen.clip, Selection(chosen.size, end=Moment(chosen.frames, "f")))
    drawn, motion, back = harbor_scene(chosen.frames, chosen.size)
    for path in chosen.styles:
        style = read(path, Selection(256))
        if "clip" in chosen.scenes:
            compare(f"{chosen.clip.name}, {path.stem}", clip, estimated(clip.samples), style, None, chosen.sides)
        if "harbor" in chosen.scenes:
            compare(f"harbor, {path.stem}", drawn, motion, style, back, chosen.sides)
        if "disc" in chosen.scenes:
            compare(f"moving disc, {path.stem}", scene.clip, true(scene), style, scene.back, chosen.sides)
    if chosen.only_compare:
        return
    for borders in (False, True):
        masks(known_scene(14, 160, 240), borders=borders)
    speed()
    drift(read(chosen.styles[0], Selection(256)))
    longer = Selection(chosen.size, end=Moment(2 * (HELD + chosen.frames // 2), "f"))
    joins(read(chosen.clip, longer), read(chosen.styles[0], Selection(256)))


if __name__ == "__main__":
    main()
