"""A signal as the engine can style it, and what is heard of the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from volstyle.codecs import SIGNALS, Selection, read
from volstyle.engine.scene import Style
from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Field
from volstyle.judges.sounds import listen
from volstyle.media.levels import Ready, lasting, noise_like, prepare

from ..screen import Screen
from .order import Order


@dataclass(frozen=True)
class Signal:
    """source: as it was read, (C, T); of a texture, the style made as long. ready: for the engine. init: where to
    start from, None for the content. texture: whether there is no content. notes: for the user."""

    source: Field
    ready: Ready
    init: Field | None
    texture: bool
    notes: tuple[str, ...]


def read_signal(order: Order) -> Signal:
    """Raises InputError for a file that is no signal."""
    notes: list[str] = []
    styles = []
    for file in order.styles:
        try:
            styles.append(Style(_read(file.path, Selection(signal=True), notes), file.weight))
        except InputError as error:
            raise InputError(f"style {error}") from error
    if order.content is None:
        source = _texture(styles[0].field, order.seconds)
    else:
        source = _read(order.content, order.selection, notes)
    joint = (order.content or order.styles[0].path).suffix.lower() in SIGNALS["audio"]
    ready = prepare(source, styles, joint=joint)
    return Signal(source, ready, _init(order, source, ready, notes), order.content is None, (*notes, *ready.notes))


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


def _read(path: Path, selection: Selection, notes: list[str]) -> Field:
    field = read(path, selection)
    clipped = getattr(field.origin, "clipped", 0)
    if clipped:
        notes.append(f"{path.name}: cut off at full scale in {clipped} places; the distortion is styled with it")
    return field


def _texture(style: Field, seconds: float | None) -> Field:
    if seconds is None:
        return style
    step = style.axes[0].step
    if style.axes[0].unit != "s":
        raise RecipeError("seconds: the style does not say how long a sample is; leave --seconds out")
    if not 64 <= seconds / step < 2**31:
        raise RecipeError(f"seconds: {seconds:g} are {seconds / step:.0f} samples, must be at least 64")
    return lasting(style, round(seconds / step))


def _init(order: Order, source: Field, ready: Ready, notes: list[str]) -> Field | None:
    if order.recipe.init == "noise":
        samples = noise_like(ready.styles[0].field.samples, source.shape[0], order.recipe.seed)
        return Field(samples, source.axes)
    if order.init is None:
        return None
    init = _read(order.init, replace(order.selection, start=None, end=None), notes)
    if init.samples.shape != source.samples.shape:
        have, need = ("x".join(map(str, field.samples.shape)) for field in (init, source))
        raise InputError(f"{order.init}: {have} channels and samples, an init must have {need} as the content")
    return Field(ready.levels.seen(init.samples), source.axes)
