"""The borders of a codec, where it meets files that nobody vouches for.

Errors of foreign libraries become ours, in one line, and sizes that a file declares are held against the memory
before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from volstyle.errors import CapacityError, InputError, OutputError, VolstyleError

_MOST_SAID = 160
"""Letters of a library's message that are passed on."""


def check_room(path: Path, declared: int, samples: int) -> None:
    """Raises CapacityError for a file that says it unpacks to more than the memory that is free.

    declared: bytes of what is read, before anything is allocated. samples: of the field, 4 bytes each beside it.
    """
    need, free = declared + 5 * samples, free_memory()
    if need > free:
        raise CapacityError(
            f"{path}: unpacks to {_gigabytes(declared)} and takes {_gigabytes(need)} of memory, "
            f"{_gigabytes(free)} are free; give a smaller file"
        )


def free_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Whatever a format's library raises on what it cannot write becomes an OutputError."""
    try:
        yield
    except (VolstyleError, OSError):  # `atomic` maps the latter, which says whether the disk is full
        raise
    except Exception as error:
        raise OutputError(f"{path}: cannot be written ({_reason(error)}); choose another format") from error


@contextmanager
def damages(path: Path, what: str) -> Iterator[None]:
    """Whatever a format's library raises on a damaged file becomes an InputError: "path: what (why)"."""
    try:
        yield
    except VolstyleError:
        raise
    except MemoryError as error:
        raise CapacityError(f"{path}: does not fit the memory ({error}); give a smaller file") from error
    except Exception as error:
        raise InputError(f"{path}: {what} ({_reason(error)})") from error


@contextmanager
def importing(path: Path, extra: str) -> Iterator[None]:
    """A library that is not installed becomes an InputError that names the extra which installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"{path}: needs {error.name}; install it: pip install 'volstyle[{extra}]'") from error


def _reason(error: Exception) -> str:
    """What an error says, in one line that is not too long."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return reason if len(reason) <= _MOST_SAID else f"{reason[:_MOST_SAID]}…"


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
