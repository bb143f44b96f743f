"""A solid learned of its sections: networks that make any part of an endless one, each after the one before."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import overload

import torch
from torch import Tensor

from volstyle.codecs.atomic import arriving
from volstyle.codecs.stored import Stored
from volstyle.engine.blockwise import Plans
from volstyle.engine.endless import EndlessSolid, doubled
from volstyle.engine.estimate import Estimate
from volstyle.engine.learned_solid import LearnedSolid, Material
from volstyle.engine.learning import Example, Learned, Lesson, has_ended, learn_stage
from volstyle.engine.outline import Outline, outline
from volstyle.engine.scene import Scene
from volstyle.engine.schedule import Stage
from volstyle.engine.stylize import Step
from volstyle.engine.targets import stage_objective
from volstyle.errors import InputError
from volstyle.grid.field import Field
from volstyle.grid.noise import noise
from volstyle.loss.objective import Objective
from volstyle.media.command import save_record
from volstyle.media.examples import variance_of
from volstyle.media.follower import Follower, LearnPlan
from volstyle.media.learned import unplaced
from volstyle.media.lesson import style_names
from volstyle.media.order import Order
from volstyle.media.result import Result
from volstyle.media.resume import Resume, remove, state_folder
from volstyle.media.solid import Solid
from volstyle.media.table import open_order
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import standard_placement
from volstyle.record import StageRecord

_COMPOSING = Plan(axes=3, block=1, width=16, residuals=2)
"""How the networks of coarse stages are built: thin, for torch convolves 16 channels the fastest. They work on
samples and not on blocks of them, which leave chessboards, and rows of dots beside all edges."""

_REFINING, _REFINED = replace(_COMPOSING, residuals=1), 2
"""How those of the finest stages are built, which have a composition to go by, and how many they are: of a small
reach, for all that lies within it beyond a part must be made with the part."""

_BEGINNING = 0.3
"""The spread of what the network of the first stage makes at first, beside that of one which adds something. One
that adds nothing takes a hundred steps to begin."""

_COARSER, _COARSER_SIDE = 4, 96
"""How many parts the stages before make once, of which a stage sees pieces, and their sides in samples."""

_FEWEST = 16
"""Samples of the coarsest section, at least."""

_BYTES = 600
"""Roughly those that a sample takes in a step: what each layer makes is kept for the way back."""

_SAVE_EVERY = 100
"""Steps after which the state is saved."""

_LOOKED_AT, _LOOKED_SIDE, _LOOKED_EVERY = 12, 96, 4
"""How many parts of the solid are made to find where its phases are cut, their sides in samples, and one in how
many samples is looked at."""


def learn_solid(order: Order, follower: Follower) -> Result:
    """Learn a solid of an order's sections, and write it with a record.

    A run that was killed goes on where it last saved its state, with the same result. Raises VolstyleError.
    """
    opened = open_order(order)
    assert isinstance(opened, Solid)
    run = _planned(order, opened)
    with state_folder(order) as folder:
        resume = Resume.open(order, folder)
        if resume.recipe is not None:
            run = replace(run, recipe=resume.recipe)
        resume = resume.begun(run.recipe)
        order = replace(order, recipe=run.recipe)
        school = _School(order, opened, run, _starts(run, opened), resume, follower)
        follower.learning(SolidPlan(order, run, (1,) * len(run.stages), 0, opened.styles[0], (), school))
        with follower:
            taught = school.taught()
        network = f"{run.network.name} ({run.network.digest[:8]})" if run.recipe.style.weight else "no network"
        material = _material(taught.generators, opened, run)
        solid = LearnedSolid(taught.generators, style_names(order.styles), network, material)
        resume.about_to_write()
        assert order.output is not None
        with arriving(order.output, order.encoding.force) as temporary:
            solid.save(temporary, {"recipe": unplaced(run.recipe).to_toml()})
        record = save_record(order, run.record(taught.records, ()), taught.last if taught.stopped else None)
        remove(order, resume.folder)
    return Result(record, order.output, taught.last, taught.stopped, _no_field)


@dataclass(frozen=True)
class _Taught:
    """generators: of all stages; those that were not learned yet add nothing. records: of the stages that were
    learned. last: the stage and step that were the last. stopped: whether a stop cut them off."""

    generators: tuple[StageGenerator, ...]
    records: tuple[StageRecord, ...] = ()
    last: tuple[int, int] = (0, 0)
    stopped: bool = False


@dataclass(frozen=True)
class _Pieces(Sequence[Example]):
    """Pieces of a stage, one for each number: noise that no other has, and a piece of what the stages before made.

    stage: its number. shape: of what is looked at. halo: samples around it that the stage's network must see, or
    what it makes near the ends would be of another kind. coarser: parts (C, *S) that the stages before made, on
    their grid; () in the first stage. variance: of the sections. device: where they are wanted.
    """

    stage: int
    shape: tuple[int, ...]
    channels: int
    halo: int
    coarser: tuple[Tensor, ...]
    variance: float
    device: torch.device

    @staticmethod
    def of(
        before: Sequence[StageGenerator], plan: Plan, shape: tuple[int, ...], run: Outline, variance: float
    ) -> _Pieces:
        """Those for a network that is built by a plan, after the ones before."""
        coarser = []
        side = max(_COARSER_SIDE, max(shape))
        for number in range(_COARSER if before else 0):
            solid = EndlessSolid.of(before, run.recipe.seed + number, run.machine)
            coarser.append(solid.part((slice(0, side),) * len(shape)).clamp_(0, 1))
        device = run.machine.device
        return _Pieces(len(before), shape, plan.channels, _halo(plan), tuple(coarser), variance, device)

    def __len__(self) -> int:
        return 2**31

    @overload
    def __getitem__(self, number: int) -> Example: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Example]: ...

    def __getitem__(self, number: int | slice) -> Example | Sequence[Example]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        outer = tuple(slice(0, side + 2 * self.halo) for side in self.shape)
        content = noise((number, self.stage), outer, self.channels)
        before = torch.full_like(content, 0.5)
        if self.coarser:
            whole = self.coarser[number % len(self.coarser)]
            draw = torch.Generator().manual_seed(number)
            sides = [-(-side.stop // 2) + 2 for side in outer]
            room = [size - side + 1 for size, side in zip(whole.shape[1:], sides, strict=True)]
            corner = [int(torch.randint(each, (1,), generator=draw)) for each in room]
            piece = tuple(slice(place, place + side) for place, side in zip(corner, sides, strict=True))
            before = doubled(whole[(slice(None), *piece)])[(slice(None), *outer)].to(content)
        inner = tuple(slice(self.halo, self.halo + side) for side in self.shape)
        return Example(content, before, variance=self.variance, inner=inner).to(self.device)


@dataclass(frozen=True)
class _School:
    """All that learning a solid needs. starts: the networks that the stages start from."""

    order: Order
    opened: Solid
    run: Outline
    starts: tuple[StageGenerator, ...]
    resume: Resume
    follower: Follower

    def taught(self) -> _Taught:
        """Each stage learned after the one before."""
        taught = _Taught(self.starts)
        for number in range(len(self.run.stages)):
            taught = self._stage(number, taught)
            if taught.stopped:
                break
        return taught

    def seconds(self) -> float:
        """Those of a step, measured in the first stage."""
        times: list[float] = []
        lesson = replace(self._lesson(0, self.starts), steps=3)
        learn_stage(lesson, self.starts[0].to(self.run.machine.device), None, lambda _: times.append(_now()))
        return times[2] - times[1]

    def _stage(self, number: int, before: _Taught) -> _Taught:
        run, stage = self.run, self.run.stages[number]
        generator = self.starts[number].to(run.machine.device)
        reached = self.resume.load_as(number, Learned.load)
        if reached is not None:
            reached = reached.to(run.machine.device)
            self.follower.resumed(0, number)
        if reached is not None and has_ended(reached, stage.steps):
            return self._after(number, before, reached, 0.0)
        began, last, stopped = _now(), before.last, False

        def follow(now: Learned) -> bool:
            nonlocal last, stopped
            last = (number, now.step)
            costs = {name: found[-1] for name, found in now.costs.items()}
            shown = partial(_shown, before.generators[:number], replace(generator, weights=now.weights), run)
            step = Step(number, now.step, run.stages, costs, shown)
            stopped = self.follower.stepped(step) or last == self.order.stop_after
            if now.step % _SAVE_EVERY == 0 or has_ended(now, stage.steps):
                self.resume.save(number, now)
            return stopped

        _, now = learn_stage(self._lesson(number, before.generators), generator, reached, follow)
        return replace(self._after(number, before, now, _now() - began), last=last, stopped=stopped)

    def _after(self, number: int, before: _Taught, now: Learned, seconds: float) -> _Taught:
        """What is learned with a stage that came so far."""
        generators = list(before.generators)
        learned = replace(self.starts[number], weights=now.weights).to(torch.device("cpu"))
        weights = {name: weight.detach() for name, weight in learned.weights.items()}
        generators[number] = replace(learned, weights=weights)
        record = StageRecord(self.run.stages[number].shape, now.step, dict(now.costs), seconds)
        return _Taught(tuple(generators), (*before.records, record), (number, now.step))

    def _lesson(self, number: int, generators: Sequence[StageGenerator]) -> Lesson:
        """What a stage is to learn. generators: of all stages, of which those before are used."""
        stage, plan = self.run.stages[number], self.starts[number].plan
        variance = variance_of(_every(self.opened))
        phases = self.opened.phases if number == len(self.run.stages) - 1 else None
        return Lesson(
            run=self.run,
            targets=((),),
            examples=_Pieces.of(generators[:number], plan, stage.shape, self.run, variance),
            checks=(),
            placement=standard_placement(plan.axes, plan.axes, "center"),
            steps=stage.steps,
            batch=1,
            is_first=not number,
            given=self._objective(number),
            # What is looked at in the end is cut into phases, and edges of gray are frayed once they are.
            as_seen=None if phases is None else phases.leaning,
        )

    def _objective(self, number: int) -> tuple[Objective, Plans]:
        """What is minimized in a stage: that of a solid so much larger, seen at the stage's size."""
        stage = self.run.stages[number]
        times = 2 ** (len(self.run.stages) - 1 - number)
        content = self.opened.only.content.samples
        blank = content[:, :1, :1, :1].expand(len(content), *(times * side for side in stage.shape))
        scene = Scene(blank, self.opened.styles, None, blank, ())
        fixed = torch.zeros(stage.shape[0], dtype=torch.bool)
        return stage_objective(scene, stage, self.run, (), fixed)


@dataclass(frozen=True)
class SolidPlan(LearnPlan):
    """What learning a solid will do."""

    school: _School | None = None

    @property
    def work(self) -> list[float]:
        """The steps of each stage, in those of the first."""
        assert self.school is not None
        plans = [start.plan for start in self.school.starts]
        one = [_work(plan, stage.shape) for plan, stage in zip(plans, self.run.stages, strict=True)]
        return [stage.steps * each / one[0] for stage, each in zip(self.run.stages, one, strict=True)]

    def estimate(self) -> Estimate:
        """The time of all stages, measured on a few steps, and the memory of a step."""
        assert self.school is not None
        first = self.school.starts[0].plan
        size = prod(side + 2 * _halo(first) for side in self.run.stages[-1].shape)
        memory = _BYTES * size + 4.0 * first.channels * _COARSER * _COARSER_SIDE**3
        return Estimate(self.school.seconds() * sum(self.work), memory)


def _now() -> float:
    return time.perf_counter()


def _starts(run: Outline, opened: Solid) -> tuple[StageGenerator, ...]:
    """The networks that stages start from. The first makes noise around the mean of the sections, the others add
    nothing to what is there."""
    channels, count, seed = opened.only.content.channels, len(run.stages), run.recipe.seed * 97
    composed = max(1, count - _REFINED)
    plans = [replace(_COMPOSING if number < composed else _REFINING, channels=channels) for number in range(count)]
    first, *finer = (StageGenerator.new(plan, seed + number) for number, plan in enumerate(plans))
    kernel = first.weights["last.kernel"]
    spread = _BEGINNING * math.sqrt(2 / kernel[0].numel())
    noisy = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(seed)) * spread
    mean = _every(opened).mean(1) - 0.5
    weights = {**first.weights, "last.kernel": noisy, "last.bias": mean[None]}
    return replace(first, weights=weights), *finer


def _every(opened: Solid) -> Tensor:
    """The samples (C, N) of all sections."""
    return torch.cat([style.field.samples.flatten(1) for style in opened.styles], 1)


def _halo(plan: Plan) -> int:
    """How far a network that is built by a plan sees, in samples."""
    placement = standard_placement(plan.axes, plan.axes, "center")
    return max(StageGenerator.new(plan, 0).painter(placement, torch.ones(1)).cut.halo)


def _work(plan: Plan, shape: tuple[int, ...]) -> float:
    """The products that a network takes for a piece of a shape."""
    kernels = sum(prod(shape) for name, shape in plan.shapes().items() if name.endswith("kernel"))
    return float(kernels * prod(side + 2 * _halo(plan) for side in shape))


def _planned(order: Order, opened: Solid) -> Outline:
    """The run: as many stages as its sections have room for, each looking at a piece of one shape."""
    shape = order.shape or ()
    run = outline(opened.only.content, order.recipe)
    sides = [min(style.field.shape) for style in opened.styles]
    choice, count = order.recipe.learn, 1
    while max(shape) * 2**count <= min(sides) and min(sides) >= _FEWEST * 2**count:
        count += 1
    return replace(run, stages=(Stage(shape, choice.steps),) * count)


def _shown(before: Sequence[StageGenerator], generator: StageGenerator, run: Outline) -> Tensor:
    """What the network of a stage makes now."""
    solid = EndlessSolid.of((*before, generator), 0, run.machine)
    return solid.part(tuple(slice(0, side) for side in run.stages[len(before)].shape)).clamp_(0, 1)


def _material(generators: Sequence[StageGenerator], opened: Solid, run: Outline) -> Material:
    """What samples stand for, and where phases are cut: where they have their shares in much of the solid."""
    phases, nearer = opened.phases, None
    if phases is not None:
        nearer = phases.nearer(torch.cat(list(_looked_at(generators, run)), 1)[:, :, None, None])
    origin = opened.only.content.origin
    array = origin.array if isinstance(origin, Stored) else None
    return Material(opened.low, opened.high, phases, nearer, "" if array is None else array.dtype.str)


def _looked_at(generators: Sequence[StageGenerator], run: Outline) -> Iterator[Tensor]:
    """Some samples (C, N) of parts of the solid."""
    for number in range(_LOOKED_AT):
        solid = EndlessSolid.of(generators, run.recipe.seed + number, run.machine)
        made = solid.part(tuple(slice(0, _LOOKED_SIDE) for _ in range(3)))
        yield made.flatten(1)[:, ::_LOOKED_EVERY].cpu()


def _no_field() -> Field:
    raise InputError("learned solid: is no field; make a part of it with --shape")
