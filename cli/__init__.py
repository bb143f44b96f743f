"""The command line: joins codecs and engine, and does all the drawing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

STOPPED = 130
WRONG = 2


def main(arguments: list[str] | None = None) -> int:
    """Run a command line, which is that of this process if none is given. Returns the exit code.

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
        code = _shared(partial(app, arguments, prog_name="volstyle", standalone_mode=False))
    except VolstyleError as error:
        return _wrong(str(error))
    except TyperException as error:
        return _wrong(error.format_message() if hasattr(error, "format_message") else str(error))
    except KeyboardInterrupt:
        return STOPPED
    return int(code or 0)


def _shared(command: Callable[[], int | None]) -> int | None:
    """Run a command together with all processes that torchrun started, if it did: the first one carries the
    command out and prints, the others compute."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return command()
    import signal

    from volstyle.engine.ranks import Joined, joined
    from volstyle.engine.shared import serve

    with joined() as ranks:
        if ranks.leads or not isinstance(ranks, Joined):
            return command()
        # The first process hears Ctrl-C, and tells the others when to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        serve(ranks)
        return 0


def _wrong(message: str) -> int:
    """A message as one line, whatever it was made of."""
    sys.stderr.write(f"volstyle: {' '.join(message.split())}\n")
    return WRONG
