"""A page of units, each with the patches that activate it and what drives it in them; and a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, sqrt

import torch
from torch import Tensor

from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.judges.units import COUNT, Patch

from ..draw.contact_sheet import Captioned, contact_sheet
from ..draw.html import animation_uri, facts, page, sound_uri
from .comparison import UnitMeans
from .drawing import Drawing, drawings, sound

_SIDE, _GAP, _BETWEEN = 3, 2, 8
_TILE, _LEAST_TILE, _LARGE_TILES = 44, 22, 64
"""Height of a tile in a sheet of no more units than the last; of more units they are smaller, and the sheet is not
larger."""
_WALL, _PAPER = 0.86, 0.975
_NAMED = 10
_FINE = 24
"""Samples seen along an axis, below which they are shown one by one."""
_CHART = (1180, 190)


@dataclass(frozen=True)
class Shown:
    """A patch made ready. seen, drive, and sound for a signal: data URIs. tiles: (3, h, w) each, for the sheet."""

    activation: float
    caption: str
    seen: str
    drive: str
    sound: str | None
    tiles: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Exhibition:
    """units: unit -> what lights it most, the greatest first. axes: of the inputs. width: of the receptive field,
    per axis."""

    layer: str
    facts: Mapping[str, str]
    axes: tuple[Axis, ...]
    width: tuple[int, ...]
    units: Mapping[int, Sequence[Shown]]
    means: UnitMeans | None = None

    @property
    def kind(self) -> str:
        """What the patches are: "signal", "picture", "clip" or "cube"."""
        seen = [axis.name for axis, width in zip(self.axes, self.width, strict=True) if width > 1]
        if len(self.axes) == 1:
            return "signal"
        return "picture" if len(seen) < 3 else "clip" if seen[0] == "t" else "cube"

    @property
    def order(self) -> list[int]:
        """By number, or what the style brings first."""
        if self.means is None:
            return list(self.units)
        lift = self.means.lift
        return sorted(self.units, key=lambda unit: -float(lift[unit]))


def shown(patch: Patch) -> Shown:
    seen, drive = drawings(patch)
    heard = sound(patch)
    place = ", ".join(f"{axis.name} {side.start}" for axis, side in zip(patch.field.axes, patch.box, strict=True))
    path = patch.field.origin.path
    return Shown(
        patch.peak.activation,
        f"{patch.rank + 1}. {patch.peak.activation:.3g} in {path.name if path else patch.peak.input} at {place}",
        animation_uri(seen.frames, seen.frame_s),
        animation_uri(drive.frames, drive.frame_s),
        sound_uri(*heard) if heard else None,
        (_tile(seen), _tile(drive)),
    )


def _tile(view: Drawing) -> Tensor:
    """(3, h, w) for the sheet: samples side by side where there are few, averaged where there are many."""
    picture = view.still
    over = picture[:3] * picture[3:] + _WALL * (1 - picture[3:])
    height, width = over.shape[1:]
    times = max(1, _TILE // height)
    if times > 1:
        over = over.repeat_interleave(times, 1).repeat_interleave(times, 2)
    tall = _TILE
    return resize(over, (tall, max(1, round(width * tall / height)))).clamp(0, 1)


# ---- the contact sheet


def as_sheet(exhibition: Exhibition) -> Field:
    """Units in rows, each the nine patches beside the nine of what drives it."""
    tall = max(_LEAST_TILE, min(_TILE, round(_TILE * sqrt(_LARGE_TILES / len(exhibition.units)))))
    wide = next((s.tiles[0].shape[2] for found in exhibition.units.values() for s in found), _TILE)
    size = (tall, round(wide * tall / _TILE))
    cells: list[Captioned] = []
    for unit in exhibition.order:
        found = exhibition.units[unit]
        walls = [_wall([resize(s.tiles[side], size).clamp(0, 1) for s in found], size) for side in (0, 1)]
        between = torch.full((3, walls[0].shape[1], _BETWEEN), _PAPER)
        line = f"unit {unit}" if found else f"unit {unit}: not lit"
        cells.append((line, torch.cat((walls[0], between, walls[1]), dim=2)))
    height, width = cells[0][1].shape[1:]
    columns = max(1, min(len(cells), ceil(sqrt(1.3 * len(cells) * height / width))))
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    return contact_sheet(rows, height, width)


def _wall(tiles: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Nine patches, three by three; places are left empty where there are fewer."""
    height, width = size
    wall = torch.full((3, _SIDE * (height + _GAP) - _GAP, _SIDE * (width + _GAP) - _GAP), 0.94)
    for index, tile in enumerate(tiles[:COUNT]):
        top, left = index // _SIDE * (height + _GAP), index % _SIDE * (width + _GAP)
        wall[:, top : top + height, left : left + width] = tile
    return wall


# ---- the page


def as_page(exhibition: Exhibition) -> str:
    """One HTML document that needs nothing else."""
    means = exhibition.means
    title = f"What the units of {exhibition.layer} see"
    reading = f"<p>{_READING} {_HINTS.get(exhibition.kind, '')} {_SOURCES}</p>"
    parts = [f"<h1>{escape(title)}</h1>", reading, facts(dict(exhibition.facts))]
    if means:
        parts.append(_why(means, exhibition))
    cards = (_card(unit, exhibition.units[unit], means) for unit in exhibition.order)
    fine = "fine" if max(exhibition.width) < _FINE else ""
    parts.append(f'<div class="units {exhibition.kind} {fine}">{"".join(cards)}</div>')
    return page(title, "\n".join(parts), style=_STYLE, script=_SCRIPT)


_READING = (
    "On the left of each unit, the nine places that light it most, cropped to what the unit sees, none "
    "overlapping another. On the right, what in each of them drives the unit: the guided gradient of its "
    "activation, gray where nothing does. Hatching lies beyond the border of an input."
)
_HINTS = {
    "cube": "Of each cube, three planes through its middle: y over x, beside it y over z, below it z over x.",
    "signal": "Of each signal, its wave and below it its spectrum, low frequencies at the bottom; it is heard "
    "with enough around it to make half a second.",
}
_SOURCES = '<span class="dim">After Zeiler and Fergus (2013) and Springenberg et al. (2014).</span>'


def _card(unit: int, found: Sequence[Shown], means: UnitMeans | None) -> str:
    lit = f"up to {found[0].activation:.3g}" if found else "nothing here lights it"
    body = ""
    if found:
        left = "".join(_hung(s, s.seen, s.sound) for s in found)
        right = "".join(_hung(s, s.drive, None) for s in found)
        body = f'<div class="pair"><div class="nine">{left}</div><div class="nine drive">{right}</div></div>'
    bars = _bars(unit, means) if means else ""
    lift = f' data-lift="{float(means.lift[unit]):.6g}"' if means else ""
    state = "" if found else " dark"
    return (
        f'<section class="unit{state}" id="u{unit}" data-number="{unit}"{lift}>'
        f"<h3>{unit}<span>{lit}</span></h3>{body}{bars}</section>"
    )


def _hung(what: Shown, uri: str, heard: str | None) -> str:
    picture = f'<img src="{uri}" alt="{escape(what.caption)}" title="{escape(what.caption)}" loading="lazy">'
    if heard is None:
        return f"<figure>{picture}</figure>"
    return f'<figure>{picture}<button class="play" data-sound="{heard}" title="play">▶</button></figure>'


def _bars(unit: int, means: UnitMeans) -> str:
    """What the content, each style and the result light it up by, against the most of them."""
    tall = {"content": means.content, **means.styles, "result": means.result}
    kinds = ["content", *("style" for _ in means.styles), "result"]
    values = [float(mean[unit]) for mean in tall.values()]
    most = max(*values, 1e-12)
    rows = (
        f'<tr class="{kind}"><th>{escape(name)}</th><td><i style="width:{100 * value / most:.1f}%"></i></td>'
        f"<td>{value:.3g}</td></tr>"
        for kind, name, value in zip(kinds, tall, values, strict=True)
    )
    return f'<table class="bars">{"".join(rows)}</table>'


def _why(means: UnitMeans, exhibition: Exhibition) -> str:
    """Where the result stands between content and style, unit by unit."""
    order, lift = exhibition.order, means.lift
    brings = [unit for unit in order if lift[unit] > 0][:_NAMED]
    keeps = [unit for unit in reversed(order) if lift[unit] < 0][:_NAMED]

    def links(units: Sequence[int]) -> str:
        return " ".join(f'<a href="#u{unit}">{unit}</a>' for unit in units) or "none"

    styles = " and ".join(means.styles)
    return (
        f"<h2>Why {escape(means.name)} looks as it does</h2>"
        f"<p>How strongly each unit is lit on average, from those that the style ({escape(styles)}) lights more "
        f"than the content to those that it lights less. Over the layer, the result has come <b>{means.way:.0%}"
        "</b> of the way from the content to the style.</p>"
        f"{_chart(means, order)}"
        f'<p class="links"><span><b class="style">the style brings</b> {links(brings)}</span>'
        f'<span><b class="content">the content alone has</b> {links(keeps)}</span></p>'
        '<p class="sort">Order: <button data-by="lift">what the style brings</button> '
        '<button data-by="number">number</button></p>'
    )


def _chart(means: UnitMeans, order: Sequence[int]) -> str:
    """A group of three bars for each unit, as high as it is lit on average."""
    wide, high = _CHART
    columns = {"content": means.content, "style": means.style, "result": means.result}
    most = max(float(torch.stack(list(columns.values()))[:, list(order)].max()), 1e-12)
    step = wide / len(order)
    bar = 0.78 * step / len(columns)
    drawn = []
    for place, unit in enumerate(order):
        bars = []
        for index, (kind, mean) in enumerate(columns.items()):
            tall = high * float(mean[unit]) / most
            x = place * step + index * bar
            bars.append(
                f'<rect class="{kind}" x="{x:.2f}" y="{high - tall:.2f}" width="{bar:.2f}" height="{tall:.2f}"/>'
            )
        told = ", ".join(f"{kind} {float(mean[unit]):.3g}" for kind, mean in columns.items())
        drawn.append(f'<a href="#u{unit}"><title>unit {unit}: {told}</title>{"".join(bars)}</a>')
    legend = "".join(f'<span class="{kind}">{kind}</span>' for kind in columns)
    return (
        f'<svg class="chart" viewBox="0 0 {wide} {high}" preserveAspectRatio="none" role="img" '
        f'aria-label="mean activation of each unit">{"".join(drawn)}</svg><p class="legend">{legend}</p>'
    )


_STYLE = """
.units { display: grid; grid-template-columns: repeat(auto-fill, minmax(344px, 1fr)); gap: 18px;
  margin-top: 28px; }
.units.cube { grid-template-columns: repeat(auto-fill, minmax(470px, 1fr)); }
.units.signal { grid-template-columns: repeat(auto-fill, minmax(660px, 1fr)); }
.unit { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px 14px;
  scroll-margin-top: 16px; }
.unit:target { outline: 2px solid var(--accent); }
.unit h3 { margin: 0 0 8px; font: 600 17px/1 Georgia, "Times New Roman", serif; display: flex;
  justify-content: space-between; align-items: baseline; }
.unit h3 span { font: 12px/1 system-ui, sans-serif; color: var(--dim); font-variant-numeric: tabular-nums; }
.unit.dark { background: none; color: var(--dim); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.nine { display: grid; grid-template-columns: repeat(3, 1fr); gap: 3px; align-content: start; }
.nine figure { margin: 0; position: relative; line-height: 0; border-radius: 2px;
  background: repeating-linear-gradient(45deg, #e9e6de 0 3px, #f7f6f2 3px 6px); }
.nine img { width: 100%; height: auto; display: block; border-radius: 2px; transition: transform .12s; }
.fine .nine img { image-rendering: pixelated; }
.nine img:hover { transform: scale(2.2); position: relative; z-index: 3; box-shadow: 0 4px 18px #0005; }
.signal .nine img:hover { transform: none; box-shadow: none; }
.play { position: absolute; right: 4px; bottom: 4px; width: 20px; height: 20px; padding: 0; border: 0;
  border-radius: 50%; background: #23211dcc; color: #fff; font-size: 8px; line-height: 20px; cursor: pointer; }
.play:hover, .play.on { background: var(--accent); }
.bars { width: 100%; margin-top: 10px; border-collapse: collapse; font-size: 12px; line-height: 1.35; }
.bars th { font-weight: 400; text-align: left; color: var(--dim); max-width: 110px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; padding: 0 8px 0 0; width: 1%; }
.bars td { padding: 0; } .bars td:last-child { width: 1%; padding-left: 8px; font-variant-numeric: tabular-nums; }
.bars i { display: block; height: 8px; border-radius: 2px; min-width: 1px; }
.content i, .legend .content::before { background: #7d93a8; } .chart .content { fill: #7d93a8; }
.style i, .legend .style::before { background: #d9a441; } .chart .style { fill: #d9a441; }
.result i, .legend .result::before { background: var(--accent); } .chart .result { fill: var(--accent); }
b.style { color: #a87516; } b.content { color: #55708a; }
.chart { width: 100%; height: 190px; display: block; border-bottom: 1px solid var(--line); }
.chart a:hover rect { opacity: .65; }
.legend span { margin-right: 18px; font-size: 13px; color: var(--dim); }
.legend span::before { content: ""; display: inline-block; width: 11px; height: 11px; border-radius: 2px;
  margin-right: 6px; }
.links { display: flex; flex-wrap: wrap; gap: 4px 32px; max-width: none; }
.links a { color: inherit; padding: 1px 6px; border-radius: 5px; background: var(--card);
  border: 1px solid var(--line); text-decoration: none; font-variant-numeric: tabular-nums; }
.sort button { font: inherit; border: 1px solid var(--line); border-radius: 6px; background: var(--card);
  padding: 3px 10px; cursor: pointer; }
"""

_SCRIPT = """
const grid = document.querySelector('.units');
for (const button of document.querySelectorAll('.sort button')) button.onclick = () => {
  const by = button.dataset.by, sign = by === 'lift' ? -1 : 1;
  [...grid.children].sort((a, b) => sign * (a.dataset[by] - b.dataset[by])).forEach(unit => grid.append(unit));
};
let playing = null;
for (const button of document.querySelectorAll('.play')) button.onclick = () => {
  const again = playing && playing.button === button;
  if (playing) { playing.audio.pause(); playing.button.classList.remove('on'); playing = null; }
  if (again) return;
  const audio = new Audio(button.dataset.sound);
  audio.onended = () => { button.classList.remove('on'); playing = null; };
  playing = { audio, button };
  button.classList.add('on');
  audio.play();
};
"""
