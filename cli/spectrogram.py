"""Signals to look at: spectrograms of content, style and result, or the curves of a series too short for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from volstyle.field import Axis, Field
from volstyle_cli.signals import Signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE, _LEAST_FRAMES = 1024, 16
_DEEPEST_DB = 80.0


def spectrograms(signal: Signal) -> Callable[[Tensor], Field]:
    """From the samples of a step (C, T), as the engine sees them, to a picture of its first channel."""
    from matplotlib import figure  # half a second of import that a run without a picture need not pay

    content, style = signal.ready.content.samples[0], signal.ready.styles[0].field.samples[0]
    given = {"style": style} if signal.texture else {"content": content, "style": style}
    axis = signal.source.axes[0]

    def draw(samples: Tensor) -> Field:
        rows = {**given, "result": samples[0]}
        sheet = figure.Figure(figsize=(10, 2.6 * len(rows)), layout="constrained")
        for place, (name, line) in zip(sheet.subplots(len(rows), 1), rows.items(), strict=True):
            _draw_row(place, name, line, axis)
        return _picture(sheet)

    return draw


def _draw_row(place: Any, name: str, line: Tensor, axis: Axis) -> None:
    frame = min(_SIZE, 2 ** int(np.log2(max(len(line) // _LEAST_FRAMES, 16))))
    window = torch.hann_window(frame)
    bins = torch.fft.rfft((line.cpu() - 0.5).unfold(0, frame, max(frame // 4, 1)) * window).abs().T
    level = 20 * bins.clamp_min(1e-9).log10()
    top = float(level.max())
    unit = "s" if axis.unit == "s" else "samples"
    extent = (0.0, len(line) * axis.step, 0.0, 0.5 / axis.step)
    shown: dict[str, object] = {"vmin": top - _DEEPEST_DB, "vmax": top, "cmap": "magma", "extent": extent}
    place.imshow(level.numpy(), origin="lower", aspect="auto", **shown)
    place.set_title(name, loc="left", fontsize=10)
    place.set_xlabel(unit)
    place.set_ylabel("Hz" if axis.unit == "s" else "cycles per sample")


def _picture(figure: Figure) -> Field:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float32) / 255
    return Field(torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), (Axis("y"), Axis("x")))
