"""Numbers on how near a styled signal is to its style."""

from __future__ import annotations

from volstyle.grid.field import Field
from volstyle.judges.sounds import listen
from volstyle.media.levels import noise_like
from volstyle.media.signal import Signal

from ..screen import Screen


def say_hearing(screen: Screen, signal: Signal, result: Field) -> None:
    """How near the result is to the first style and whether it is a copy, beside what these numbers are of noise
    with the style's spectrum, of the style itself, and of the content."""
    style, rate = signal.ready.references[0], 1 / result.axes[0].step
    seen = signal.ready.styles[0].field.samples
    noise = signal.ready.levels.heard(noise_like(seen, style.shape[1], seed=1))
    heard = {"result": result.samples, "noise of its spectrum": noise, "style, shifted": style.roll(1000, 1)}
    if not signal.texture:
        heard["content"] = signal.source.samples
    for name, samples in heard.items():
        found = listen(samples, style, rate)
        screen.entry(
            "heard" if samples is result.samples else "",
            f"{name}: spectrum {found.spectral_db:.1f} dB off, texture {found.texture:.2f}, copy {found.copy:.2f}",
        )
