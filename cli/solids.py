"""A solid judged: a table beside its sections and a real volume, and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from volstyle.codecs import probe, read
from volstyle.codecs.atomic import arriving
from volstyle.errors import InputError
from volstyle.judges.solids import AXES, Measured, SolidVerdict, apart, check_extra, judge_solid
from volstyle.media.command import order_behind
from volstyle.media.order import StyleOrder, style_named
from volstyle.media.painted import is_learned
from volstyle.media.solid import read_section

from .options import EvalOptions
from .screen import Screen
from .shapes import json_text


def is_solid(options: EvalOptions) -> bool:
    """Whether a result is a volume that was made without a content."""
    if options.content is not None or options.compare:
        return False
    if options.reference is not None:
        return True
    if options.result.suffix == "" or probe(options.result).kind != "volume":
        return False
    order = order_behind(options.result)
    return order is None or order.content is None


def judged_solid(screen: Screen, options: EvalOptions) -> SolidVerdict:
    """Raises VolstyleError: a solid that cannot be judged, or sections that nobody names."""
    check_extra()
    order = order_behind(options.result)
    styles: Sequence[StyleOrder] = [style_named(str(path)) for path in options.style]
    styles = styles or (order.styles if order else ())
    if any(map(is_learned, styles)):
        raise InputError(
            f"{options.result}: is made of a file that was learned, which has no sections in it; give the "
            "sections as --style"
        )
    if not styles:
        raise InputError(f"{options.result}: no record beside it that says what it is of; give --style")
    sections = []
    for style in styles:
        field = read_section(style.path)
        if len(field.axes) != 2 or field.axes[0].name == "t":
            have = ", ".join(axis.name for axis in field.axes)
            raise InputError(f"style {style.path}: has axes {have}; a section has two, y and x")
        sections.append((None if style.across is None else AXES.index(style.across), field))
    real = None if options.reference is None else read(options.reference)

    def say(what: str) -> None:
        if not options.json:
            screen.entry("solves", f"for the tortuosity of {what}: seconds, or minutes where paths are thin")

    return judge_solid(
        read(options.result),
        sections,
        real,
        phases=options.phases,
        phase=options.phase,
        tortuosity=not options.no_tortuosity,
        on_solve=say,
    )


def say_solid(screen: Screen, verdict: SolidVerdict) -> None:
    """A row for each property, with a column for each of the solid, its sections and the real volume."""
    levels, solid = [f"{level:g}" for level in verdict.levels], verdict.solid
    columns = [solid, verdict.sections, *([verdict.real] if verdict.real else [])]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in (f"phase {levels[verdict.phase]}", "solid", "sections", "real")[: 1 + len(columns)]:
        table.add_column(name, justify="right" if table.columns else "left", no_wrap=True)
    for number, level in enumerate(levels):
        table.add_row(f"share of {level}", *(f"{column.shares[number]:.4f}" for column in columns))
    table.add_row("surface", *(f"{column.surface:.4f}" for column in columns))
    for name, kind in (("two points", "two_points"), ("lines", "lines")):
        gaps = [apart(getattr(solid, kind), getattr(column, kind)) for column in columns[1:]]
        for axis in AXES:
            table.add_row(f"{name}, {axis}", "", *(f"{gap[axis]:.4f}" for gap in gaps))
    for name, kind in (("Euler number", "euler"), ("percolates", "percolates"), ("tortuosity", "tortuosity")):
        if getattr(solid, kind) is not None:
            table.add_row(name, *(_text(getattr(column, kind)) for column in columns))
    screen.print(table, soft_wrap=False)
    reach = len(solid.two_points[AXES[0]])
    screen.entry("surface", "area per volume, in 1 / sample, from S₂ (0) − S₂ (1), in sections and volumes alike")
    screen.entry("two points", f"how far S₂ along an axis is from that of the column, mean of r < {reach}")
    screen.entry("lines", f"the same of the probability that a whole line of r lies in the phase, r < {reach}")
    screen.entry("Euler", "per million samples; what is below it is of the middle, along z, y and x")
    if any(math.isnan(each) for column in columns for each in (column.tortuosity or {}).values()):
        screen.entry("?", "a tortuosity that the solver of taufactor did not converge to: paths are few and thin")


def _text(value: float | Mapping[str, float] | None) -> str:
    if value is None:
        return "–"
    if not isinstance(value, Mapping):
        return f"{value:.0f}"
    return " ".join(_word(each) for each in value.values())


def _word(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "?" if math.isnan(value) else f"{value:.2f}" if math.isfinite(value) else "∞"


def json_of(options: EvalOptions, verdict: SolidVerdict) -> str:
    """All numbers as JSON, curves too."""
    columns = {"solid": verdict.solid, "sections": verdict.sections, "real": verdict.real}
    values = {
        "solid": str(options.result),
        "levels": verdict.levels,
        "phase": verdict.levels[verdict.phase],
        "measured": {name: _plain(column) for name, column in columns.items() if column is not None},
    }
    return json_text(values)


def _plain(measured: Measured) -> dict[str, Any]:
    found = dict(vars(measured))
    for kind in ("two_points", "lines"):
        found[kind] = {axis: curve.tolist() for axis, curve in found[kind].items()}
    return found


def draw_solid(path: Path, force: bool, verdict: SolidVerdict) -> None:
    """Curves of the solid along each axis over those of its sections and, in gray, of the real volume."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, 2)
    kinds = (("two_points", "S₂, two points r apart are both of the phase"), ("lines", "a line of r lies in it"))
    for panel, (kind, title) in zip(panels, kinds, strict=True):
        for place, axis in enumerate(AXES):
            if verdict.real is not None:
                real = _mean(getattr(verdict.real, kind))
                panel.plot(real, color="0.75", linewidth=5, label="real" if not place else None, zorder=0)
            panel.plot(
                getattr(verdict.solid, kind)[axis], color=f"C{place}", linewidth=1.4, label=f"solid, {axis}"
            )
            sections = getattr(verdict.sections, kind)[axis]
            panel.plot(sections, color=f"C{place}", linewidth=1, linestyle=":", label=f"sections, {axis}")
        panel.set_title(title, loc="left", fontsize=9)
        panel.set_xlabel("r, samples", fontsize=9)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.margins(x=0)
    panels[1].legend(frameon=False, fontsize=8)
    with arriving(path, force) as temporary:
        figure.savefig(temporary, dpi=140)


def _mean(curves: Mapping[str, Any]) -> list[float]:
    """The mean of the curves along all axes."""
    return [fmean(values) for values in zip(*(curve.tolist() for curve in curves.values()), strict=True)]
