"""How near a signal is to a style, and whether it is merely a copy: said together, for each alone can be fooled.

An unmodified copy wins every distance; noise of the right spectrum is no copy and wins the first one.
All functions take samples (C, T), average the channels, and know nothing of networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.errors import ShapeError

_BANDS, _MODULATIONS = 30, 10
_SPECTRUM = 2048
_COMPRESSION = 0.3
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 10000.0
_ENVELOPE_HZ = 400.0
_SLOWEST_HZ, _PLAYED_HZ = 8000.0, 44100.0
_FLOOR_DB = 60.0
_WINDOW_S = 0.5
_LEAST = 64


@dataclass(frozen=True)
class Hearing:
    """How near a signal is to its style, as three numbers.

    spectral_db: `log_spectral_distance`. texture: `texture_distance`. copy: `copy_score`.
    """

    spectral_db: float
    texture: float
    copy: float


def listen(result: Tensor, style: Tensor, rate_hz: float) -> Hearing:
    """All three numbers of a `Hearing`. result, style: (C, T), at one rate. Raises ShapeError for less than 64
    samples."""
    return Hearing(
        log_spectral_distance(result, style),
        texture_distance(result, style, rate_hz),
        copy_score(result, style, window=max(_LEAST, round(_WINDOW_S * rate_hz))),
    )


def log_spectral_distance(result: Tensor, style: Tensor) -> float:
    """Root mean square over frequencies of the difference of the average power spectra, in dB.

    Averages are compared, since a texture need not do the same thing at the same time; each over its own power,
    since loudness is not texture. What is 60 dB below the style's strongest frequency counts as that.
    """
    lines = [_mono(samples) for samples in (result, style)]
    size = _window_of(min(len(line) for line in lines))  # the same frequencies of both
    powers = [_average_power(line, size) for line in lines]
    floor = float(powers[1].max()) * 10 ** (-_FLOOR_DB / 10)
    found, wanted = (10 * power.clamp_min(floor).log10() for power in powers)
    return float((found - wanted).square().mean().sqrt())


def texture_distance(result: Tensor, style: Tensor, rate_hz: float) -> float:
    """Mean over five families of statistics of ‖found − wanted‖ / ‖wanted‖; 0 for the same texture.

    After McDermott & Simoncelli 2011 ("Sound texture perception via statistics of the auditory periphery",
    Neuron 71): envelopes of 30 bands on the ERB scale from 20 Hz to 10 kHz, compressed by the power 0.3, at
    400 Hz; their mean, coefficient of variation, skewness, correlation between bands, and power in octave bands
    of modulation. We leave out their kurtosis and the correlations between modulation bands. A series slower
    than 8 kHz is heard as if played at 44.1 kHz.
    """
    heard_at = rate_hz if rate_hz >= _SLOWEST_HZ else _PLAYED_HZ
    step = max(1, min(int(heard_at / _ENVELOPE_HZ), min(result.shape[-1], style.shape[-1]) // _LEAST))
    found, wanted = (_texture(_mono(samples), heard_at, step) for samples in (result, style))
    parts = [float((f - w).norm() / w.norm().clamp_min(1e-9)) for f, w in zip(found, wanted, strict=True)]
    return sum(parts) / len(parts)


def copy_score(result: Tensor, style: Tensor, window: int) -> float:
    """The highest normalized cross-correlation of any `window` samples of the result with any of the style.

    1: a stretch of the style is in the result as it was. Both are whitened by the style's average spectrum first:
    two sounds of one pitch correlate whatever they are made of. Windows overlap by half; silent ones do not count.
    """
    heard, source = _mono(result), _mono(style)
    power = _average_power(source, _window_of(len(source)))
    heard, source = _whitened(heard, power), _whitened(source, power)
    window = min(window, heard.shape[0], source.shape[0])
    pieces = heard.unfold(0, window, max(window // 2, 1))
    energy = pieces.square().sum(1)
    pieces = pieces[energy > 1e-4 * energy.max()]
    size = 2 ** math.ceil(math.log2(source.shape[0] + window))
    spectrum = torch.fft.rfft(source, size)
    running = torch.cat((torch.zeros(1, dtype=source.dtype), source.square().cumsum(0)))
    around = running[window:] - running[:-window]
    # Where the style is silent anything correlates.
    loud = around > 1e-4 * around.max()
    highest = 0.0
    for piece in pieces:
        products = torch.fft.irfft(spectrum * torch.fft.rfft(piece, size).conj(), size)[: around.shape[0]]
        scores = products[loud].abs() / (around[loud] * piece.square().sum()).sqrt()
        highest = max(highest, float(scores.max()))
    return min(highest, 1.0)


def _mono(samples: Tensor) -> Tensor:
    """(C, T) -> (T) in float64, mean 0 and variance 1."""
    if samples.shape[-1] < _LEAST:
        raise ShapeError(f"listening: a signal of {samples.shape[-1]} samples, must have at least {_LEAST}")
    line = samples.double().mean(0)
    line = line - line.mean()
    return line / line.std().clamp_min(1e-12)


def _window_of(count: int) -> int:
    """How many samples are taken for a spectrum at a time, of so many that there are."""
    return int(min(_SPECTRUM, 2 ** int(math.log2(count))))


def _average_power(line: Tensor, size: int) -> Tensor:
    """The average power spectrum (size // 2 + 1) of samples (T), by Welch's method. size: see `_window_of`."""
    window = torch.hann_window(size, dtype=line.dtype)
    power: Tensor = torch.fft.rfft(line.unfold(0, size, size // 4) * window).abs().square()
    return power.mean(0)


def _whitened(line: Tensor, power: Tensor) -> Tensor:
    """(T) over the root of an average power (F), which counts as no less than 40 dB below its highest."""
    spectrum = torch.fft.rfft(line)
    place = torch.linspace(0, len(power) - 1, len(spectrum), dtype=line.dtype)
    low = place.floor().long().clamp_max(len(power) - 2)
    between = torch.lerp(power[low], power[low + 1], place - low)
    white: Tensor = torch.fft.irfft(spectrum / between.clamp_min(1e-4 * float(power.max())).sqrt(), len(line))
    return white


def _texture(line: Tensor, rate_hz: float, step: int) -> tuple[Tensor, ...]:
    """Mean, variation, skewness (30), correlation (30, 30) and modulation (30, 10) of the envelopes."""
    envelopes = _envelopes(line, rate_hz).unfold(1, step, step).mean(2)
    mean = envelopes.mean(1)
    apart = envelopes - mean[:, None]
    deviation = apart.square().mean(1).sqrt().clamp_min(1e-9)
    unit = apart / deviation[:, None]
    power = torch.fft.rfft(unit).abs().square()
    # In cycles per sample of the envelope: octaves down from its highest frequency, one half.
    frequency = torch.fft.rfftfreq(unit.shape[1], dtype=line.dtype).clamp_min(2.0**-_MODULATIONS / 2)
    octave = (-frequency.log2() - 1).floor().clamp(0, _MODULATIONS - 1).long()
    modulation = torch.zeros(_BANDS, _MODULATIONS, dtype=line.dtype).index_add_(1, octave, power)
    return (
        mean,
        deviation / mean.clamp_min(1e-9),
        unit.pow(3).mean(1),
        unit @ unit.T / unit.shape[1],
        (modulation / modulation.sum(1, keepdim=True).clamp_min(1e-12)).sqrt(),
    )


def _envelopes(line: Tensor, rate_hz: float) -> Tensor:
    """(T) -> (30, T): absolute value of the analytic signal in each band, to the power 0.3.

    Bands are half cosines on the ERB scale (Glasberg & Moore 1990), each reaching to its neighbors' centers.
    """
    frequency = torch.fft.fftfreq(line.shape[0], 1 / rate_hz, dtype=line.dtype)
    low, high = _LOWEST_HZ, min(_HIGHEST_HZ, 0.45 * rate_hz)
    edges = torch.linspace(_erb(low), _erb(high), _BANDS + 2, dtype=line.dtype)
    place = 9.265 * (frequency.clamp_min(0) / (24.7 * 9.265)).log1p()
    width = edges[1] - edges[0]
    # Twice the positive frequencies: the analytic signal.
    spectrum = 2 * torch.fft.fft(line) * (frequency > 0)
    envelopes = [
        torch.fft.ifft(spectrum * (math.pi / 2 * ((place - center) / width).clamp(-1, 1)).cos()).abs()
        for center in edges[1:-1]
    ]
    return torch.stack(envelopes).pow(_COMPRESSION)


def _erb(frequency_hz: float) -> float:
    """The place of a frequency in Hz on the ERB scale."""
    return 9.265 * math.log1p(frequency_hz / (24.7 * 9.265))
