"""Making the fields of a dataclass the arguments and options of a command."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

Chosen = TypeVar("Chosen")


def takes(options: type[Chosen]) -> Callable[[Callable[[Chosen], None]], Callable[..., None]]:
    """Make a function of one dataclass a command with its fields as arguments and options."""
    hints = get_type_hints(options, include_extras=True)
    # What must be given comes first in the help.
    fields = sorted(dataclasses.fields(options), key=_is_optional)  # type: ignore[arg-type]
    parameters = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(f),
            annotation=hints[f.name],
        )
        for f in fields
    ]

    def decorate(run: Callable[[Chosen], None]) -> Callable[..., None]:
        def command(**values: Any) -> None:
            run(options(**values))

        command.__doc__ = _in_paragraphs(inspect.getdoc(run) or "")
        command.__name__ = run.__name__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {name: hints[name] for name in (f.name for f in fields)}
        return command

    return decorate


def _in_paragraphs(text: str) -> str:
    """A text whose lines end where paragraphs do: a terminal breaks them by its own width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _is_optional(entry: dataclasses.Field[Any]) -> bool:
    return entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING


def _default(entry: dataclasses.Field[Any]) -> Any:
    if entry.default_factory is not dataclasses.MISSING:
        return entry.default_factory()
    return inspect.Parameter.empty if entry.default is dataclasses.MISSING else entry.default
