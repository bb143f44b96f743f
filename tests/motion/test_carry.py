"""Frames that are made one at a time, held together along the motion of their content."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.grid.resample import resize
from volstyle.motion import carry
from volstyle.motion.carry import Carrier
from volstyle.motion.flow import Between


def scene(seed: int, height: int = 64, width: int = 80) -> Tensor:
    """A picture (3, H, W) in which motion can be found: soft spots."""
    torch.manual_seed(seed)
    return resize(torch.rand(3, height // 8, width // 8), (height, width)).clamp(0, 1)


def painted(share: float, contents: list[Tensor], made: list[Tensor]) -> list[Tensor]:
    carrier = Carrier(share)
    return [carrier(*both, number) for number, both in enumerate(zip(contents, made, strict=True))]


def variance(share: float) -> float:
    """The variance of y(t) = (1 − share) x(t) + share (2/3 y(t − 1) + 1/3 y(t − 8)) for independent x of variance
    1: the mean of the squared response over all frequencies."""
    turn = torch.exp(-2j * torch.pi * torch.arange(4096, dtype=torch.float64) / 4096)
    return float(((1 - share) / (1 - share * (2 * turn + turn**8) / 3)).abs().square().mean())


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_what_is_broad_and_changes_without_a_cause_is_averaged(share: float) -> None:
    """Three quarters of the share are taken of what is broad."""
    content, levels = scene(1), 0.5 + 0.1 * torch.randn(400, generator=torch.Generator().manual_seed(0))
    made = [torch.full((3, 64, 80), float(level.clamp(0, 1))) for level in levels]
    held = torch.stack([frame.mean() for frame in painted(share, [content] * len(made), made)])
    assert float(held[40:].var() / levels[40:].var()) == pytest.approx(variance(0.75 * share), rel=0.1)


@pytest.mark.parametrize("octaves", [1, 2])
def test_strokes_of_each_octave_keep_their_power(octaves: int) -> None:
    """Strokes of one sample in small frames, and of two in frames of twice the size, are as strong as before."""
    content = scene(1, 144, 192 * octaves)
    side = 2 ** (octaves - 1)

    def strokes(seed: int) -> Tensor:
        few = numbers(3, 144 // side, content.shape[2] // side, seed=seed)
        return 0.5 + 0.3 * (few.repeat_interleave(side, 1).repeat_interleave(side, 2) - 0.5)

    made = [strokes(n) for n in range(14)]
    held = torch.stack(painted(0.7, [content] * len(made), made)[8:])
    own = torch.stack(made[8:])
    assert float(held.var() / own.var()) == pytest.approx(1, abs=0.15)


def test_what_flow_gets_wrong_in_each_step_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a flow that is wrong by a quarter of a sample, a spot would slide by 6 samples in 24 frames."""

    def wrong(pictures: Tensor) -> Between:
        return lambda *_: torch.tensor([0.25, 0.0]).view(2, 1, 1).expand(2, *pictures.shape[2:]).contiguous()

    monkeypatch.setattr(carry, "dis", wrong)
    content = torch.full((3, 64, 80), 0.5)
    spot = torch.zeros(3, 64, 80)
    spot[:, 28:36, 46:54] = 1.0
    held = painted(0.999, [content] * 25, [spot] + [torch.zeros_like(spot)] * 24)[-1]
    across = held.sum((0, 1))
    assert 49.5 - float((across * torch.arange(80)).sum() / across.sum()) < 3.5


def test_what_is_fine_grows_steady_and_keeps_its_power() -> None:
    """Noise that is new in each frame changes less from one to the next, and there is as much of it."""
    content = scene(1)
    made = [0.5 + 0.3 * (numbers(3, 64, 80, seed=n) - 0.5) for n in range(16)]
    held = torch.stack(painted(0.7, [content] * len(made), made)[8:])
    own = torch.stack(made[8:])
    assert float(held.diff(dim=0).square().mean() / own.diff(dim=0).square().mean()) < 0.4
    assert float(held.var() / own.var()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("width", "step"), [(80, 2), (640, 6)])
def test_strokes_move_with_their_things(width: int, step: int) -> None:
    """What was painted moves by as many samples a frame as the content does, in frames that flow is found in as
    they are and in larger ones; what was not moved would be far from it."""
    wide, strokes = scene(2, width=width + 4 * step), numbers(3, 64, width + 4 * step).clamp(0, 1)
    contents = [wide[..., step * n : step * n + width].contiguous() for n in range(4)]
    first, *rest = (strokes[..., step * n : step * n + width] for n in range(4))
    found = painted(0.8, contents, [first, *(torch.full_like(first, 0.5) for _ in rest)])[1]
    inside = (slice(None), slice(8, -8), slice(8, -8))
    moved = 0.8 * rest[0] + 0.2 * 0.5
    assert float((found - moved)[inside].square().mean()) < 0.15 * float((moved - 0.5)[inside].square().mean())


def test_a_cut_begins_anew() -> None:
    one, other = scene(4), 1 - scene(5)
    made = [torch.zeros(3, 64, 80), torch.ones(3, 64, 80)]
    assert float(painted(0.8, [one, other], made)[1].mean()) > 0.9
    assert float(painted(0.8, [one, one], made)[1].mean()) < 0.5


def test_frames_that_do_not_follow_are_left_alone() -> None:
    carrier, content = Carrier(0.5), scene(6)
    for number in (0, 0, 2):  # as when a clip is read again, or a frame is left out
        made = numbers(3, 64, 80, seed=number).clamp(0, 1)
        assert torch.equal(carrier(content, made, number), made)
    still = Carrier(0.0)
    frames = [numbers(3, 64, 80, seed=n).clamp(0, 1) for n in range(2)]
    assert all(torch.equal(still(content, frame, n), frame) for n, frame in enumerate(frames))
