"""Our statistics of textures beside those of plenoptic, which does what the paper does.

Ours leave out its pyramid of ever smaller bands and its torus, so numbers differ by what ends and filters do.
Compared is what is the same quantity: levels, the whole picture's moments and autocorrelations, how the energy
of bands is shared among orientations, and the correlations of magnitudes. Moments and autocorrelations at coarser
scales are left out: plenoptic takes sums of bands, ours are low-pass pictures, which keep their mean gray. Of
the two distances only the order is compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from plenoptic.models import PortillaSimoncelli
from torch import Tensor

from volstyle.judges.portilla_simoncelli import ORIENTATIONS, texture_distance, texture_statistics

SIDE, SCALES, LAG = 128, 3, 2


@dataclass(frozen=True)
class Texture:
    """Noise in a band of frequencies, in cycles a sample, along an angle, or all; bend: the power of its samples,
    below 0 of an exponential instead, which makes it lopsided."""

    frequency: float
    angle: float | None = None
    octaves: float = 0.7
    bend: float = 1.0

    def sample(self, seed: int) -> Tensor:
        """(H, W), periodic as plenoptic takes it, with something at all frequencies beside its own."""
        dice = torch.Generator().manual_seed(seed)
        noise, wide = torch.fft.fft2(torch.randn(2, SIDE, SIDE, generator=dice, dtype=torch.float64))
        down, across = torch.fft.fftfreq(SIDE)[:, None], torch.fft.fftfreq(SIDE)[None]
        radius = (down.square() + across.square()).sqrt()
        band = torch.exp(-((radius.clamp_min(1e-3) / self.frequency).log2() / self.octaves).square())
        if self.angle is not None:
            band = band * torch.cos(torch.atan2(down, across) - self.angle) ** 6
        own, pink = torch.fft.ifft2(torch.stack([noise * band, wide * (radius > 0) / radius.clamp_min(1e-3)])).real
        mixed = own / own.std() + 0.5 * pink / pink.std()
        bent = mixed.sign() * mixed.abs() ** self.bend if self.bend > 0 else torch.exp(-self.bend * mixed)
        return bent / bent.std() * 0.15 + 0.5


TEXTURES = (
    *(Texture(frequency) for frequency in (0.06, 0.12, 0.25)),
    *(Texture(0.12, angle) for angle in (0.0, math.pi / 4, math.pi / 2)),
    Texture(0.12, octaves=0.3),
    Texture(0.06, octaves=1.5),
    Texture(0.12, bend=2.0),
    Texture(0.12, bend=-0.6),
    Texture(0.12, 0.0, bend=-0.6),
)

Statistics = list[dict[str, Tensor]]


@pytest.fixture(scope="module")
def pictures() -> list[Tensor]:
    """Two samples of each texture, one after the other."""
    return [texture.sample(2 * number + k) for number, texture in enumerate(TEXTURES) for k in range(2)]


@pytest.fixture(scope="module")
def ours(pictures: list[Tensor]) -> Statistics:
    return [texture_statistics(picture, SCALES) for picture in pictures]


@pytest.fixture(scope="module")
def theirs(pictures: list[Tensor]) -> Statistics:
    model = PortillaSimoncelli((SIDE, SIDE), SCALES, ORIENTATIONS, 2 * LAG + 1).to(torch.float64)
    found = [model.convert_to_dict(model(picture[None, None])) for picture in pictures]
    return [{name: numbers[0, 0] for name, numbers in each.items()} for each in found]


def in_half(square: Tensor) -> Tensor:
    """Autocorrelations (5, 5, …), where plenoptic has each of two opposite lags once, in the order of ours."""
    both = torch.where(square.isnan(), square.flip(0, 1), square)
    lags = [(y, x) for y in range(LAG + 1) for x in range(-LAG if y else 1, LAG + 1)]
    return torch.stack([both[LAG + y, LAG + x] for y, x in lags])


def agreement(a: Tensor, b: Tensor) -> float:
    """Correlation of all numbers of two."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_levels_and_moments_of_the_whole_are_the_same(ours: Statistics, theirs: Statistics) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        mean, variance, skewness, kurtosis = other["pixel_statistics"][:4]
        torch.testing.assert_close(mine["levels"], torch.stack([mean, variance.sqrt()]), rtol=1e-3, atol=0)
        torch.testing.assert_close(mine["moments"][:2], torch.stack([skewness, kurtosis]), rtol=1e-3, atol=1e-4)


def test_autocorrelations_of_the_whole_agree(ours: Statistics, theirs: Statistics) -> None:
    mine = torch.stack([each["autocorrelations"].reshape(SCALES, -1)[0] for each in ours])
    other = torch.stack([in_half(each["auto_correlation_reconstructed"])[:, 0] for each in theirs])
    assert agreement(mine, other) > 0.99
    assert (mine - other).abs().mean() < 0.03


@pytest.mark.parametrize("scale", range(SCALES))
def test_bands_agree(ours: Statistics, theirs: Statistics, scale: int) -> None:
    """At the coarsest scale plenoptic has 32 samples a side, so that its own numbers are noisier."""
    mine = torch.stack([each["energies"].reshape(SCALES, ORIENTATIONS)[scale] for each in ours])
    other = torch.stack([each["magnitude_std"][:, scale] for each in theirs])
    shares = mine / mine.sum(1, keepdim=True) - other / other.sum(1, keepdim=True)
    assert shares.abs().max() < 0.05
    mine = torch.stack([each["magnitudes"].reshape(SCALES, ORIENTATIONS, -1)[scale] for each in ours])
    other = torch.stack([in_half(each["auto_correlation_magnitude"])[..., scale].T for each in theirs])
    assert agreement(mine, other) > 0.98


@pytest.mark.parametrize("scale", range(SCALES))
def test_correlations_among_orientations_agree(ours: Statistics, theirs: Statistics, scale: int) -> None:
    pairs = torch.triu_indices(ORIENTATIONS, ORIENTATIONS, 1)
    among, between = pairs.shape[1], 3 * ORIENTATIONS**2  # of a scale, and of it and the next
    first = scale * (among + between)
    mine = torch.stack([each["correlations"][first : first + among] for each in ours])
    squares = [each["cross_orientation_correlation_magnitude"][..., scale] for each in theirs]
    other = torch.stack([torch.where(s.isnan(), s.T, s)[pairs[0], pairs[1]] for s in squares])
    assert agreement(mine, other) > (0.98 if scale < SCALES - 1 else 0.9)


def test_distances_have_about_the_same_order(ours: Statistics, theirs: Statistics) -> None:
    """By the same measure of distance on all statistics of each."""
    known = [{name: numbers.nan_to_num() for name, numbers in each.items()} for each in theirs]
    pairs = [(i, j) for i in range(len(ours)) for j in range(i)]
    mine = torch.tensor([texture_distance(ours[i], ours[j]) for i, j in pairs])
    other = torch.tensor([texture_distance(known[i], known[j]) for i, j in pairs])
    assert agreement(mine.argsort().argsort().double(), other.argsort().argsort().double()) > 0.75


def test_the_nearest_is_the_other_sample_of_the_same_texture(ours: Statistics) -> None:
    for number, mine in enumerate(ours):
        others = {k: texture_distance(mine, each) for k, each in enumerate(ours) if k != number}
        assert min(others, key=others.__getitem__) == number ^ 1
