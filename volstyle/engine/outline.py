"""A run planned once: its network loaded, its choices resolved, its stages laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from volstyle.engine.blockwise import Plans
from volstyle.engine.machine import Machine, bytes_per_sample, choose_core
from volstyle.engine.ranks import ALONE, Ranks
from volstyle.engine.schedule import Stage, optimized_shape, plan_stages
from volstyle.errors import RecipeError, nearest
from volstyle.grid.field import Field
from volstyle.grid.tiles import Shape, plan, wrapped
from volstyle.loss.statistics import STATISTICS
from volstyle.loss.terms import SCALINGS
from volstyle.networks.extractor import Extractor, Network
from volstyle.networks.inflation import Placement, placements
from volstyle.networks.registry import load_network
from volstyle.recipe import ContentChoice, Recipe, StyleChoice
from volstyle.record import Record, StageRecord, threads, versions

_Choice = TypeVar("_Choice", ContentChoice, StyleChoice)


@dataclass(frozen=True)
class Outline:
    """What a run will do, before it does it.

    recipe: with every choice resolved. kept: axes of the content that are never resampled. ranks: the processes
    that share it.
    """

    recipe: Recipe
    network: Network
    machine: Machine
    stages: tuple[Stage, ...]
    kept: tuple[bool, ...]
    ranks: Ranks = ALONE

    @cached_property
    def placements(self) -> tuple[Placement, ...]:
        """How the network lies on the axes of the content; each is a view of its own."""
        return placements(self.network.axes, len(self.kept), self.recipe.network.inflation)

    @cached_property
    def extractors(self) -> tuple[Extractor, ...]:
        """The network on the axes of the content, for each view."""
        return tuple(self.network.placed(placement) for placement in self.placements)

    @property
    def resampled(self) -> tuple[int, ...]:
        """Axes of the content that are coarse in a coarse stage."""
        return tuple(axis for axis, keep in enumerate(self.kept) if not keep)

    @property
    def taps(self) -> frozenset[str]:
        """All taps that some term reads."""
        return frozenset(self.recipe.style.taps) | frozenset(self.recipe.content.taps)

    @property
    def looks(self) -> bool:
        """Whether a term looks at features. A solid of phases is made by terms of its samples alone."""
        return max(self.recipe.style.weight, self.recipe.content.weight) > 0

    def on(self, content: Field) -> Outline:
        """This run on another grid with the same axes and channels, as another window of a clip has: network,
        machine and choices stay, the stages are laid out anew. Raises ShapeError for a grid too small."""
        run, recipe = replace(self, kept=kept_axes(content)), self.recipe
        shape = optimized_shape(content.shape, content.axes, run.kept, recipe.schedule.largest)
        what = "content" if recipe.content.weight else "result"  # a solid has a shape and no content
        for extractor in run.extractors:
            extractor.check(content.channels, shape, run.taps, what)
        stages = plan_stages(shape, run.kept, tuple(2 * step for step in run.stride), recipe.schedule)
        return replace(run, stages=_periodic(stages, run.stride) if recipe.periodic else stages)

    def at(self, stage: Stage) -> Outline:
        """This run with the taps that a stage reads: the fine ones if it is larger than the schedule says and a
        stage before it has decided the composition."""
        recipe = self.recipe
        size = max(size for size, keep in zip(stage.shape, self.kept, strict=True) if not keep)
        if stage == self.stages[0] or not 0 < recipe.schedule.fine_above < size:
            return self
        return self.fine()

    def fine(self) -> Outline:
        """This run with the taps of a fine stage."""
        recipe = self.recipe
        content = replace(recipe.content, taps=recipe.content.fine_taps)
        style = replace(recipe.style, taps=recipe.style.fine_taps)
        return replace(self, recipe=replace(recipe, content=content, style=style))

    def grouped(self, extractor: Extractor) -> tuple[int | None, int]:
        """How many samples along which axis share style statistics, a multiple of those a feature owns: frames of
        a clip, or the slices of a volume that a view looks at. None is all."""
        sliced = self.recipe.network.inflation == "planes" and extractor.placement.new
        if not self.recipe.style.frames or not (self.kept[0] or sliced):
            return None, 0
        along = 0 if self.kept[0] else extractor.placement.new[0]
        step = extractor.reach(self.taps).stride[along]
        return -(-self.recipe.style.frames // step) * step, along

    def plans(self, shape: Shape) -> Plans:
        """The tiles in which a stage of this shape is evaluated, for each view; those of all ranks."""
        plans = []
        for extractor in self.extractors:
            grouped = self.grouped(extractor)
            core = choose_core(extractor, self.taps, self.machine, shape, *grouped, self.ranks.count)
            reach = extractor.reach(self.taps)
            blocks = plan(shape, core, *reach, *grouped)
            plans.append(tuple(wrapped(blocks, self.margin, reach.halo) if self.margin else blocks))
        return tuple(plans)

    @property
    def stride(self) -> Shape:
        """How far apart features are, in samples along each axis, where they are farthest."""
        strides = [extractor.reach(self.taps).stride for extractor in self.extractors]
        return tuple(max(steps) for steps in zip(*strides, strict=True))

    @property
    def margin(self) -> Shape | None:
        """How far a periodic field is continued beyond its ends; None for one that ends."""
        if not self.recipe.periodic:
            return None
        halos = [extractor.reach(self.taps).halo for extractor in self.extractors]
        return tuple(max(sides) for sides in zip(*halos, strict=True))

    def largest_window(self, shape: Shape) -> int:
        """Samples in the largest window of all tiles."""
        return max(tile.window_size for blocks in self.plans(shape) for block in blocks for tile in block.tiles)

    def with_smaller_tiles(self, stage: Stage) -> Outline:
        """Half the memory that the tiles of this stage take now. Raises CapacityError when none is smaller."""
        now = self.at(stage)
        each = bytes_per_sample(now.extractors[0], now.taps, self.machine.dtype)
        budget = int(now.largest_window(stage.shape) * each / 2)
        smaller = replace(self, machine=replace(self.machine, budget=budget))
        smaller.at(stage).plans(stage.shape)
        return replace(smaller, recipe=replace(self.recipe, memory=f"{budget}B"))

    def record(self, stages: tuple[StageRecord, ...], notes: tuple[str, ...]) -> Record:
        """The record of a run by this outline: its stages as they went, and notes."""
        return Record(
            recipe=self.recipe,
            network=self.network.name,
            weights=self.network.digest,
            device=self.recipe.device,
            precision=self.recipe.precision,
            threads=threads(),
            ranks=self.ranks.count,
            versions=versions(),
            stages=stages,
            notes=notes,
        )


def outline(content: Field, recipe: Recipe, ranks: Ranks = ALONE) -> Outline:
    """Load the network, fill in what the recipe leaves open, and plan the stages. ranks: who shares the run.

    Raises RecipeError, NetworkError or ShapeError for choices that cannot be met.
    """
    recipe.check()
    for name, value, allowed in (
        ("scaling", recipe.scaling, SCALINGS),
        ("style.statistic", recipe.style.statistic, STATISTICS),
        ("colors", recipe.colors, ("style", "content")),
    ):
        if value not in allowed:
            raise RecipeError(f"{name}: {value!r} is unknown; {nearest(value, allowed)}")
    if recipe.style.share < 1 and kept_axes(content)[0]:
        raise RecipeError(f"style.share: is {recipe.style.share}, must be 1 for a clip, whose frames all count")
    machine = Machine.choose(recipe.device, recipe.precision, recipe.memory, ranks.here)
    network = network_for(content, recipe).to(machine.device, machine.dtype)
    inflation = recipe.network.inflation
    if inflation == "planes" and len(content.axes) > 2 and content.shape[0] == 1:
        inflation = "center"  # a volume of one slice is looked at in that slice alone
    recipe = replace(
        recipe,
        network=replace(recipe.network, name=network.name, inflation=inflation),
        content=_with_taps(recipe.content, network.content_taps, network.fine_content_taps),
        style=_with_taps(recipe.style, network.style_taps, network.fine_style_taps),
        device=str(machine.device),
        precision=str(machine.dtype).removeprefix("torch."),
        memory=f"{machine.budget}B",
    )
    return Outline(recipe, network, machine, (), kept_axes(content), ranks).on(content)


def _with_taps(choice: _Choice, taps: Mapping[str, float], fine_taps: Mapping[str, float]) -> _Choice:
    """A choice whose taps are the network's where none are given. Given taps are those of fine stages too."""
    fine = choice.fine_taps or choice.taps or fine_taps or taps
    return replace(choice, taps=dict(choice.taps or taps), fine_taps=dict(fine))


def _periodic(stages: tuple[Stage, ...], stride: Shape) -> tuple[Stage, ...]:
    """Stages whose features meet at the ends, but for those of the last one, which has the size that is asked for:
    there the cell of a feature may be cut, and goes on at the other end."""
    return (
        *(
            replace(
                stage,
                shape=tuple(
                    max(1, round(size / step)) * step for size, step in zip(stage.shape, stride, strict=True)
                ),
            )
            for stage in stages[:-1]
        ),
        stages[-1],
    )


def network_for(content: Field, recipe: Recipe) -> Network:
    """The network of a recipe, for fields like the content. Raises NetworkError."""
    choice = recipe.network
    return load_network(
        choice.name,
        weights=Path(choice.weights) if choice.weights else None,
        pooling=choice.pooling,
        seed=recipe.seed,
        axes=len(content.axes) if choice.inflation == "native" else min(len(content.axes), 2),
        channels=content.channels if len(content.axes) == 1 else 3,
    )


def kept_axes(field: Field) -> tuple[bool, ...]:
    """Axes that are never resampled: the time of a clip, but not that of a signal, which has no other axis."""
    return tuple(axis.name == "t" and len(field.axes) > 1 for axis in field.axes)
