"""`volstyle plan batch`: what each result would take, and all of them."""

from __future__ import annotations

import sys

from volstyle.errors import RecipeError
from volstyle.media.batch import jobs_of
from volstyle.media.forecast import Forecast, forecast
from volstyle.media.gather import gather
from volstyle.media.run import bytes_text

from ..run.plan import style_json
from ..screen import Screen, duration_text
from ..shapes import ForecastJson, PlanBatchJson, json_text
from .cluster import check_cluster
from .command import asked_of
from .options import BatchOptions
from .summary import error_line

_FAILED = 1


def plan_batch(options: BatchOptions, screen: Screen) -> int:
    """Say what a batch would take, and on standard error a line for each result that cannot be. Returns the exit
    code, 1 for such lines. Raises VolstyleError for what is wrong with all."""
    check_cluster(options)
    if options.watch:
        raise RecipeError("--watch: what has not arrived cannot be planned; leave it out")
    asked = asked_of(options)
    gathered = gather(options.inputs, asked.output, asked.style_paths)
    jobs, failed = jobs_of(gathered.found, asked)
    screen.entry("batch", f"{len(gathered.found)} files, {len(jobs)} results in {options.output}")
    found = [Forecast.failed(outcome) for outcome in failed]
    for job in jobs:
        found.append(forecast(job))
        if not found[-1].error:
            screen.entry(found[-1].state, _said(found[-1]))
    total = _total(found, list(map(str, gathered.left_out)))
    if options.json:
        sys.stdout.write(json_text(total) + "\n")
    screen.entry("to do", _said_of_all(total))
    for one in found:
        if one.error:
            sys.stderr.write(f"volstyle: {error_line(one.content, one.error)}\n")
    return _FAILED if total["failed"] else 0


def _said(one: Forecast) -> str:
    """One line."""
    styles = ", ".join(style.path.name for style in one.styles)
    takes = f", {_takes(one.expected.seconds, one.expected.memory)}" if one.expected else ""
    return f"{one.content} after {styles}: {one.output}{takes}"


def _said_of_all(total: PlanBatchJson) -> str:
    there = f", {total['there']} are there" if total["there"] else ""
    failed = f", {total['failed']} cannot be" if total["failed"] else ""
    takes = f", one after the other {_takes(total['seconds'], total['memory'])}" if total["seconds"] else ""
    return f"{total['to_do']} of {len(total['results'])} results{there}{failed}{takes}"


def _takes(seconds: float, memory: float) -> str:
    return f"{'' if seconds < 1 else 'about '}{duration_text(seconds)}, {bytes_text(memory)} of memory"


def _total(found: list[Forecast], left_out: list[str]) -> PlanBatchJson:
    expected = [one.expected for one in found if one.expected]
    states = [one.state for one in found]
    return PlanBatchJson(
        results=[_json(one) for one in found],
        to_do=states.count("to do"),
        there=states.count("there"),
        failed=states.count("failed"),
        seconds=sum(each.seconds for each in expected),
        memory=max((each.memory for each in expected), default=0.0),
        disk=max((one.disk for one in found), default=0.0),
        left_out=left_out,
    )


def _json(one: Forecast) -> ForecastJson:
    return ForecastJson(
        content=str(one.content),
        styles=[style_json(style) for style in one.styles],
        medium=one.medium,
        output=None if one.output is None else str(one.output),
        state=one.state,
        seconds=None if one.expected is None else one.expected.seconds,
        memory=None if one.expected is None else one.expected.memory,
        disk=one.disk,
        error=one.error,
    )
