"""Signals ready for the engine and back, the terms of a series, and the judge."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers, stylized
from volstyle.engine.scene import Style
from volstyle.errors import ShapeError
from volstyle.grid.field import Axis, Field
from volstyle.judges.sounds import copy_score, listen, log_spectral_distance, texture_distance
from volstyle.loss.signal_terms import AutocorrelationTerm, QuantileTerm
from volstyle.media.levels import lasting, noise_like, prepare
from volstyle.recipe import NetworkChoice, OptimizerChoice, Recipe, ScheduleChoice, SeriesChoice

RATE = 8000


def signal(samples: Tensor, rate: float = RATE, unit: str = "s") -> Field:
    return Field(samples, (Axis("t", 1 / rate, unit),))


def bursts(seed: int, count: int = 16000) -> Tensor:
    """(1, T): low noise through a resonance, in bursts at random times."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.fft.rfft(torch.randn(count, generator=generator))
    line = torch.fft.irfft(spectrum / (1 + (torch.linspace(0, 8, len(spectrum))) ** 2))
    time = torch.arange(count)
    starts = torch.randint(0, count, (12,), generator=generator)
    envelope = sum((torch.exp(-(time - s) / 400.0) * (time >= s) for s in starts), torch.zeros(count))
    return (0.1 * line * envelope * (1 + torch.sin(2 * math.pi * 0.05 * time)))[None]


# ---- levels


@pytest.mark.parametrize("joint", [True, False], ids=["sound", "series"])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_seen_is_undone(channels: int, joint: bool) -> None:
    samples = 3 + torch.arange(1.0, channels + 1)[:, None] * torch.randn(channels, 500)
    if joint:
        samples = samples - 3
    content = signal(samples)
    ready = prepare(content, [Style(content)], joint=joint)
    assert float(ready.content.samples.min()) > 0
    assert float(ready.content.samples.max()) < 1
    back = ready.finished(content, ready.content)
    torch.testing.assert_close(back.samples, samples, rtol=0, atol=1e-5 * float(samples.abs().max()))
    assert back.axes == content.axes


def test_peaks_fit_however_high() -> None:
    samples = torch.zeros(1, 10000)
    samples[0, 5000] = 1.0
    ready = prepare(signal(samples), [Style(signal(samples))], joint=True)
    torch.testing.assert_close(ready.finished(signal(samples), ready.content).samples, samples, rtol=0, atol=1e-5)


def test_what_is_in_the_middle_has_no_side() -> None:
    mono = torch.randn(1, 1000).expand(2, -1)
    ready = prepare(signal(mono), [Style(signal(mono))], joint=True)
    assert (ready.content.samples[1] == 0.5).all()


def test_a_style_comes_to_the_rate_and_loudness_of_the_content() -> None:
    time = torch.arange(16000) / 16000
    style = signal(0.01 * torch.sin(2 * math.pi * 440 * time)[None], 16000)
    content = signal(torch.randn(1, 4000))
    ready = prepare(content, [Style(style)], joint=True)
    (reference,) = ready.references
    assert reference.shape == (1, RATE)
    peak = torch.fft.rfft(reference[0]).abs().argmax()
    assert int(peak) == 440
    assert float(reference.std()) == pytest.approx(float(content.samples.std()), rel=0.02)
    assert ready.notes == ("style: resampled from 16000 to 8000 Hz, the content's rate",)


def test_a_style_of_other_channels_is_averaged() -> None:
    mono, stereo = signal(torch.randn(1, 500)), signal(torch.randn(2, 500))
    assert prepare(mono, [Style(stereo)], joint=True).styles[0].field.channels == 1
    assert prepare(stereo, [Style(mono)], joint=True).styles[0].field.channels == 2
    with pytest.raises(ShapeError, match="style: 2 channels, must be 1"):
        prepare(mono, [Style(stereo)], joint=False)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (signal(torch.full((1, 100), 0.25)), "content: silent, every sample is 0.25"),
        (signal(torch.tensor([[0.0, math.nan, 1.0]])), "NaN"),
        (Field(torch.zeros(1, 4, 4), (Axis("y"), Axis("x"))), "axes y, x, a signal has one"),
        (signal(torch.randn(1, 100), 1.0, "sample"), "its step is in s, the content's in sample"),
    ],
)
def test_what_is_no_signal_is_refused(field: Field, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        prepare(field, [Style(signal(torch.randn(1, 100)))], joint=True)


def test_noise_has_the_spectrum_of_the_style() -> None:
    style = 0.5 + 0.2 * bursts(0)
    noise = noise_like(style, 24000, seed=1)
    assert noise.shape == (1, 24000)
    assert log_spectral_distance(noise, style) < 2
    assert log_spectral_distance(torch.randn(1, 24000), style) > 4
    assert torch.equal(noise, noise_like(style, 24000, seed=1))


def test_a_signal_made_to_last() -> None:
    field = lasting(signal(torch.tensor([[1.0, 2.0, 3.0]])), 7)
    assert field.samples.tolist() == [[1, 2, 3, 1, 2, 3, 1]]
    assert field.axes[0].step == 1 / RATE


# ---- the judge


def test_itself_is_no_distance_away_and_a_copy() -> None:
    style = bursts(0)
    heard = listen(style.roll(700, 1), style, RATE)
    assert heard.spectral_db < 1
    assert heard.texture < 0.05
    assert heard.copy > 0.99


def test_the_same_kind_of_sound_is_nearer_than_noise_and_no_copy() -> None:
    style = bursts(0)
    other = listen(bursts(1), style, RATE)
    noise = listen(noise_like(0.5 + style, 16000, seed=2) - 0.5, style, RATE)
    assert other.texture < 0.5 * noise.texture
    assert other.copy < 0.3


def test_a_piece_of_the_style_in_other_sound_is_a_copy() -> None:
    style = bursts(0)
    result = bursts(1)
    result[:, 3000:11000] = 0.3 * style[:, 5000:13000]
    assert copy_score(result, style, 4000) > 0.99


def test_two_hums_of_one_pitch_are_no_copies() -> None:
    """Though 99 % of their power is the same sine."""
    hum = torch.sin(2 * math.pi * 0.0173 * torch.arange(16000.0))
    result, style = (
        (hum + 0.07 * torch.randn(16000, generator=torch.Generator().manual_seed(s)))[None] for s in (1, 2)
    )
    assert copy_score(result, style, 4000) < 0.5
    assert copy_score(style.roll(900, 1), style, 4000) > 0.99


def test_loudness_is_not_texture() -> None:
    style = bursts(0)
    assert texture_distance(0.01 * style, style, RATE) < 1e-4
    assert log_spectral_distance(0.01 * style, style) < 1e-4


def test_spectral_distance_by_hand() -> None:
    """Of noise, and of noise whose upper half of frequencies is ten times as strong: 20 dB in half of the bins,
    less what both gain by the same power."""
    white = torch.randn(1, 2**16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectrum = torch.fft.rfft(white)
    spectrum[:, spectrum.shape[1] // 2 :] *= 10
    colored = torch.fft.irfft(spectrum)
    gain = 10 * math.log10((1 + 100) / 2)
    expected = math.sqrt(((20 - gain) ** 2 + gain**2) / 2)
    assert log_spectral_distance(colored, white) == pytest.approx(expected, rel=0.03)


def test_too_short_to_be_heard() -> None:
    with pytest.raises(ShapeError, match="63 samples, must have at least 64"):
        listen(torch.randn(1, 63), torch.randn(1, 1000), RATE)


# ---- terms of a series


@pytest.mark.parametrize("kind", ["values", "memory"])
@pytest.mark.parametrize("length", [40, 57])
def test_gradient_of_a_term(kind: str, length: int) -> None:
    style = numbers(2, 40, seed=1, dtype=torch.float64)
    term = QuantileTerm.of(0.7, style) if kind == "values" else AutocorrelationTerm.of(0.7, style, 9)
    samples = numbers(2, length, seed=2, dtype=torch.float64)
    gradient = torch.ones_like(samples)
    term.add_gradient(samples, gradient)
    for place in ((0, 3), (1, length - 1)):
        moved = []
        for sign in (1, -1):
            there = samples.clone()
            there[place] += sign * 1e-6
            moved.append(term.add_gradient(there, torch.zeros_like(there)))
        assert float(gradient[place]) - 1 == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-4)


def test_terms_are_zero_at_the_style() -> None:
    style = numbers(2, 64, seed=1)
    for term in (QuantileTerm.of(1.0, style), AutocorrelationTerm.of(1.0, style, 16)):
        gradient = torch.zeros_like(style)
        assert term.add_gradient(style, gradient) < 1e-12
        assert float(gradient.abs().max()) < 1e-6


def test_autocorrelation_by_hand() -> None:
    """x = 1, −1, 1, −1 about its mean 0: R(0) = 1, R(1) = −1; of zeros nothing is left, a cost of the weight."""
    style = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    term = AutocorrelationTerm.of(3.0, style, 2)
    torch.testing.assert_close(term.target, torch.tensor([[[1.0, -1.0]]]))
    assert term.add_gradient(torch.zeros(1, 4), torch.zeros(1, 4)) == pytest.approx(3.0)


def test_quantiles_by_hand() -> None:
    """Shifted by 1, a distribution of variance 1 is 1 away, whatever the order and the number of its values."""
    style = torch.tensor([[1.0, -1.0]])
    term = QuantileTerm.of(2.0, style)
    assert term.add_gradient(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2)) == pytest.approx(2.0)


def test_a_series_gets_the_values_and_the_memory_of_its_style() -> None:
    time = torch.arange(1500.0)
    style = 10 + 4 * torch.sign(torch.sin(2 * math.pi * time / 60))[None] + 0.1 * torch.randn(1, 1500)
    content = signal(style, 1.0, "sample")
    ready = prepare(content, [Style(content)], joint=False)
    init = Field(noise_like(ready.styles[0].field.samples, 1500, seed=0), ready.content.axes)
    recipe = Recipe(
        NetworkChoice("random"),
        series=SeriesChoice(autocorrelation=1.0, quantiles=1.0, lags=200),
        schedule=ScheduleChoice(smallest=10**9, steps=60),
        optimizer=OptimizerChoice("lbfgs"),
        precision="float32",
        smoothness=0.0,
    ).updated({"content": {"weight": 0.0}, "style": {"statistic": "w2"}})
    result = stylized(ready.content, ready.styles, recipe, init=init)
    made = ready.finished(content, result.field).samples
    start = ready.finished(content, init).samples
    apart = [(m.sort().values - style.sort().values).abs().mean() for m in (made, start)]
    assert float(apart[0]) < 0.5 * float(apart[1])
    costs = result.record.stages[0].costs
    assert set(costs) >= {"style", "memory", "values"}
    assert costs["memory"][-1] < 0.5 * costs["memory"][0]
