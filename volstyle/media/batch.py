"""Many contents, each after each style: what there is to do, and one piece of it done.

A `Job` is a value that can be sent to another process or machine; `carry_out_job` does it there, and gives back an
`Outcome`, which is a value too. A job that fails is an outcome like any other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from volstyle.codecs import Encoding, Selection
from volstyle.errors import OutputError, RecipeError, VolstyleError
from volstyle.media.choices import load_choices
from volstyle.media.done import differences
from volstyle.media.follower import Follower
from volstyle.media.gather import CHOICES, Found, fits
from volstyle.media.medium import Medium
from volstyle.media.method import with_method
from volstyle.media.names import default_output
from volstyle.media.order import Order, StyleOrder
from volstyle.media.painted import sized
from volstyle.media.resume import was_writing
from volstyle.media.run import carry_out
from volstyle.media.table import medium_named, medium_of
from volstyle.networks.registry import check_name
from volstyle.recipe import AUTO, merged


@dataclass(frozen=True)
class Asked:
    """What is asked of all contents of a batch.

    styles: as `gather.styles_of` gives them. output: the folder of the results. size: the long side being
    optimized of what has one; signals have none. given: the choices that those of a folder go before. chosen: the
    choices that go before all others. keep_going: leave out damaged frames of clips. force: replace results that
    were made with other choices or from other inputs. resume: go on where a run was cut off.
    """

    styles: tuple[tuple[StyleOrder, ...], ...]
    output: Path
    size: int | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    quality: str = "visual"
    keep_going: bool = False
    force: bool = False
    resume: bool = True

    @property
    def style_paths(self) -> frozenset[Path]:
        """The files of all styles."""
        return frozenset(style.path for blend in self.styles for style in blend)


@dataclass(frozen=True)
class Job:
    """One content after one style or a blend. medium: the name of the content's. choices: nested, as in TOML."""

    content: Path
    styles: tuple[StyleOrder, ...]
    output: Path
    medium: str
    size: int | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    quality: str = "visual"
    keep_going: bool = False
    force: bool = False
    resume: bool = True

    def order(self) -> Order:
        """The order that `volstyle.style` makes of the same. Raises RecipeError."""
        medium = medium_named(self.medium)
        is_signal = _is_signal(medium)
        read_at, choices = sized(medium, None if is_signal else self.size, self.styles)
        order = Order(
            kind=medium.name,
            content=self.content,
            styles=self.styles,
            output=self.output,
            recipe=medium.recipe(self.content, self.styles[0].source, choices, self.choices),
            selection=Selection(read_at, signal=is_signal, keep_going=self.keep_going),
            encoding=Encoding(self.quality, self.force),
            shots="auto" if medium.axes == ("t", "y", "x") else "none",
            resume=self.resume,
        )
        return with_method(order, AUTO, self.size, {}, [self.choices])


class State(StrEnum):
    """How a job ended. THERE: its result was there already, made from the same with the same choices."""

    DONE = "done"
    THERE = "there"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """medium, output: None for a content that could not be told what it is. error: one line, of a failure.
    notes: what could not be done or kept as asked."""

    state: State
    content: Path
    styles: tuple[StyleOrder, ...] = ()
    medium: str | None = None
    output: Path | None = None
    seconds: float = 0.0
    error: str = ""
    notes: tuple[str, ...] = ()


def jobs_of(found: Iterable[Found], asked: Asked) -> tuple[list[Job], list[Outcome]]:
    """A job for each content and style that fits it, and an outcome for each content that is none.

    Raises OutputError when two of them would have one result, RecipeError or NetworkError for choices that nothing
    can meet, and InputError for a volstyle.toml that cannot be read.
    """
    jobs: list[Job] = []
    failed: list[Outcome] = []
    makers: dict[Path, Job] = {}
    for content in found:
        choices = merged(asked.given, _choices_of(content), asked.chosen)
        name = None
        try:
            medium = medium_of(content.path)
            name = medium.name
            styles = _fitting(content.path, medium, asked.styles)
        except Exception as error:  # of a file that is damaged in ways that nobody thought of, too
            failed.append(Outcome(State.FAILED, content.path, medium=name, error=line_of(error)))
            continue
        for blend in styles:
            file = default_output(medium, content.path, [style.path for style in blend], asked.quality)
            job = Job(
                content=content.path,
                styles=blend,
                output=asked.output / content.place / file,
                medium=medium.name,
                size=asked.size,
                choices=choices,
                quality=asked.quality if medium.axes == ("t", "y", "x") else "visual",
                keep_going=asked.keep_going,
                force=asked.force,
                resume=asked.resume,
            )
            other = makers.setdefault(job.output, job)
            if other is not job:
                raise OutputError(_clash(other, job))
            recipe = job.order().recipe
            recipe.check()
            check_name(recipe.network.name)
            jobs.append(job)
    return jobs, failed


def carry_out_job(job: Job, follower: Follower | None = None) -> Outcome:
    """Do a job, unless its result is there. Whatever goes wrong is the outcome, so that it stops no other job."""
    began = time.monotonic()

    def outcome(state: State, error: str = "", notes: Sequence[str] = ()) -> Outcome:
        took = time.monotonic() - began
        return Outcome(state, job.content, job.styles, job.medium, job.output, took, error, tuple(notes))

    try:
        order = job.order()
        if is_there(job, order):
            return outcome(State.THERE)
        job.output.parent.mkdir(parents=True, exist_ok=True)
        result = carry_out(order, follower or Follower())
    except Exception as error:  # as above
        return outcome(State.FAILED, line_of(error))
    return outcome(State.DONE, notes=result.notes)


def is_there(job: Job, order: Order) -> bool:
    """Whether the result of a job is there already. Raises OutputError when another one is, unless it is to be
    replaced."""
    if not job.output.exists() or was_writing(order):
        return False
    found = differences(order)
    if found and not job.force:
        raise OutputError(f"{job.output}: is there, with {', '.join(found)}; --force replaces it")
    return not found


def line_of(error: Exception) -> str:
    """An error as one line; of one that was not raised on purpose with its type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, VolstyleError) else f"{type(error).__name__}: {text}"


def _is_signal(medium: Medium) -> bool:
    return medium.axes == ("t",)


def _fitting(
    content: Path, medium: Medium, styles: Sequence[tuple[StyleOrder, ...]]
) -> list[tuple[StyleOrder, ...]]:
    """The blends whose styles are for such a content."""
    signal = _is_signal(medium)
    fitting = [blend for blend in styles if all(fits(style.path, content, signal=signal) for style in blend)]
    if not fitting:
        wanted = "a sound or a series" if signal else "a picture, a clip or a volume"
        raise RecipeError(f"{content}: no style fits {medium.called}; give {wanted} with --style")
    return fitting


def _choices_of(content: Found) -> Mapping[str, Any]:
    """The choices in the folders from the base down to the content; the nearest folder's go before others."""
    base = content.base
    folders = [base, *(base.joinpath(*content.place.parts[: n + 1]) for n in range(len(content.place.parts)))]
    files = [folder / CHOICES for folder in folders]
    return merged(*(load_choices(file) for file in files if file.is_file()))


def _clash(one: Job, other: Job) -> str:
    if one.content == other.content:
        names = " and ".join(str(job.styles[0].path) for job in (one, other))
        return f"{one.output}: would be the result of {one.content} after both {names}; rename one"
    return (
        f"{one.output}: would be the result of both {one.content} and {other.content}; rename one, or give a "
        "folder or a pattern in quotes, so that their folders are kept"
    )
