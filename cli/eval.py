"""`volstyle eval`: judging results, as a table, as JSON, and as curves over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from volstyle.codecs import Selection, read
from volstyle.codecs.atomic import arriving, check_target
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Field
from volstyle.judges.pictures import Verdict, judge
from volstyle.media.command import order_behind
from volstyle.media.order import moment_of, path_of
from volstyle.networks.registry import load_network

from .options import EvalOptions
from .screen import Screen
from .shapes import EvalJson, json_text
from .solids import draw_solid, is_solid, json_of, judged_solid, say_solid

Judged = Mapping[str, tuple[Verdict, ...]]
"""What a result is called -> what the judges say of it."""


def say_verdicts(screen: Screen, options: EvalOptions) -> None:
    """Judge results and print the numbers. Raises VolstyleError for a result that cannot be judged, and where
    neither an option nor a record names content and style."""
    if options.plot:
        _check_plot(options.plot, options.force)
    solid = is_solid(options)
    _check_options(options, solid)
    if solid:
        _say_solid(screen, options)
        return
    content, styles, selection = _sources(options)
    network = load_network(options.network, weights=options.weights)
    paths = [options.result, *options.compare]
    pictures = [_style(style) for style in styles]
    judged = {}
    for path, name in zip(paths, _short(paths), strict=True):
        result = read(path, Selection(options.size))
        source = read(content, replace(selection, size=max(result.shape[-2:])))
        judged[name] = judge(result, source, pictures, network)
    if options.json:
        screen.print(json_text(_json(content, styles, network.name, judged)))
    else:
        _say_table(screen, judged)
        _say_about_network(screen, options)
    if options.plot:
        _draw(options.plot, options.force, judged)
        if not options.json:
            screen.entry("wrote", str(options.plot))


_OF_SOLIDS = ("phases", "phase", "no_tortuosity")
_OF_STYLED = ("network", "weights", "size", "start", "end")


def _check_options(options: EvalOptions, solid: bool) -> None:
    """Raises InputError for options that would change nothing, since they are for results of the other kind."""
    plain = EvalOptions(result=options.result)
    for name in _OF_STYLED if solid else _OF_SOLIDS:
        if getattr(options, name) != getattr(plain, name):
            kinds = ("a styled content", "a solid texture") if solid else ("a solid texture", "a styled content")
            raise InputError(
                f"--{name.replace('_', '-')}: is for {kinds[0]}, {options.result} is {kinds[1]}; leave it out"
            )


def _say_solid(screen: Screen, options: EvalOptions) -> None:
    verdict = judged_solid(screen, options)
    if options.json:
        screen.print(json_of(options, verdict))
    else:
        say_solid(screen, verdict)
    if options.plot:
        draw_solid(options.plot, options.force, verdict)
        if not options.json:
            screen.entry("wrote", str(options.plot))


def _sources(options: EvalOptions) -> tuple[Path, Sequence[Path], Selection]:
    """The content, the styles, and the part of the content that was styled: from options, else from the record
    beside the result."""
    order = order_behind(options.result)
    content = options.content or (order and order.content and path_of(order.content))
    styles = options.style or (order and [style.path for style in order.styles])
    if not content or not styles:
        missing = "--style" if content else "--content"
        raise InputError(f"{options.result}: no record beside it that says what it is of; give {missing}")
    if options.start or options.end or order is None or options.content:
        return content, styles, Selection(None, moment_of("start", options.start), moment_of("end", options.end))
    return content, styles, order.selection


def _style(path: Path) -> Field:
    try:
        return read(path)
    except InputError as error:
        raise InputError(f"style {error}") from error


def _short(paths: Sequence[Path]) -> list[str]:
    """Names that tell the results apart."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _say_table(screen: Screen, judged: Judged) -> None:
    """A row for each result below one for the content itself, the best of several in bold; then what it means."""
    first = next(iter(judged.values()))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", overflow="fold", min_width=10)
    for verdict in first:
        table.add_column(f"{verdict.name} {_ARROWS[verdict.better]}", justify="right", no_wrap=True)
    table.add_row("content", *(f"{verdict.content:.3g}" for verdict in first))
    for name, verdicts in judged.items():
        columns = zip(verdicts, *judged.values(), strict=True)
        table.add_row(name, *(_cell(verdict, rivals) for verdict, *rivals in columns))
    screen.print(table, soft_wrap=False)
    for verdict in first:
        screen.entry(verdict.name, verdict.meaning)


_ARROWS = {"lower": "↓", "higher": "↑"}


def _cell(verdict: Verdict, rivals: Sequence[Verdict]) -> Text:
    best = (min if verdict.better == "lower" else max)(rival.value for rival in rivals)
    is_ratio = verdict.name.startswith("warp") and verdict.content
    text = f"{verdict.value / verdict.content:.2f} ×" if is_ratio else f"{verdict.value:.3g}"
    return Text(text, style="bold" if len(rivals) > 1 and verdict.value == best else "")


def _say_about_network(screen: Screen, options: EvalOptions) -> None:
    for path in (options.result, *options.compare):
        order = order_behind(path)
        if order and order.recipe.network.name == options.network:
            screen.entry("note", f"{path} was optimized in {options.network}: its style distance flatters it")


def _json(content: Path, styles: Sequence[Path], network: str, judged: Judged) -> EvalJson:
    return EvalJson(
        content=str(content),
        styles=[str(style) for style in styles],
        network=network,
        results={name: [dataclasses.asdict(verdict) for verdict in verdicts] for name, verdicts in judged.items()},
    )


def _check_plot(path: Path, force: bool) -> None:
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise OutputError(f"{path}: suffix {path.suffix!r} is not that of a plot; give .png, .svg or .pdf")
    check_target(path, force)


def _draw(path: Path, force: bool, judged: Judged) -> None:
    """One panel for each judge: curves over time for a clip, bars for an image; the content in gray."""
    from matplotlib.figure import Figure

    first = next(iter(judged.values()))
    figure = Figure(figsize=(7.5, 1.9 * len(first)), layout="constrained")
    panels = figure.subplots(len(first), 1, squeeze=False)[:, 0]
    for place, (panel, verdict) in enumerate(zip(panels, first, strict=True)):
        rows = {"content": verdict.content_over_time} | {n: v[place].over_time for n, v in judged.items()}
        for index, (name, values) in enumerate(rows.items()):
            color = "0.6" if not index else f"C{index - 1}"
            if len(values) > 1:
                panel.xaxis.get_major_locator().set_params(integer=True)
                panel.plot(values, color=color, label=name, linewidth=1.4)
            else:
                panel.barh(name, values[0], color=color, height=0.6)
        panel.set_title(f"{verdict.name} {_ARROWS[verdict.better]}  {verdict.meaning}", loc="left", fontsize=9)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.invert_yaxis() if len(verdict.over_time) == 1 else panel.margins(x=0)
    if len(first[0].over_time) > 1:
        panels[-1].set_xlabel("frame", fontsize=9)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False)
    with arriving(path, force) as temporary:
        figure.savefig(temporary, dpi=140)
