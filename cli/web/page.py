"""The controls of the page, and what happens when one of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from volstyle.errors import VolstyleError

from .job import line_of
from .live import FULL
from .showing import at_once, dropped, planned, running, thumbnails_of, waiting, wrong
from .studio import Studio
from .wish import MIDDLE, Offers, Wish, all_learned, offers

_HERE = Path(__file__).parent
STYLE_SHEETS = [_HERE / "page.css"]
HEAD = '<meta name="color-scheme" content="light">'
_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
THEME = gr.themes.Base(font=_SANS, font_mono=("ui-monospace", "Menlo", "Consolas", "monospace"))
"""Names of fonts that the visitor's machine has. Gradio's own would be fetched from elsewhere."""

_ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": 1}
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_MIX = "(strength) => { document.querySelector('.viewer').style.setProperty('--strength', strength / 100); }"
"""JavaScript that mixes a learned style in by as much as the slider says; in the browser that is immediate."""
_WAITING = 16
"""How many runs may wait for their turn."""
_KEPT_S = (3600, 86400)
"""How often old uploads are removed, and how old they must be, in seconds."""


def build(studio: Studio) -> gr.Blocks:
    """Make the page of a studio."""
    page: gr.Blocks
    with gr.Blocks(title="volstyle", analytics_enabled=False, fill_width=True, delete_cache=_KEPT_S) as page:
        with gr.Row(elem_id="page"):
            with gr.Column(elem_id="panel", scale=0, min_width=344):
                gr.HTML("<h1>volstyle</h1><p>A painting's hand on a picture, a clip, a volume or a sound.</p>")
                content = gr.File(label="What is styled", elem_id="content", height=112)
                styles = gr.File(label="Styled after", elem_id="styles", height=112, file_count="multiple")
                thumbnails = _html("thumbnails", [])
                size = gr.Slider(64, 2048, 512, step=16, label="Size", info="Long side, in pixels", elem_id="size")
                strength = gr.Slider(
                    0,
                    100,
                    MIDDLE,
                    step=1,
                    label="Style strength",
                    info="Less keeps more of the original",
                    elem_id="strength",
                )
                strokes = gr.Slider(
                    0.25, 3, 1, step=0.05, label="Stroke size", info="0.5 makes strokes half as large"
                )
                colors = gr.Checkbox(False, label="Keep the original's colors")
                in_color = gr.Checkbox(False, label="In the painting's colors, not gray", visible=False)
                with gr.Accordion("More", open=False, elem_id="more"):
                    with gr.Row(visible=False) as part:
                        start = gr.Textbox("", label="From", placeholder="0s", min_width=90, elem_id="start")
                        end = gr.Textbox("", label="To", placeholder="2s", min_width=90, elem_id="end")
                    more = gr.Textbox(
                        "",
                        label="Other choices",
                        info="One a line; `volstyle recipe show` prints all there are",
                        placeholder="schedule.steps=80\nnetwork.name=builtin",
                        lines=3,
                        elem_id="choices",
                    )
                said = _html("said", {})
                learned = gr.State(False)
                go = gr.Button("Style it", variant="primary", interactive=False, elem_id="go")
                stop = gr.Button("Stop, and keep what there is", visible=False, elem_id="stop")
            with gr.Column(elem_id="stage"):
                viewer = _html("viewer", {"stage": "empty"})
        wish = [content, styles, size, strength, strokes, colors, in_color, start, end, more]
        offered = [size, strokes, colors, in_color, part]

        def look(content: str | None, styles: list[str] | None) -> list[Any]:
            """Show the content as it is before it is styled, and the controls that mean something for it."""
            view, told, medium = dropped(studio, Path(content) if content else None)
            shown = [gr.skip()] * len(offered) if medium is None else _shown(offers(medium))
            return [view, told, gr.Button(interactive=bool(content and styles)), *shown]

        def look_at_styles(content: str | None, styles: list[str] | None, was_learned: bool) -> list[Any]:
            """Show the styles. The strength begins in the middle of its slider, for learned styles at its end."""
            paths = list(map(Path, styles or ()))
            pictures, told = thumbnails_of(studio, paths)
            learned = all_learned(paths)
            value = gr.Slider() if learned == was_learned else gr.Slider(value=FULL if learned else MIDDLE)
            return [pictures, told, gr.Button(interactive=bool(paths and content)), value, learned]

        def plan(*values: Any) -> Any:
            wish = _wish(values)
            return gr.skip() if wish is None else planned(studio, wish)

        def begin(request: gr.Request, *values: Any) -> list[Any]:
            """Make the job at once, so that it can be stopped while it waits for its turn."""
            try:
                wish = _wish(values)
                if wish is not None:
                    studio.begin(str(request.session_hash), wish)
            except VolstyleError as error:
                return [gr.skip(), wrong(line_of(error, studio.root)), gr.skip(), gr.skip()]
            return [waiting(), gr.skip(), gr.Button(visible=False), gr.Button(visible=True)]

        def run(request: gr.Request) -> Iterator[list[Any]]:
            job = studio.job(str(request.session_hash))
            for view in running(job) if job else ():
                busy = view["stage"] == "working"
                yield [view, gr.Button(visible=not busy), gr.Button(visible=busy)]

        def halt(request: gr.Request) -> None:
            job = studio.job(str(request.session_hash))
            if job:
                job.stop()

        def leave(request: gr.Request) -> None:
            studio.leave(str(request.session_hash))

        def live(*values: Any) -> Any:
            wish = _wish(values)
            return (wish and at_once(studio, wish)) or gr.skip()

        files = [content, styles]
        seen = content.change(look, files, [viewer, said, go, *offered], **_QUIET)
        told = [thumbnails, said, go, strength, learned]
        seen_styles = styles.change(look_at_styles, [*files, learned], told, **_QUIET)
        for drop in (seen, seen_styles):
            drop.then(plan, wish, said, **_ONE_AT_A_TIME, **_QUIET).then(live, wish, viewer, **_QUIET)
        touched = [control.change for control in (size, strength, strokes, colors, in_color, start, end, more)]
        gr.on(touched, plan, wish, said, trigger_mode="always_last", **_ONE_AT_A_TIME, **_QUIET)
        changed = [control.change for control in (size, colors)]
        gr.on(changed, live, wish, viewer, trigger_mode="always_last", **_ONE_AT_A_TIME, **_QUIET)
        strength.change(None, strength, None, js=_MIX)
        begun = go.click(begin, wish, [viewer, said, go, stop], queue=False, **_QUIET)
        begun.then(run, None, [viewer, go, stop], **_ONE_AT_A_TIME, **_QUIET)
        stop.click(halt, queue=False, **_QUIET)
        page.unload(leave)
    page.queue(max_size=_WAITING, default_concurrency_limit=4, api_open=False)
    return page


def _shown(offered: Offers) -> list[Any]:
    """The controls that mean something, in the order in which they are listed."""
    return [
        gr.Slider(visible=True, value=offered.size) if offered.size else gr.Slider(visible=False),
        gr.Slider(visible=offered.strokes),
        gr.Checkbox(visible=offered.keep_colors),
        gr.Checkbox(visible=offered.in_color),
        gr.Row(visible=offered.part),
    ]


def _wish(values: tuple[Any, ...]) -> Wish | None:
    """What the controls ask for; None as long as there is no content or no style."""
    content, styles, size, strength, strokes, colors, in_color, start, end, more = values
    if not content or not styles:
        return None
    return Wish(
        content=Path(content),
        styles=tuple(map(Path, styles)),
        size=round(size),
        strength=float(strength),
        strokes=float(strokes),
        keep_colors=bool(colors),
        in_color=bool(in_color),
        start=start,
        end=end,
        more=more,
    )


def _html(name: str, value: Any) -> gr.HTML:
    """An element of our own. NAME.js fills NAME.html with the values that the element is given."""
    template, script = ((_HERE / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("html", "js"))
    return gr.HTML(value, html_template=template, js_on_load=script, apply_default_css=False, elem_id=name)
