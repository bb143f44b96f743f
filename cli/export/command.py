"""`volstyle export`: a learned style as ONNX, and what one has to know to use it."""

from __future__ import annotations

import re
from pathlib import Path

from volstyle import export
from volstyle.errors import RecipeError

from ..screen import Screen
from .options import ExportOptions


def export_style(options: ExportOptions, screen: Screen) -> None:
    """Write the file. Raises VolstyleError."""
    written = export(
        options.learned,
        options.output or Path(f"{options.learned.stem}.onnx"),
        styles=options.style,
        size=options.size,
        shape=None if options.shape is None else _shape_of(options.shape),
        force=options.force,
    )
    paints = ", ".join(f"{name} {share:.3g}" for name, share in written.shares.items() if share)
    screen.entry("paints", paints or f"{', '.join(written.styles)}: how much of each is its input `weights`")
    screen.entry("stages", ", ".join(map(str, written.sizes)))
    least, most = written.alike
    screen.entry("alike", f"to volstyle where the long side is {least} to {most} samples")
    screen.entry("wrote", str(written.output))


def _shape_of(text: str) -> tuple[int, ...]:
    """Raises RecipeError."""
    if not re.fullmatch(r"\d{1,6}(x\d{1,6}){1,2}", text):
        raise RecipeError(f"shape: {text!r}, must be HEIGHTxWIDTH, for volumes DEPTHxHEIGHTxWIDTH")
    return tuple(map(int, text.split("x")))
