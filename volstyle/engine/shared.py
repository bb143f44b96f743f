"""A stage of a run as the processes that share it know it, and what all but the first do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from volstyle.engine.blockwise import Plans, seen_by_views
from volstyle.engine.machine import Machine
from volstyle.engine.outline import Outline
from volstyle.engine.ranks import ALONE, End, Joined, Ranks
from volstyle.engine.scene import Scene
from volstyle.engine.schedule import Stage
from volstyle.engine.targets import stage_objective
from volstyle.engine.turns import turns
from volstyle.grid.field import Field
from volstyle.loss.objective import Objective


@dataclass(frozen=True)
class SharedStage:
    """All that a process must know to see to its tiles in a stage, in memory that every process has. seed: of
    which slices have their turn when."""

    scene: Scene
    stage: Stage
    run: Outline
    seed: int

    @staticmethod
    def of(scene: Scene, stage: Stage, run: Outline, seed: int) -> SharedStage:
        """Without what the first process needs alone: motion, samples as they came, where files were."""
        styles = tuple(replace(s, field=Field(s.field.samples, s.field.axes)) for s in scene.styles)
        scene = replace(scene, styles=styles, original=torch.empty(0), motion=(), rest=None)
        network = run.network.to(torch.device("cpu"), run.machine.dtype)
        return SharedStage(scene, stage, replace(run, network=network, ranks=ALONE), seed)

    def turns(self, ranks: Ranks) -> Iterator[tuple[Objective, Plans]]:
        """What is minimized at each step, on this process's own device."""
        recipe = self.run.recipe
        ranks.use(torch.device(recipe.device))
        machine = Machine.choose(recipe.device, recipe.precision, recipe.memory)
        network = self.run.network.to(machine.device, machine.dtype)
        run = replace(self.run, network=network, machine=machine, ranks=ranks)
        found = stage_objective(self.scene, self.stage, run, (), torch.zeros(0))
        return turns(*found, recipe.style.share, self.seed)


def serve(ranks: Joined) -> Any:
    """See to the tiles of this process, as the first one asks, until it says that the run is over. Returns what
    the first one gives in the end. Raises RankError when a process is gone."""
    now: Iterator[tuple[Objective, Plans]] | None = None
    while not isinstance(news := ranks.heard(), End):
        try:
            if isinstance(news, Tensor):
                assert now is not None
                seen_by_views(news, *next(now), ranks)
            else:
                assert isinstance(news, SharedStage)
                now = None  # before the next one is made, which needs its memory
                now = news.turns(ranks)
        except Exception as error:
            if not ranks.is_known(error):
                raise
    return news.outcome
