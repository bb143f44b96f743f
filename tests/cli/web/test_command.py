"""What `volstyle web` refuses before it serves anything."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from volstyle_cli import main
from volstyle_cli.web import command
from volstyle_cli.web.address import listen


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert main(["web"]) == 2
    assert capsys.readouterr().err == "volstyle: web: needs gradio; install it: pip install 'volstyle[web]'\n"


@pytest.mark.skipif(find_spec("gradio") is None, reason="needs volstyle[web]")
def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        assert main(["web", "--port", port]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"volstyle: --port: 127.0.0.1:{port} cannot be used (Address already in use)")
    assert said.err.count("\n") == 1
