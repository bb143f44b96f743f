"""`volstyle plan` before a command: what the command would take, or why it cannot be done; nothing is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer import Option

from .batch.options import BatchOptions
from .options import ImageOptions, SignalOptions, StyleOptions, VideoOptions, VolumeOptions
from .parameters import takes

plans = typer.Typer(
    help="Put before image, video, volume, signal or batch: say what the command would take (time, memory, disk), "
    "or why it cannot be, and do nothing.",
    no_args_is_help=True,
)


@dataclass(frozen=True, kw_only=True)
class AsJson:
    json: Annotated[bool, Option("--json", help="Print it as JSON.")] = False


@dataclass(frozen=True, kw_only=True)
class PlanVideoOptions(AsJson, VideoOptions):
    """The options of `volstyle plan video`."""


@dataclass(frozen=True, kw_only=True)
class PlanImageOptions(AsJson, ImageOptions):
    """The options of `volstyle plan image`."""


@dataclass(frozen=True, kw_only=True)
class PlanVolumeOptions(AsJson, VolumeOptions):
    """The options of `volstyle plan volume`."""


@dataclass(frozen=True, kw_only=True)
class PlanSignalOptions(AsJson, SignalOptions):
    """The options of `volstyle plan signal`."""


@plans.command()
@takes(PlanVideoOptions)
def video(options: PlanVideoOptions) -> None:
    """What `volstyle video` would take."""
    _say(options, as_json=options.json)


@plans.command()
@takes(PlanImageOptions)
def image(options: PlanImageOptions) -> None:
    """What `volstyle image` would take."""
    _say(options, as_json=options.json)


@plans.command()
@takes(PlanVolumeOptions)
def volume(options: PlanVolumeOptions) -> None:
    """What `volstyle volume` would take."""
    _say(options, as_json=options.json)


@plans.command()
@takes(PlanSignalOptions)
def signal(options: PlanSignalOptions) -> None:
    """What `volstyle signal` would take."""
    _say(options, as_json=options.json)


@plans.command()
@takes(BatchOptions)
def batch(options: BatchOptions) -> None:
    """What `volstyle batch` would take: each result and all of them, and which are there or cannot be (exit code
    1)."""
    from .batch.forecast import plan_batch
    from .screen import Screen

    raise typer.Exit(plan_batch(options, Screen(quiet=options.quiet or options.json)))


def _say(options: StyleOptions, *, as_json: bool) -> None:
    from volstyle.media.follower import LearnPlan
    from volstyle.media.run import plan_of

    from .run.carry_out import check_drawings
    from .run.order import errand_of
    from .run.plan import plan_json, say_learning, say_plan
    from .screen import Screen
    from .shapes import json_text

    screen = Screen()
    errand = errand_of(options)
    check_drawings(errand)
    plan = plan_of(errand.order)
    if as_json:
        screen.print(json_text(plan_json(plan)))
    elif isinstance(plan, LearnPlan):
        say_learning(screen, plan)
    else:
        for note in plan.opened.notes:
            screen.entry("note", note)
        say_plan(screen, plan)
