"""A style learned: for each stage, examples are drawn from contents, and a network is fitted to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from volstyle.codecs.atomic import arriving
from volstyle.codecs.clip import Clip
from volstyle.engine.learning import Example, Learned, Lesson, has_ended, learn_stage
from volstyle.engine.outline import Outline, outline
from volstyle.engine.painting import Brush, LearnedStage, LearnedStyle, apart
from volstyle.engine.scene import Scene, Style
from volstyle.engine.schedule import Stage, stage_sizes
from volstyle.engine.stylize import Step
from volstyle.engine.targets import style_targets
from volstyle.errors import InputError
from volstyle.grid.color import Colors, luma
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted
from volstyle.loss.statistics import Sums
from volstyle.media.command import save_record
from volstyle.media.examples import Draw, clip_examples, field_examples, formula_examples
from volstyle.media.follower import Follower, LearnPlan
from volstyle.media.lesson import Studied, studied, style_names
from volstyle.media.order import Order
from volstyle.media.ranges import style_in_srgb
from volstyle.media.reading import read_style
from volstyle.media.result import Result
from volstyle.media.resume import Resume, remove, state_folder
from volstyle.media.table import medium_named
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import Placement, standard_placement
from volstyle.recipe import Recipe
from volstyle.record import StageRecord

_CHECKS = 24
"""One in so many examples is not learned from: it tells whether learning still helps."""

_FIRST = Plan(width=32, deep=96, residuals=5)
_FINER = {"width": 32, "deep": 64, "residuals": 4}
_FINEST = {"width": 24, "deep": 0, "residuals": 4}
"""How the network of a stage is built: the first composes and is deep; those above _THIN samples are thin, for
they take the most time when they paint, and read the fine taps alone, as stages of samples do."""

_IN_SPACE = {"width": 24, "deep": 64, "residuals": 4}
"""How that of a volume is built, in all stages up to _THIN: its kernels have three times the weights."""

_THIN = 320

_SMALL = 2**14
"""Samples of an example that is small: two of them are looked at in a step."""

_SAVE_EVERY = 100
"""Steps after which the state is saved."""


def learn_order(order: Order, follower: Follower) -> Result:
    """Learn the styles of an order on its examples, and write them with a record.

    A run that was killed goes on where it last saved its state, with the same result. Raises VolstyleError.
    """
    names = style_names(order.styles)
    contents = [each for source in order.examples for each in studied(order, source)]
    styles = [style_in_srgb(read_style(order, style)) for style in order.styles]
    run, sizes = _planned(order, contents)
    plans = [_plan(run, number, size, contents[0].channels, len(styles)) for number, size in enumerate(sizes)]
    starts, said = _starts(order, plans, sizes)
    with state_folder(order) as folder:
        resume = Resume.open(order, folder)
        if resume.recipe is not None:
            run = replace(run, recipe=resume.recipe)
        resume = resume.begun(run.recipe)
        order = replace(order, recipe=run.recipe)
        school = _School(order, run, sizes, starts, tuple(contents), tuple(styles), resume, follower)
        follower.learning(LearnPlan(order, run, _batches(run), len(contents), styles[0], said))
        with follower:
            taught = school.taught()
        network = f"{run.network.name} ({run.network.digest[:8]})"
        learned = LearnedStyle(taught.stages, names, network, run.recipe.learn.ratio, school.colors)
        resume.about_to_write()
        assert order.output is not None
        with arriving(order.output, order.encoding.force) as temporary:
            learned.save(temporary, {"recipe": unplaced(run.recipe).to_toml()})
        notes = tuple(dict.fromkeys(note for content in contents for note in content.notes)) + said + taught.notes
        record = save_record(order, run.record(taught.records, notes), taught.last if taught.stopped else None)
        remove(order, resume.folder)
    return Result(record, order.output, taught.last, taught.stopped, _no_field)


def unplaced(recipe: Recipe) -> Recipe:
    """A recipe that names files without their folders, as it is the same wherever they lie."""
    weights = recipe.network.weights and Path(recipe.network.weights).name
    return replace(recipe, init=Path(recipe.init).name, network=replace(recipe.network, weights=weights))


@dataclass(frozen=True)
class _Taught:
    """stages, records, notes: of those that were learned. last: the stage and step that were the last. stopped:
    whether a stop cut them off."""

    stages: tuple[LearnedStage, ...]
    records: tuple[StageRecord, ...]
    notes: tuple[str, ...]
    last: tuple[int, int]
    stopped: bool


@dataclass(frozen=True)
class _School:
    """All that learning an order needs. sizes: the long side of a content in each stage of the run. starts: the
    networks that the stages start from."""

    order: Order
    run: Outline
    sizes: tuple[int, ...]
    starts: tuple[StageGenerator, ...]
    contents: tuple[Studied, ...]
    styles: tuple[Style, ...]
    resume: Resume
    follower: Follower

    def taught(self) -> _Taught:
        """Each stage learned after the one before."""
        taught = _Taught((), (), (), (0, 0), False)
        for number in range(len(self.sizes)):
            taught = self._stage(number, taught)
            if taught.stopped:
                break
        return taught

    def _stage(self, number: int, before: _Taught) -> _Taught:
        stage, size = self.run.stages[number], self.sizes[number]
        run = _lesson_run(self.run, number, size)
        generator = self.starts[number].to(run.machine.device)
        reached = self.resume.load_as(number, Learned.load)
        if reached is not None:
            reached = reached.to(run.machine.device)
            self.follower.resumed(0, number)
        examples = [] if reached and has_ended(reached, stage.steps) else self._examples(number, before.stages)
        shown = [each for at, each in enumerate(examples) if at % _CHECKS != _CHECKS - 1]
        lesson = Lesson(
            run=run,
            targets=_targets(run, size, self.styles) if examples else (),
            examples=shown + self._formula_examples(number, before.stages, shown),
            checks=examples[_CHECKS - 1 :: _CHECKS],
            placement=self._placement,
            steps=stage.steps,
            batch=_batches(self.run)[number],
            is_first=number == 0,
        )
        began, last, stopped = time.perf_counter(), before.last, False

        def follow(now: Learned) -> bool:
            nonlocal last, stopped
            last = (number, now.step)
            costs = {name: found[-1] for name, found in now.costs.items()}
            shown = (lesson.checks or lesson.examples)[0]
            step = Step(number, now.step, self.run.stages, costs, partial(_shown, lesson, generator, now, shown))
            stopped = self.follower.stepped(step) or last == self.order.stop_after
            if now.step % _SAVE_EVERY == 0 or has_ended(now, stage.steps):
                self.resume.save(number, now)
            return stopped

        generator, now = learn_stage(lesson, generator, reached, follow)
        record = StageRecord(stage.shape, now.step, dict(now.costs), time.perf_counter() - began)
        stages = (*before.stages, LearnedStage(size, generator.to(torch.device("cpu"))))
        slower = f"stage {number + 1}: learning broke down and went on from its best, at {now.pace:g} of the rate"
        notes = (*before.notes, slower) if now.pace < 1 else before.notes
        return _Taught(stages, (*before.records, record), notes, last, stopped)

    def _examples(self, number: int, before: Sequence[LearnedStage]) -> list[Example]:
        """Pieces of all contents at the size of a stage, and what the stages before made of them."""
        machine = self.run.machine
        drawn = self._draw(number, before, -(-self.run.recipe.learn.examples // len(self.contents)))
        found = []
        for at, content in enumerate(self.contents):
            draw = replace(drawn, seed=drawn.seed + at)
            whole = content.opened()
            found += (
                clip_examples(whole, content.cuts, draw)
                if isinstance(whole, Clip)
                else field_examples(whole, draw)
            )
        return [example.to(machine.device) for example in found]

    def _formula_examples(
        self, number: int, before: Sequence[LearnedStage], shown: Sequence[Example]
    ) -> list[Example]:
        """Pictures made by formula for a stage whose pieces are whole pictures; finer ones look at strokes, which
        are of one kind wherever they lie. shown: the examples of contents that they stand beside."""
        choice = self.run.recipe.learn
        if self.sizes[number] > choice.crop:
            return []
        draw = self._draw(number, before, round(len(shown) * choice.others / (1 - choice.others)))
        contents = [example.content.cpu() for example in shown]
        found = formula_examples(self.run.stages[number].shape, contents, draw)
        return [example.to(self.run.machine.device) for example in found]

    def _draw(self, number: int, before: Sequence[LearnedStage], count: int) -> Draw:
        """How examples of a stage are drawn. before: the stages before it. count: of examples."""
        choice = self.run.recipe.learn
        coarser: tuple[Brush, ...] = ()
        if before:
            names = tuple(map(str, range(len(self.styles))))
            style = LearnedStyle(tuple(before), names, "", choice.ratio, self.colors)
            coarser = tuple(
                style.brush(self._placement, shares, self.run.machine) for shares in torch.eye(len(self.styles))
            )
        return Draw(
            size=self.sizes[number],
            crop=choice.crop,
            count=count,
            seed=self.run.recipe.seed * 1009,
            styles=len(self.styles),
            colors=self.colors,
            coarser=coarser,
            before=before[-1].size if before else 0,
        )

    @property
    def colors(self) -> tuple[Colors, ...]:
        """Those of each style, where contents are pictures: these differ in their colors from one to the next, and
        without a common ground a network paints hardly more than a tint. The frames of a clip differ little, and
        the gray values of a volume mean something."""
        if self.run.kept != (False, False):  # neither frames nor slices
            return ()
        samples = [style.field.samples for style in self.styles]
        return tuple(Colors.of(each if self.contents[0].channels == 3 else luma(each)) for each in samples)

    @property
    def _placement(self) -> Placement:
        own = sum(not keep for keep in self.run.kept)
        return standard_placement(own, len(self.run.kept), "center")


def _plan(run: Outline, number: int, size: int, channels: int, styles: int) -> Plan:
    """How the network of a stage is built. number, size: of the stage. channels: of contents. styles: how many."""
    first = replace(_FIRST, axes=sum(not keep for keep in run.kept), channels=channels, styles=styles)
    is_thin = number > 0 and size > _THIN
    if first.axes > 2 and not is_thin:
        return replace(first, **_IN_SPACE)
    return first if not number else replace(first, **(_FINEST if is_thin else _FINER))


def _starts(
    order: Order, plans: Sequence[Plan], sizes: Sequence[int]
) -> tuple[tuple[StageGenerator, ...], tuple[str, ...]]:
    """The networks that the stages of a lesson start from, and notes for the user about those that start anew
    though a learned style was given. sizes: of the stages. Raises InputError for one that no stage can start from.

    A first stage starts from a first one, which composes, and a finer one from the finer one nearest to its size.
    """
    starts = [StageGenerator.new(plan, order.recipe.seed * 97 + number) for number, plan in enumerate(plans)]
    if order.init is None:
        return tuple(starts), ()
    learned, notes = LearnedStyle.load(order.init), []
    rows = [learned.names.index(name) if name in learned.names else None for name in style_names(order.styles)]
    for number, (plan, size) in enumerate(zip(plans, sizes, strict=True)):
        stages = learned.stages[1:] if number else learned.stages[:1]
        alike = [stage for stage in stages if stage.generator.begun(rows).plan == plan]
        if alike:
            starts[number] = min(alike, key=lambda stage: apart(stage.size, size)).generator.begun(rows)
        else:
            notes.append(f"stage {number + 1} starts anew: {order.init.name} has no network for it")
    if len(notes) == len(plans):
        there, here = (f"{plan.axes} axes and {plan.channels} channels" for plan in (learned.plan, plans[0]))
        raise InputError(f"init {order.init}: its networks are for {there}, must be built for {here} as here")
    return tuple(starts), tuple(notes)


def _shown(lesson: Lesson, generator: StageGenerator, now: Learned, example: Example) -> Tensor:
    """What the network makes of an example now."""
    shares = torch.eye(len(lesson.targets), device=example.content.device)[example.style]
    painter = replace(generator, weights=now.weights).painter(lesson.placement, shares)
    with torch.no_grad():
        return painter(example.content, example.before).clamp(0, 1)


def _no_field() -> Field:
    raise InputError("learned style: is no field; paint a content with it")


def _planned(order: Order, contents: Sequence[Studied]) -> tuple[Outline, tuple[int, ...]]:
    """The run, whose stages are those of learning, and the long side of a content in each."""
    choice = order.recipe.learn
    channels = {content.channels for content in contents}
    if len(channels) > 1:
        raise InputError("learn: some examples are gray and others have colors; give one kind of them")
    medium = medium_named(order.kind)
    kept = tuple(name == "t" for name in medium.axes)
    sides = [
        tuple(size for size, keep in zip(content.shape, kept, strict=True) if not keep) for content in contents
    ]
    longest = max(max(side) for side in sides)
    sizes = stage_sizes(min(longest, choice.largest), choice.smallest, choice.ratio)
    stages: list[Stage] = []
    for size in sizes:
        shape = fitted(sides[0], size, (False,) * len(sides[0]))
        piece = tuple(
            min(a, b) for a, b in zip(shape, fitted(shape, choice.crop, (False,) * len(shape)), strict=True)
        )
        steps = choice.steps if stages else 2 * choice.steps  # the first composes, and its steps are cheap
        stages.append(Stage((2, *piece) if any(kept) else piece, steps))
    axes = tuple(Axis(name) for name in medium.axes)
    grid = Field(torch.empty(channels.pop(), *stages[-1].shape, device="meta"), axes)
    return replace(outline(grid, order.recipe), stages=tuple(stages)), sizes


def _lesson_run(run: Outline, number: int, size: int) -> Outline:
    """The run with the taps of a stage, and with its hold on motion. number, size: of the stage."""
    if not number:
        return run
    run = run.fine() if size > _THIN else run
    temporal = replace(run.recipe.temporal, weight=run.recipe.temporal.weight * run.recipe.learn.steadiness)
    return replace(run, recipe=replace(run.recipe, temporal=temporal))


def _batches(run: Outline) -> tuple[int, ...]:
    """Examples in each step of each stage: several where they are small."""
    return tuple(2 if prod(stage.shape) <= _SMALL else 1 for stage in run.stages)


def _targets(run: Outline, size: int, styles: Sequence[Style]) -> list[list[dict[str, Sums]]]:
    """The targets of each style, for each view, at a stage's size."""
    kept = run.kept
    shape = tuple(2 if keep else size for keep in kept)
    blank = Field(torch.full((3, *(1 for _ in kept)), 0.5), tuple(Axis("yxz"[n]) for n in range(len(kept))))
    found = []
    for style in styles:
        scene = Scene.prepare(blank, [style], keep_colors=False, coherent=False)
        found.append(style_targets(scene, shape, run) or [])
    return found
