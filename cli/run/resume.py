"""The state of a run beside its output, so that a run that was killed goes on where it was."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from volstyle.codecs import Moment
from volstyle.codecs.atomic import check_name, check_parent, replacing
from volstyle.engine.checkpoint import Reached
from volstyle.errors import CapacityError, OutputError
from volstyle.recipe import Recipe
from volstyle.record import threads, versions

from .command import digest
from .order import Order

if sys.platform != "win32":
    import fcntl

FORMAT = 2


@dataclass(frozen=True)
class Resume:
    """A folder with what each part of a run has reached, in a file of its own that is only ever replaced whole;
    made when there is something to keep.

    asked: what the run is of. recipe: with all choices as they were resolved when it began: a machine with less
    free memory later would cut other tiles, and round otherwise.
    """

    folder: Path
    asked: Mapping[str, Any]
    recipe: Recipe

    @staticmethod
    def open(order: Order, resolved: Recipe) -> Resume:
        """Of an order: the one there is, else a new one. Raises OutputError for one of another order."""
        folder, asked = folder_of(order), _asked(order)
        if not order.resume:
            remove(order)
        try:
            found = json.loads((folder / _ORDER).read_text(encoding="utf-8"))
            differing = [name for name in asked if found["asked"].get(name) != asked[name]]
            resolved = Recipe().updated(found["resolved"])
        except FileNotFoundError:
            remove(order)  # killed before it said whose it is
            return Resume(folder, asked, resolved)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(f"{folder}: a damaged state; --no-resume starts over") from error
        if differing:
            raise OutputError(
                f"{folder}: state of a run with other {', '.join(differing)}; "
                "repeat that one to go on, or --no-resume to start over"
            )
        return Resume(folder, asked, resolved)

    @property
    def parts(self) -> int:
        """How many parts have finished a stage."""
        return sum(1 for _ in self.folder.glob("part*.safetensors"))

    def load(self, part: int) -> Reached | None:
        """What a part has reached; None for one that has not finished a stage. Raises InputError."""
        path = self._path(part)
        return Reached.load(path) if path.exists() else None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.folder.glob("*"))

    def save(self, part: int, reached: Reached) -> None:
        """In place of what the part had reached before. Raises CapacityError."""
        with self._writing():
            if not self.folder.exists():
                self.folder.mkdir()
                with replacing(self.folder / _ORDER) as temporary:
                    values = {"asked": self.asked, "resolved": _plain(self.recipe)}
                    temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
            with replacing(self._path(part)) as temporary:
                reached.save(temporary)

    def about_to_write(self) -> None:
        """From here on, what is at the output may be this run's own."""
        if self.folder.exists():
            with self._writing():
                (self.folder / _WRITING).touch()

    def _path(self, part: int) -> Path:
        return self.folder / f"part{part:05d}.safetensors"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise CapacityError(
                    f"{self.folder}: no room left on the disk; free some, and the same command goes on"
                ) from error
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror or error})") from error


_ORDER, _WRITING = "order.json", "writing"


@contextmanager
def alone(order: Order) -> Iterator[None]:
    """Keep the output, and the state beside it, to one run. Raises OutputError while another run holds them.

    The lock goes with the process that holds it, however that ends; its file is removed by the next holder.
    """
    check_name(order.record_path)
    check_parent(order.output)
    output = _real(order.output)
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


def _real(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def was_writing(order: Order) -> bool:
    """Whether a run of this output was killed while or after writing it, so that it is there by right."""
    return order.resume and (folder_of(order) / _WRITING).exists()


def folder_of(order: Order) -> Path:
    return order.output.with_name(f".{order.output.name}.state")


def remove(order: Order) -> None:
    """The state of an order, at once, and what runs that were killed left beside its output."""
    folder = folder_of(order)
    done = folder.with_name(f"{folder.name}.done")
    shutil.rmtree(done, ignore_errors=True)
    if folder.exists():
        folder.replace(done)  # half a state would be taken for that of another run
        shutil.rmtree(done, ignore_errors=True)
    for path in (_real(order.output), order.record_path):
        left = re.compile(re.escape(f".{path.stem}.part") + r"\d+" + re.escape(path.suffix))
        for file in path.parent.iterdir():
            if left.fullmatch(file.name):
                file.unlink(missing_ok=True)


def _asked(order: Order) -> dict[str, Any]:
    """All that the bytes of a result depend on, by what a user calls it."""

    def text(moment: Moment | None) -> str:
        return "" if moment is None else f"{moment.value}{moment.unit}"

    selection = order.selection
    return {
        "format": FORMAT,
        "inputs": {str(path): digest(path) for path in order.inputs},
        "styles": [
            [str(style.path), style.weight, str(style.mask), str(style.source_mask), text(style.at)]
            for style in order.styles
        ],
        "choices": _plain(order.recipe),
        "size": selection.size,
        "range": [text(selection.start), text(selection.end), selection.keep_going],
        "shots": [order.shots, list(order.cuts or ())],
        "volume": [str(order.mask), list(order.shape or ()), order.style_size],
        "seconds": order.seconds,
        "versions": versions(),
        "threads": threads(),
    }


def _plain(recipe: Recipe) -> Mapping[str, Any]:
    return tomllib.loads(recipe.to_toml())
