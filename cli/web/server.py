"""The server of the page, and of the files that the page fetches."""

from __future__ import annotations

import gradio
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import FileResponse

from .guard import Guard
from .page import HEAD, STYLE_SHEETS, THEME, build
from .studio import Studio


def application(studio: Studio, token: str | None) -> FastAPI:
    """Make the server. token: what a visitor must give; None lets in everybody who reaches this machine by its own
    name."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, studio=studio, token=token)

    @app.get("/look/{key}/slice/{side}/{axis}/{index}")
    def slice_of(key: str, side: str, axis: str, index: int) -> Response:
        """Answer with a slice of a volume, as a picture."""
        job = studio.fetched(key)
        slices = job.view.slices if job and job.view else None
        try:
            assert slices is not None
            data = slices.picture(side, axis, index)
        except (AssertionError, KeyError) as error:
            raise HTTPException(404) from error
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})

    @app.get("/look/{key}/file/{name}")
    def file_of(key: str, name: str) -> Response:
        """A file that a view is made of, or the result, or its record."""
        job = studio.fetched(key)
        files = dict(job.view.files) if job and job.view else {}
        if name not in files:
            raise HTTPException(404)
        return FileResponse(files[name])

    @app.get("/look/{key}/get/{what}")
    def get(key: str, what: str) -> Response:
        """Answer with the result or its record, as a download."""
        job = studio.fetched(key)
        if not job or what not in job.given:
            raise HTTPException(404)
        return FileResponse(job.given[what], filename=job.given[what].name, media_type="application/octet-stream")

    gradio.mount_gradio_app(
        app,
        build(studio),
        path="/",
        theme=THEME,
        css_paths=STYLE_SHEETS,
        head=HEAD,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        max_file_size=studio.most_bytes,
    )
    return app
