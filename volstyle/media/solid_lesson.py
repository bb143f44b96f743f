"""A solid learned of its sections: networks that make any part of an endless one, each stage after the one
before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from volstyle.codecs import Encoding, Selection
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.stored import Stored
from volstyle.engine.endless import EndlessSolid
from volstyle.engine.learned_solid import LearnedSolid, Material
from volstyle.engine.learning import Example, Learned, Lesson, has_ended, learn_stage
from volstyle.engine.outline import Outline, outline
from volstyle.engine.painting import SUFFIX
from volstyle.engine.scene import Scene
from volstyle.engine.schedule import Stage
from volstyle.engine.stylize import Step
from volstyle.engine.targets import stage_objective
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.grid.field import Field
from volstyle.media.command import save_record
from volstyle.media.defaults import composed, learned
from volstyle.media.follower import Follower, LearnPlan
from volstyle.media.lesson import lesson, style_names
from volstyle.media.order import Order, Source, StyleOrder
from volstyle.media.result import Result
from volstyle.media.resume import Resume, remove, state_folder
from volstyle.media.solid import Solid
from volstyle.media.table import open_order
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import standard_placement
from volstyle.recipe import LearnChoice, Recipe, merged
from volstyle.record import StageRecord

_PLAN = Plan(axes=3, width=16, residuals=2)
"""How the network of a stage is built: thin, for torch convolves 16 channels the fastest, and of a small reach,
for all that lies within it beyond a part must be made with the part."""

_MARGIN = 6
"""Samples at each end of what is made in a step that are not looked at. A network's reach is twice as long, but
what lies at its ends hardly matters."""

_FEWEST = 16
"""Samples of the coarsest section, at least."""

_SAVE_EVERY = 100
"""Steps after which the state is saved."""

_LOOKED_AT, _LOOKED_SIDE, _LOOKED_EVERY = 12, 96, 4
"""How many parts of the solid are made to find where its phases are cut, their sides in samples, and one in how
many samples is looked at."""


def lesson_of(
    styles: tuple[StyleOrder, ...],
    examples: tuple[Source, ...],
    output: Path | None,
    *,
    shape: tuple[int, ...] | None,
    kind: str | None,
    size: int | None,
    given: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    selection: Selection,
    encoding: Encoding,
    resume: bool,
) -> Order:
    """The order to learn a solid of its sections, in pieces of a shape, or without one styles on examples; the
    other parameters are those of `lesson`. Raises VolstyleError."""
    if shape is None:
        return lesson(
            styles,
            examples,
            output,
            kind=kind,
            size=size,
            given=given,
            chosen=chosen,
            selection=selection,
            encoding=encoding,
            resume=resume,
        )
    for name, is_given in {
        "on": bool(examples),
        "medium": kind not in (None, "volume"),
        "size": size is not None,
        "start": selection.start is not None,
        "end": selection.end is not None,
    }.items():
        if is_given:
            raise RecipeError(f"{name}: does nothing where a solid is learned; leave it out, or --shape")
    solid = merged(given, *chosen).get("solid")
    defaults = "phases" if isinstance(solid, Mapping) and solid.get("phases", "none") != "none" else "solid"
    return Order(
        kind="volume",
        content=None,
        styles=styles,
        output=output,
        recipe=composed(defaults, learned(defaults), given, *chosen),
        selection=Selection(),
        encoding=encoding,
        shape=shape,
        resume=resume,
        learns_solid=True,
    )


def check_solid_lesson(order: Order) -> None:
    """Raises OutputError or RecipeError for an order to learn a solid that cannot be carried out."""
    if order.output is None:
        raise OutputError("output: none is named; a learned solid is a file, as in rock.safetensors")
    if order.output.suffix.lower() != SUFFIX:
        raise OutputError(f"{order.output}: suffix {order.output.suffix!r}, must be {SUFFIX}")
    check_target(order.output, order.encoding.force)
    if not order.styles:
        raise RecipeError("style: none given, must be at least one")
    recipe, usual = order.recipe, Recipe()
    unused = [
        *(f"learn.{name}" for name in _UNUSED if getattr(recipe.learn, name) != _usual(name)),
        *(["colors"] if recipe.colors != usual.colors else []),
        *(["init"] if recipe.init != usual.init else []),
        *(["content.weight"] if recipe.content.weight else []),
        *(["volume.window"] if recipe.volume != usual.volume else []),
    ]
    if unused:
        raise RecipeError(f"{unused[0]}: does nothing where a solid is learned; leave it out")
    if recipe.periodic:
        raise RecipeError("periodic: is for what is made, not for what is learned; leave it out here")


_UNUSED = ("smallest", "largest", "ratio", "examples", "others", "crop", "steadiness", "carry")
"""The choices of how a style is learned that mean nothing to a solid."""


def _usual(name: str) -> Any:
    return 0.0 if name == "others" else getattr(LearnChoice(), name)


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
        follower.learning(LearnPlan(order, run, (1,) * len(run.stages), 0, opened.styles[0]))
        with follower:
            taught = _School(order, opened, run, resume, follower).taught()
        network = f"{run.network.name} ({run.network.digest[:8]})" if run.recipe.style.weight else "no network"
        solid = LearnedSolid(taught.generators, style_names(order.styles), network, _material(taught, opened, run))
        resume.about_to_write()
        assert order.output is not None
        with arriving(order.output, order.encoding.force) as temporary:
            solid.save(temporary, {"recipe": _unplaced(run.recipe).to_toml()})
        record = save_record(order, run.record(taught.records, ()), taught.last if taught.stopped else None)
        remove(order, resume.folder)
    return Result(record, order.output, taught.last, taught.stopped, _no_field)


@dataclass(frozen=True)
class _Taught:
    """generators, records: of the stages that were learned. last: the stage and step that were the last. stopped:
    whether a stop cut them off."""

    generators: tuple[StageGenerator, ...] = ()
    records: tuple[StageRecord, ...] = ()
    last: tuple[int, int] = (0, 0)
    stopped: bool = False


@dataclass(frozen=True)
class _Pieces(Sequence[Example]):
    """Pieces of a stage's noise, one for each seed, and what the stages before make there.

    generators: of the stages before, and one of the stage. shape: of what is looked at.
    """

    generators: tuple[StageGenerator, ...]
    shape: tuple[int, ...]
    run: Outline

    def __len__(self) -> int:
        return 2**31

    @overload
    def __getitem__(self, number: int) -> Example: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Example]: ...

    def __getitem__(self, number: int | slice) -> Example | Sequence[Example]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        stage = len(self.generators) - 1
        solid = EndlessSolid.of(self.generators, number, self.run.machine)
        stride = solid.painters[stage].stride
        margin = -(-_MARGIN // stride) * stride
        content, before = solid.given(tuple(slice(-margin, side + margin) for side in self.shape), stage)
        return Example(content, before, inner=tuple(slice(margin, margin + side) for side in self.shape))


@dataclass(frozen=True)
class _School:
    """All that learning a solid needs."""

    order: Order
    opened: Solid
    run: Outline
    resume: Resume
    follower: Follower

    def taught(self) -> _Taught:
        """Each stage learned after the one before."""
        taught = _Taught()
        for number in range(len(self.run.stages)):
            taught = self._stage(number, taught)
            if taught.stopped:
                break
        return taught

    def _stage(self, number: int, before: _Taught) -> _Taught:
        run, stage = self.run, self.run.stages[number]
        device = run.machine.device
        plan = replace(_PLAN, channels=run_channels(self.opened))
        generator = StageGenerator.new(plan, run.recipe.seed * 97 + number).to(device)
        reached = self.resume.load_as(number, Learned.load)
        if reached is not None:
            reached = reached.to(device)
            self.follower.resumed(0, number)
        pieces = _Pieces((*before.generators, generator), stage.shape, run)
        lesson = Lesson(
            run=run,
            targets=((),),
            examples=pieces,
            checks=(),
            placement=standard_placement(plan.axes, plan.axes, "center"),
            steps=stage.steps,
            batch=1,
            is_first=not number,
            given=self._objective(number),
        )
        began, last, stopped = time.perf_counter(), before.last, False

        def follow(now: Learned) -> bool:
            nonlocal last, stopped
            last = (number, now.step)
            costs = {name: found[-1] for name, found in now.costs.items()}
            step = Step(number, now.step, run.stages, costs, partial(_shown, pieces, now))
            stopped = self.follower.stepped(step) or last == self.order.stop_after
            if now.step % _SAVE_EVERY == 0 or has_ended(now, stage.steps):
                self.resume.save(number, now)
            return stopped

        generator, now = learn_stage(lesson, generator, reached, follow)
        generator = generator.to(torch.device("cpu"))
        record = StageRecord(stage.shape, now.step, dict(now.costs), time.perf_counter() - began)
        return _Taught((*before.generators, generator), (*before.records, record), last, stopped)

    def _objective(self, number: int) -> Any:
        """What is minimized in a stage: that of a solid so much larger, seen at the stage's size."""
        stage = self.run.stages[number]
        times = 2 ** (len(self.run.stages) - 1 - number)
        content = self.opened.only.content.samples
        blank = content[:, :1, :1, :1].expand(len(content), *(times * side for side in stage.shape))
        scene = Scene(blank, self.opened.styles, None, blank, ())
        fixed = torch.zeros(stage.shape[0], dtype=torch.bool)
        return stage_objective(scene, stage, self.run, (), fixed)


def run_channels(opened: Solid) -> int:
    """Channels of a solid as the engine sees it."""
    return opened.only.content.channels


def _planned(order: Order, opened: Solid) -> Outline:
    """The run: as many stages as its sections have room for, each looking at a piece of one shape."""
    shape = order.shape or ()
    run = outline(opened.only.content, order.recipe)
    sides = [min(style.field.shape) for style in opened.styles]
    choice, count = order.recipe.learn, 1
    while max(shape) * 2**count <= min(sides) and min(sides) >= _FEWEST * 2**count:
        count += 1
    steps = [2 * choice.steps if not number else choice.steps for number in range(count)]
    return replace(run, stages=tuple(Stage(shape, each) for each in steps))


def _shown(pieces: _Pieces, now: Learned) -> Tensor:
    """What the network of a stage makes now."""
    *before, generator = pieces.generators
    solid = EndlessSolid.of((*before, replace(generator, weights=now.weights)), 0, pieces.run.machine)
    return solid.part(tuple(slice(0, side) for side in pieces.shape))


def _material(taught: _Taught, opened: Solid, run: Outline) -> Material:
    """What samples stand for, and where phases are cut: where they have their shares in much of the solid."""
    phases, nearer = opened.phases, None
    if phases is not None:
        nearer = phases.nearer(torch.cat(list(_looked_at(taught, run)), 1)[:, :, None, None])
    origin = opened.only.content.origin
    array = origin.array if isinstance(origin, Stored) else None
    return Material(opened.low, opened.high, phases, nearer, "" if array is None else array.dtype.str)


def _looked_at(taught: _Taught, run: Outline) -> Iterator[Tensor]:
    """Some samples (C, N) of parts of the solid."""
    for number in range(_LOOKED_AT):
        solid = EndlessSolid.of(taught.generators, run.recipe.seed + number, run.machine)
        made = solid.part(tuple(slice(0, _LOOKED_SIDE) for _ in range(3)))
        yield made.flatten(1)[:, ::_LOOKED_EVERY].cpu()


def _unplaced(recipe: Recipe) -> Recipe:
    """A recipe that names files without their folders, as it is the same wherever they lie."""
    weights = recipe.network.weights and Path(recipe.network.weights).name
    return replace(recipe, network=replace(recipe.network, weights=weights))


def _no_field() -> Field:
    raise InputError("learned solid: is no field; make a part of it with --shape")
