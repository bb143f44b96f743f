"""Judges give numbers worked by hand, and see what they are there to see."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers, tiny_field, tiny_network
from volstyle.errors import ShapeError
from volstyle.grid.field import Field
from volstyle.grid.resample import resize
from volstyle.judges.pictures import (
    brightness,
    judge,
    still_regions,
    structure_kept,
    style_distances,
    texture_distances,
)
from volstyle.judges.portilla_simoncelli import scales_of, texture_distance, texture_statistics
from volstyle.motion.links import Link, warping_error

CLIP = ("t", "y", "x")
NETWORK = tiny_network(2, dtype=torch.float32)


def smooth(*shape: int, seed: int = 0) -> Tensor:
    """A picture (3, *shape) with something to recognize."""
    coarse = numbers(3, *(max(size // 6, 2) for size in shape), seed=seed)
    return 0.2 + 0.6 * resize(coarse, shape).clamp(0, 1)


def image(samples: Tensor) -> Field:
    return replace(tiny_field(*samples.shape[1:]), samples=samples)


def sliding(frames: int, speed: int, seed: int = 0) -> Tensor:
    """(3, T, 48, 64): a window that moves to the right over a wide picture."""
    wide = smooth(48, 64 + speed * frames, seed=seed)
    return torch.stack([wide[:, :, speed * t : speed * t + 64] for t in range(frames)], dim=1)


def link(gap: int, count: int, x: float) -> Link:
    flow = torch.zeros(count, 2, 48, 64)
    flow[:, 0] = x
    trust = torch.zeros(count, 1, 48, 64, dtype=torch.uint8)
    trust[..., 8:-8] = 1
    return Link(gap, flow.half(), trust)


def test_what_moves_along_the_flow_has_no_warping_error() -> None:
    clip = sliding(6, 2)
    assert warping_error(clip, link(1, 5, -2.0)).max() < 1e-8
    assert warping_error(clip, link(2, 4, -4.0)).max() < 1e-8
    assert warping_error(clip, link(1, 5, 0.0)).min() > 1e-4


def test_flicker_costs_its_square() -> None:
    clip = sliding(6, 2).clone()
    clip[:, ::2] += 0.1
    assert warping_error(clip, link(1, 5, -2.0)).tolist() == pytest.approx([0.01] * 5, rel=1e-3)


def test_autocorrelation_of_a_wave_is_a_cosine() -> None:
    wave = torch.sin(2 * math.pi * torch.arange(128) / 16).expand(128, 128)
    found = texture_statistics(wave, 1)["autocorrelations"]
    assert found[0] == pytest.approx(math.cos(2 * math.pi / 16), abs=0.02)
    assert found[1] == pytest.approx(math.cos(2 * math.pi * 2 / 16), abs=0.02)


@pytest.mark.parametrize("orientation", range(4))
def test_a_wave_is_in_the_band_of_its_orientation(orientation: int) -> None:
    angle = math.pi * orientation / 4
    place = torch.arange(128.0)
    wave = torch.sin(2 * math.pi * 0.25 * (math.cos(angle) * place + math.sin(angle) * place[:, None]))
    energies = texture_statistics(wave, 1)["energies"]
    assert int(energies.argmax()) == orientation
    # The mirrored margin turns a slanted wave, so that a little of it is found across.
    assert energies[(orientation + 2) % 4] < 0.15 * energies[orientation]


def test_contrast_is_known_to_levels_and_energies_alone() -> None:
    picture = smooth(64, 64)[0]
    found, other = texture_statistics(picture), texture_statistics(0.5 * picture + 0.1)
    for name in found:
        same = torch.allclose(found[name], other[name], atol=1e-3)
        assert same == (name not in ("levels", "energies")), name


def test_texture_is_that_of_a_piece_of_the_same_and_not_of_noise() -> None:
    wide = smooth(64, 160, seed=1)
    pieces = [texture_statistics(p[0].contiguous()) for p in (wide[..., :64], wide[..., 96:])]
    noise = texture_statistics(numbers(64, 64))
    assert texture_distance(pieces[0], pieces[0]) == 0
    assert texture_distance(pieces[0], pieces[1]) < 0.4 * texture_distance(noise, pieces[1])


def test_small_pictures_have_fewer_scales() -> None:
    assert [scales_of((side, 500)) for side in (16, 31, 32, 64, 128, 4000)] == [1, 1, 2, 3, 4, 4]
    with pytest.raises(ShapeError, match="a side of 15 samples, must be at least 16"):
        scales_of((64, 64), (15, 64))


def test_distances_are_zero_at_the_style_and_those_of_each_frame() -> None:
    style = image(smooth(48, 64, seed=2))
    frames = torch.stack([style.samples, smooth(48, 64, seed=3)], dim=1)
    clip = replace(tiny_field(2, 48, 64, names=CLIP), samples=frames)
    for distances in (style_distances(clip, [style], NETWORK), texture_distances(clip, [style])):
        assert distances[0] < 1e-6
        assert distances[1] > 1e-3


def test_structure_is_kept_by_a_copy_less_by_noise() -> None:
    content = image(smooth(48, 64))
    brighter = image(content.samples + 0.1)
    assert float(structure_kept(brighter, content)) == pytest.approx(1, abs=1e-5)
    assert float(structure_kept(image(numbers(3, 48, 64)), content)) < 0.8


def test_drift_is_measured_where_nothing_moves() -> None:
    clip = smooth(48, 64)[:, None].expand(3, 10, 48, 64).clone()
    clip[:, :, 10:30, 10:30] = numbers(3, 10, 20, 20)
    where = still_regions(clip)
    assert where[40:].all()
    assert not where[12:28, 12:28].any()
    darker = clip - torch.linspace(0, 0.02, 10)[:, None, None]
    curve = brightness(darker, where)
    assert float(curve[0] - curve[-1]) == pytest.approx(255 * 0.02, rel=1e-3)


def test_all_that_is_said_of_a_clip() -> None:
    content = replace(tiny_field(12, 48, 64, names=CLIP), samples=sliding(12, 1))
    result = content.with_samples((content.samples + 0.1 * (numbers(3, 12, 48, 64) - 0.5)).clamp(0, 1))
    verdicts = {v.name: v for v in judge(result, content, [image(smooth(30, 40, seed=4))], NETWORK)}
    assert list(verdicts) == ["style", "texture", "structure", "warp 1", "warp 10"]
    assert [len(v.over_time) for v in verdicts.values()] == [12, 12, 12, 11, 2]
    assert verdicts["warp 1"].value > 10 * verdicts["warp 1"].content
    assert verdicts["structure"].content == pytest.approx(1)


def test_content_is_brought_to_the_size_of_the_result() -> None:
    content, result = image(smooth(96, 128)), image(resize(smooth(96, 128), (48, 64)).clamp(0, 1))
    kept = judge(result, content, [content], NETWORK)[2]
    assert kept.value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("result", "content", "message"),
    [
        (tiny_field(4, 48, 64, names=CLIP), tiny_field(5, 48, 64, names=CLIP), "5 frames, must have 4"),
        (tiny_field(48, 64), tiny_field(5, 48, 64, names=CLIP), "axes t, y, x"),
        (tiny_field(48, 64), tiny_field(64, 48), "48x64, must have the proportions of the result, 64x48"),
        (tiny_field(9, 48, 64), tiny_field(9, 48, 64), "must be an image or a clip"),
    ],
)
def test_what_cannot_be_judged(result: Field, content: Field, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        judge(result, content, [tiny_field(48, 64)], NETWORK)
