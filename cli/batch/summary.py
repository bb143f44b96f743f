"""How the results of a batch are said: as a table with its errors, or as JSON."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from volstyle.media.batch import Outcome, State

from ..run.plan import style_json
from ..screen import Screen, duration_text
from ..shapes import BatchJson, OutcomeJson, json_text

_FAILED = 1


def as_json(outcomes: Sequence[Outcome], left_out: Sequence[Path]) -> str:
    counts = Counter(outcome.state for outcome in outcomes)
    values = BatchJson(
        results=[
            OutcomeJson(
                content=str(outcome.content),
                styles=[style_json(style) for style in outcome.styles],
                medium=outcome.medium,
                output=None if outcome.output is None else str(outcome.output),
                state=outcome.state.value,
                seconds=outcome.seconds,
                error=outcome.error,
                notes=list(outcome.notes),
            )
            for outcome in outcomes
        ],
        done=counts[State.DONE],
        there=counts[State.THERE],
        failed=counts[State.FAILED],
        left_out=list(map(str, left_out)),
    )
    return json_text(values)


def said_of(outcome: Outcome) -> str:
    """One line."""
    if outcome.state is State.FAILED:
        return error_line(outcome.content, outcome.error)
    styles = ", ".join(style.path.name for style in outcome.styles)
    took = f", {duration_text(outcome.seconds)}" if outcome.state is State.DONE else ""
    return f"{outcome.content} after {styles}: {outcome.output}{took}"


def say_summary(screen: Screen, outcomes: Sequence[Outcome]) -> int:
    """A row for each medium, and on standard error a line for each that failed. Returns the exit code."""
    states = list(State)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_footer=True)
    media = sorted({outcome.medium or "unknown" for outcome in outcomes})
    table.add_column("", footer="all")
    for state in states:
        counts = Counter(outcome.medium or "unknown" for outcome in outcomes if outcome.state is state)
        table.add_column(state.value, justify="right", footer=str(counts.total()))
    for medium in media:
        own = Counter(outcome.state for outcome in outcomes if (outcome.medium or "unknown") == medium)
        table.add_row(medium, *(str(own[state]) for state in states))
    screen.print(table, soft_wrap=False)
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    for outcome in failed:
        sys.stderr.write(f"volstyle: {error_line(outcome.content, outcome.error)}\n")
    return _FAILED if failed else 0


def error_line(content: Path, error: str) -> str:
    """An error, which names the content."""
    return error if error.startswith(str(content)) else f"{content}: {error}"
