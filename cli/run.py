"""An order carried out: check, read, say the plan, style, write, record."""

from __future__ import annotations

import shutil
from dataclasses import replace
from math import prod

from volstyle.codecs import check_writable, probe, read, write
from volstyle.codecs.atomic import check_target
from volstyle.errors import CapacityError, OutputError, WeightsError
from volstyle.estimate import estimate, stage_work
from volstyle.field import Field
from volstyle.pipeline import Outline, Result, Step, outline, stylize
from volstyle.resample import transfer
from volstyle_cli.history import save_record
from volstyle_cli.inputs import Inputs, read_inputs
from volstyle_cli.order import Order
from volstyle_cli.plan import say_plan
from volstyle_cli.progress import Follower, Preview, Progress
from volstyle_cli.screen import Screen, bytes_text, duration_text
from volstyle_cli.stopping import stoppable

_BYTES_PER_SAMPLE = {"visual": 0.2, "lossless": 1.0, "prores": 0.4}
"""Roughly, of each quality: to see before the work that the disk has room."""


def carry_out(order: Order, screen: Screen) -> bool:
    """Returns whether it was stopped before its end; what there was by then is written all the same.

    Raises VolstyleError, and leaves nothing half-written.
    """
    _check_output(order)
    inputs = read_inputs(order)
    run = outline(inputs.content, order.recipe)
    if order.network_digest not in (None, run.network.digest):
        raise WeightsError(
            f"network {run.network.name}: weights are {run.network.digest[:8]}…, "
            f"must be {str(order.network_digest)[:8]}… as in the record; get those again"
        )
    if not screen.quiet:
        say_plan(screen, order, run, inputs.content)
        expected = estimate(inputs.content, inputs.styles, run)
        screen.entry("takes", f"about {duration_text(expected.seconds)}, {bytes_text(expected.memory)} of memory")
    result, last = _stylized(order, inputs, run, screen)
    notes = write(order.output, _sized(order, inputs.content, result.field), order.encoding)
    record = replace(result.record, notes=(*result.record.notes, *notes))
    save_record(order, record, last if result.stopped else None)
    for note in record.notes:
        screen.entry("note", note)
    if result.stopped:
        screen.entry("stopped", f"in stage {last[0] + 1} of {len(run.stages)}, after step {last[1]}")
    screen.entry("wrote", f"{order.output} and its record {order.record_path}")
    return result.stopped


def _stylized(order: Order, inputs: Inputs, run: Outline, screen: Screen) -> tuple[Result, tuple[int, int]]:
    """The result, and the stage and step it came to."""
    last = (0, 0)
    with stoppable() as asked, Progress(screen, stage_work(run)) as progress:
        followers: list[Follower] = [progress, *([Preview(order.preview)] if order.preview else [])]

        def follow(step: Step) -> bool:
            nonlocal last
            last = (step.stage, step.step)
            for follower in followers:
                follower(step)
            return asked() or last == order.stop_after

        return stylize(inputs.content, inputs.styles, order.recipe, follow, inputs.init), last


def _sized(order: Order, content: Field, result: Field) -> Field:
    """The result at the size it is written at."""
    if not order.full_size:
        return result
    full = read(order.content, replace(order.selection, size=None))
    transfer(full.samples, content.samples, result.samples)
    return full


def _check_output(order: Order) -> None:
    """Now, what would else go wrong after the work. Raises OutputError or CapacityError."""
    check_writable(order.output, order.encoding)
    check_target(order.record_path, order.encoding.force)
    if order.preview:
        check_writable(order.preview, order.encoding)
    written = [path.resolve() for path in (order.output, order.record_path, order.preview) if path]
    for path in order.inputs:
        if path.resolve() in written:
            raise OutputError(f"{path}: is read and would be written over; give another --output")
    shape = probe(order.content).shape
    need = prod(shape) * 3 * _BYTES_PER_SAMPLE[order.encoding.quality]
    free = shutil.disk_usage(order.record_path.parent).free
    if free < need:
        raise CapacityError(
            f"{order.output}: takes about {bytes_text(need)}, its disk has {bytes_text(free)} left; free some"
        )
