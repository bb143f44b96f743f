"""`volstyle web`, which serves the page until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path

from volstyle.errors import RecipeError

from ..options import WebOptions
from ..screen import Screen
from .address import address_of, is_local, listen

_NEEDED = ("gradio", "fastapi", "uvicorn")
_GRACE_S = 2


def serve(options: WebOptions, screen: Screen) -> None:
    """Serve the page. Raises RecipeError for an address that cannot be used, or if the extra `web` is not
    installed."""
    for name in _NEEDED:
        if find_spec(name) is None:
            raise RecipeError(f"web: needs {name}; install it: pip install 'volstyle[web]'")
    listener = listen(options.host, options.port)
    token = None if is_local(options.host) else secrets.token_urlsafe(24)
    with listener, tempfile.TemporaryDirectory(prefix="volstyle-web-", ignore_cleanup_errors=True) as folder:
        # Set before Gradio is imported, so that it sends nothing to its makers and keeps uploads in this folder.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder, "HF_HUB_OFFLINE": "1"}
        import uvicorn

        from .server import application
        from .studio import Studio

        studio = Studio(Path(folder), options.upload_limit * 2**20)
        app = application(studio, token)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the folder is removed, as after Ctrl-C
        screen.entry("page", address_of(listener, token))
        screen.entry("files", f"{folder}, which goes when Ctrl-C ends this")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            pass
        finally:
            studio.close()
