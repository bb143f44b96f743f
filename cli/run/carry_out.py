"""An order carried out: check, read, say the plan, style, write, record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from volstyle.codecs import Encoding, check, check_writable, open_clip, probe, read, write
from volstyle.codecs.atomic import check_target
from volstyle.codecs.clip import Clip
from volstyle.engine.checkpoint import Reached
from volstyle.engine.estimate import estimate, stage_work
from volstyle.engine.outline import Outline, outline
from volstyle.engine.part import Part as EnginePart
from volstyle.engine.stylize import Step, stylize
from volstyle.errors import CapacityError, OutputError, WeightsError
from volstyle.grid.field import Field
from volstyle.grid.resample import transfer
from volstyle.media.part import Part
from volstyle.media.volume import with_style_size
from volstyle.motion.windows import Span
from volstyle.record import StageRecord

from ..draw.report import write_report
from ..draw.signal import signal_drawing
from ..draw.volume import before_and_after, turning
from ..screen import Screen, bytes_text, duration_text
from .command import save_record
from .inputs import AXES, Inputs, read_inputs
from .order import Order
from .plan import say_plan
from .progress import Follower, Preview, Progress
from .resume import Resume, remove, was_writing
from .signal import say_hearing
from .stopping import stoppable

_BYTES_PER_SAMPLE = {"visual": 0.2, "lossless": 1.0, "prores": 0.4}
"""Roughly, of each quality: to see before the work that the disk has room."""


@dataclass(frozen=True)
class Styled:
    """finished: of a part, by its number, what is to be written, or None for one that a stop left out. stages,
    notes: of all parts. last: the stage and step it came to, stages of all parts counted on."""

    finished: Callable[[int], Tensor | None]
    stages: tuple[StageRecord, ...]
    notes: tuple[str, ...]
    last: tuple[int, int]
    stopped: bool


def carry_out(order: Order, screen: Screen) -> bool:
    """Returns whether it was stopped before its end; what there was by then is written all the same.

    Raises VolstyleError, and leaves nothing half-written.
    """
    if was_writing(order):
        order = replace(order, encoding=replace(order.encoding, force=True))
    _check_output(order)
    inputs = read_inputs(order)
    check(order.output, _coming(order, inputs), order.encoding)
    if order.style_size is not None:
        recipe = with_style_size(order.recipe, order.style_size, inputs.grid)
        order = replace(order, recipe=recipe)
    run = outline(inputs.grid, order.recipe)
    resume = Resume.open(order, run.recipe)
    run = outline(inputs.grid, resume.recipe)
    order = replace(order, recipe=resume.recipe, cuts=inputs.film.cuts if inputs.film else None)
    if order.network_digest not in (None, run.network.digest):
        raise WeightsError(
            f"network {run.network.name}: weights are {run.network.digest[:8]}…, "
            f"must be {str(order.network_digest)[:8]}… as in the record; get those again"
        )
    room = _checked_room(order, inputs, run, resume)
    if not screen.quiet:
        say_plan(screen, order, run, inputs)
        first = inputs.parts[0].read()
        expected = estimate(EnginePart(first.content, first.styles), run)
        seconds = duration_text(expected.seconds * sum(shares(inputs)))
        memory = bytes_text(expected.memory)
        screen.entry("takes", f"about {seconds}, {memory} of memory, {bytes_text(room)} of disk on the way")
    styled = _stylized(order, inputs, run, resume, screen)
    resume.about_to_write()
    result = _written(order, inputs, styled)
    notes = (*inputs.notes, *styled.notes, *write(order.output, result, order.encoding))
    save_record(order, run.record(styled.stages, notes), styled.last if styled.stopped else None)
    remove(order)
    for note in notes:
        screen.entry("note", note)
    if styled.stopped:
        stages = len(run.stages) * len(inputs.parts)
        screen.entry("stopped", f"in stage {styled.last[0] + 1} of {stages}, after step {styled.last[1]}")
    if isinstance(result, Field):
        _say_result(order, inputs, result, screen)
    screen.entry("wrote", f"{order.output} and its record {order.record_path}")
    if order.report:
        write_report(order.record_path, order.report, force=order.encoding.force)
        screen.entry("wrote", f"{order.report}")
    return styled.stopped


def shares(inputs: Inputs) -> list[float]:
    """The work of each part, in that of the largest."""
    return [part.size / prod(inputs.grid.shape) for part in inputs.parts]


def _stylized(order: Order, inputs: Inputs, run: Outline, resume: Resume, screen: Screen) -> Styled:
    """All parts one after the other; what they finish is on the disk, so that memory is that of one."""
    last, stopped, number = (0, 0), False, 0
    stages: list[StageRecord] = []
    notes: list[str] = []
    reached: Reached | None = None
    work = [stage * share for share in shares(inputs) for stage in stage_work(run)]
    with stoppable() as asked, Progress(screen, work, order.kind) as progress:
        followers: list[Follower] = [progress]
        if order.preview:
            followers.append(Preview(order.preview, _drawing(inputs)))

        def follow(step: Step) -> bool:
            nonlocal last
            stage = number * len(run.stages) + step.stage
            last = (stage, step.step)
            for follower in followers:
                follower(replace(step, stage=stage, stages=step.stages * len(inputs.parts)))
            return asked() or last == order.stop_after

        def keep(now: Reached) -> None:
            if len(now.stages) < len(run.stages):
                resume.save(number, now)

        for number, part in enumerate(inputs.parts):
            before, reached = reached, resume.load(number)
            if reached and number + 1 == resume.parts:
                place = f"in part {number + 1} of {len(inputs.parts)}"
                screen.entry("going on", f"{place}, after stage {len(reached.stages)}")
            if reached is None or reached.finished is None:
                opening = resume.load(0) if part.window and part.window.ahead else None
                reached, stopped = _part_stylized(run, inputs, part, before, opening, reached, follow, keep)
                if not stopped:
                    resume.save(number, reached)
            stages += reached.stages
            notes += reached.notes
            if stopped:
                break

    def finished(part: int) -> Tensor | None:
        found = reached if stopped and part == number else resume.load(part)
        return None if found is None else found.finished

    return Styled(finished, tuple(stages), tuple(dict.fromkeys(notes)), last, stopped)


def _part_stylized(
    run: Outline,
    inputs: Inputs,
    part: Part,
    before: Reached | None,
    opening: Reached | None,
    reached: Reached | None,
    follow: Callable[[Step], bool],
    keep: Callable[[Reached], None],
) -> tuple[Reached, bool]:
    """What a part finished, with no more than others hold of it, and whether it was stopped. before, opening: the
    same of the one before, and of the first."""
    problem, window = part.read(), part.window or Span(0, 0)
    whole = EnginePart(
        problem.content,
        problem.styles,
        problem.init,
        problem.where,
        problem.flows,
        held=before.samples[:, -window.held :] if before and window.held else None,
        ahead=opening.samples[:, : window.ahead] if opening else None,
        is_whole=len(inputs.parts) == 1,
    )
    result = stylize(run, whole, follow, reached=reached, on_stage=keep)
    done, samples = result.reached, result.field.samples
    if inputs.film:
        held, samples = inputs.film.held(window, done.samples), inputs.film.kept(window, samples)
    else:
        held = torch.empty(0)
    return replace(done, samples=held, momentum=None, finished=samples), result.stopped


def _drawing(inputs: Inputs) -> Callable[[Tensor], Field] | None:
    """How a step is drawn where it is not the picture itself."""
    if inputs.signal is not None:
        return signal_drawing(inputs.signal)
    return before_and_after(inputs.parts[0].grid) if inputs.volume is not None else None


def _written(order: Order, inputs: Inputs, styled: Styled) -> Field | Clip:
    """The result on the grid and in the units it is written in; parts that a stop left out stay as they were."""
    full = replace(order.selection, size=None) if order.full_size else None
    if inputs.film:
        source = open_clip(order.content, full) if order.content and full else None
        return inputs.film.result(styled.finished, source)
    contents = [part.read().content for part in inputs.parts]
    found = [styled.finished(number) for number in range(len(contents))]
    samples = [content.samples if f is None else f for content, f in zip(contents, found, strict=True)]
    if inputs.volume is not None:
        return inputs.volume.result(samples)
    result = contents[0].with_samples(samples[0])
    if inputs.signal is not None:
        return inputs.signal.ready.finished(inputs.signal.source, result)
    if full is None or order.content is None:
        return result
    source_field = read(order.content, full)
    transfer(source_field.samples, contents[0].samples, result.samples)
    return source_field


def _say_result(order: Order, inputs: Inputs, result: Field, screen: Screen) -> None:
    """A volume turning, and what is heard of a signal."""
    if order.turn:
        write(order.turn, turning(result), Encoding(force=order.encoding.force))
        screen.entry("wrote", f"{order.turn}")
    if inputs.signal is not None and not screen.quiet:
        say_hearing(screen, inputs.signal, result)


def _check_output(order: Order) -> None:
    """Now, what would else go wrong after the work. Raises OutputError."""
    check_writable(order.output, order.encoding, AXES[order.kind])
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


def _coming(order: Order, inputs: Inputs) -> Field | Clip:
    """What will be written, but for its samples, which are on the meta device."""
    shape = inputs.shape
    if order.full_size and order.content:
        shape = (*shape[:-2], *probe(order.content).shape[-2:])
    if inputs.film:
        return replace(inputs.film.clip, shape=shape)
    source, channels = inputs.grid, 3
    if inputs.signal:
        source = inputs.signal.source
        shape, channels = source.shape, source.channels
    elif inputs.volume:
        source = inputs.volume.source
        shape, channels = source.shape, 3 if inputs.volume.color else source.channels
    return replace(source, samples=torch.empty(channels, *shape, device="meta"))


def _checked_room(order: Order, inputs: Inputs, run: Outline, resume: Resume) -> float:
    """Bytes of disk a run takes until it ends: the stage it is in, what waits to be written, and the result.
    Raises CapacityError when there are fewer."""
    channels = inputs.grid.channels
    stage = 3 * 4 * channels * prod(run.stages[-1].shape)  # samples and two moments
    each = 2 if inputs.film else 4
    waiting = each * channels * sum(part.size for part in inputs.parts)
    shape = inputs.shape
    if order.full_size and order.content:
        shape = (*shape[:-2], *probe(order.content).shape[-2:])
    need = stage + waiting + prod(shape) * 3 * _BYTES_PER_SAMPLE[order.encoding.quality]
    free = shutil.disk_usage(order.record_path.parent).free + resume.size
    if free < need:
        raise CapacityError(
            f"{order.output}: takes about {bytes_text(need)}, its disk has {bytes_text(free)} left; free some"
        )
    return need
