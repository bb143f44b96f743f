"""Frames that are made one at a time, held together along the motion of their content."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.grid.resample import resize
from volstyle.motion.carry import Carrier


def scene(seed: int, height: int = 64, width: int = 80) -> Tensor:
    """A picture (3, H, W) in which motion can be found: soft spots."""
    torch.manual_seed(seed)
    return resize(torch.rand(3, height // 8, width // 8), (height, width)).clamp(0, 1)


def painted(share: float, contents: list[Tensor], made: list[Tensor]) -> list[Tensor]:
    carrier = Carrier(share)
    return [carrier(*both, number) for number, both in enumerate(zip(contents, made, strict=True))]


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_what_is_broad_and_changes_without_a_cause_is_averaged(share: float) -> None:
    """Independent brightness has (1 − share) / (1 + share) of its variance after a recursive filter."""
    content, levels = scene(1), 0.5 + 0.1 * torch.randn(400, generator=torch.Generator().manual_seed(0))
    made = [torch.full((3, 64, 80), float(level.clamp(0, 1))) for level in levels]
    held = torch.stack([frame.mean() for frame in painted(share, [content] * len(made), made)])
    assert float(held[20:].var() / levels[20:].var()) == pytest.approx((1 - share) / (1 + share), rel=0.1)


def test_what_is_fine_grows_steady_and_keeps_its_power() -> None:
    """Noise that is new in each frame changes less from one to the next, and there is as much of it."""
    content = scene(1)
    made = [0.5 + 0.3 * (numbers(3, 64, 80, seed=n) - 0.5) for n in range(16)]
    held = torch.stack(painted(0.7, [content] * len(made), made)[8:])
    own = torch.stack(made[8:])
    assert float(held.diff(dim=0).square().mean() / own.diff(dim=0).square().mean()) < 0.4
    assert float(held.var() / own.var()) == pytest.approx(1, abs=0.1)


def test_strokes_move_with_their_things() -> None:
    """What was painted moves by the content's two samples a frame; what was not moved would be far from it."""
    wide, strokes = scene(2, width=120), numbers(3, 64, 120).clamp(0, 1)
    contents = [wide[..., 2 * n : 2 * n + 80].contiguous() for n in range(4)]
    first, *rest = (strokes[..., 2 * n : 2 * n + 80] for n in range(4))
    found = painted(0.8, contents, [first, *(torch.full_like(first, 0.5) for _ in rest)])[1]
    inside = (slice(None), slice(8, -8), slice(8, -8))
    moved = 0.8 * rest[0] + 0.2 * 0.5
    assert float((found - moved)[inside].square().mean()) < 0.1 * float((moved - 0.5)[inside].square().mean())


def test_a_cut_begins_anew() -> None:
    one, other = scene(4), 1 - scene(5)
    made = [torch.zeros(3, 64, 80), torch.ones(3, 64, 80)]
    assert float(painted(0.8, [one, other], made)[1].mean()) > 0.9
    assert float(painted(0.8, [one, one], made)[1].mean()) < 0.25


def test_frames_that_do_not_follow_are_left_alone() -> None:
    carrier, content = Carrier(0.5), scene(6)
    for number in (0, 0, 2):  # as when a clip is read again, or a frame is left out
        made = numbers(3, 64, 80, seed=number).clamp(0, 1)
        assert torch.equal(carrier(content, made, number), made)
    still = Carrier(0.0)
    frames = [numbers(3, 64, 80, seed=n).clamp(0, 1) for n in range(2)]
    assert all(torch.equal(still(content, frame, n), frame) for n, frame in enumerate(frames))
