"""`volstyle info`: what a file is, and what styling it would take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from volstyle.codecs import Facts, probe
from volstyle.engine.estimate import peak_memory
from volstyle.engine.outline import Outline, outline
from volstyle.errors import InputError, ShapeError
from volstyle.media.medium import Medium
from volstyle.media.method import LONG
from volstyle.media.run import bytes_text
from volstyle.media.table import medium_named
from volstyle.record import Record, StageRecord

from .options import InfoOptions
from .recipes import recipe_of
from .run.plan import engine_json, say_engine
from .screen import Screen, costs_text, duration_text
from .shapes import AxisJson, InfoJson, NetworkJson, RecordJson, StageDoneJson, StyleJson, json_text


def say_info(screen: Screen, options: InfoOptions) -> None:
    """Print what a file is and what styling it would take. Raises InputError for a file that volstyle does not
    know."""
    path = options.file
    if path.suffix == ".json":
        record = Record.load(path)
        screen.print(json_text(_record_json(path, record))) if options.json else _say_record(screen, path, record)
        return
    facts = probe(path)
    taken = _taken(options, facts)
    if options.json:
        screen.print(json_text(_info_json(path, facts, taken)))
        return
    screen.entry(facts.kind, str(path))
    for name, text in facts.entries.items():
        screen.entry(name, text)
    command = f"volstyle {taken.medium.name} {shlex.quote(str(path))} --style FILE"
    if taken.medium.name == "video" and facts.shape[0] >= LONG:
        screen.print(f"\n`{command}` learns the style on it, and paints it then.")
        command += " --method optimize"
    screen.print(f"\n`{command}` {'would take:' if taken.run or taken.why_not else 'styles it.'}")
    if taken.why_not:
        screen.print(taken.why_not)
    if taken.run:
        say_engine(screen, taken.run, taken.medium)
        screen.entry("memory", f"about {bytes_text(taken.memory)}")


@dataclass(frozen=True)
class _Taken:
    """What styling a file would take. run: None for a signal, and for what is too small, as `why_not` says."""

    medium: Medium
    run: Outline | None = None
    memory: float = 0.0
    why_not: str = ""


def _taken(options: InfoOptions, facts: Facts) -> _Taken:
    if len(facts.shape) == 1:
        return _Taken(medium_named("signal"))
    medium = medium_named(facts.kind)
    size, choices = medium.size(options.size)
    content = medium.part_grid(facts, size, recipe := recipe_of(options, choices, medium=medium.name))
    try:
        run = outline(content, recipe)
    except ShapeError as error:
        return _Taken(medium, why_not=str(error))
    return _Taken(medium, run, peak_memory(content, run))


def _info_json(path: Path, facts: Facts, taken: _Taken) -> InfoJson:
    axes = [AxisJson(name=axis.name, step=axis.step, unit=axis.unit) for axis in facts.axes or ()]
    return InfoJson(
        kind=facts.kind,
        path=str(path),
        shape=list(facts.shape),
        axes=axes or None,
        entries=dict(facts.entries),
        medium=taken.medium.name,
        takes=None if taken.run is None else engine_json(taken.run, taken.memory),
        why_not=taken.why_not,
    )


def _record_json(path: Path, record: Record) -> RecordJson:
    command = record.command
    try:
        content, output = (command["content"], command["output"]["path"]) if command else (None, None)
        styles = [
            StyleJson(path=style["path"], weight=style["weight"], at=_moment_text(style.get("at")))
            for style in command.get("styles", ())
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise _unclear(path, error) from error
    return RecordJson(
        kind="record",
        path=str(path),
        content=content,
        styles=styles,
        output=output,
        network=NetworkJson(name=record.network, weights=record.weights),
        device=record.device,
        precision=record.precision,
        threads=record.threads,
        stages=[_stage_json(stage) for stage in record.stages],
        notes=list(record.notes),
    )


def _moment_text(at: Mapping[str, Any] | None) -> str | None:
    return None if at is None else f"{at['value']:g}{at['unit']}"


def _stage_json(stage: StageRecord) -> StageDoneJson:
    first, last, done = _costs(stage)
    return StageDoneJson(
        shape=list(stage.shape), steps=stage.steps, done=done, seconds=stage.seconds, first=first, last=last
    )


def _costs(stage: StageRecord) -> tuple[dict[str, float], dict[str, float], int]:
    """The costs of a stage's first and last step, and how many steps were taken."""
    first = {name: costs[0] for name, costs in stage.costs.items() if costs}
    last = {name: costs[-1] for name, costs in stage.costs.items() if costs}
    return first, last, len(next(iter(stage.costs.values()), []))


def _unclear(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: a record that does not say what it is of (no {error})")


def _say_record(screen: Screen, path: Path, record: Record) -> None:
    command = record.command
    screen.entry("record", str(path))
    try:
        if command:
            screen.entry("content", command["content"] or "in memory, or none")
            for style in command["styles"]:
                screen.entry("style", style["path"])
            screen.entry("output", command["output"]["path"])
        sized = medium_named(command["kind"]).sized if command else str
        sizes = [sized(stage.shape) for stage in record.stages]
    except (KeyError, TypeError, ValueError) as error:
        raise _unclear(path, error) from error
    screen.entry("network", f"{record.network} ({record.weights[:8]})")
    screen.entry("device", f"{record.device}, {record.precision}, {record.threads} threads")
    for number, (stage, size) in enumerate(zip(record.stages, sizes, strict=True), start=1):
        first, last, done = _costs(stage)
        steps = f"{done} of {stage.steps} steps" if done < stage.steps else f"{stage.steps} steps"
        screen.entry(
            f"stage {number}",
            f"{size}, {steps} in {duration_text(stage.seconds)}"
            + (f": {costs_text(first)} -> {costs_text(last)}" if first else ""),
        )
    for note in record.notes:
        screen.entry("note", note)
