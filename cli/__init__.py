"""The command line: joins codecs and engine, and does all the drawing."""

from __future__ import annotations

import os
import sys

STOPPED = 130
WRONG = 2


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; the process's own if none is given. Returns the exit code.

    0: done; 1: a replay that gave other bytes, or a batch of which some failed; 2: something was wrong, said in
    one line on stderr; 130: stopped.
    """
    # Threads of OpenMP that wait for each other spin by default, and keep the processor from other programs: three
    # runs at once on two cores were seven times as slow as one. It must be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from typer import TyperException

    from volstyle.errors import VolstyleError

    from .app import app

    try:
        code = app(arguments, prog_name="volstyle", standalone_mode=False)
    except VolstyleError as error:
        return _wrong(str(error))
    except TyperException as error:
        return _wrong(error.format_message() if hasattr(error, "format_message") else str(error))
    except KeyboardInterrupt:
        return STOPPED
    return int(code or 0)


def _wrong(message: str) -> int:
    """One line, whatever the message was made of."""
    sys.stderr.write(f"volstyle: {' '.join(message.split())}\n")
    return WRONG
