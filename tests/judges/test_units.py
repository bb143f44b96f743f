"""What units see: the places that activate them most, and exactly what they see there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tiny import CPU, TAPS, numbers, tiny_field, tiny_network
from volstyle.engine.machine import Machine, bytes_per_sample
from volstyle.errors import NetworkError, ShapeError
from volstyle.grid.field import Axis, Field, Origin
from volstyle.grid.tiles import Shape
from volstyle.judges.units import Patch, Peak, find_peaks, mean_activations, view_patches
from volstyle.networks.extractor import Extractor, Network
from volstyle.networks.layers import Chain, Convolution, Rectifier

SHAPES: dict[int, Shape] = {1: (83,), 2: (47, 39), 3: (29, 26, 23)}
"""No multiple of the stride, so that something is left at the ends."""
WHOLE = Machine(CPU, torch.float64, 2**40)
TAP = TAPS[2]


def fields(axes: int, count: int = 4) -> list[Field]:
    return [tiny_field(*SHAPES[axes], seed=seed) for seed in range(count)]


def small(extractor: Extractor, tap: str, shape: Shape) -> Machine:
    """A machine whose tiles are a small part of a field of this shape."""
    cut = extractor.reach((tap,))
    least = 1.0
    for size, step, halo in zip(shape, cut.stride, cut.halo, strict=True):
        least *= min(size, 2 * step + 2 * halo)
    return Machine(CPU, torch.float64, int(least * bytes_per_sample(extractor, (tap,), torch.float64)) + 1)


# ---- the nine


def brute_force(extractor: Extractor, tap: str, inputs: list[Field], unit: int, count: int = 9) -> list[Peak]:
    """All places of all inputs, sorted; from the greatest on, each that shares no sample with one before it."""
    reach = extractor.tap(tap).reach
    found: list[tuple[float, int, Shape]] = []
    for number, field in enumerate(inputs):
        whole = [size // step * step for size, step in zip(field.shape, reach.stride, strict=True)]
        samples = field.samples[(slice(None), *(slice(0, size) for size in whole))][None]
        features = extractor(samples, [tap])[tap][0, unit]
        found += [
            (float(features[place]), number, place)
            for place in np.ndindex(tuple(features.shape))
            if features[place] > 0
        ]
    taken: list[Peak] = []
    covered: dict[int, set[Shape]] = {}
    for value, number, place in sorted(found, key=lambda entry: -entry[0]):
        box = reach.receptive_field(place)
        sides = [range(max(0, s.start), min(s.stop, n)) for s, n in zip(box, inputs[number].shape, strict=True)]
        seen = {(*at,) for at in np.stack(np.meshgrid(*sides), -1).reshape(-1, len(sides)).tolist()}
        if not seen & covered.setdefault(number, set()):
            covered[number] |= seen
            taken.append(Peak(unit, number, place, value))
        if len(taken) == count:
            break
    return taken


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("tap", TAPS[1:])
@pytest.mark.parametrize("tiled", [False, True], ids=["whole", "tiled"])
def test_the_nine_are_the_greatest_that_do_not_overlap(axes: int, tap: str, tiled: bool) -> None:
    extractor, inputs = tiny_network(axes).on(axes), fields(axes)
    machine = small(extractor, tap, SHAPES[axes]) if tiled else WHOLE
    found = find_peaks(extractor, tap, inputs, machine)
    assert any(len(peaks) == 9 for peaks in found.values())
    for unit, peaks in found.items():
        expected = brute_force(extractor, tap, inputs, unit)
        assert [(p.unit, p.input, p.place) for p in peaks] == [(p.unit, p.input, p.place) for p in expected]
        assert [p.activation for p in peaks] == pytest.approx([p.activation for p in expected], rel=1e-6)


def test_a_place_counts_whose_greater_neighbor_was_itself_ruled_out() -> None:
    """Of .9, .8 and .7, two samples apart and each seen with one neighbor on either side, the middle one falls to
    the first, so that the last stays."""
    kernel = torch.tensor([[[0.0, 1.0, 0.0]]])
    chain = Chain((Convolution(kernel, torch.zeros(1), (1,), (True,)), Rectifier(1, "out")))
    samples = torch.tensor([[0.9, 0.0, 0.8, 0.0, 0.7, 0.0]])
    found = find_peaks(
        Network("hand", "", 1, 1, chain, {}, {}).on(1), "out", [Field(samples, (Axis("t"),))], WHOLE
    )
    assert [peak.place for peak in found[0]] == [(0,), (4,)]


def test_units_that_nothing_lights_have_no_peak() -> None:
    kernel = torch.tensor([[[-1.0]], [[1.0]]])
    chain = Chain((Convolution(kernel, torch.zeros(2), (1,), (True,)), Rectifier(2, "out")))
    extractor = Network("hand", "", 1, 1, chain, {}, {}).on(1)
    found = find_peaks(extractor, "out", [tiny_field(12, channels=1)], WHOLE)
    assert len(found[0]) == 0
    assert len(found[1]) == 9


def test_inputs_are_had_one_at_a_time_and_twice_at_most() -> None:
    class Counted(list[Field]):
        asked: list[int]

        def __getitem__(self, index):  # type: ignore[no-untyped-def]
            self.asked.append(index)
            return super().__getitem__(index)

    inputs = Counted(fields(2))
    inputs.asked = []
    extractor = tiny_network(2).on(2)
    peaks = find_peaks(extractor, TAP, inputs, WHOLE)
    assert inputs.asked == [0, 1, 2, 3]
    inputs.asked = []
    patches = list(view_patches(extractor, TAP, inputs, WHOLE, peaks))
    assert inputs.asked == [0, 1, 2, 3]
    assert len(patches) == sum(map(len, peaks.values()))


# ---- exactly what a unit sees


def looked(axes: int, *, strided: bool = False, tap: str = TAP) -> tuple[Extractor, list[Patch]]:
    extractor = tiny_network(axes, strided=strided).on(axes)
    inputs = fields(axes, count=2)
    peaks = find_peaks(extractor, tap, inputs, WHOLE)
    return extractor, list(view_patches(extractor, tap, inputs, WHOLE, peaks))


def activation(extractor: Extractor, tap: str, patch: Patch, samples: Tensor) -> float:
    """Of the patch's unit, had the whole input been these samples (C, *S)."""
    return float(extractor(samples[None], [tap])[tap][(0, patch.peak.unit, *patch.peak.place)])


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_crop_is_the_receptive_field_to_the_sample(axes: int, strided: bool) -> None:
    tap = TAPS[1] if axes == 3 else TAP  # of which some fit into a small volume with nothing cut off
    extractor, patches = looked(axes, strided=strided, tap=tap)
    bordering = [p for p in patches if any(s.start < 0 for s in p.window)]
    inner = [p for p in patches if p.window == p.box]
    assert bordering
    assert inner
    for patch in [*bordering[:4], *inner[:4]]:
        samples = patch.field.samples
        lit = partial(activation, extractor, tap, patch)
        assert lit(samples) == pytest.approx(patch.peak.activation, rel=1e-6)
        inside = (slice(None), *patch.box)
        elsewhere = numbers(*samples.shape, seed=99)
        elsewhere[inside] = samples[inside]
        assert lit(elsewhere) == lit(samples)
        for axis, side in enumerate(patch.box, start=1):
            for at in (side.start, side.stop - 1):
                moved = samples.clone()
                face = (
                    slice(None),
                    *(slice(at, at + 1) if i == axis else s for i, s in enumerate(patch.box, start=1)),
                )
                moved[face] = moved[face] + 3.0
                below = samples.clone()
                below[face] = below[face] - 3.0
                changed = {lit(each) for each in (moved, below)}
                assert changed != {lit(samples)}, (axis, at)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_drive_is_the_guided_gradient_and_nothing_beyond_the_crop(axes: int) -> None:
    """Against the whole input in one backward pass, without windows or stacks."""
    _, patches = looked(axes)
    guided = tiny_network(axes).guided().on(axes)
    for patch in patches[:12]:
        leaf = patch.field.samples[None].clone().requires_grad_()
        guided(leaf, [TAP])[TAP][(0, patch.peak.unit, *patch.peak.place)].backward()
        assert leaf.grad is not None
        inside = (slice(None), *patch.box)
        torch.testing.assert_close(patch.drive, leaf.grad[0][inside], rtol=1e-4, atol=1e-6)
        assert patch.drive.abs().max() > 0
        leaf.grad[0][inside] = 0
        assert not leaf.grad.any()


def test_a_network_of_fewer_axes_sees_a_clip_frame_by_frame() -> None:
    network = tiny_network(2)
    clip = Field(numbers(3, 5, 47, 39), (Axis("t", 0.04, "s"), Axis("y"), Axis("x")))
    found = find_peaks(network.on(3), TAP, [clip], WHOLE, units=[2])
    frames = [Field(clip.samples[:, t], clip.axes[1:]) for t in range(5)]
    expected = find_peaks(network.on(2), TAP, frames, WHOLE, units=[2])
    assert [(p.place[0], *p.place[1:]) for p in found[2]] == [(p.input, *p.place) for p in expected[2]]
    (patch, *_) = view_patches(network.on(3), TAP, [clip], WHOLE, found)
    assert [side.stop - side.start for side in patch.window] == [1, 18, 18]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_means_are_those_of_all_places_also_in_tiles(axes: int) -> None:
    extractor, field = tiny_network(axes).on(axes), tiny_field(*SHAPES[axes])
    whole = extractor(field.samples[None], [TAP])[TAP][0].flatten(1).mean(1)
    for machine in (WHOLE, small(extractor, TAP, SHAPES[axes])):
        torch.testing.assert_close(mean_activations(extractor, TAP, field.samples, machine), whole.float())


# ---- what cannot be looked at


def test_a_layer_or_unit_that_is_not_there() -> None:
    extractor = tiny_network(2).on(2)
    with pytest.raises(NetworkError, match=r"no tap 'relu9_1'; did you mean"):
        find_peaks(extractor, "relu9_1", fields(2), WHOLE)
    for unit in (-1, 6):
        with pytest.raises(NetworkError, match=f"unit: {unit} is none of relu3_1; it has 6, from 0 to 5"):
            find_peaks(extractor, TAP, fields(2), WHOLE, units=[unit])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (tiny_field(40, 17), r"b.png: is 40x17 samples, must be at least 18x18, what a unit of relu3_1 sees"),
        (tiny_field(20, 20, 20), r"b.png: has axes z, y, x, must have 2 as the first"),
        (tiny_field(40, 40, channels=2), r"b.png: .* 2 channels, must be 3 or 1"),
        (Field(torch.full((3, 40, 40), torch.nan), (Axis("y"), Axis("x"))), r"b.png: samples hold NaN"),
    ],
)
def test_an_input_that_does_not_fit_is_named(field: Field, message: str) -> None:
    named = Field(field.samples, field.axes, Origin(Path("b.png")))
    with pytest.raises(ShapeError, match=message):
        find_peaks(tiny_network(2).on(2), TAP, [*fields(2), named], WHOLE)
