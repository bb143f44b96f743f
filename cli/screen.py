"""Printing to the user, and how amounts are written."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Screen(Console):
    """Standard output: plain lines, whole paths, no color of its own; colors and bars only on a terminal. aside:
    standard error, where standard output is the result."""

    def __init__(self, *, quiet: bool = False, aside: bool = False) -> None:
        super().__init__(quiet=quiet, soft_wrap=True, highlight=False, markup=False, emoji=False, stderr=aside)

    def entry(self, name: str, text: str) -> None:
        """Print a name and a text about it in one line."""
        self.print(f"{name:<10} {text}")

    def bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[costs]}", style="dim"),
            console=self,
        )


def duration_text(seconds: float) -> str:
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def costs_text(costs: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {cost:.2g}" for name, cost in costs.items())
