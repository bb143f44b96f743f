"""`volstyle info`: what a file is, and what styling it would take."""

from __future__ import annotations

from pathlib import Path

from volstyle.codecs import probe
from volstyle.engine.estimate import peak_memory
from volstyle.engine.outline import outline
from volstyle.errors import InputError, ShapeError
from volstyle.media.run import bytes_text
from volstyle.media.table import medium_named
from volstyle.record import Record

from .options import InfoOptions
from .recipes import recipe_of
from .run.plan import say_engine
from .screen import Screen, costs_text, duration_text


def say_info(screen: Screen, options: InfoOptions) -> None:
    """Print what a file is and what styling it would take. Raises InputError for a file that volstyle does not
    know."""
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
    medium = medium_named(facts.kind)
    size, choices = medium.size(options.size)
    recipe = recipe_of(options, choices, medium=medium.name)
    content = medium.part_grid(facts, size, recipe)
    screen.print(f"\n`volstyle {medium.name} {path.name} --style FILE` would take:")
    try:
        run = outline(content, recipe)
    except ShapeError as error:
        screen.print(str(error))
        return
    say_engine(screen, run, medium)
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
    sized = medium_named(command["kind"]).sized if command else str
    for number, stage in enumerate(record.stages, start=1):
        first = {name: costs[0] for name, costs in stage.costs.items() if costs}
        last = {name: costs[-1] for name, costs in stage.costs.items() if costs}
        done = len(next(iter(stage.costs.values()), []))
        steps = f"{done} of {stage.steps} steps" if done < stage.steps else f"{stage.steps} steps"
        screen.entry(
            f"stage {number}",
            f"{sized(stage.shape)}, {steps} in {duration_text(stage.seconds)}"
            + (f": {costs_text(first)} -> {costs_text(last)}" if first else ""),
        )
    for note in record.notes:
        screen.entry("note", note)
