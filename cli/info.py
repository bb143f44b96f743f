"""What a file is, and what styling it would take."""

from __future__ import annotations

from pathlib import Path

import torch

from volstyle.codecs import probe
from volstyle.engine.estimate import peak_memory
from volstyle.engine.outline import outline
from volstyle.errors import InputError, ShapeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted
from volstyle.media.defaults import SIZES
from volstyle.motion.windows import BEYOND, HELD, plan_windows
from volstyle.record import Record

from .options import InfoOptions
from .recipes import recipe_of
from .run.plan import say_engine
from .screen import Screen, bytes_text, costs_text, duration_text, size_text

_AXES = {
    "image": (Axis("y"), Axis("x")),
    "video": (Axis("t", 1.0, "s"), Axis("y"), Axis("x")),
    "volume": (Axis("z"), Axis("y"), Axis("x")),
}


def say_info(screen: Screen, options: InfoOptions) -> None:
    """Raises InputError for a file that is nothing volstyle knows."""
    path = options.file
    if path.suffix == ".json":
        _say_record(screen, path)
        return
    facts = probe(path)
    screen.entry(facts.kind, str(path))
    for name, text in facts.entries.items():
        screen.entry(name, text)
    if len(facts.shape) == 1:
        screen.print(f"\n`volstyle signal {path.name} --style FILE` styles it.")
        return
    axes, size = facts.axes or _AXES[facts.kind], options.size or SIZES[facts.kind]
    kept = tuple(axis.name == "t" for axis in axes)
    shape = fitted(facts.shape, min(size, max(facts.shape[-2:])), kept)
    recipe = recipe_of(options, facts.kind)
    if facts.kind == "video":  # one shot, in windows
        windows = plan_windows(shape[0], (), recipe.temporal.window, HELD, BEYOND)
        shape = (max(window.stop - window.start for window in windows), *shape[1:])
    content = Field(torch.empty(3, *shape, device="meta"), axes)
    if facts.kind == "volume":  # made smaller in its stages, if at all, and styled one time after the other
        content = Field(torch.empty(1, *facts.shape[-3:], device="meta"), axes[-3:])
    screen.print(f"\n`volstyle {facts.kind} {path.name} --style FILE` would take:")
    try:
        run = outline(content, recipe)
    except ShapeError as error:
        screen.print(str(error))
        return
    say_engine(screen, run, facts.kind)
    screen.entry("memory", f"about {bytes_text(peak_memory(content, run))}")


def _say_record(screen: Screen, path: Path) -> None:
    record = Record.load(path)
    command = record.command
    screen.entry("record", str(path))
    try:
        if command:
            screen.entry("content", command["content"])
            for style in command["styles"]:
                screen.entry("style", style["path"])
            screen.entry("output", command["output"]["path"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: a record that does not say what it is of (no {error})") from error
    screen.entry("network", f"{record.network} ({record.weights[:8]})")
    screen.entry("device", f"{record.device}, {record.precision}, {record.threads} threads")
    for number, stage in enumerate(record.stages, start=1):
        first = {name: costs[0] for name, costs in stage.costs.items() if costs}
        last = {name: costs[-1] for name, costs in stage.costs.items() if costs}
        done = len(next(iter(stage.costs.values()), []))
        steps = f"{done} of {stage.steps} steps" if done < stage.steps else f"{stage.steps} steps"
        screen.entry(
            f"stage {number}",
            f"{size_text(stage.shape, command.get('kind', ''))}, {steps} in {duration_text(stage.seconds)}"
            + (f": {costs_text(first)} -> {costs_text(last)}" if first else ""),
        )
    for note in record.notes:
        screen.entry("note", note)
