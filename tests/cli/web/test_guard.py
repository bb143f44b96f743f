"""Who is let in, and what a browser may do."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from volstyle.errors import RecipeError
from volstyle_cli.web.address import address_of, is_local, listen

pytest.importorskip("starlette", reason="needs volstyle[web]")

from starlette.responses import PlainTextResponse

from volstyle_cli.web.guard import Guard
from volstyle_cli.web.studio import Studio


class Answer:
    """What the guard, before a page that says "the page", answers to a request."""

    def __init__(
        self,
        root: Path,
        path: str = "/",
        *,
        token: str | None = None,
        method: str = "GET",
        query: str = "",
        host: str = "127.0.0.1:7860",
        **headers: str,
    ) -> None:
        given = {"host": host, **headers}
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        }
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        guard = Guard(PlainTextResponse("the page"), Studio(root, 1000), token)
        asyncio.run(guard(scope, receive, send))
        self.status: int = told[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in told[0]["headers"]}
        self.text: str = told[1]["body"].decode()


def test_a_browser_may_fetch_nothing_from_elsewhere(tmp_path: Path) -> None:
    answer = Answer(tmp_path)
    assert (answer.status, answer.text) == (200, "the page")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "[::1]:80"])
def test_this_machine_is_let_in_without_a_token(tmp_path: Path, host: str) -> None:
    assert Answer(tmp_path, host=host).status == 200


def test_a_name_that_leads_here_is_not(tmp_path: Path) -> None:
    """A page elsewhere whose name was changed to mean this machine must not reach the server."""
    answer = Answer(tmp_path, host="evil.example")
    assert answer.status == 403
    assert answer.text.count("\n") == 1


def test_a_token_is_taken_once_and_kept(tmp_path: Path) -> None:
    ask: dict[str, Any] = {"token": "secret", "host": "10.0.0.7:7860"}
    assert Answer(tmp_path, **ask).status == 401
    assert Answer(tmp_path, **ask, query="token=other").status == 401
    assert Answer(tmp_path, **ask, query="token=%C3%A9").status == 401
    assert Answer(tmp_path, **ask, cookie="volstyle=other").status == 401
    taken = Answer(tmp_path, **ask, query="token=secret&__theme=light")
    assert (taken.status, taken.headers["location"]) == (303, "/?__theme=light")
    cookie = taken.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert Answer(tmp_path, **ask, cookie=cookie.split(";")[0]).status == 200


def test_uploads_are_bounded_before_they_are_read(tmp_path: Path) -> None:
    def upload(**headers: str) -> Answer:
        return Answer(tmp_path, "/gradio_api/upload", method="POST", **headers)

    assert upload(content_length="1000").status == 200
    assert upload(content_length="8001").status == 413
    assert upload().status == 411
    (tmp_path / "there").write_bytes(bytes(7500))
    refused = upload(content_length="1000")
    assert (refused.status, refused.text.count("\n")) == (413, 1)


def test_a_port_that_is_taken_is_said() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken, None) == f"http://127.0.0.1:{port}/"
        with pytest.raises(RecipeError, match=rf"--port: 127.0.0.1:{port} cannot be used.*give another --port"):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(RecipeError, match=r"--host: 'no\.such\.host\.invalid' is no address"):
        listen("no.such.host.invalid", 0)
    with pytest.raises(RecipeError, match=r"--port: 192\.0\.2\.1:0 cannot be used"):
        listen("192.0.2.1", 0)


def test_others_are_given_the_name_of_the_machine_and_a_token() -> None:
    with listen("0.0.0.0", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener, "secret") == f"http://{socket.gethostname()}:{port}/?token=secret"
    assert not is_local("0.0.0.0")
