"""Running again what a record holds."""

from __future__ import annotations

from pathlib import Path

import torch

from volstyle.engine.ranks import present
from volstyle.media.command import digest, order_again
from volstyle.media.order import path_of
from volstyle.record import Record, versions

from ..screen import Screen
from ..shapes import ReplayJson
from .carry_out import run_errand
from .order import Errand


def run_again(path: Path, output: Path | None, screen: Screen, *, force: bool) -> tuple[int, ReplayJson]:
    """Run again, and print whether the bytes are the same. Returns the exit code (0 for the same bytes, 1 for
    others, 130 when stopped), and what is said of it as JSON. Raises VolstyleError."""
    record = Record.load(path)
    order = order_again(path, record, output, force=force)
    notes = _notes(record)
    for note in notes:
        screen.entry("note", note)
    torch.set_num_threads(record.threads)
    expected = record.command["output"]["sha256"]
    said = ReplayJson(record=str(path), wrote=None, same=None, expected=expected, found=None, notes=notes)
    if run_errand(Errand(order), screen) and order.stop_after is None:
        return 130, said
    said["wrote"], said["found"] = str(order.output), digest(path_of(order.output))
    said["same"] = said["found"] == expected
    screen.entry("replay", "the same bytes" if said["same"] else "other bytes than the record's")
    return 0 if said["same"] else 1, said


def _notes(record: Record) -> list[str]:
    """What is not as it was when the record was made."""
    found = [
        f"made with {name} {then}, here is {now}: bytes may differ"
        for name, then in record.versions.items()
        if (now := versions().get(name)) != then
    ]
    if record.ranks != present().count:
        found.append(f"made by {record.ranks} processes, here are {present().count}: bytes may differ")
    return found
