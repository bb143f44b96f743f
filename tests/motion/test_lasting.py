"""The colors of a clip, followed from frame to frame."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.grid.color import Colors
from volstyle.motion.lasting import LastingColors


def _scene(low: float, frame: int) -> Tensor:
    """A frame of a scene, somewhat lighter or darker than the one before."""
    return low + 0.3 * numbers(3, 12, 16, seed=frame) + 0.02 * (-1) ** frame


def test_what_changes_from_frame_to_frame_is_averaged() -> None:
    lasting = LastingColors()
    found = [lasting(_scene(0.2, number), number) for number in range(40)]
    moved = [one.apart(other) for one, other in itertools.pairwise(found[20:])]
    own = [Colors.of(_scene(0.2, number)) for number in range(20, 40)]
    alone = [one.apart(other) for one, other in itertools.pairwise(own)]
    assert max(moved) < 0.1 * min(alone)


def test_a_cut_is_followed_at_once() -> None:
    lasting = LastingColors()
    for number in range(30):
        lasting(_scene(0.1, number), number)
    after = lasting(_scene(0.6, 30), 30)
    assert after.apart(Colors.of(_scene(0.6, 30))) < 0.03
    later = [lasting(_scene(0.6, number), number) for number in range(31, 60)][-1]
    assert later.apart(after) < 0.05


def test_a_fade_is_followed_as_it_goes_on() -> None:
    lasting = LastingColors()
    for number in range(50):
        now = lasting(number / 50 * numbers(3, 12, 16), number)
    assert now.apart(Colors.of(numbers(3, 12, 16))) < 0.2


def test_frames_that_do_not_follow_begin_anew() -> None:
    lasting = LastingColors()
    for number in range(10):
        lasting(_scene(0.2, number), number)
    torch.testing.assert_close(lasting(_scene(0.25, 40), 40).mean, Colors.of(_scene(0.25, 40)).mean)
