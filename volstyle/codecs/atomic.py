"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volstyle.errors import CapacityError, OutputError


def check_target(path: Path, force: bool) -> None:
    """Raises OutputError when path cannot be written: no folder, no right to, or a file there without force."""
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path}: no folder {folder}; make it first")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, must be a file")
    if path.exists() and not force:
        raise OutputError(f"{path}: is there already; give another name or --force")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path}: folder {folder} cannot be written to; choose another")


@contextmanager
def arriving(path: Path, force: bool) -> Iterator[Path]:
    """A temporary name beside path, with its suffix, that becomes path when the block ends well.

    Whatever ends it otherwise, an interrupt too, removes the temporary file and leaves what was at path before.
    Raises OutputError, or CapacityError when the disk is full.
    """
    check_target(path, force)
    temporary = path.with_name(f".{path.stem}.part{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise CapacityError(f"{path}: no room left on the disk of {path.parent}; free some") from error
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
