"""`volstyle learn`: learning a style, with what it takes and how it goes printed on the way."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from volstyle.codecs import Encoding, Selection, check_writable
from volstyle.engine.stylize import Step
from volstyle.grid.field import Axis, Field
from volstyle.media.choices import load_choices
from volstyle.media.follower import Follower, LearnPlan
from volstyle.media.learned import lesson
from volstyle.media.order import StyleOrder, moment_of
from volstyle.media.run import bytes_text, carry_out
from volstyle.media.table import medium_named
from volstyle.recipe import assigned

from .options import LearnOptions
from .run.plan import say_engine
from .run.progress import Preview, Progress
from .run.stopping import stoppable
from .screen import Screen, duration_text


class Pupil(Follower):
    """A follower that prints what learning a style will take and how it goes, draws its preview, and stops it on
    Ctrl-C."""

    def __init__(self, screen: Screen, preview: Path | None) -> None:
        self._screen, self._preview = screen, preview
        self._stack = ExitStack()
        self._plan: LearnPlan | None = None
        self._followers: list[Progress | Preview] = []
        self._asked = bool

    def learning(self, plan: LearnPlan) -> None:
        self._plan = plan
        if self._screen.quiet:
            return
        for style in plan.order.styles:
            self._screen.entry("style", f"{style.source}")
        for source in plan.order.examples:
            self._screen.entry("learned on", f"{source}")
        say_engine(self._screen, plan.run, medium_named(plan.order.kind))
        self._screen.entry("output", f"{plan.order.output}")
        expected = plan.estimate()
        self._screen.entry(
            "takes", f"about {duration_text(expected.seconds)}, {bytes_text(expected.memory)} of memory"
        )

    def resumed(self, part: int, stages: int) -> None:
        self._screen.entry("going on", f"in stage {stages + 1}")

    def stepped(self, step: Step) -> bool:
        for follower in self._followers:
            follower(step)
        return bool(self._asked())

    def __enter__(self) -> Self:
        assert self._plan is not None
        self._asked = self._stack.enter_context(stoppable())  # type: ignore[assignment]
        progress = Progress(self._screen, self._plan.work, self._plan.order.kind)
        self._followers.append(self._stack.enter_context(progress))
        if self._preview:
            self._followers.append(Preview(self._preview, _middle))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _middle(samples: Tensor) -> Field:
    """The middle picture of samples (C, *S), which may be a picture, a clip or a volume."""
    while samples.dim() > 3:
        samples = samples[:, samples.shape[1] // 2]
    return Field(samples, (Axis("y"), Axis("x")))


def learn_style(options: LearnOptions, screen: Screen) -> bool:
    """Learn a style and write it. Returns whether learning was stopped before its end; what was learned by then is
    written all the same."""
    if options.preview:
        check_writable(options.preview, Encoding(force=options.force), ("y", "x"))
    order = lesson(
        tuple(StyleOrder(path) for path in options.styles),
        tuple(options.on),
        options.output or Path(f"{'-'.join(path.stem for path in options.styles)}.safetensors"),
        kind=options.kind,
        size=options.size,
        given={} if options.recipe is None else load_choices(options.recipe),
        chosen=(options.choices(), *map(assigned, options.set_)),
        selection=Selection(start=moment_of("start", options.start), end=moment_of("end", options.end)),
        encoding=Encoding(force=options.force),
        resume=not options.no_resume,
    )
    result = carry_out(order, Pupil(screen, options.preview))
    for note in result.notes:
        screen.entry("note", note)
    if result.stopped:
        screen.entry("stopped", f"in stage {result.last[0] + 1}, after step {result.last[1]}")
    screen.entry("wrote", f"{result.output} and its record {order.record_path}")
    return result.stopped
