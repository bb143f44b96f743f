"""Optical flow: estimated from the pictures of a clip, or made elsewhere and given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from volstyle.grid.resample import resize
from volstyle.networks.weights import torchvision_model

ESTIMATORS = ("dis", "raft", "raft_small")
"""OpenCV's DIS, and torchvision's RAFT in two sizes."""

Between = Callable[[int, int], Tensor]
"""(t, steps) -> (2, H, W): how far right and down, in samples, the things of frame t are in frame t + steps. Steps
are negative for the past. Frames are counted on from the last to the first, for clips that loop."""

_UNKNOWN = 1e4
"""More samples than anything can move; Middlebury's files mark unknown flow by larger numbers."""


class Flows(Protocol):
    """Flow made elsewhere, of a clip: (2, H, W) in samples of its own size, beyond any picture where unknown."""

    def forward(self, frame: int) -> Tensor:
        """From a frame to the next."""
        ...

    def backward(self, frame: int) -> Tensor | None:
        """From a frame to the one before; None where nobody has made it."""
        ...


def dis(pictures: Tensor) -> Between:
    """The flow of pictures (C, T, H, W) in [0, 1] by OpenCV's DIS (Kroeger et al. 2016, arXiv 1603.03590) on
    luma."""
    frames = _luma8(pictures)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)  # that of the samples, not of pairs of them: half the error, and twice the time
    search.setVariationalRefinementAlpha(40)  # a filmed clip has noise, which flow as fine as that would follow

    def between(t: int, steps: int) -> Tensor:
        a, b = frames[t], frames[(t + steps) % len(frames)]
        flow = search.calc(a, b, np.zeros((*a.shape, 2), np.float32))
        return torch.from_numpy(np.asarray(flow, np.float32)).movedim(-1, 0)

    return between


def raft(pictures: Tensor, name: str, weights: Path | None, device: torch.device) -> Between:
    """The flow of pictures (C, T, H, W) in [0, 1] by torchvision's RAFT (Teed & Deng 2020, arXiv 2003.12039).

    name: "raft_large" or "raft_small". It sees sides of 128 samples or more, multiples of 8. Raises WeightsError.
    """
    model, _ = torchvision_model(name, weights, option="--set temporal.flow_weights=FILE")
    model = model.eval().to(device)
    count, *sides = pictures.shape[1:]
    seen = [max(128, 8 * round(side / 8)) for side in sides]
    frames = resize(pictures.expand(3, -1, -1, -1), (count, *seen)).clamp(0, 1) * 2 - 1
    scale = torch.tensor([sides[1] / seen[1], sides[0] / seen[0]]).view(2, 1, 1)

    def between(t: int, steps: int) -> Tensor:
        a, b = (frames[:, at % count][None].to(device) for at in (t, t + steps))
        with torch.no_grad():
            found: Tensor = model(a, b)[-1][0]
        return resize(found.float().cpu(), tuple(sides), kind="linear") * scale

    return between


def given(pictures: Tensor, flows: Flows) -> Between:
    """Flow that was made elsewhere, for pictures (C, T, H, W). Over several frames, the flows from each frame to
    the next are followed one after the other. Flow into the past that nobody has made is found by `dis`."""
    count, *sides = pictures.shape[1:]
    found = dis(pictures)

    def one(t: int, ahead: bool) -> Tensor | None:
        flow = flows.forward(t % count) if ahead else flows.backward(t % count)
        if flow is None:
            return None
        flow = flow.nan_to_num(_UNKNOWN).clamp(-_UNKNOWN, _UNKNOWN)
        scale = torch.tensor([side / have for side, have in zip(sides[::-1], flow.shape[:0:-1], strict=True)])
        return (resize(flow, tuple(sides), kind="linear") * scale.view(2, 1, 1)).clamp(-_UNKNOWN, _UNKNOWN)

    def between(t: int, steps: int) -> Tensor:
        way = 1 if steps > 0 else -1
        flow = torch.zeros(2, *sides)
        for at in range(t, t + steps, way):
            more = one(at, steps > 0)
            if more is None:
                return found(t, steps)
            flow = (flow + warp(more[None], flow[None])[0]).clamp(-_UNKNOWN, _UNKNOWN)
        return flow

    return between


def warp(frames: Tensor, flow: Tensor, kind: str = "bilinear") -> Tensor:
    """What frames (N, C, H, W) show where the flow (N, 2, H, W) points; beyond the border its value.
    kind: bilinear or bicubic, which blurs less and takes longer."""
    height, width = frames.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=frames.device), torch.arange(width, device=frames.device), indexing="ij"
    )
    across = (x + flow[:, 0]) * (2 / max(width - 1, 1)) - 1
    down = (y + flow[:, 1]) * (2 / max(height - 1, 1)) - 1
    grid = torch.stack((across, down), dim=-1).to(frames.dtype)
    return functional.grid_sample(frames, grid, mode=kind, padding_mode="border", align_corners=True)


def inside(flow: Tensor) -> Tensor:
    """(N, 1, H, W), whether the flow (N, 2, H, W) points to a place in the picture."""
    height, width = flow.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device), torch.arange(width, device=flow.device), indexing="ij"
    )
    right, below = x + flow[:, 0], y + flow[:, 1]
    return ((right >= 0) & (right <= width - 1) & (below >= 0) & (below <= height - 1))[:, None]


def _luma8(samples: Tensor) -> list[NDArray[Any]]:
    weights = torch.tensor([0.299, 0.587, 0.114]) if samples.shape[0] == 3 else torch.ones(samples.shape[0])
    luma = torch.tensordot(weights / weights.sum(), samples.cpu(), dims=([0], [0]))
    return list((luma * 255).round().to(torch.uint8).numpy())
