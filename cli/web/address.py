"""The address at which the page is served."""

from __future__ import annotations

import socket

from volstyle.errors import RecipeError

_LOCAL = ("127.0.0.1", "localhost", "::1")


def is_local(host: str) -> bool:
    """Whether a name or an address means this machine itself, so that no other machine can reach it."""
    return host in _LOCAL


def listen(host: str, port: int) -> socket.socket:
    """Open a socket at an address first of all, so that a port in use is noticed at once. Raises RecipeError."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise RecipeError(
            f"--host: {host!r} is no address of this machine; give another, as in 127.0.0.1"
        ) from error
    found = socket.socket(family, kind, number)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError as error:
        found.close()
        raise RecipeError(
            f"--port: {host}:{port} cannot be used ({error.strerror}); give another --port"
        ) from error
    return found


def address_of(listener: socket.socket, token: str | None) -> str:
    """The address to type into a browser, on this machine or, if others can reach the page, on any of them."""
    host, port = listener.getsockname()[:2]
    name = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
