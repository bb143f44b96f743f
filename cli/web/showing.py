"""What the page is told, as JSON: of what was dropped, of a plan, of a run, of its result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from volstyle.errors import VolstyleError
from volstyle.media.medium import Medium
from volstyle.media.run import bytes_text
from volstyle.media.table import medium_named

from ..draw.html import picture_uri
from ..screen import duration_text
from .job import Done, Failed, Job, Planned, line_of, plan
from .live import live
from .studio import Studio
from .views import PASSING, glance, pair
from .wish import Wish

_THUMBNAIL = 160

Told = dict[str, Any]


def nothing_said() -> Told:
    return {"kind": "", "lines": []}


def wrong(line: str) -> Told:
    return {"kind": "error", "lines": [line]}


def dropped(studio: Studio, content: Path | None, styles: Sequence[Path]) -> tuple[Told, Told, Medium | None]:
    """What the page shows of files as they are dropped, what is wrong with them, and the medium of the content,
    None while there is none that can be read."""
    view: Told = {"stage": "ready" if content or styles else "empty", "view": None, "styles": []}
    medium = None
    try:
        with studio.trying(content, styles) as (content, styles):
            if content is not None:
                found = Wish(content=content, styles=())
                view["view"] = pair(glance(content, found.offers.size), None)
                medium = found.medium
            view["styles"] = [picture_uri(glance(style, _THUMBNAIL), PASSING) for style in styles]
    except VolstyleError as error:
        return view, wrong(line_of(error)), None if view["view"] is None else medium
    return view, nothing_said(), medium


def planned(studio: Studio, wish: Wish) -> Told:
    """What a run would take, or why it cannot be."""
    try:
        with studio.trying(wish.content, wish.styles) as (content, styles):
            found = plan(replace(wish, content=content, styles=tuple(styles)))
    except VolstyleError as error:
        return wrong(line_of(error))
    return {"kind": "plan", "lines": _plan_lines(found)}


def _plan_lines(found: Planned) -> list[str]:
    run, opened = found.plan.run, found.plan.opened
    seconds = found.estimate.seconds
    takes = duration_text(seconds) if seconds < 1 else f"about {duration_text(seconds)}"
    size = medium_named(found.plan.order.kind).sized(opened.shape)
    parts = f", {len(opened.grids)} parts" if len(opened.grids) > 1 else ""
    return [
        f"{takes[0].upper()}{takes[1:]}",
        f"{size}{parts}, {run.network.name} in {len(run.stages)} stages on {run.recipe.device}, "
        f"{bytes_text(found.estimate.memory)} of memory",
    ]


def waiting(view: Told | None) -> Told:
    """While the runs of others come first, over what was shown before."""
    return {**(view or {}), "stage": "working", "share": 0, "text": "waiting for its turn"}


def running(job: Job) -> Iterator[Told]:
    """A run from its start to its end."""
    began = time.monotonic()
    told: Told = {"stage": "working", "share": 0, "text": "reading and planning", "view": None}
    yield told
    job.start()
    try:
        for news in job.news():
            if isinstance(news, Planned):
                told = {**told, "text": "preparing"}
            elif isinstance(news, Done):
                told = _done(job, news, time.monotonic() - began)
            elif isinstance(news, Failed):
                told = {"stage": "failed", "view": told["view"], "error": news.line}
            else:
                before = told["view"]["before"] if news.before is None else picture_uri(news.before, PASSING)
                view = {"kind": "pictures", "extent": news.extent, "before": before}
                view["after"] = picture_uri(news.after, PASSING)
                told = {**told, "share": news.share, "text": news.text, "view": view}
            yield told
    finally:
        job.stop()  # where the page is left in the middle, nobody listens any more


def _done(job: Job, news: Done, seconds: float) -> Told:
    result = news.result
    notes = [note for note in (news.view.facts.get("note"), *result.notes) if note]
    files = [
        {"label": label, "name": job.given[what].name, "href": f"look/{job.key}/get/{what}"}
        for what, label in (("result", "Result"), ("record", "Record"))
    ]
    text = f"{'Stopped' if result.stopped else 'Done'} after {duration_text(seconds)}"
    root = f"look/{job.key}"
    return {"stage": "done", "view": {**news.view.facts, "root": root}, "text": text, "notes": notes, "files": files}


def at_once(studio: Studio, wish: Wish) -> Told | None:
    """The result of learned styles at a strength, at once; None of any others."""
    try:
        with studio.trying(wish.content, wish.styles) as (content, styles):
            wish = replace(wish, content=content, styles=tuple(styles))
            made = live(wish)
            if made is None:
                return None
            before = glance(content, wish.size)
            return {"stage": "ready", "view": pair(before, made(wish.strength / 100))}
    except VolstyleError as error:
        return {"stage": "failed", "view": None, "error": line_of(error)}
