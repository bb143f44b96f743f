"""Extractors: what a feature sees, what is computed for it, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import TAPS, numbers, tiny_network
from volstyle.errors import ShapeError
from volstyle.networks.extractor import Network
from volstyle.networks.inflation import Placement
from volstyle.networks.layers import Branch, Chain, Context, Convolution, Rectifier
from volstyle.networks.random_filters import random_network


@pytest.mark.parametrize("network", [tiny_network(2), tiny_network(2, strided=True), random_network(filters=8)])
def test_a_feature_sees_the_samples_of_its_reach_and_no_others(network: Network) -> None:
    extractor = network.on(2)
    size = 160
    for tap in extractor.taps:
        samples = numbers(1, 3, size, size, dtype=torch.float64 if network.name == "tiny" else torch.float32)
        samples.requires_grad_()
        features = extractor(samples, [tap])[tap]
        at = features.shape[2] // 2
        features[0, :, at, at].square().sum().backward()
        seen = samples.grad[0].abs().sum((0, 1)).nonzero().flatten()
        sees = extractor.tap(tap).reach.receptive_field((at, at))[0]
        assert (sees.start, sees.stop) == (int(seen.min()), int(seen.max()) + 1)


def test_what_no_tap_needs_is_not_computed() -> None:
    """A layer that cannot run at all, aside and behind."""

    class Broken(Rectifier):
        def run(self, slab: Tensor, at: Context) -> Tensor:
            raise AssertionError

    broken = Branch((Broken(3, "aside"),))
    network = Network("hand", "", 1, 3, Chain((broken, Rectifier(3, "out"), Broken(3, "behind"))), {}, {})
    assert set(network.on(1)(numbers(1, 3, 5), ["out"])) == {"out"}
    with pytest.raises(AssertionError):
        network.on(1)(numbers(1, 3, 5), ["aside"])


def test_guided_gradient_is_of_what_raises_a_feature_alone() -> None:
    """By hand: of the features 3, 0 and 3 of the sample 3, weighed by 2, 1 and -1, the first alone raises it; the
    plain gradient is 2 - 1."""

    def layer(*rows: tuple[float, ...]) -> Convolution:
        kernel = torch.tensor(rows, dtype=torch.float64)[..., None]
        return Convolution(kernel, torch.zeros(len(rows), dtype=torch.float64), (1,), (True,))

    chain = Chain((layer((1.0,), (-1.0,), (1.0,)), Rectifier(3), layer((2.0, 1.0, -1.0)), Rectifier(1, "out")))
    network = Network("hand", "", 1, 1, chain, {}, {})
    for made, expected in ((network, 1.0), (network.guided(), 2.0)):
        samples = torch.full((1, 1, 1), 3.0, dtype=torch.float64, requires_grad=True)
        out = made.on(1)(samples, ["out"])["out"]
        assert out.item() == 3.0
        out.sum().backward()
        assert samples.grad is not None
        assert samples.grad.item() == expected


def test_reach_of_taps_is_the_largest_and_a_multiple_of_the_stride() -> None:
    extractor = tiny_network(2).on(2)
    # relu1_1: 1; relu2_1: 1 + 2; relu3_1: 1 + 2 + 4 = 7.
    assert [tap.reach.halo for tap in extractor.taps.values()] == [(1, 1), (3, 3), (7, 7)]
    assert extractor.reach(TAPS) == ((4, 4), (8, 8))
    assert extractor.reach(["relu2_1"]) == ((2, 2), (4, 4))
    assert tiny_network(2).on(3, "mean").reach(["relu2_1"]) == ((1, 2, 2), (2, 4, 4))
    assert tiny_network(2).on(3, "center").reach(["relu2_1"]) == ((1, 2, 2), (0, 4, 4))


def test_no_tap_changes_with_the_others_that_are_read() -> None:
    extractor = tiny_network(2).on(2)
    samples = numbers(1, 3, 16, 12, dtype=torch.float64)
    together = extractor(samples, TAPS)
    for tap in TAPS:
        assert torch.equal(together[tap], extractor(samples, [tap])[tap])


def test_samples_that_do_not_fit() -> None:
    extractor = tiny_network(2).on(2)
    with pytest.raises(ShapeError, match="samples have 4 channels, must be 3 or 1"):
        extractor(numbers(1, 4, 8, 8), TAPS)
    with pytest.raises(ShapeError, match="has 8x3 samples, must have at least 4x4"):
        extractor(numbers(1, 3, 8, 3), TAPS)
    assert set(extractor(numbers(1, 3, 8, 3), ["relu1_1"])) == {"relu1_1"}


@pytest.mark.parametrize("axes", [("center",), (0, 0), ("middle", 0), ()])
def test_placements_that_make_no_sense(axes: tuple[int | str, ...]) -> None:
    with pytest.raises(ShapeError, match="must name at least one network axis, each once"):
        Placement(axes)


def test_a_placement_names_axes_the_network_has() -> None:
    with pytest.raises(ShapeError, match="names axis 2, the network has 2 axes"):
        tiny_network(2).placed(Placement((0, 2)))
