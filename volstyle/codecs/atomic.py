"""Files, and folders that are one thing, that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from volstyle.errors import CapacityError, OutputError

NAME_MAX = 255
"""Bytes a name may have on the common file systems."""

_ROOM_IN_NAMES = 20
"""Bytes by which the name of a temporary file is longer than that of the output that it becomes."""


def check_target(path: Path, force: bool) -> None:
    """Raises OutputError when path cannot be written: no folder, no right to, or a file there without force."""
    check_name(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, must be a file")
    _check_place(path, force)


def check_name(path: Path) -> None:
    """Raises OutputError for a name that is too long for temporary files beside it to have one."""
    longest, length = NAME_MAX - _ROOM_IN_NAMES, len(os.fsencode(path.name))
    if length > longest:
        raise OutputError(f"{path}: its name has {length} bytes, must have at most {longest}; give a shorter one")


def check_folder(path: Path, force: bool, pattern: str) -> None:
    """Raises OutputError when path cannot be a folder of files like pattern: as `check_target`, or when it is a
    folder that holds others, which nobody asked to remove."""
    check_name(path)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file, must be a folder")
    _check_place(path, force)
    others = [file for file in path.rglob("*") if file.is_file() and not file.relative_to(path).match(pattern)]
    if others:
        raise OutputError(f"{path}: holds {others[0].name}, which would be lost; give another name")


def _check_place(path: Path, force: bool) -> None:
    check_parent(path)
    if path.exists() and not force:
        raise OutputError(f"{path}: is there already; give another name or --force")


def check_parent(path: Path) -> None:
    """Raises OutputError when the folder that path is to lie in is not there, or cannot be written to."""
    folder = _real(path).parent
    if not folder.is_dir():
        raise OutputError(f"{path}: no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path}: folder {folder} cannot be written to; choose another")


def _real(path: Path) -> Path:
    """Where a symbolic link leads, so that what it names is replaced and not the link."""
    return path.resolve() if path.is_symlink() else path


@contextmanager
def arriving(path: Path, force: bool) -> Iterator[Path]:
    """A temporary name beside path, with its suffix, that becomes path when the block ends well.

    Whatever ends it otherwise, an interrupt too, removes the temporary file and leaves what was at path before.
    Raises OutputError, or CapacityError when the disk is full.
    """
    check_target(path, force)
    with _mapped(path), replacing(_real(path)) as temporary:
        yield temporary


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The same context as `arriving`, without its checks. Raises OSError."""
    temporary = path.with_name(f".{path.stem}.part{os.getpid()}{path.suffix}")
    try:
        yield temporary
        put((temporary, path))
    finally:
        temporary.unlink(missing_ok=True)


def put(*moves: tuple[Path, Path]) -> None:
    """Bring files, or all in folders, to the disk, then give them their names. Raises OSError.

    moves: where each is now, and its name."""
    for temporary, path in moves:
        for file in temporary.rglob("*") if temporary.is_dir() else (temporary,):
            if file.is_file():
                _synced(file)
        temporary.replace(path)
    for folder in {path.parent for _, path in moves}:
        with suppress(OSError):  # not every file system does that, and the files are there
            _synced(folder)


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def arriving_folder(path: Path, force: bool, pattern: str) -> Iterator[Path]:
    """A new folder beside path that becomes path when the block ends well, and is removed otherwise.

    pattern: what files in it are like; a folder that is there is replaced, with force, if it holds no others.
    Raises OutputError, or CapacityError when the disk is full.
    """
    check_folder(path, force, pattern)
    said, path = path, _real(path)
    temporary, former = (path.with_name(f".{path.name}.{word}{os.getpid()}") for word in ("part", "former"))
    try:
        with _mapped(said):
            temporary.mkdir()
            yield temporary
            if path.exists():
                path.replace(former)
            put((temporary, path))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if former.exists() and path.exists():
            shutil.rmtree(former)


@contextmanager
def staging(path: Path, folder: Path) -> Iterator[Path]:
    """A new folder in one that is there, for the files of path to be completed in and moved; removed at the end.

    Raises OutputError, or CapacityError when the disk is full.
    """
    temporary = folder / f".part{os.getpid()}"
    try:
        with _mapped(path):
            temporary.mkdir()
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise CapacityError(f"{path}: no room left on the disk of {path.parent}; free some") from error
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
