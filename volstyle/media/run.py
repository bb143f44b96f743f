"""An order carried out: check, open, plan, style part by part, write, record."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path

from torch import Tensor

from volstyle.codecs import check, check_writable, write
from volstyle.codecs.atomic import check_target
from volstyle.engine.checkpoint import Reached
from volstyle.engine.estimate import peak_memory
from volstyle.engine.machine import choose_budget, free_memory
from volstyle.engine.outline import Outline, outline
from volstyle.engine.ranks import present
from volstyle.engine.stylize import Step, stylize
from volstyle.errors import CapacityError, OutputError, RecipeError, WeightsError
from volstyle.grid.field import Field
from volstyle.media.command import save_record
from volstyle.media.follower import Follower, LearnPlan, Plan
from volstyle.media.learned import learn_order
from volstyle.media.lesson import check_lesson
from volstyle.media.lock import alone
from volstyle.media.medium import Opened
from volstyle.media.method import is_done
from volstyle.media.order import Order, path_of
from volstyle.media.painted import is_learned, paint_order
from volstyle.media.result import Result, in_units
from volstyle.media.resume import Resume, remove, state_folder, was_writing
from volstyle.media.solid_lesson import check_solid_lesson
from volstyle.media.solid_part import make_part
from volstyle.media.solid_school import learn_solid
from volstyle.media.table import medium_named, open_order
from volstyle.media.volume import with_style_size
from volstyle.record import StageRecord

_BYTES_PER_SAMPLE = {"visual": 0.2, "lossless": 1.0, "prores": 0.4}
"""Roughly, for each quality: to see before the work that the disk has room."""


@dataclass(frozen=True)
class _Done:
    """What came of all parts. stages, notes: those of all parts, one after the other. last: the last stage and the
    last step in it, stages counted over all parts. cut: the number of the part that a stop cut off, and what is
    kept of that part; None if there was no stop."""

    stages: tuple[StageRecord, ...]
    notes: tuple[str, ...]
    last: tuple[int, int]
    cut: tuple[int, Reached] | None

    def finished(self, resume: Resume, part: int) -> Tensor | None:
        """The samples that a part finished; None for a part that a stop left out."""
        found = self.cut[1] if self.cut and self.cut[0] == part else resume.load(part)
        return None if found is None else found.finished


def carry_out(order: Order, follower: Follower) -> Result:
    """Style what an order asks for. Where a follower asks to stop, the samples as they are then are the result.
    Where processes have joined, this one is the first of them, and the others see to their tiles.

    Raises VolstyleError, and leaves nothing half-written.
    """
    with alone(order):
        order = _checked(order)
        if order.learns_solid:
            return learn_solid(order, follower)
        if order.examples:
            return learn_order(order, follower)
        if order.lesson is not None and not is_done(order.lesson):
            learned = carry_out(order.lesson, follower)
            if learned.stopped:
                return learned
        if any(map(is_learned, order.styles)):
            return paint_order(order, follower) if order.shape is None else make_part(order, follower)
        return _carried_out(order, follower)


def plan_of(order: Order) -> Plan | LearnPlan:
    """What a run of an order will do, without doing it; for a clip on which a style is learned, that. Raises
    VolstyleError for whatever would keep the run from beginning its work, as too little memory or disk."""
    order = _checked(order)
    if order.lesson is not None and not is_done(order.lesson):
        with suppress(_Planned):
            carry_out(order.lesson, watcher := _Planner())
        return watcher.plan
    learned = next(filter(is_learned, order.styles), None)
    if learned:
        raise RecipeError(f"plan: {learned.path} was learned and paints in one pass, which has no stages; run it")
    with state_folder(order) as folder:
        return _planned(order, folder)[0]


class _Planned(Exception):  # noqa: N818 - it is no error
    """Ends a run once it is planned."""


class _Planner(Follower):
    """Ends a run that learns before its first step, and keeps its plan."""

    plan: LearnPlan

    def learning(self, plan: LearnPlan) -> None:
        self.plan = plan
        raise _Planned


def _checked(order: Order) -> Order:
    """An order that may write over what it was writing when it was killed. Raises OutputError or RecipeError for
    what else would go wrong after the work."""
    if was_writing(order):
        order = replace(order, encoding=replace(order.encoding, force=True))
    if order.learns_solid or order.examples:
        (check_solid_lesson if order.learns_solid else check_lesson)(order)
        check_not_read(order, [path_of(order.output), order.record_path])
    else:
        _check_output(order)
    return order


def _carried_out(order: Order, follower: Follower) -> Result:
    with state_folder(order) as folder:
        plan, resume = _planned(order, folder)
        resume = resume.begun(plan.run.recipe)
        follower.planned(plan)
        done = _stylized(plan.order, plan.opened, plan.run, resume, follower)
        return _given_back(plan.order, plan.opened, plan.run, resume, done)


def _planned(order: Order, folder: Path) -> tuple[Plan, Resume]:
    """The plan of an order, once it can be carried out, and the state in a folder with which it goes on."""
    opened = open_order(order)
    if order.output is not None:
        check(order.output, opened.expected(), order.encoding)
    grid = max(opened.grids, key=lambda grid: prod(grid.shape))
    if order.style_size is not None:
        order = replace(order, recipe=with_style_size(order.recipe, order.style_size, grid))
    ranks = present()
    run = outline(grid, order.recipe, ranks)
    _check_network(order, run)
    resume = Resume.open(order, folder, ranks.count)
    run = _as_it_began(run, grid, resume)
    order = replace(order, recipe=run.recipe, cuts=opened.cuts)
    _check_memory(grid, run)
    return Plan(order, opened, run, _checked_room(order, opened, run, resume)), resume


def _stylized(order: Order, opened: Opened, run: Outline, resume: Resume, follower: Follower) -> _Done:
    """Style all parts one after the other. Their results wait on the disk, so that one part at a time is in
    memory."""
    parts, last = len(opened.grids), (0, 0)
    stages: list[StageRecord] = []
    notes: list[str] = []
    cut = None
    with follower:
        for number in range(parts):
            reached = resume.load(number)
            if reached and number + 1 == resume.parts:
                follower.resumed(number, len(reached.stages))
            if reached is None or reached.finished is None:

                def follow(step: Step, first: int = number * len(run.stages)) -> bool:
                    nonlocal last
                    last = (first + step.stage, step.step)
                    step = replace(step, stage=last[0], stages=step.stages * parts)
                    return follower.stepped(step) or last == order.stop_after

                def keep(now: Reached, part: int = number) -> None:
                    if len(now.stages) < len(run.stages):
                        resume.save(part, now)

                part = opened.part(number, resume.load)
                result = stylize(run, part, follow, on_stage=keep, reached=reached)
                reached = opened.kept(number, result)
                if result.stopped:
                    cut = (number, reached)
                else:
                    resume.save(number, reached)
            stages += reached.stages
            notes += reached.notes
            if cut:
                break
    return _Done(tuple(stages), tuple(dict.fromkeys(notes)), last, cut)


def _given_back(order: Order, opened: Opened, run: Outline, resume: Resume, done: _Done) -> Result:
    """The result, written and recorded if the order names an output."""
    resume.about_to_write()
    result = opened.result(partial(done.finished, resume))
    notes, stopped = (*opened.notes, *done.notes), done.cut is not None
    if order.output is None:
        field = result if isinstance(result, Field) else result.whole()
        made = partial(in_units, field, order)
        return Result(run.record(done.stages, notes), None, done.last, stopped, made)
    notes = (*notes, *write(order.output, result, order.encoding))
    record = save_record(order, run.record(done.stages, notes), done.last if stopped else None)
    remove(order, resume.folder)
    return Result(record, order.output, done.last, stopped, partial(in_units, result, order))


def _as_it_began(run: Outline, grid: Field, resume: Resume) -> Outline:
    """The run with all choices as an earlier run, which was cut off, had resolved them."""
    recipe = resume.recipe
    if recipe is None or replace(recipe, memory=run.recipe.memory) != run.recipe:
        return run if recipe is None else outline(grid, recipe, run.ranks)
    budget = choose_budget(recipe.memory, run.machine.device)
    return replace(run, recipe=recipe, machine=replace(run.machine, budget=budget))


def _check_network(order: Order, run: Outline) -> None:
    """Raises WeightsError where an order repeats an earlier run, and the network has other weights than in that
    run."""
    if order.network_digest not in (None, run.network.digest):
        raise WeightsError(
            f"network {run.network.name}: weights are {run.network.digest[:8]}…, "
            f"must be {str(order.network_digest)[:8]}… as in the record; get those again"
        )


def _check_output(order: Order) -> None:
    """Raises OutputError, before the work, for whatever would keep the result from being written, RecipeError for
    the place of a part of what has no parts."""
    if order.begins is not None and (order.shape is None or not any(map(is_learned, order.styles))):
        raise RecipeError("origin: is for a part of a learned solid; leave it out, or learn the solid first")
    if order.output is None:
        return
    check_writable(order.output, order.encoding, medium_named(order.kind).axes)
    check_target(order.record_path, order.encoding.force)
    check_not_read(order, [order.output, order.record_path])


def check_not_read(order: Order, written: Sequence[Path]) -> None:
    """Raises OutputError for a file that is both read and written over."""
    targets = [path.resolve() for path in written]
    for path in order.inputs:
        if path.resolve() in targets:
            raise OutputError(f"{path}: is read and would be written over; give another --output")


def _check_memory(grid: Field, run: Outline) -> None:
    """Raises CapacityError when a run takes more memory than is free, in the tiles that were chosen."""
    need, free = peak_memory(grid, run), free_memory(run.machine.device)
    if need > free:
        raise CapacityError(
            f"memory: takes about {bytes_text(need)}, {bytes_text(free)} are free; "
            "choose a smaller --size or --memory"
        )


def _checked_room(order: Order, opened: Opened, run: Outline, resume: Resume) -> float:
    """Bytes of disk a run takes until it ends: the stage it is in, what waits to be written, and the result.
    Raises CapacityError when there are fewer."""
    channels = opened.grids[0].channels
    stage = 3 * 4 * channels * prod(run.stages[-1].shape)  # samples and two moments
    waiting = opened.kept_bytes * channels * sum(prod(grid.shape) for grid in opened.grids)
    need = stage + waiting + prod(opened.expected().shape) * 3 * _BYTES_PER_SAMPLE[order.encoding.quality]
    place = Path(tempfile.gettempdir()) if order.output is None else order.output.parent
    free = shutil.disk_usage(place).free + resume.size
    if free < need:
        name = order.output or "the result"
        raise CapacityError(
            f"{name}: takes about {bytes_text(need)}, its disk has {bytes_text(free)} left; free some"
        )
    return need


def bytes_text(count: float) -> str:
    for power, unit in ((30, "GB"), (20, "MB")):
        if count >= 2**power:
            return f"{count / 2**power:.{1 if unit == 'GB' else 0}f} {unit}"
    return f"{count / 2**10:.0f} KB"
