"""A page about a run, which opens from disk: before and after, numbers over steps and time, the recipe."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from itertools import accumulate, cycle
from math import nan
from pathlib import Path

from matplotlib.figure import Figure

from volstyle.codecs import Selection, probe, read, write
from volstyle.codecs.atomic import arriving
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field
from volstyle.judges.pictures import JUDGED, Verdict, judge
from volstyle.media.command import order_behind
from volstyle.media.order import Order, path_of
from volstyle.media.painted import is_learned
from volstyle.media.table import medium_named
from volstyle.networks.registry import load_network
from volstyle.record import Record

from ..screen import duration_text
from .html import data_uri, facts, page, picture_uri

_JUDGE = "random"


def write_report(record_path: Path, target: Path, *, force: bool) -> None:
    """Write the page about the run that a record is of. Raises VolstyleError."""
    record = Record.load(record_path)
    output = record_path.with_suffix("")
    order = order_behind(output)
    if order is None or not record.command:
        raise InputError(f"{record_path}: must be the record beside a result, named as it with .json")
    body = [
        f"<h1>{escape(output.name)}</h1>",
        facts(_facts(record, order)),
        *(_pictures(order, output) if _shows(order) else []),
        *_costs(record),
        "<h2>Recipe</h2>",
        f"<pre>{escape(record.recipe.to_toml())}</pre>",
        f"<details><summary>The whole record</summary><pre>{escape(_brief(record))}</pre></details>",
    ]
    with arriving(target, force) as temporary:
        html = page(output.name, "\n".join(body), style=_LOOK, script=_SCRIPT)
        temporary.write_text(html, encoding="utf-8")


def _shows(order: Order) -> bool:
    """Whether a result is to be looked at and judged, and not a file of networks."""
    return not order.examples and not order.learns_solid and medium_named(order.kind).axes in JUDGED


def _facts(record: Record, order: Order) -> dict[str, str]:
    seconds = sum(stage.seconds for stage in record.stages)
    entries = {"content": str(order.content and path_of(order.content).name)}
    if order.examples or order.learns_solid:
        entries = {"learned on": ", ".join(path_of(one).name for one in order.examples) or "its sections"}
    entries["styles"] = ", ".join(style.path.name for style in order.styles)
    if record.stages:
        entries["optimized at"] = medium_named(order.kind).sized(record.stages[-1].shape)
    entries["network"] = record.network
    entries["time"] = f"{duration_text(seconds)} on {record.device}, {record.precision}"
    if order.cuts is not None:
        entries["shots"] = str(len(order.cuts) + 1)
    if record.notes:
        entries["notes"] = "; ".join(record.notes)
    return entries


def _pictures(order: Order, output: Path) -> list[str]:
    result = read(output)
    before = read(path_of(order.content), replace(order.selection, size=max(probe(output).shape[-2:])))
    if any(map(is_learned, order.styles)):  # of which there are no pictures to judge by
        return [_comparison(before, result)]
    styles = [read(style.path, Selection(512)) for style in order.styles]
    verdicts = judge(result, before, styles, load_network(_JUDGE))
    tiles = "".join(f'<img src="{_still(style)}" alt="style">' for style in styles)
    parts = [
        _comparison(before, result),
        f'<div class="styles">{tiles}</div>',
        "<h2>What the judges say</h2>",
        _table(verdicts),
    ]
    if len(result.axes) > 2:
        parts.append(_over_time([v for v in verdicts if len(v.over_time) > 1], order.cuts or ()))
    return parts


def _comparison(before: Field, after: Field) -> str:
    """HTML that shows the content over the result, with a slider between them."""
    if len(after.axes) == 2:
        layers = [
            f'<img src="{_still(field)}" alt="{name}">' for field, name in ((before, "before"), (after, "after"))
        ]
    else:
        layers = [
            f'<video src="{_clip(field)}" muted loop playsinline preload="auto"></video>'
            for field in (before, after)
        ]
    play = '<button id="play">Pause</button>' if len(after.axes) == 3 else ""
    return (
        f'<div class="compare" style="aspect-ratio:{after.shape[-1]}/{after.shape[-2]}">{layers[0]}'
        f'<div class="after">{layers[1]}</div><div class="line"></div></div>'
        f'<p class="controls">{play}<label>before <input id="where" type="range" min="0" max="1000" value="500"> '
        "after</label></p>"
    )


def _still(field: Field) -> str:
    samples = field.samples if len(field.axes) == 2 else field.samples[:, field.shape[0] // 2]
    return picture_uri(samples.expand(3, -1, -1))


def _clip(field: Field) -> str:
    """A data: URI of a clip as H.264 with 8 bits and 4:2:0, which all browsers play. It needs even sides, so that
    a last odd column or row is left out."""
    height, width = (side - side % 2 for side in field.shape[-2:])
    axes = (Axis("t", field.axes[0].step, "s"), Axis("y"), Axis("x"))
    plain = Field(field.samples[:, :, :height, :width].contiguous(), axes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write(path, plain)
        return data_uri("video/mp4", path.read_bytes())


def _table(verdicts: Sequence[Verdict]) -> str:
    rows = "".join(
        f"<tr><th>{escape(v.name)}</th><td>{v.value:.3g}</td><td>{v.content:.3g}</td><td>{escape(v.meaning)}, "
        f"{v.better} is better</td></tr>"
        for v in verdicts
    )
    return f"<table><tr><th></th><th>result</th><th>content</th><th></th></tr>{rows}</table>"


def _over_time(verdicts: Sequence[Verdict], cuts: Sequence[int]) -> str:
    """A drawing of the curves of each judge over time, with dashed lines at cuts."""
    figure = Figure(figsize=(11, 1.5 * len(verdicts)), layout="constrained")
    panels = figure.subplots(len(verdicts), 1, squeeze=False)[:, 0]
    for panel, verdict in zip(panels, verdicts, strict=True):
        panel.plot(verdict.content_over_time, color="#b8b2a6", label="content")
        panel.plot(verdict.over_time, color="#b4472e", label="result")
        for cut in cuts:
            panel.axvline(cut, color="#23211d", linewidth=0.8, linestyle="--")
        panel.set_title(verdict.name, loc="left", fontsize=10)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.set_xlim(0, max(len(v.over_time) for v in verdicts) - 1)
    panels[-1].set_xlabel("frame; dashed: cuts" if cuts else "frame")
    panels[0].legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    return _svg(figure)


_COLORS = ("#b4472e", "#3b6ea5", "#5b8c5a", "#8a6fae", "#c49a3a", "#5f9ea0", "#8b5a3c", "#6b6b6b")


def _costs(record: Record) -> list[str]:
    """A drawing of the cost of each term over the steps of all stages, if there were steps. Dotted lines mark new
    stages."""
    names = list(dict.fromkeys(name for stage in record.stages for name in stage.costs))
    if not names:
        return []
    figure = Figure(figsize=(11, 3), layout="constrained")
    panel = figure.subplots()
    for name, color in zip(names, cycle(_COLORS), strict=False):
        values = [cost or nan for stage in record.stages for cost in stage.costs.get(name, [nan] * stage.steps)]
        panel.plot(range(1, len(values) + 1), values, label=name, color=color)
    for end in list(accumulate(stage.steps for stage in record.stages))[:-1]:
        panel.axvline(end, color="#b8b2a6", linewidth=0.8, linestyle=":")
    panel.set_yscale("log")
    panel.set_xlabel("step; dotted: a new stage")
    panel.margins(x=0)
    panel.legend(frameon=False, fontsize=8, ncols=len(names))
    return ["<h2>Costs over steps</h2>", _svg(figure)]


def _svg(figure: Figure) -> str:
    figure.patch.set_alpha(0)
    for panel in figure.axes:
        panel.patch.set_alpha(0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    text = io.StringIO()
    figure.savefig(text, format="svg")
    svg = text.getvalue()
    return f'<div class="chart">{svg[svg.index("<svg") :]}</div>'


def _brief(record: Record) -> str:
    """The text of the record without the costs, which are drawn."""
    values = json.loads(record.to_json())
    for stage in values["stages"]:
        stage["costs"] = {name: costs[-1:] for name, costs in stage["costs"].items()}
    return json.dumps(values, indent=1)


_LOOK = """
.compare { position: relative; max-width: 960px; margin: 24px 0 8px; overflow: hidden; background: #000; }
.compare img, .compare video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: fill; }
.after { position: absolute; inset: 0; clip-path: inset(0 0 0 50%); }
.line { position: absolute; top: 0; bottom: 0; left: 50%; width: 2px; margin-left: -1px; background: #fff; }
.controls { display: flex; gap: 20px; align-items: center; max-width: 960px; }
.controls label { display: flex; gap: 10px; flex: 1; align-items: center; }
.controls input { flex: 1; accent-color: var(--accent); }
.controls button { font: inherit; min-width: 5em; padding: 4px 12px; border: 1px solid var(--line);
  background: var(--card); }
.styles { display: flex; gap: 12px; } .styles img { height: 96px; }
.chart svg { width: 100%; max-width: 960px; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 18px 4px 0; border-bottom: 1px solid var(--line); }
pre { background: var(--card); border: 1px solid var(--line); padding: 14px; max-width: 960px; overflow: auto; }
"""

_SCRIPT = """
const after = document.querySelector('.after'), line = document.querySelector('.line');
const where = document.getElementById('where'), play = document.getElementById('play');
const clips = [...document.querySelectorAll('video')];
function cut() {
  const at = where.value / 10;
  after.style.clipPath = `inset(0 0 0 ${at}%)`;
  line.style.left = `${at}%`;
}
if (where) where.addEventListener('input', cut);
if (clips.length) {
  const [first, second] = clips;
  const follow = () => {
    if (Math.abs(first.currentTime - second.currentTime) > 0.02) second.currentTime = first.currentTime;
  };
  first.addEventListener('timeupdate', follow);
  first.addEventListener('seeked', follow);
  const start = () => Promise.all(clips.map(clip => clip.play())).catch(() => { play.textContent = 'Play'; });
  play.addEventListener('click', () => {
    if (first.paused) { start(); play.textContent = 'Pause'; }
    else { clips.forEach(clip => clip.pause()); follow(); play.textContent = 'Play'; }
  });
  start();
}
"""
