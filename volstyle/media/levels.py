"""Signals made ready for the engine, and its samples made a signal again: levels, mid and side, rates.

The engine's samples lie in [0, 1] around 0.5. A sound gets one gain for all its channels, so that its balance
stays; a series one gain and one offset for each, since their units differ. Two channels of sound become mid and
side, (L + R) / 2 and (L - R) / 2, which filters see jointly: what is in the middle stays in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from volstyle.engine.scene import Style
from volstyle.errors import ShapeError
from volstyle.grid.field import Field
from volstyle.networks.random_filters import SIGNAL_SPREAD

_WELCH = 2048
_FINEST_RATIO = 100_000


@dataclass(frozen=True)
class Levels:
    """seen = 0.5 + gain · (samples − offset), of mid and side where two channels of sound are joint.

    offset, gain: (C, 1), after mid and side.
    """

    offset: Tensor
    gain: Tensor
    joint: bool

    @staticmethod
    def of(samples: Tensor, *, joint: bool, peak: float) -> Levels:
        """Levels that give samples (C, T) a standard deviation of SIGNAL_SPREAD, over all channels together where
        joint.

        peak: the highest sample that must fit into [0, 1], in standard deviations.
        """
        offset, spread = _statistics(samples, joint=joint)
        return Levels(offset, min(SIGNAL_SPREAD, 0.5 / peak) / spread, joint)

    def seen(self, samples: Tensor) -> Tensor:
        """(C, T) of the signal -> (C, T) in [0, 1]."""
        samples = _mid_side(samples) if self.joint else samples
        return (0.5 + self.gain * (samples - self.offset)).clamp(0, 1)

    def heard(self, samples: Tensor) -> Tensor:
        """The inverse of `seen`."""
        samples = (samples - 0.5) / self.gain + self.offset
        if self.joint and len(samples) == 2:
            mid, side = samples
            return torch.stack((mid + side, mid - side))
        return samples


@dataclass(frozen=True)
class Ready:
    """A signal and its styles made ready. content, styles: the fields that the engine sees. references: the styles
    in the units and at the rate of the content, to compare the result with. levels: the levels of the content.
    notes: what was done to the styles to make them fit."""

    content: Field
    styles: tuple[Style, ...]
    references: tuple[Tensor, ...]
    levels: Levels
    notes: tuple[str, ...]

    def finished(self, content: Field, result: Field) -> Field:
        """The result in the units of the content. content: the content as it was read."""
        return content.with_samples(self.levels.heard(result.samples))


def prepare(content: Field, styles: Sequence[Style], *, joint: bool) -> Ready:
    """Bring content and styles to one rate, to as many channels, and to [0, 1], each to the same loudness.

    joint: a sound, whose channels belong together; else a series. Raises ShapeError for fields that are no
    signals, series of other channels than the content's, or samples without any change.
    """
    for name, field in (("content", content), *(("style", style.field) for style in styles)):
        if [axis.name for axis in field.axes] != ["t"]:
            raise ShapeError(f"{name}: axes {', '.join(a.name for a in field.axes)}, a signal has one, t")
        if not field.samples.isfinite().all():
            raise ShapeError(f"{name}: samples hold NaN or infinite numbers")
        if not (field.samples != field.samples[:, :1]).any():
            value = float(field.samples[0, 0])
            raise ShapeError(f"{name}: silent, every sample is {value:g}; give one that changes")
    notes: list[str] = []
    fields = [_fitted(style.field, content, notes, joint=joint) for style in styles]
    peak = max(_peak(field.samples, joint=joint) for field in (content, *fields))
    levels = Levels.of(content.samples, joint=joint, peak=peak)
    own = [Levels.of(field.samples, joint=joint, peak=peak) for field in fields]
    seen = [own_levels.seen(field.samples) for own_levels, field in zip(own, fields, strict=True)]
    return Ready(
        content.with_samples(levels.seen(content.samples)),
        tuple(
            replace(style, field=Field(samples, content.axes)) for style, samples in zip(styles, seen, strict=True)
        ),
        tuple(levels.heard(samples) for samples in seen),
        levels,
        tuple(notes),
    )


def lasting(field: Field, samples: int) -> Field:
    """The same signal cut, or repeated from its start, to a number of samples."""
    times = -(-samples // field.shape[0])
    return replace(field, samples=field.samples.repeat(1, times)[:, :samples].contiguous())


def noise_like(style: Tensor, samples: int, seed: int) -> Tensor:
    """Gaussian noise (C, samples) around 0.5 with the average spectrum of a style (C, T), channels apart.

    Random phase noise (Galerne, Gousseau & Morel 2011, "Random phase textures") is the best texture without a
    network; an optimization that starts there has only the rest to find.
    """
    generator = torch.Generator().manual_seed(seed)
    white = torch.fft.rfft(torch.randn(len(style), samples, generator=generator))
    from scipy import signal as scipy_signal  # a second of import, which only signals need

    size = min(_WELCH, style.shape[1])
    bins, power = scipy_signal.welch(style.double().numpy(), nperseg=size, detrend="constant")
    wanted = np.stack([np.interp(np.fft.rfftfreq(samples), bins, line) for line in np.sqrt(power)])
    noise: Tensor = torch.fft.irfft(white * torch.from_numpy(wanted).float(), samples)
    spread = style.std(1, keepdim=True) / noise.std(1, keepdim=True).clamp_min(1e-12)
    return (0.5 + noise * spread).clamp(0, 1)


def _mid_side(samples: Tensor) -> Tensor:
    if len(samples) != 2:
        return samples
    left, right = samples
    return torch.stack(((left + right) / 2, (left - right) / 2))


def _statistics(samples: Tensor, *, joint: bool) -> tuple[Tensor, Tensor]:
    """Offset and standard deviation (C, 1) of samples (C, T); a sound has no offset, and one deviation."""
    if joint:
        return torch.zeros(len(samples), 1), _mid_side(samples).square().mean().sqrt().expand(len(samples), 1)
    offset, spread = samples.mean(1, keepdim=True), samples.std(1, keepdim=True, correction=0)
    # A channel that does not change has no spread to bring to one.
    return offset, torch.where(spread > 0, spread, torch.ones(()))


def _peak(samples: Tensor, *, joint: bool) -> float:
    """The highest sample in standard deviations."""
    offset, spread = _statistics(samples, joint=joint)
    return float((((_mid_side(samples) if joint else samples) - offset) / spread).abs().max())


def _fitted(style: Field, content: Field, notes: list[str], *, joint: bool) -> Field:
    """A style at the content's rate and with its channels."""
    samples = style.samples
    if len(samples) != content.channels:
        if not joint:
            raise ShapeError(f"style: {len(samples)} channels, must be {content.channels} as the content has")
        samples = samples.mean(0, keepdim=True).expand(content.channels, -1)
        notes.append(f"style: {style.channels} channels averaged, the content has {content.channels}")
    old, new = style.axes[0], content.axes[0]
    if old.unit != new.unit:
        raise ShapeError(
            f"style: its step is in {old.unit}, the content's in {new.unit}; give both a column 'time'"
        )
    ratio = Fraction(old.step / new.step).limit_denominator(_FINEST_RATIO)
    if ratio != 1:
        from scipy import signal as scipy_signal

        resampled = scipy_signal.resample_poly(samples.numpy(), ratio.numerator, ratio.denominator, axis=1)
        samples = torch.from_numpy(np.ascontiguousarray(resampled, np.float32))
        notes.append(f"style: resampled from {1 / old.step:g} to {1 / new.step:g} Hz, the content's rate")
    return Field(samples, (new,))
