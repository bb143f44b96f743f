"""What the page shows, as JSON: dropped files, a plan, a run, and its result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from volstyle.errors import VolstyleError
from volstyle.media.follower import PaintPlan
from volstyle.media.medium import Medium
from volstyle.media.run import bytes_text
from volstyle.media.table import medium_named

from ..draw.html import picture_uri
from ..screen import duration_text
from .job import Done, Failed, Job, Planned, line_of, plan
from .live import live
from .studio import Studio
from .views import PASSING, glance, pair
from .wish import Wish, all_learned

_THUMBNAIL = 160

Told = dict[str, Any]


def nothing_said() -> Told:
    return {"kind": "", "lines": []}


def wrong(line: str) -> Told:
    return {"kind": "error", "lines": [line]}


def dropped(studio: Studio, content: Path | None) -> tuple[Told, Told, Medium | None]:
    """What the page shows of a content that was dropped, what is wrong with it, and its medium, which is None if
    the content cannot be read."""
    if content is None:
        return {"stage": "empty", "view": None}, nothing_said(), None
    try:
        with studio.trying(content) as (file,):
            found = Wish(content=file, styles=())
            view = pair(glance(file, found.offers.size), None)
            return {"stage": "ready", "view": view}, nothing_said(), found.medium
    except VolstyleError as error:
        return {"stage": "empty", "view": None}, wrong(line_of(error, studio.root)), None


def thumbnails_of(studio: Studio, styles: Sequence[Path]) -> tuple[list[str], Told]:
    """Pictures of styles that were dropped, except learned ones, and what is wrong with any of them."""
    try:
        with studio.trying(*styles) as files:
            pictures = [file for file in files if not all_learned([file])]
            return [picture_uri(glance(file, _THUMBNAIL), PASSING) for file in pictures], nothing_said()
    except VolstyleError as error:
        return [], wrong(line_of(error, studio.root))


@lru_cache(maxsize=64)
def planned(studio: Studio, wish: Wish) -> Told:
    """What a run would take, or why it cannot be done. The answer is kept for the same wish, since one drop may
    change several controls."""
    try:
        with studio.trying(wish.content, *wish.styles) as (content, *styles):
            found = plan(replace(wish, content=content, styles=tuple(styles)))
    except VolstyleError as error:
        return wrong(line_of(error, studio.root))
    return {"kind": "plan", "lines": _plan_lines(found)}


def _plan_lines(found: Planned) -> list[str]:
    size = medium_named(found.plan.order.kind).sized(found.plan.opened.shape)
    if isinstance(found.plan, PaintPlan) or found.estimate is None:
        return ["Painted in one pass", f"{size}; drag the strength and look"]
    run, opened = found.plan.run, found.plan.opened
    seconds = found.estimate.seconds
    takes = duration_text(seconds) if seconds < 1 else f"about {duration_text(seconds)}"
    parts = f", {len(opened.grids)} parts" if len(opened.grids) > 1 else ""
    stages = "one stage" if len(run.stages) == 1 else f"{len(run.stages)} stages"
    return [
        f"{takes[0].upper()}{takes[1:]}",
        f"{size}{parts}, {run.network.name} in {stages} on {run.recipe.device}, "
        f"{bytes_text(found.estimate.memory)} of memory",
    ]


def waiting() -> Told:
    """What the page shows while the runs of others come first. Whatever is not named here stays as it is."""
    return {"stage": "working", "share": 0, "text": "waiting for its turn", "notes": [], "files": []}


def running(job: Job) -> Iterator[Told]:
    """Yield what the page shows, from the start of a run to its end."""
    began = time.monotonic()
    told: Told = {**waiting(), "text": "reading and planning"}
    yield told
    job.start()
    try:
        for news in job.news():
            if isinstance(news, Planned):
                told = {**told, "text": "preparing"}
            elif isinstance(news, Done):
                told = _done(job, news, time.monotonic() - began)
            elif isinstance(news, Failed):
                told = {"stage": "failed", "text": news.line}
            else:
                before = picture_uri(news.before, PASSING) if news.before is not None else told["view"]["before"]
                view = {"kind": "pictures", "extent": news.extent, "before": before}
                view["after"] = picture_uri(news.after, PASSING)
                told = {**told, "share": news.share, "text": news.text, "view": view}
            yield told
    finally:
        job.stop()  # if the visitor leaves in the middle, nobody listens any more


def _done(job: Job, news: Done, seconds: float) -> Told:
    result = news.result
    notes = [note for note in (news.view.facts.get("note"), *result.notes) if note]
    files = [
        {"label": label, "name": job.given[what].name, "href": f"look/{job.key}/get/{what}"}
        for what, label in (("result", "Result"), ("record", "Record"))
    ]
    text = f"{'Stopped' if result.stopped else 'Done'} after {duration_text(seconds)}"
    return {
        "stage": "done",
        "view": {**news.view.facts, "root": f"look/{job.key}"},
        "text": text,
        "notes": notes,
        "files": files,
    }


@lru_cache(maxsize=8)
def at_once(studio: Studio, wish: Wish) -> Told | None:
    """The result of learned styles, shown as soon as they are dropped; None for other styles. The plan says what
    is wrong with them."""
    try:
        with studio.trying(wish.content, *wish.styles) as (content, *styles):
            found = live(replace(wish, content=content, styles=tuple(styles)))
    except VolstyleError:
        return None
    return found and {"stage": "ready", "view": {**pair(*found), "strength": wish.strength / 100}}
