"""Checks each request before the server sees it: who is let in, how much is uploaded, what a browser may do."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .address import is_local
from .studio import Studio

_COOKIE = "volstyle"
_STORED = 8
"""How many times as large as the largest upload all files together may be."""

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio generates functions from its templates
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    )
)
"""Headers that forbid the browser to fetch anything from elsewhere, whatever Gradio's own page asks for."""

_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Guard:
    """Lets a request through, or answers it in place of the server."""

    def __init__(self, app: ASGIApp, studio: Studio, token: str | None) -> None:
        self._app, self._studio, self._token = app, studio, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        app = _refusal(Request(scope), self._studio, self._token) or self._app
        return await app(scope, receive, tell)


def _refusal(request: Request, studio: Studio, token: str | None) -> Response | None:
    """Why a request is refused, in one line; None if it is served."""
    host = (request.url.hostname or "").lower()
    if token is None and not is_local(host):
        # A page elsewhere could reach this server through a domain name of its own that leads here.
        return PlainTextResponse(f"volstyle: open it as http://127.0.0.1, not as {host}\n", 403)
    if token is not None:
        given = request.query_params.get("token")
        if given is not None and hmac.compare_digest(given.encode(), token.encode()):
            return _let_in(request, token)
        if not hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), token.encode()):
            return PlainTextResponse("volstyle: open the address with the token that the terminal shows\n", 401)
    if request.method == "POST" and request.url.path.endswith("/upload"):
        return _too_large(request, studio)
    return None


def _let_in(request: Request, token: str) -> Response:
    """Send the browser to the same address without the token, which it keeps as a cookie from now on."""
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    response = RedirectResponse(request.url.path + (f"?{urlencode(rest)}" if rest else ""), 303)
    response.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
    return response


def _too_large(request: Request, studio: Studio) -> Response | None:
    """Why an upload is refused before any of it is read, None if it is not. Gradio counts the bytes of each file
    as they come."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return PlainTextResponse("volstyle: an upload must say its length\n", 411)
    if int(length) + studio.stored_bytes > _STORED * studio.most_bytes:
        return PlainTextResponse("volstyle: no room for more uploads; start `volstyle web` again\n", 413)
    return None
