"""Laws 1, 2 and 7 of the design, for 1, 2 and 3 axes. Tiles and the textbook have files of their own, and codecs
have their round trips."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tiny import CPU, TAPS, numbers, plain_features, stylized, tiny_field, tiny_network
from volstyle.engine.scene import Style
from volstyle.loss.statistics import gram_sum
from volstyle.networks.inflation import Placement
from volstyle.recipe import NetworkChoice, Recipe, ScheduleChoice
from volstyle.record import Record

SHAPES = {1: (13,), 2: (13, 10), 3: (9, 8, 10)}


def assert_same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], share: float = 1e-12) -> None:
    """Equal to a share of the largest feature."""
    assert set(found) == set(expected)
    for tap, features in expected.items():
        largest = float(features.abs().max())
        assert largest > 0.1
        torch.testing.assert_close(found[tap], features, rtol=0, atol=share * largest)


# ---- 1: constant extension


@pytest.mark.parametrize("replicate", [True, False], ids=["replicate", "zeros"])
@pytest.mark.parametrize("inflation", ["center", "mean"])
@pytest.mark.parametrize(("own", "axes"), [(1, 2), (1, 3), (2, 3)])
def test_constant_along_a_new_axis_changes_no_feature(
    own: int, axes: int, inflation: str, replicate: bool
) -> None:
    network = tiny_network(own, replicate=replicate)
    flat = numbers(1, 3, *SHAPES[own], seed=1, dtype=torch.float64)
    new = SHAPES[axes][: axes - own]
    extended = flat.reshape(1, 3, *(1,) * len(new), *SHAPES[own]).expand(1, 3, *new, *SHAPES[own])
    before = network.on(own)(flat, TAPS)
    after = network.on(axes, inflation)(extended, TAPS)
    for tap in TAPS:
        kept = before[tap].reshape(1, -1, *(1,) * len(new), *before[tap].shape[2:])
        torch.testing.assert_close(after[tap], kept.expand_as(after[tap]), rtol=0, atol=1e-12)
        gram = gram_sum(before[tap]) * math.prod(new)
        torch.testing.assert_close(gram_sum(after[tap]), gram, rtol=1e-12, atol=0)


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize(("own", "kept"), [(2, (1,)), (2, (0,)), (3, (1, 2)), (3, (0, 2)), (3, (2,)), (3, (0,))])
def test_a_lost_axis_is_summed_over(own: int, kept: tuple[int, ...], pooling: str) -> None:
    network = tiny_network(own, pooling=pooling)
    samples = numbers(1, 3, *(12,) * len(kept), seed=2, dtype=torch.float64)
    # In the network's own space: constant along the axes that are lost.
    shape = [12 if axis in kept else 1 for axis in range(own)]
    extended = samples.reshape(1, 3, *shape).expand(1, 3, *(12,) * own)
    found = network.placed(Placement(kept))(samples, TAPS)
    for tap, features in network.on(own)(extended, TAPS).items():
        for axis in range(own):
            if axis not in kept:
                torch.testing.assert_close(features.amax(2 + axis), features.amin(2 + axis), rtol=0, atol=1e-12)
        anywhere = features[(0, slice(None), *(slice(None) if axis in kept else 1 for axis in range(own)))]
        torch.testing.assert_close(found[tap][0], anywhere, rtol=0, atol=1e-12)


def test_the_last_axes_of_a_network_lie_on_a_field_of_fewer() -> None:
    assert tiny_network(3).on(1).placement == Placement((2,))
    assert tiny_network(2).on(3, "mean").placement == Placement(("mean", 0, 1))


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_planes_are_one_network_turned(normal: int) -> None:
    """Slices of a volume across any axis: a center-inflated kernel 1×k×k, k×1×k or k×k×1."""
    network = tiny_network(2)
    volume = numbers(1, 3, *SHAPES[3], seed=3, dtype=torch.float64)
    placement = Placement((*(0, 1)[:normal], "center", *(0, 1)[normal:]))
    slices = [plain_features(network, plane) for plane in volume.unbind(2 + normal)]
    expected = {tap: torch.stack([each[tap] for each in slices], dim=2 + normal) for tap in TAPS}
    assert_same(network.placed(placement)(volume, TAPS), expected)
    assert_same(network.inflated(placement)(volume, TAPS), expected)


def test_a_placement_may_exchange_axes() -> None:
    network = tiny_network(2)
    image = numbers(1, 3, *SHAPES[2], seed=4, dtype=torch.float64)
    turned = network.placed(Placement((1, 0)))(image.transpose(2, 3), TAPS)
    assert_same({tap: features.transpose(2, 3) for tap, features in turned.items()}, network.on(2)(image, TAPS))


def test_center_on_a_clip_is_the_network_frame_by_frame() -> None:
    network = tiny_network(2, replicate=False, dtype=torch.float32)
    clip = numbers(1, 3, 4, 24, 20, seed=5)
    frames = [network.on(2)(frame, TAPS) for frame in clip.unbind(2)]
    expected = {tap: torch.stack([frame[tap] for frame in frames], dim=2) for tap in TAPS}
    assert_same(network.on(3, "center")(clip, TAPS), expected, share=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gray_stands_for_equal_channels(axes: int) -> None:
    extractor = tiny_network(axes).on(axes)
    gray = numbers(1, 1, *SHAPES[axes], seed=6, dtype=torch.float64)
    assert_same(extractor(gray, TAPS), extractor(gray.expand(1, 3, *SHAPES[axes]), TAPS))


# ---- 2: box identity


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("replicate", [True, False], ids=["replicate", "zeros"])
@pytest.mark.parametrize(
    ("own", "axes"),
    [
        (1, ("mean", 0)),
        (1, (0, "mean")),
        (1, ("mean", "mean", 0)),
        (1, ("mean", 0, "center")),
        (2, ("mean", 0, 1)),
        (2, (0, "mean", 1)),
        (2, (1, 0, "mean")),
        (2, ("mean", 1)),
        (3, (0, 1, 2)),
    ],
)
def test_box_identity(own: int, axes: tuple[int | str, ...], replicate: bool, width: int) -> None:
    """A mean-inflated convolution is a box filter before the convolution; the gradient says the same."""
    network = tiny_network(own, replicate=replicate, width=width, dtype=torch.float32)
    placement = Placement(axes)
    results = []
    for extractor in (network.placed(placement), network.inflated(placement)):
        samples = numbers(1, 3, *SHAPES[len(axes)], seed=7).requires_grad_()
        features = extractor(samples, TAPS)
        torch.stack([f.square().sum() for f in features.values()]).sum().backward()
        results.append((features, samples.grad))
    (fast, slope), (reference, slope_reference) = results
    for tap in TAPS:
        torch.testing.assert_close(fast[tap], reference[tap], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(slope, slope_reference, rtol=0, atol=1e-5 * float(slope_reference.abs().max()))


def test_box_identity_knows_its_own_reference() -> None:
    """The explicit kernel is repeated and divided by its width, nothing else."""
    network = tiny_network(2)
    clip = numbers(1, 3, 5, 12, 9, seed=8, dtype=torch.float64)
    expected = plain_features(network, clip, "mean")
    assert_same(network.on(3, "mean")(clip, TAPS), expected)
    assert_same(network.inflated(Placement(("mean", 0, 1)))(clip, TAPS), expected)


# ---- 7: replay


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "gd"])
@pytest.mark.parametrize("shape", [(96,), (40, 32), (3, 24, 32)], ids=["1", "2", "3"])
def test_a_record_gives_the_same_bytes_again(shape: tuple[int, ...], optimizer: str, tmp_path: Path) -> None:
    names = ("t", "y", "x") if len(shape) == 3 else None
    content, style = tiny_field(*shape, names=names), Style(tiny_field(*shape[-2:], seed=1))
    recipe = Recipe(
        network=NetworkChoice("random"),
        schedule=ScheduleChoice(smallest=48, ratio=2.0, steps=2),
        init="noise",
        memory="8MB",
        seed=4,
        device="cpu",
    ).set(f"optimizer.name={optimizer}")
    first = stylized(content, [style], recipe)
    (tmp_path / "record.json").write_text(first.record.to_json())
    record = Record.load(tmp_path / "record.json")
    again = stylized(content, [style], record.recipe)
    assert torch.equal(first.field.samples, again.field.samples)
    assert again.record.recipe == first.record.recipe
    assert [s.costs for s in again.record.stages] == [s.costs for s in first.record.stages]
    other = stylized(content, [style], replace(record.recipe, seed=5))
    assert not torch.equal(first.field.samples, other.field.samples)


def test_weights_are_placed_where_they_are_used() -> None:
    assert (
        tiny_network(2).to(CPU, torch.bfloat16).on(2)(numbers(1, 3, 8, 8), TAPS)["relu1_1"].dtype == torch.bfloat16
    )
