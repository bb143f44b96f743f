"""Networks of random filters: nothing is trained, so there is nothing to download."""

from __future__ import annotations

import torch
from torch import nn

from volstyle.networks.extractor import Network
from volstyle.networks.layers import Bank, Branch, Chain, Convolution, Layer, Normalization, Pool, Rectifier
from volstyle.networks.spectrum import Spectrum

SIGNAL_SPREAD = 0.025
"""Standard deviation of a signal's samples around 0.5; the rest of [0, 1] is for its peaks."""

_SPECTRA: tuple[tuple[str, Spectrum, int, tuple[int, ...]], ...] = (
    ("bands512", Spectrum(512, 128, gain=3.0, bands=32), 64, (1, 3, 9, 27)),
    ("bands2048", Spectrum(2048, 512, gain=3.0, bands=64), 96, (1, 3, 9)),
    ("bins512", Spectrum(512, 128, gain=4.0), 64, (1, 3)),
)
"""For each view of a signal: its name, its spectrum, the number of filters of each width, and the widths in
frames."""


def random_network(seed: int = 0, axes: int = 2, channels: int = 3, filters: int = 64) -> Network:
    """One layer of random filters of eight sizes, for any number of axes.

    After Ustyuzhaninov et al. (arXiv 1606.00021): filters of 3 to 55 samples, Glorot uniform, ReLU. We get the
    large ones as widths 3 and 7 on an input averaged over 1, 2, 4 and 8 samples (3 to 56), which costs a
    hundredth; correlations are taken within a scale, not between scales. Along one axis, where more cost little,
    it is 14 sizes, to 448 samples: a series has its rhythms there.
    """
    generator = torch.Generator().manual_seed(seed)
    scales, taps = _scales(generator, channels, axes, filters, levels=7 if axes == 1 else 4)
    return Network(
        name="random",
        digest=f"seed {seed}",
        axes=axes,
        channels=channels,
        chain=Chain((Normalization(torch.full((channels,), 0.5), torch.full((channels,), 0.25)), *scales)),
        style_taps=taps,
        content_taps={"scale2": 1.0},
    )


def signal_network(seed: int = 0, channels: int = 1) -> Network:
    """Banks of random filters of several widths, side by side on several views of a signal; untrained.

    An ensemble: log magnitudes in bands at two resolutions, frequencies as channels (Ulyanov & Lebedev 2016;
    Antognini et al. 2018 for the many widths); squashed real and imaginary parts (Caracalla & Roebel); the signal
    itself (Mital 2017). Filters have no bias, Glorot uniform, ReLU. Taps: the view and the width in frames, as in
    "bands512_9", and "scale1" … for filters of 3 and 7 samples on the signal averaged over as many.
    """
    generator = torch.Generator().manual_seed(seed)
    layers: list[Layer] = [Normalization(torch.full((channels,), 0.5), torch.full((channels,), SIGNAL_SPREAD))]
    style_taps: dict[str, float] = {}
    for name, spectrum, filters, widths in _SPECTRA:
        banks: list[Layer] = [spectrum]
        for width in widths:
            tap = f"{name}_{width}"
            convolution = _glorot(generator, filters, spectrum.channels(channels), (width,))
            banks.append(Branch((convolution, Rectifier(filters, tap))))
            style_taps[tap] = 1.0
        layers.append(Branch(tuple(banks)))
    scales, taps = _scales(generator, channels, axes=1, filters=16, levels=4)
    layers += scales
    style_taps |= taps
    return Network(
        name="builtin1d",
        digest=f"seed {seed}",
        axes=1,
        channels=channels,
        chain=Chain(tuple(layers)),
        style_taps=style_taps,
        # Of one frame: as many filters as bands leave nothing open; longer ones do, and it fills with stripes.
        content_taps={"bands512_1": 1.0, "bands2048_1": 1.0},
    )


def _scales(
    generator: torch.Generator, channels: int, axes: int, filters: int, levels: int
) -> tuple[list[Layer], dict[str, float]]:
    """Filters of 3 and 7 samples on the input averaged over 1, 2, 4, …, and their taps with equal weights."""
    layers: list[Layer] = []
    taps = [f"scale{2**level}" for level in range(levels)]
    for tap in taps:
        bank = Bank(tuple(_glorot(generator, filters, channels, (width,) * axes) for width in (3, 7)))
        layers += [Branch((bank, Rectifier(2 * filters, tap))), Pool((2,) * axes, "average")]
    return layers, dict.fromkeys(taps, 1.0)


def _glorot(generator: torch.Generator, out: int, into: int, widths: tuple[int, ...]) -> Convolution:
    kernel = torch.empty(out, into, *widths)
    nn.init.xavier_uniform_(kernel, generator=generator)
    axes = len(widths)
    return Convolution(kernel, torch.zeros(out), stride=(1,) * axes, replicate=(True,) * axes)
