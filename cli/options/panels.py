"""The panels of the help, under whose headings a command lists its options."""

from __future__ import annotations

from typing import Any

from typer import Option


def look(text: str, *names: str, **more: Any) -> Any:
    """An option that changes what the result looks like. text: its help. names: as they are typed, where they do
    not follow from the name of the field; more: what else typer's Option takes."""
    return Option(*names, help=text, rich_help_panel="Look", **more)


def machine(text: str, *names: str, **more: Any) -> Any:
    """An option that says where and how the computer works; see `look`."""
    return Option(*names, help=text, rich_help_panel="Machine", **more)


def files(text: str, *names: str, **more: Any) -> Any:
    """An option that names a file, or a part of one; see `look`."""
    return Option(*names, help=text, rich_help_panel="Files", **more)


def setting(text: str, *names: str, **more: Any) -> Any:
    """An option for those who know the method: its network, or any single choice; see `look`."""
    return Option(*names, help=text, rich_help_panel="Network and recipe", **more)


def given(**values: Any) -> dict[str, Any]:
    """The choices among some options that were given on the command line: those that are not None."""
    return {name: value for name, value in values.items() if value is not None}
