"""The state of a run beside its output, so that a run that was killed goes on where it was."""

from __future__ import annotations

import errno
import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from volstyle.codecs import Moment
from volstyle.codecs.atomic import replacing
from volstyle.engine.checkpoint import Reached
from volstyle.errors import CapacityError, OutputError
from volstyle.grid.field import Field
from volstyle.media.command import digest, digest_of
from volstyle.media.lock import real
from volstyle.media.order import Order, Source
from volstyle.recipe import Recipe
from volstyle.record import threads, versions

FORMAT = 7

_State = TypeVar("_State")


class Saved(Protocol):
    """A state that can be written."""

    def save(self, path: Path) -> None:
        """Raises OSError."""
        ...


@dataclass(frozen=True)
class Resume:
    """The state of a run: a folder with a file for each part, which holds what the part has reached. Each file is
    only ever replaced whole, and the folder is made when there is something to keep.

    asked: everything that the result depends on, by which the state of the same run is known again. recipe: the
    choices as they were resolved when the run began, since less free memory later would lead to other tiles, and
    they to other rounding; None for a new run. order: the order whose state this is.
    """

    folder: Path
    asked: Mapping[str, Any]
    order: Order
    recipe: Recipe | None = None

    @staticmethod
    def open(order: Order, folder: Path, ranks: int = 1) -> Resume:
        """The state that an order has left in a folder, else a new state. ranks: how many processes share the run.
        Raises OutputError if the folder holds the state of another order."""
        asked = {**_asked(order), "ranks": ranks}
        new = Resume(folder, asked, order)
        if not order.resume:
            return new
        try:
            found = json.loads((folder / _ORDER).read_text(encoding="utf-8"))
            differing = [name for name in asked if found["asked"].get(name) != asked[name]]
            resolved = Recipe().updated(found["resolved"])
        except FileNotFoundError:
            return new  # or it was killed before it said whose it is
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(f"{folder}: a damaged state; --no-resume starts over") from error
        if differing:
            raise OutputError(
                f"{folder}: state of a run with other {', '.join(differing)}; "
                "repeat that one to go on, or --no-resume to start over"
            )
        return replace(new, recipe=resolved)

    def begun(self, resolved: Recipe) -> Resume:
        """This state once the run is planned. A new state replaces whatever is in the folder."""
        if self.recipe is not None:
            return self
        remove(self.order, self.folder)
        return replace(self, recipe=resolved)

    @property
    def parts(self) -> int:
        """How many parts have finished a stage."""
        return sum(1 for _ in self.folder.glob("part*.safetensors"))

    def load(self, part: int) -> Reached | None:
        """What a part has reached; None for one that has not finished a stage. Raises InputError."""
        return self.load_as(part, Reached.load)

    def load_as(self, part: int, load: Callable[[Path], _State]) -> _State | None:
        """What was saved of a part, read by `load`; None where nothing was."""
        path = self._path(part)
        return load(path) if path.exists() else None

    @property
    def size(self) -> int:
        """Bytes that the state takes on the disk."""
        return sum(path.stat().st_size for path in self.folder.glob("*"))

    def save(self, part: int, reached: Saved) -> None:
        """Keep what a part has reached, in place of what it had reached before. Raises CapacityError."""
        with self._writing():
            if not self.folder.exists():
                self.folder.mkdir()
                with replacing(self.folder / _ORDER) as temporary:
                    values = {"asked": self.asked, "resolved": _plain(self.recipe or self.order.recipe)}
                    temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
            with replacing(self._path(part)) as temporary:
                reached.save(temporary)

    def about_to_write(self) -> None:
        """Note that the run begins to write its output, so that a later run knows the file there for its own."""
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


def was_writing(order: Order) -> bool:
    """Whether a run of this output was killed while it wrote the output or after that, so that the file there is
    its own and may be replaced."""
    return order.output is not None and order.resume and (folder_of(order.output) / _WRITING).exists()


def folder_of(output: Path) -> Path:
    """The folder for the state of a run that writes to this output."""
    return output.with_name(f".{output.name}.state")


@contextmanager
def state_folder(order: Order) -> Iterator[Path]:
    """The folder of a run's state: beside the output, where a later run finds it, or a temporary one for a result
    that stays in memory."""
    if order.output is not None:
        yield folder_of(order.output)
        return
    with tempfile.TemporaryDirectory(prefix="volstyle-") as folder:
        yield Path(folder) / "state"


def remove(order: Order, folder: Path) -> None:
    """Remove the state of an order, in one move, and temporary files that killed runs left beside its output."""
    done = folder.with_name(f"{folder.name}.done")
    shutil.rmtree(done, ignore_errors=True)
    if folder.exists():
        folder.replace(done)  # half a state would be taken for that of another run
        shutil.rmtree(done, ignore_errors=True)
    for path in () if order.output is None else (real(order.output), order.record_path):
        left = re.compile(re.escape(f".{path.stem}.part") + r"\d+" + re.escape(path.suffix))
        for file in path.parent.iterdir():
            if left.fullmatch(file.name):
                file.unlink(missing_ok=True)


def _asked(order: Order) -> dict[str, Any]:
    """Everything that the bytes of a result depend on: the name that users know it by -> its value as text."""

    def text(moment: Moment | None) -> str:
        return "" if moment is None else f"{moment.value}{moment.unit}"

    def name(source: Source | None) -> str:
        return "in memory" if isinstance(source, Field) else str(source)

    selection = order.selection
    files = {str(path): digest(path) for path in order.inputs}
    return {
        "format": FORMAT,
        "inputs": files | {name: digest_of(field) for name, field in order.in_memory.items()},
        "styles": [
            [
                name(style.source),
                style.weight,
                name(style.mask),
                name(style.source_mask),
                text(style.at),
                style.named,
                *([style.across] if style.across else []),
            ]
            for style in order.styles
        ],
        "choices": _plain(order.recipe),
        "size": selection.size,
        "range": [text(selection.start), text(selection.end), selection.keep_going],
        "shots": [order.shots, list(order.cuts or ())],
        "volume": [name(order.mask), list(order.shape or ()), order.style_size],
        "seconds": order.seconds,
        "examples": [name(source) for source in order.examples],
        **(
            {"solid": [order.learns_solid, list(order.begins or ())]} if order.learns_solid or order.begins else {}
        ),
        "value_range": list(order.value_range or ()),
        "versions": versions(),
        "threads": threads(),
    }


def _plain(recipe: Recipe) -> Mapping[str, Any]:
    return tomllib.loads(recipe.to_toml())
