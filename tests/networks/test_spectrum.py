"""The short-time spectrum and the networks of random filters for signals: the laws hold there too."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.tiny import CPU, numbers
from volstyle.engine.blockwise import evaluate, plan_views, style_sums
from volstyle.errors import NetworkError
from volstyle.grid.tiles import plan
from volstyle.loss.features import SourceFeatures, owned_features
from volstyle.loss.objective import Objective, View
from volstyle.loss.statistics import gram_distance
from volstyle.loss.terms import ContentTerm, StyleTerm
from volstyle.networks.extractor import Network
from volstyle.networks.inflation import Placement, convolve
from volstyle.networks.layers import Branch, Chain, Context, Convolution, Rectifier
from volstyle.networks.random_filters import random_network, signal_network
from volstyle.networks.spectrum import Spectrum, band_weights

ALONE = Context(Placement((0,)), (), lambda tap, slab: None)


def small_network(channels: int) -> Network:
    """Both kinds of spectrum, of two hops, with filters of 3 frames."""
    generator = torch.Generator().manual_seed(3)
    views = (("bands", Spectrum(32, 8, gain=3.0, bands=5)), ("bins", Spectrum(12, 4, gain=4.0)))
    layers = []
    for tap, spectrum in views:
        kernel = torch.randn(4, spectrum.channels(channels), 3, generator=generator)
        convolution = Convolution(kernel, torch.zeros(4), (1,), (True,))
        layers.append(Branch((spectrum, convolution, Rectifier(4, tap))))
    taps = {"bands": 1.0, "bins": 1.0}
    return Network("small", "seeded", 1, channels, Chain(tuple(layers)), taps, taps).to(CPU, torch.float64)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [200, 203])
def test_tiles_are_exact(channels: int, length: int) -> None:
    extractor = small_network(channels).on(1)
    taps = extractor.network.style_taps
    samples, style, content = (numbers(channels, length, seed=s, dtype=torch.float64) for s in range(3))
    whole = plan((length,), (length,), *extractor.reach(taps))
    term = StyleTerm(1.0, taps, style_sums(extractor, style, whole, taps), gram_distance)
    source = SourceFeatures(extractor, content, taps)
    objective = Objective((View(extractor, term, ContentTerm(1.0, taps, source, source.powers(whole))),))
    found = [evaluate(samples, objective, plan_views(objective, (length,), (core,))) for core in (length, 24)]
    assert len(plan_views(objective, (length,), (24,))[0][0].tiles) > 5
    # Sums of tiles are handed on in float32.
    assert found[0].cost == pytest.approx(found[1].cost, rel=1e-5)
    largest = float(found[0].gradient.abs().max())
    torch.testing.assert_close(found[1].gradient, found[0].gradient, rtol=0, atol=1e-4 * largest)


@pytest.mark.parametrize("length", [200, 203])
def test_features_of_tiles_are_those_of_the_whole(length: int) -> None:
    extractor = small_network(1).on(1)
    taps = extractor.network.style_taps
    samples = numbers(1, length, seed=4, dtype=torch.float64)
    (block,) = plan((length,), (24,), *extractor.reach(taps))
    pieces = [owned_features(extractor, samples, tile, taps) for tile in block.tiles]
    for tap, features in extractor(samples[None], taps).items():
        joined = torch.cat([piece[tap] for piece in pieces], dim=2)
        torch.testing.assert_close(joined, features, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [signal_network(channels=2), random_network(axes=1, channels=2)])
def test_tiles_of_the_networks_are_exact(network: Network) -> None:
    extractor = network.to(CPU, torch.float64).on(1)
    taps, length = network.style_taps, 9000
    samples, style = (0.5 + 0.1 * (numbers(2, length, seed=s, dtype=torch.float64) - 0.5) for s in range(2))
    whole = plan((length,), (length,), *extractor.reach(taps))
    target = style_sums(extractor, style, whole, taps)
    objective = Objective((View(extractor, StyleTerm(1.0, taps, target, gram_distance), None),))
    found = [evaluate(samples, objective, plan_views(objective, (length,), (core,))) for core in (length, 2000)]
    largest = float(found[0].gradient.abs().max())
    torch.testing.assert_close(found[1].gradient, found[0].gradient, rtol=0, atol=1e-5 * largest)
    assert evaluate(style, objective, plan_views(objective, (length,), (length,))).cost < 1e-9


def test_bins_are_those_of_torch() -> None:
    samples = numbers(1, 2, 640, seed=1, dtype=torch.float64) - 0.5
    spectrum = Spectrum(64, 16, gain=4.0, dtype=torch.float64)
    window = torch.hann_window(129, periodic=False, dtype=torch.float64)[1::2]
    padded = functional.pad(samples, (24, 24), mode="replicate")
    expected = torch.stft(padded[0], 64, 16, window=window / window.norm(), center=False, return_complex=True)
    found = spectrum.run(samples, ALONE).reshape(2, 2, 33, 40)
    torch.testing.assert_close(found[:, 0], 2 * (4 * expected.real).sigmoid() - 1)
    torch.testing.assert_close(found[:, 1], 2 * (4 * expected.imag).sigmoid() - 1)


def test_magnitudes_of_white_noise_do_not_depend_on_the_window() -> None:
    noise = torch.randn(1, 1, 2**16, generator=torch.Generator().manual_seed(0))
    for size in (64, 512):
        power = (Spectrum(size, size // 4, gain=1.0, bands=8).run(noise, ALONE).expm1()).square()
        assert float(power.mean()) == pytest.approx(1.0, abs=0.05)


def test_bands_share_out_all_bins() -> None:
    weights = band_weights(512, 32)
    assert weights.shape == (257, 32)
    assert (weights.sum(1) > 0).all()
    torch.testing.assert_close(weights.sum(0), torch.ones(32, dtype=torch.float64))


@pytest.mark.parametrize("tap", ["bands", "bins"])
def test_what_a_feature_sees(tap: str) -> None:
    """Exactly the samples where its gradient is not zero."""
    extractor = small_network(1).on(1)
    samples = (0.3 + numbers(1, 1, 200, seed=5, dtype=torch.float64)).requires_grad_()
    feature = extractor(samples, [tap])[tap][0, :, 9].sum()
    (gradient,) = torch.autograd.grad(feature, samples)
    (seen,) = extractor.tap(tap).reach.receptive_field((9,))
    touched = gradient[0, 0].nonzero().flatten()
    assert (int(touched.min()), int(touched.max()) + 1) == (seen.start, seen.stop)


def test_silence_has_a_finite_slope() -> None:
    silence = torch.zeros(1, 1, 256, requires_grad=True)
    Spectrum(64, 16, gain=3.0, bands=8).run(silence, ALONE).sum().backward()
    assert silence.grad is not None and silence.grad.isfinite().all()


@pytest.mark.parametrize(("size", "hop"), [(63, 16), (64, 15), (64, 128), (64, 0)])
def test_sizes_that_cannot_be(size: int, hop: int) -> None:
    with pytest.raises(NetworkError, match=f"size {size} and hop {hop}"):
        Spectrum(size, hop, gain=1.0)


def test_filters_have_no_bias_and_follow_from_the_seed() -> None:
    def kernels(network: Network) -> list[Convolution]:
        parts = [part for aside in network.chain.layers if isinstance(aside, Branch) for part in aside.layers]
        return [p.layers[0] for p in parts if isinstance(p, Branch) and isinstance(p.layers[0], Convolution)]

    first, same, other = (kernels(signal_network(seed)) for seed in (0, 0, 1))
    assert len(first) == 9
    assert all(not kernel.bias.any() for kernel in first)
    assert all(torch.equal(a.kernel, b.kernel) for a, b in zip(first, same, strict=True))
    assert not any(torch.equal(a.kernel, b.kernel) for a, b in zip(first, other, strict=True))


def valid(shape: tuple[int, ...], channels: int, filters: int, width: int) -> tuple[int, ...]:
    """Shape of the features whose filters lie inside the samples, filters last as the textbook writes them."""
    axes = len(shape)
    layer = Convolution(torch.ones(filters, channels, *(width,) * axes), torch.zeros(filters), (1,) * axes, ())
    inner = (False,) * axes
    features = convolve(numbers(1, channels, *shape), layer.kernel, layer.bias, layer.stride, inner)
    cut = (slice(None), slice(None), *(slice(width // 2, size - width // 2) for size in shape))
    kept = features[cut]
    return (*kept.shape[2:], kept.shape[1])


def test_shapes_of_the_textbook() -> None:
    """A signal of 14 samples and a filter of 5 give 10; 14×14×14×3 and 16 filters of 5×5×5×3 give 10×10×10×16."""
    assert valid((14,), 1, 1, 5)[:-1] == (10,)
    assert valid((14, 14, 14), 3, 16, 5) == (10, 10, 10, 16)


def test_those_inside_are_the_valid_convolution() -> None:
    """What a filter gives inside does not depend on how the ends are padded."""
    samples, kernel = numbers(1, 3, 14, 14, 14, dtype=torch.float64), numbers(16, 3, 5, 5, 5, dtype=torch.float64)
    features = convolve(samples, kernel, None, (1, 1, 1), (True, True, True))
    inside = features[(slice(None), slice(None), *(slice(2, -2),) * 3)]
    torch.testing.assert_close(inside, functional.conv3d(samples, kernel))
    assert inside.shape == (1, 16, 10, 10, 10)


def test_the_networks_can_be_replaced_whole() -> None:
    network = replace(signal_network(channels=1), name="other")
    assert network.on(1).reach(network.style_taps).stride == (512,)
