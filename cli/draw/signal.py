"""Pictures of signals, with the content above the style above the result: spectrograms of a sound, curves of a
series."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from volstyle.grid.field import Axis, Field
from volstyle.media.signal import Signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FRAME, _LEAST_FRAMES = 1024, 16
_DEEPEST_DB = 80.0
_MOST_CURVES = 4


def signal_drawing(signal: Signal) -> Callable[[Tensor], Field]:
    """A function that makes a picture of the samples of a step (C, T), as the engine sees them."""
    from matplotlib.figure import Figure  # half a second of import that a run without a picture need not pay

    style = signal.ready.styles[0].field.samples
    given = {"style": style} if signal.texture else {"content": signal.ready.content.samples, "style": style}
    axis, levels = signal.source.axes[0], signal.ready.levels
    draw_row = _draw_spectrum if levels.joint else _draw_curves

    def draw(samples: Tensor) -> Field:
        rows = {**given, "result": samples}
        sheet = Figure(figsize=(10, 2.6 * len(rows)), layout="constrained")
        for place, (name, row) in zip(sheet.subplots(len(rows), 1), rows.items(), strict=True):
            draw_row(place, levels.heard(row.cpu()), axis)
            place.set_title(name, loc="left", fontsize=10)
            place.set_xlabel("s" if axis.unit == "s" else "samples")
        return _picture(sheet)

    return draw


def _draw_spectrum(place: Any, samples: Tensor, axis: Axis) -> None:
    """The spectrogram of all channels together."""
    line = samples.mean(0)
    frame = min(_FRAME, 2 ** int(np.log2(max(len(line) // _LEAST_FRAMES, 16))))
    bins = torch.fft.rfft(line.unfold(0, frame, frame // 4) * torch.hann_window(frame)).abs().T
    level = 20 * bins.clamp_min(1e-9).log10()
    top = float(level.max())
    extent = (0.0, len(line) * axis.step, 0.0, 0.5 / axis.step)
    place.imshow(
        level.numpy(),
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        vmin=top - _DEEPEST_DB,
        vmax=top,
    )
    place.set_ylabel("Hz")


def _draw_curves(place: Any, samples: Tensor, axis: Axis) -> None:
    """The curves of the first few channels."""
    time = np.arange(samples.shape[1]) * axis.step
    for line in samples[:_MOST_CURVES]:
        place.plot(time, line.numpy(), linewidth=0.8)
    place.margins(x=0)


def _picture(figure: Figure) -> Field:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float32) / 255
    return Field(torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), (Axis("y"), Axis("x")))
