"""Files, and folders that are one thing, that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volstyle.errors import CapacityError, OutputError


def check_target(path: Path, force: bool) -> None:
    """Raises OutputError when path cannot be written: no folder, no right to, or a file there without force."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, must be a file")
    _check_place(path, force)


def check_folder(path: Path, force: bool, pattern: str) -> None:
    """Raises OutputError when path cannot be a folder of files like pattern: as `check_target`, or when it is a
    folder that holds others, which nobody asked to remove."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file, must be a folder")
    _check_place(path, force)
    others = [file for file in path.rglob("*") if file.is_file() and not file.relative_to(path).match(pattern)]
    if others:
        raise OutputError(f"{path}: holds {others[0].name}, which would be lost; give another name")


def _check_place(path: Path, force: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path}: no folder {folder}; make it first")
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
        with _mapped(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def arriving_folder(path: Path, force: bool, pattern: str) -> Iterator[Path]:
    """A new folder beside path that becomes path when the block ends well, and is removed otherwise.

    pattern: what files in it are like; a folder that is there is replaced, with force, if it holds no others.
    Raises OutputError, or CapacityError when the disk is full.
    """
    check_folder(path, force, pattern)
    temporary, former = (path.with_name(f".{path.name}.{word}{os.getpid()}") for word in ("part", "former"))
    try:
        with _mapped(path):
            temporary.mkdir()
            yield temporary
            if path.exists():
                path.replace(former)
            temporary.replace(path)
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
