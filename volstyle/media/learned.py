"""A style learned: for each stage, examples are drawn from contents, and a network is fitted to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from volstyle.codecs import PICTURES, Encoding, Selection, is_clip, open_clip, read, suffix_of
from volstyle.codecs.atomic import arriving, check_target
from volstyle.codecs.clip import Clip
from volstyle.engine.learning import Example, Learned, Lesson, has_ended, learn_stage
from volstyle.engine.outline import Outline, outline
from volstyle.engine.painting import SUFFIX, Brush, LearnedStage, LearnedStyle
from volstyle.engine.scene import Scene, Style
from volstyle.engine.schedule import Stage, stage_sizes
from volstyle.engine.stylize import Step
from volstyle.engine.targets import style_targets
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import fitted
from volstyle.loss.statistics import Sums
from volstyle.media.command import save_record
from volstyle.media.defaults import LEARNED, composed
from volstyle.media.examples import Draw, clip_examples, field_examples
from volstyle.media.follower import Follower, LearnPlan
from volstyle.media.order import Order, Source, StyleOrder
from volstyle.media.painted import painted_axes
from volstyle.media.reading import read_style
from volstyle.media.result import Result
from volstyle.media.resume import Resume, remove, state_folder
from volstyle.media.table import medium_named, medium_of
from volstyle.media.volume import Volume
from volstyle.motion.shots import CutFinder
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import Placement, standard_placement
from volstyle.record import StageRecord

_CHECKS = 8
"""One in so many examples is not learned from: it tells whether learning still helps."""

_FIRST = Plan(width=32, deep=96, residuals=5)
_FINER = {"width": 32, "deep": 64, "residuals": 4}
_FINEST = {"width": 24, "deep": 0, "residuals": 4}
"""How the network of a stage is built: the first composes and is deep; those above _THIN samples are thin, for
they take the most time when they paint."""

_THIN = 320

_SMALL = 2**14
"""Samples of an example that is small: two of them are looked at in a step."""

_SAVE_EVERY = 100
"""Steps after which the state is saved."""


@dataclass(frozen=True)
class Studied:
    """A content that a style is learned on. opened: gives it, a picture or a volume whole, or a clip. shape: along
    its axes. channels: of it. cuts: first frames of the shots of a clip but the first. notes: for the user."""

    source: Source
    opened: Callable[[], Field | Clip]
    shape: tuple[int, ...]
    channels: int = 3
    cuts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def learn_order(order: Order, follower: Follower) -> Result:
    """Learn the styles of an order on its examples, and write them with a record.

    A run that was killed goes on where it last saved its state, with the same result. Raises VolstyleError.
    """
    assert order.output is not None
    names = _names(order.styles)
    contents = [each for source in order.examples for each in _studied(order, source)]
    styles = [read_style(order, style) for style in order.styles]
    run, sizes = _planned(order, contents)
    with state_folder(order) as folder:
        resume = Resume.open(order, folder)
        if resume.recipe is not None:
            run = replace(run, recipe=resume.recipe)
        resume = resume.begun(run.recipe)
        order = replace(order, recipe=run.recipe)
        school = _School(order, run, sizes, tuple(contents), tuple(styles), resume, follower)
        follower.learning(LearnPlan(order, run, _batches(run), len(contents), styles[0]))
        with follower:
            taught = school.taught()
        learned = LearnedStyle(
            taught.stages, names, f"{run.network.name} ({run.network.digest[:8]})", run.recipe.learn.ratio
        )
        resume.about_to_write()
        assert order.output is not None
        with arriving(order.output, order.encoding.force) as temporary:
            learned.save(temporary, {"recipe": run.recipe.to_toml()})
        notes = tuple(dict.fromkeys(note for content in contents for note in content.notes))
        record = save_record(order, run.record(taught.records, notes), taught.last if taught.stopped else None)
        remove(order, resume.folder)
    return Result(record, order.output, taught.last, taught.stopped, _no_field)


@dataclass(frozen=True)
class _Taught:
    """stages, records: of those that were learned. last: the stage and step that were the last. stopped: whether a
    stop cut them off."""

    stages: tuple[LearnedStage, ...]
    records: tuple[StageRecord, ...]
    last: tuple[int, int]
    stopped: bool


@dataclass(frozen=True)
class _School:
    """All that learning an order needs. sizes: the long side of a content in each stage of the run."""

    order: Order
    run: Outline
    sizes: tuple[int, ...]
    contents: tuple[Studied, ...]
    styles: tuple[Style, ...]
    resume: Resume
    follower: Follower

    def taught(self) -> _Taught:
        """Each stage learned after the one before."""
        taught = _Taught((), (), (0, 0), False)
        for number in range(len(self.sizes)):
            taught = self._stage(number, taught)
            if taught.stopped:
                break
        return taught

    def _stage(self, number: int, before: _Taught) -> _Taught:
        stage, size = self.run.stages[number], self.sizes[number]
        run = _lesson_run(self.run, number)
        generator = StageGenerator.new(self._plan(number), run.recipe.seed * 97 + number).to(run.machine.device)
        reached = self.resume.load_as(number, Learned.load)
        if reached is not None:
            reached = reached.to(run.machine.device)
            self.follower.resumed(0, number)
        examples = [] if reached and has_ended(reached, stage.steps) else self._examples(number, before.stages)
        lesson = Lesson(
            run=run,
            targets=_targets(run, size, self.styles) if examples else (),
            examples=[each for at, each in enumerate(examples) if at % _CHECKS != _CHECKS - 1],
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
        return _Taught(stages, (*before.records, record), last, stopped)

    def _examples(self, number: int, before: Sequence[LearnedStage]) -> list[Example]:
        """Pieces of all contents at the size of a stage, and what the stages before made of them."""
        choice, machine = self.run.recipe.learn, self.run.machine
        coarser: tuple[Brush, ...] = ()
        if before:
            style = LearnedStyle(tuple(before), tuple(map(str, range(len(self.styles)))), "", choice.ratio)
            coarser = tuple(
                style.brush(self._placement, shares, machine) for shares in torch.eye(len(self.styles))
            )
        count = -(-choice.examples // len(self.contents))
        found = []
        for at, content in enumerate(self.contents):
            draw = Draw(
                size=self.sizes[number],
                crop=choice.crop,
                count=count,
                seed=self.run.recipe.seed * 1009 + at,
                styles=len(self.styles),
                coarser=coarser,
                before=before[-1].size if before else 0,
            )
            whole = content.opened()
            found += (
                clip_examples(whole, content.cuts, draw)
                if isinstance(whole, Clip)
                else field_examples(whole, draw)
            )
        return [example.to(machine.device) for example in found]

    def _plan(self, number: int) -> Plan:
        """How the network of a stage is built."""
        first = replace(_FIRST, axes=sum(not keep for keep in self.run.kept), styles=len(self.styles))
        built = first if not number else replace(first, **(_FINER if self.sizes[number] <= _THIN else _FINEST))
        return replace(built, channels=self.contents[0].channels)

    @property
    def _placement(self) -> Placement:
        own = sum(not keep for keep in self.run.kept)
        return standard_placement(own, len(self.run.kept), "center")


def _shown(lesson: Lesson, generator: StageGenerator, now: Learned, example: Example) -> Tensor:
    """What the network makes of an example now."""
    shares = torch.eye(len(lesson.targets), device=example.content.device)[example.style]
    painter = replace(generator, weights=now.weights).painter(lesson.placement, shares)
    with torch.no_grad():
        return painter(example.content, example.before).clamp(0, 1)


def _no_field() -> Field:
    raise InputError("learned style: is no field; paint a content with it")


def lesson(
    styles: tuple[StyleOrder, ...],
    examples: tuple[Source, ...],
    output: Path | None,
    *,
    kind: str | None,
    size: int | None,
    given: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    selection: Selection,
    encoding: Encoding,
    resume: bool,
) -> Order:
    """The order to learn styles on examples. kind: the medium's name; None is that of the first example, and of a
    folder of pictures each picture for itself. size: the long side of contents at most. given, chosen: choices, as
    `Medium.recipe` takes them. Raises VolstyleError."""
    if not examples:
        raise RecipeError("on: names nothing to learn on, must be a clip, pictures or volumes")
    if kind is None:
        first = examples[0]
        is_folder = isinstance(first, Path) and first.is_dir() and is_clip(first)
        kind = "image" if is_folder else medium_of(first).name
    sizes = () if size is None else ({"learn": {"largest": size}},)
    recipe = composed(kind, LEARNED, given, *sizes, *chosen)
    # What is learned on is read no larger than it is learned; the stages make it smaller.
    read_at = None if "z" in medium_named(kind).axes else recipe.learn.largest
    return Order(
        kind=kind,
        content=None,
        styles=styles,
        output=output,
        recipe=recipe,
        selection=replace(selection, size=read_at),
        encoding=encoding,
        resume=resume,
        examples=examples,
    )


def check_lesson(order: Order) -> None:
    """Raises OutputError or RecipeError for an order to learn that cannot be carried out."""
    if order.output is None:
        raise OutputError("output: none is named; a learned style is a file, as in starry.safetensors")
    if order.output.suffix.lower() != SUFFIX:
        raise OutputError(f"{order.output}: suffix {order.output.suffix!r}, must be {SUFFIX}")
    check_target(order.output, order.encoding.force)
    if not painted_axes(medium_named(order.kind)):
        raise RecipeError(f"learn: is for pictures, clips and volumes, not for a {order.kind}")
    if not order.styles:
        raise RecipeError("style: none given, must be at least one")
    for name, is_given in {
        "@TIME": any(style.at for style in order.styles),
        "--style-mask": any(style.source_mask is not None for style in order.styles),
        "--init": order.init is not None,
        "--keep-colors": order.recipe.colors == "content",
        "--loop": order.recipe.temporal.loop,
        "--periodic": order.recipe.periodic,
    }.items():
        if is_given:
            raise RecipeError(f"{name}: is for what is painted, not for what is learned; leave it out here")


def _names(styles: Sequence[StyleOrder]) -> tuple[str, ...]:
    """What each style is called: its file's name without suffix, and a number where two are alike."""
    names: list[str] = []
    for style in styles:
        stem = "style" if isinstance(style.source, Field) else style.source.stem
        alike = sum(name == stem or name.startswith(f"{stem}-") for name in names)
        names.append(f"{stem}-{alike + 1}" if stem in names else stem)
    return tuple(names)


def _studied(order: Order, source: Source) -> list[Studied]:
    """What an example to learn on holds, as the order's medium sees it. Raises InputError."""
    axes = medium_named(order.kind).axes
    if isinstance(source, Field):
        return [_in_memory(source, Clip.of(source) if "t" in axes else source)]
    if "t" in axes:
        if not is_clip(source):
            raise InputError(f"{source}: is no clip; say --medium image or volume")
        finder = CutFinder()
        clip = open_clip(source, order.selection, finder.look)
        return [replace(_in_memory(source, clip), cuts=finder.cuts(), notes=clip.notes)]
    if len(axes) > 2:
        volume = Volume.prepare(read(source), None, order.recipe).checked()
        return [_in_memory(source, volume.part(number).content) for number in range(len(volume.grids))]
    files = [source]
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if suffix_of(file).lower() in PICTURES)
    if not files:
        raise InputError(f"{source}: no pictures in it")
    found = []
    for file in files:
        picture = read(file, order.selection)  # looked at now, and read again when its turn comes
        if len(picture.axes) != len(axes):
            raise InputError(f"{file}: is no picture; say --medium video or volume")
        found.append(Studied(file, partial(read, file, order.selection), picture.shape, picture.channels))
    return found


def _in_memory(source: Source, whole: Field | Clip) -> Studied:
    channels = whole.channels if isinstance(whole, Field) else 3
    return Studied(source, lambda: whole, whole.shape, channels)


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
    stages = []
    for size in sizes:
        shape = fitted(sides[0], size, (False,) * len(sides[0]))
        piece = tuple(
            min(a, b) for a, b in zip(shape, fitted(shape, choice.crop, (False,) * len(shape)), strict=True)
        )
        stages.append(Stage((2, *piece) if any(kept) else piece, choice.steps))
    axes = tuple(Axis(name) for name in medium.axes)
    grid = Field(torch.empty(channels.pop(), *stages[-1].shape, device="meta"), axes)
    return replace(outline(grid, order.recipe), stages=tuple(stages)), sizes


def _lesson_run(run: Outline, number: int) -> Outline:
    """The run with the taps of a stage, and with its hold on motion."""
    if not number:
        return run
    temporal = replace(run.recipe.temporal, weight=run.recipe.temporal.weight * run.recipe.learn.steadiness)
    return replace(run.fine(), recipe=replace(run.fine().recipe, temporal=temporal))


def _batches(run: Outline) -> tuple[int, ...]:
    """Examples in each step of each stage: several where they are small."""
    return tuple(2 if prod(stage.shape) <= _SMALL else 1 for stage in run.stages)


def _targets(run: Outline, size: int, styles: Sequence[Style]) -> list[list[dict[str, Sums]]]:
    """Of each style, the targets of each view at a stage's size."""
    kept = run.kept
    shape = tuple(2 if keep else size for keep in kept)
    blank = Field(torch.full((3, *(1 for _ in kept)), 0.5), tuple(Axis("yxz"[n]) for n in range(len(kept))))
    found = []
    for style in styles:
        scene = Scene.prepare(blank, [style], keep_colors=False, coherent=False)
        found.append(style_targets(scene, shape, run) or [])
    return found
