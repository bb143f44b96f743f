"""An order carried out: check, read, say the plan, style, write, record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import prod

import torch
from torch import Tensor

from volstyle.codecs import Encoding, check_writable, probe, read, write
from volstyle.codecs.atomic import check_folder, check_target
from volstyle.errors import CapacityError, OutputError, WeightsError
from volstyle.estimate import estimate, stage_work
from volstyle.field import Field
from volstyle.pipeline import Outline, Result, Step, outline, stylize
from volstyle.resample import transfer
from volstyle.state import Reached
from volstyle_cli.curves import signal_drawing
from volstyle_cli.history import save_record
from volstyle_cli.inputs import AXES, Inputs, read_inputs
from volstyle_cli.order import Order
from volstyle_cli.plan import say_plan
from volstyle_cli.progress import Follower, Preview, Progress
from volstyle_cli.report import write_report
from volstyle_cli.screen import Screen, bytes_text, duration_text
from volstyle_cli.show import before_and_after, turning
from volstyle_cli.signals import say_hearing
from volstyle_cli.state import State, remove, was_writing
from volstyle_cli.stopping import stoppable
from volstyle_cli.volumes import Part, with_style_size

_BYTES_PER_SAMPLE = {"visual": 0.2, "lossless": 1.0, "prores": 0.4}
"""Roughly, of each quality: to see before the work that the disk has room."""

_NOTHING = torch.empty(0)


def carry_out(order: Order, screen: Screen) -> bool:
    """Returns whether it was stopped before its end; what there was by then is written all the same.

    Raises VolstyleError, and leaves nothing half-written.
    """
    if was_writing(order):
        order = replace(order, encoding=replace(order.encoding, force=True))
    _check_output(order)
    inputs = read_inputs(order)
    if order.style_size is not None:
        recipe = with_style_size(order.recipe, order.style_size, inputs.content)
        order = replace(order, recipe=recipe)
    run = outline(inputs.content, order.recipe)
    state = State.open(order, run.recipe)
    run = outline(inputs.content, state.recipe)
    order = replace(order, recipe=state.recipe, cuts=inputs.cuts if order.kind == "video" else None)
    if order.network_digest not in (None, run.network.digest):
        raise WeightsError(
            f"network {run.network.name}: weights are {run.network.digest[:8]}…, "
            f"must be {str(order.network_digest)[:8]}… as in the record; get those again"
        )
    if not screen.quiet:
        say_plan(screen, order, run, inputs.content)
        expected = estimate(inputs.content, inputs.styles, run)
        seconds = expected.seconds * sum(shares(inputs))
        screen.entry("takes", f"about {duration_text(seconds)}, {bytes_text(expected.memory)} of memory")
    result, last = _stylized(order, inputs, run, state, screen)
    state.about_to_write()
    notes = write(order.output, result.field, order.encoding)
    record = replace(result.record, notes=(*result.record.notes, *notes))
    save_record(order, record, last if result.stopped else None)
    remove(order)
    for note in record.notes:
        screen.entry("note", note)
    if result.stopped:
        stages = len(run.stages) * len(inputs.parts)
        screen.entry("stopped", f"in stage {last[0] + 1} of {stages}, after step {last[1]}")
    if order.turn:
        write(order.turn, turning(result.field), Encoding(force=order.encoding.force))
        screen.entry("wrote", f"{order.turn}")
    if inputs.signal is not None and not screen.quiet:
        say_hearing(screen, inputs.signal, result.field)
    screen.entry("wrote", f"{order.output} and its record {order.record_path}")
    if order.report:
        write_report(order.record_path, order.report, force=order.encoding.force)
        screen.entry("wrote", f"{order.report}")
    return result.stopped


def shares(inputs: Inputs) -> list[float]:
    """The work of each part, in that of the largest."""
    return [prod(part.content.shape) / prod(inputs.content.shape) for part in inputs.parts]


def _stylized(
    order: Order, inputs: Inputs, run: Outline, state: State, screen: Screen
) -> tuple[Result, tuple[int, int]]:
    """The result as it is written, and the stage and step it came to; stages of all parts are counted on."""
    parts, last = inputs.parts, (0, 0)
    results: list[Result] = []
    before = _NOTHING
    work = [stage * share for share in shares(inputs) for stage in stage_work(run)]
    with stoppable() as asked, Progress(screen, work, order.kind) as progress:
        followers: list[Follower] = [progress]
        if order.preview:
            followers.append(Preview(order.preview, _drawing(inputs)))

        def follow(step: Step) -> bool:
            nonlocal last
            stage = len(results) * len(run.stages) + step.stage
            last = (stage, step.step)
            for follower in followers:
                follower(replace(step, stage=stage, stages=step.stages * len(parts)))
            return asked() or last == order.stop_after

        for number, part in enumerate(parts):
            count = part.window.held if part.window else 0
            reached = state.load(number)
            if reached and number + 1 == state.parts:
                screen.entry(
                    "going on", f"in part {number + 1} of {len(parts)}, after stage {len(reached.stages)}"
                )
            result = stylize(
                part.content,
                inputs.styles_in(part),
                order.recipe,
                follow,
                inputs.init_in(part),
                part.where,
                held=before[:, -count:] if count else None,
                reached=reached,
                on_stage=partial(_keep, state, number, run),
            )
            before = result.reached.samples
            results.append(replace(result, reached=Reached(_NOTHING)))  # only the next part needs it
            if result.stopped:
                break
    stages = tuple(stage for result in results for stage in result.record.stages)
    notes = tuple(dict.fromkeys(note for result in results for note in result.record.notes))
    notes += inputs.signal.notes if inputs.signal is not None else ()
    record = replace(results[0].record, stages=stages, notes=notes)
    return replace(results[-1], field=_written(order, inputs, results), record=record), last


def _keep(state: State, part: int, run: Outline, reached: Reached) -> None:
    state.save(part, reached, whole=len(reached.stages) == len(run.stages))


def _drawing(inputs: Inputs) -> Callable[[Tensor], Field] | None:
    """How a step is drawn where it is not the picture itself."""
    if inputs.signal is not None:
        return signal_drawing(inputs.signal)
    return before_and_after(inputs.parts[0]) if inputs.volume is not None else None


def _written(order: Order, inputs: Inputs, results: Sequence[Result]) -> Field:
    """The result on the grid and in the units it is written in; parts that a stop left out stay as they were."""
    if inputs.volume is not None:
        left = [part.content for part in inputs.parts[len(results) :]]
        return inputs.volume.result([*(result.field.samples for result in results), *(c.samples for c in left)])
    if inputs.signal is not None:
        return inputs.signal.ready.finished(inputs.signal.source, results[0].field)
    result = results[0].field if inputs.clip is None else _joined(inputs.clip, inputs.parts, results)
    if not order.full_size or order.content is None:
        return result
    full = read(order.content, replace(order.selection, size=None))
    transfer(full.samples, (inputs.clip or inputs.content).samples, result.samples)
    return full


def _joined(clip: Field, parts: Sequence[Part], results: Sequence[Result]) -> Field:
    """The clip with the frames that each window finished."""
    samples = clip.samples.clone()
    for part, result in zip(parts, results, strict=False):
        if part.window:
            samples[:, part.window.own] = result.field.samples[:, part.window.held :]
    return clip.with_samples(samples)


def _check_output(order: Order) -> None:
    """Now, what would else go wrong after the work. Raises OutputError or CapacityError."""
    is_signal = order.kind == "signal"
    check_writable(order.output, order.encoding, AXES[order.kind])
    if order.kind == "volume" and not order.output.suffix:
        check_folder(order.output, order.encoding.force, "*.dcm")
    check_target(order.record_path, order.encoding.force)
    for picture, kind in ((order.preview, "image"), (order.turn, "video")):
        if picture:
            check_writable(picture, Encoding(force=order.encoding.force), AXES[kind])
    if order.report:
        check_target(order.report, order.encoding.force)
    others = (order.record_path, order.preview, order.turn, order.report)
    written = [path.resolve() for path in (order.output, *others) if path]
    for path in order.inputs:
        if path.resolve() in written:
            raise OutputError(f"{path}: is read and would be written over; give another --output")
    source = order.styles[0].path if is_signal and order.content is None else order.content
    shape = order.shape if source is None else probe(source, signal=is_signal).shape
    need = prod(shape or ()) * 3 * _BYTES_PER_SAMPLE[order.encoding.quality]
    free = shutil.disk_usage(order.record_path.parent).free
    if free < need:
        raise CapacityError(
            f"{order.output}: takes about {bytes_text(need)}, its disk has {bytes_text(free)} left; free some"
        )
