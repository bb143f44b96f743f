"""How the patches that a unit responds to are drawn and heard."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.grid.field import Axis, Field
from volstyle.judges.units import Patch, Peak
from volstyle_cli.units.drawing import drawings, sound


def patch_of(samples: Tensor, axes: tuple[Axis, ...], window: tuple[slice, ...]) -> Patch:
    field = Field(samples, axes)
    patch = Patch(Peak(0, 0, (0,) * len(axes), 1.0), 0, field, window, torch.zeros(0))
    return Patch(patch.peak, 0, field, window, numbers(*patch.samples.shape) - 0.5)


def test_past_the_border_of_an_image_there_is_nothing() -> None:
    patch = patch_of(numbers(3, 9, 9), (Axis("y"), Axis("x")), (slice(-2, 5), slice(4, 11)))
    for view in drawings(patch):
        (picture,) = view.frames
        assert picture.shape == (4, 7, 7)
        assert not picture[3, :2].any()
        assert not picture[3, :, 5:].any()
        assert bool((picture[3, 2:, :5] == 1).all())
    assert torch.equal(drawings(patch)[0].still[:3, 2:, :5], patch.samples)


def test_a_clip_is_an_animation_and_a_film_strip() -> None:
    axes = (Axis("t", 0.04, "s"), Axis("y"), Axis("x"))
    seen, _ = drawings(patch_of(numbers(3, 6, 9, 9), axes, (slice(0, 5), slice(0, 7), slice(0, 7))))
    assert len(seen.frames) == 5
    assert seen.still.shape == (4, 7, 3 * 7)


def test_a_volume_is_three_planes_through_the_middle() -> None:
    samples = numbers(1, 7, 9, 11)
    axes = (Axis("z", 2.0, "mm"), Axis("y", 1.0, "mm"), Axis("x", 1.0, "mm"))
    seen, _ = drawings(patch_of(samples, axes, tuple(slice(0, size) for size in (7, 9, 11))))
    (picture,) = seen.frames
    gap = picture.shape[1] - 9 - 14
    assert gap > 0
    assert torch.equal(picture[0, :9, :11], samples[0, 3])
    assert torch.equal(picture[0, :9, 11 + gap :: 2], samples[0, :, :, 5].T)
    assert torch.equal(picture[0, 9 + gap :: 2, :11], samples[0, :, 4])


def test_a_signal_is_heard_with_what_is_around_it() -> None:
    """A tone of 1 kHz: the spectrum is brightest where it is."""
    rate = 8000
    time = torch.arange(rate) / rate
    tone = torch.sin(2 * torch.pi * 1000 * time)[None]
    patch = patch_of(tone, (Axis("t", 1 / rate, "s"),), (slice(4000, 4400),))
    heard = sound(patch)
    assert heard is not None
    samples, found_rate = heard
    assert found_rate == pytest.approx(rate)
    assert len(samples) == rate // 2
    assert float(samples.abs().max()) == pytest.approx(0.9, abs=1e-3)
    picture = drawings(patch)[0].still
    spectrum = picture[:3, 72:].sum((0, 2))
    assert int(spectrum.argmax()) == pytest.approx(0.75 * len(spectrum), abs=2)
    assert sound(patch_of(numbers(3, 9, 9), (Axis("y"), Axis("x")), (slice(0, 5), slice(0, 5)))) is None
