"""A lock that keeps two runs from writing the same output at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volstyle.codecs.atomic import check_name, check_parent
from volstyle.errors import OutputError
from volstyle.media.order import Order

if sys.platform != "win32":
    import fcntl


@contextmanager
def alone(order: Order) -> Iterator[None]:
    """Let no other run write the output, or the state beside it. Raises OutputError while another run does.

    The lock goes with the process that holds it, however that ends; its file is removed by the next holder.
    """
    if order.output is None:
        yield
        return
    check_name(order.record_path)
    check_parent(order.output)
    output = real(order.output)
    path = output.with_name(f".{output.name}.lock")
    with _locked(path) as held:
        if not held:
            raise OutputError(f"{order.output}: another run is making it; wait for that one, or give another name")
        yield


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether this process has the lock of a file, which is removed at the end."""
    if sys.platform == "win32":
        yield True
        return
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between its opening here and its locking.
            mine = path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        if mine:
            break
        os.close(descriptor)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def real(path: Path) -> Path:
    """Where a symbolic link leads, so that what it names is meant and not the link."""
    return path.resolve() if path.is_symlink() else path
