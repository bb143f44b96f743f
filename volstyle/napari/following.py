"""How a panel follows a run: how far it is, what the result looks like by now, and whether to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from volstyle.engine.checkpoint import Reached
from volstyle.engine.machine import Machine
from volstyle.engine.stylize import Step, Stylized
from volstyle.grid.field import Field
from volstyle.grid.resample import resize
from volstyle.media.follower import Follower, PaintPlan, Plan
from volstyle.media.progress import Pace

_SHOWN_EVERY_S = 1.0
_SHARE_OF_SHOWING = 0.1


class Watcher(Follower):
    """Follows a run. Its functions are called in the thread of the run.

    say: is given a line about the run, and the share of the work that is done. show: is given the result as it is
    by now, on the grid of the content; it is called at most once a second, and so seldom that it takes at most a
    tenth of the time. stop: says whether the run is to end with what there is.
    """

    def __init__(
        self, say: Callable[[str, float], None], show: Callable[[Field], None], stop: Callable[[], bool]
    ) -> None:
        self._say, self._show, self._stop = say, show, stop
        self._plan: Plan | None = None
        self._pace: Pace | None = None
        self._parts = 1
        self._finished: dict[int, Tensor | None] = {}
        self._due = 0.0

    def planned(self, plan: Plan) -> None:
        self._plan, self._pace = plan, Pace(plan.work)
        place = _place(plan.run.machine)
        self._say(f"runs on {place}: measuring how long", 0.0)
        self._say(f"runs on {place}: {_about(plan.estimate().seconds)}", 0.0)

    def painting(self, plan: PaintPlan) -> None:
        self._parts = plan.count
        self._say(f"paints on {_place(plan.machine)}, in one pass", 0.0)

    def painted(self, number: int, made: Tensor) -> bool:
        self._say(f"{number} of {self._parts} painted", number / self._parts)
        return self._stop()

    def stepped(self, step: Step) -> bool:
        assert self._plan is not None
        assert self._pace is not None
        share, left = self._pace.at(step)
        if left is not None:
            self._say(f"stage {step.stage + 1} of {len(step.stages)}, {_about(left)} left", share)
        last = step.step == step.stages[step.stage].steps
        if last or time.monotonic() >= self._due:
            began = time.monotonic()
            self._show(self._now(self._plan, step))
            ended = time.monotonic()
            self._due = ended + max(_SHOWN_EVERY_S, (ended - began) / _SHARE_OF_SHOWING)
        return self._stop()

    def _now(self, plan: Plan, step: Step) -> Field:
        """The result as it would be if the run ended here: the medium puts the parts together as they are by
        now."""
        opened = plan.opened
        number = min(step.stage // len(plan.run.stages), len(opened.grids) - 1)
        grid = opened.grids[number]
        samples = resize(step.samples.cpu(), grid.shape).clamp(0, 1)
        done = Stylized(grid.with_samples(samples), plan.run.record((), ()), Reached(samples))
        self._finished[number] = opened.kept(number, done).finished
        result = opened.result(self._finished.get)
        return result if isinstance(result, Field) else result.whole()


def _place(machine: Machine) -> str:
    kind = machine.device.type
    return "the CPU, for there is no GPU" if kind == "cpu" else f"the GPU ({kind})"


def _about(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {max(seconds, 1):.0f} s"
