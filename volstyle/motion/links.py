"""How things move in a clip: where the things of each frame are in the frames near it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from volstyle.grid.resample import fitted, resize
from volstyle.motion.flow import Between, dis, inside, warp

GAPS = (1, 2, 4, 8)
"""How many frames apart two frames are that are held together, each in both directions. Without the last, errors
of frames 10 apart are two to three times as large."""

_LONGEST = 640
"""The longest side of the pictures in which flow is found. DIS sees no detail that is finer, and takes four times
as long for twice the side."""

_BATCH = 8
"""Frames warped at once."""


@dataclass(frozen=True)
class Link:
    """Where the things of each frame t are in frame t + gap.

    gap: frames, negative for the past. flow: (N, 2, H, W) float16, x and y displacement in samples, for each t
    that has a frame t + gap. trust: (N, 1, H, W) uint8, 1 where that is known: neither hidden nor at the border
    of a moving thing. loop: the last frame is followed by the first, so that each t has a frame t + gap.
    """

    gap: int
    flow: Tensor
    trust: Tensor
    loop: bool = False

    @cached_property
    def known(self) -> int:
        """How many samples are trusted, at least 1. Counted once, since a GPU is waited for when it is asked."""
        return max(int(self.trust.sum(dtype=torch.int64)), 1)

    @property
    def first(self) -> int:
        """The first t that has a frame t + gap."""
        return 0 if self.loop else max(0, -self.gap)

    def resized(self, height: int, width: int) -> Link:
        """The same motion on frames of another size; a sample is trusted when all it covers is."""
        old_height, old_width = self.flow.shape[2:]
        if (old_height, old_width) == (height, width):
            return self
        shape = (self.flow.shape[0], height, width)
        flow = resize(self.flow.float().movedim(1, 0), shape, kind="linear")
        flow *= flow.new_tensor([width / old_width, height / old_height]).view(2, 1, 1, 1)
        trust = resize(self.trust.float().movedim(1, 0), shape, kind="linear") > 0.99
        return replace(self, flow=flow.movedim(0, 1).half(), trust=trust.movedim(0, 1).to(torch.uint8))

    def to(self, device: torch.device) -> Link:
        return replace(self, flow=self.flow.to(device), trust=self.trust.to(device))


def estimate_motion(
    samples: Tensor,
    gaps: Sequence[int] = GAPS,
    *,
    loop: bool = False,
    borders: bool = False,
    flow: Callable[[Tensor], Between] = dis,
) -> tuple[Link, ...]:
    """Motion of a clip (C, T, H, W) in [0, 1] at each gap, forward and back; of larger pictures than _LONGEST at
    a smaller size, to be `resized`. loop: over the seam as well. borders: trust samples at the border of a moving
    thing too. flow: of pictures.

    Hidden and border samples by the tests of Ruder et al. 2016 (arXiv 1604.08610), eq. 5 to 7.
    """
    count, *picture = samples.shape[1:]
    if count <= min(gaps):
        return ()
    shape = fitted((count, *picture), min(_LONGEST, max(picture)), (True, False, False))
    between = flow(resize(samples, shape).clamp(0, 1))
    links = []
    for gap in gaps:
        if gap >= count:
            continue
        starts = range(count if loop else count - gap)
        ahead = [between(t, gap) for t in starts]
        back = [between((t + gap) % count, -gap) for t in starts]
        links.append(_link(gap, ahead, back, loop, borders))
        if loop:  # in the order of the frames that pairs end in
            ahead, back = (flows[-gap:] + flows[:-gap] for flows in (ahead, back))
        links.append(_link(-gap, back, ahead, loop, borders))
    return tuple(links)


def warping_error(samples: Tensor, link: Link) -> Tensor:
    """(N,) Σ M (warp(O_{t+gap}) − O_t)² / Σ M at each t of the link.

    samples: (C, T, H, W) in [0, 1]. M: the link's trust; squares are averaged over channels. Source: Lai et al.
    2018 (arXiv 1808.00449), section 4.
    """
    errors = []
    for now, then, flow, trust in frame_pairs(samples, link):
        apart = (warp(then, flow) - now).square().mean(1, keepdim=True) * trust
        errors.append(apart.sum((1, 2, 3)) / trust.sum((1, 2, 3)).clamp_min(1))
    return torch.cat(errors)


def along_motion(gradient: Tensor, links: Sequence[Link], memory: float) -> Tensor:
    """The gradient (C, T, H, W) averaged over what moves together: of the frames n before and n after a share of
    memory**n, as far as each step on the way is trusted. What is alike in all frames of a still clip stays as
    it is.

    A step along it moves a stroke in all frames that show it, where the gradient itself would first pull them
    apart. It goes downhill too: weights that fall like this are positive definite where flows forward and back
    undo each other, which those of a mean of three frames are not; and it is 0 where the gradient is. links: two
    of them at gaps 1 and −1, or none. It is ours.
    """
    neighbors = [link for link in links if abs(link.gap) == 1]
    if not neighbors:
        return gradient
    total = -gradient  # which comes from both sides
    for link in neighbors:
        total += _carried(gradient, link, memory)
    return total.mul_((1 - memory) / (1 + memory))


def moved_along(samples: Tensor, links: Sequence[Link]) -> Tensor:
    """What the first frame of samples (C, T, H, W) shows, moved on from frame to frame; what comes into sight is
    each frame's own."""
    for link in (link for link in links if link.gap == -1):
        seam = int(link.loop)  # the first frame follows nothing here
        back = replace(link, flow=link.flow[seam:], trust=link.trust[seam:], loop=False)
        own = samples.clone()
        own[:, 1:] *= 1 - back.trust.movedim(1, 0)
        return _carried(own, back, 1.0)
    return samples


def _carried(samples: Tensor, link: Link, memory: float) -> Tensor:
    """Frames (C, T, H, W) and `memory` of the neighbor that the link leads to, after that took of its own."""
    found = samples.clone()
    count = samples.shape[1]
    order = range(count) if link.gap < 0 else range(count - 1, -1, -1)
    for t in (*order, *order) if link.loop else order:  # the second time with what came over the seam
        at = t - link.first
        if 0 <= at < len(link.flow):
            neighbor = found[:, (t + link.gap) % count][None]
            taken = warp(neighbor, link.flow[at : at + 1].float()) * link.trust[at]
            found[:, t] = samples[:, t] + memory * taken[0]
    return found


def frame_pairs(samples: Tensor, link: Link) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Frames t and t + gap as views (N, C, H, W), their flow and trust, a few frames at a time."""
    frames = samples.movedim(1, 0)
    total = link.flow.shape[0]
    turn = -link.gap % total if link.loop else total  # from here on t + gap is on the other side of the seam
    for start, stop in (*_batches(0, turn), *_batches(turn, total)):
        now = link.first + start
        then = (now + link.gap) % len(frames)
        yield (
            frames[now : now + stop - start],
            frames[then : then + stop - start],
            link.flow[start:stop].float(),
            link.trust[start:stop].float(),
        )


def _batches(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, _BATCH):
        yield first, min(first + _BATCH, stop)


def _link(gap: int, ahead: list[Tensor], back: list[Tensor], loop: bool, borders: bool) -> Link:
    flow, reverse = torch.stack(ahead), torch.stack(back)
    pairs = zip(torch.split(flow, _BATCH), torch.split(reverse, _BATCH), strict=True)
    trust = torch.cat([_trust(f, r, borders) for f, r in pairs])
    return Link(gap, flow.half(), trust, loop)


def _trust(flow: Tensor, reverse: Tensor, borders: bool) -> Tensor:
    """(N, 1, H, W): 0 where hidden or out of the picture in the other frame, and but for `borders` at those of
    moving things."""
    returned = warp(reverse, flow)
    power = flow.square().sum(1)
    apart = (flow + returned).square().sum(1)
    hidden = apart >= 0.01 * (power + returned.square().sum(1)) + 0.5
    doubtful = hidden | ~inside(flow)[:, 0]
    if not borders:
        across, down = flow.diff(dim=3, append=flow[..., -1:]), flow.diff(dim=2, append=flow[..., -1:, :])
        doubtful |= across.square().sum(1) + down.square().sum(1) > 0.01 * power + 0.002
    return (~doubtful)[:, None].to(torch.uint8)
