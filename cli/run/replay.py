"""Running again what a record holds."""

from __future__ import annotations

from pathlib import Path

import torch

from volstyle.engine.ranks import present
from volstyle.media.command import digest, order_again
from volstyle.media.order import path_of
from volstyle.record import Record, versions

from ..screen import Screen
from .carry_out import run_errand
from .order import Errand


def run_again(path: Path, output: Path | None, screen: Screen, *, force: bool) -> int:
    """Run again, and print whether the bytes are the same. Returns the exit code: 0 for the same bytes, 1 for
    others, 130 when stopped. Raises VolstyleError."""
    record = Record.load(path)
    order = order_again(path, record, output, force=force)
    for name, then in record.versions.items():
        now = versions().get(name)
        if now != then:
            screen.entry("note", f"made with {name} {then}, here is {now}: bytes may differ")
    if record.ranks != present().count:
        screen.entry("note", f"made by {record.ranks} processes, here are {present().count}: bytes may differ")
    torch.set_num_threads(record.threads)
    if run_errand(Errand(order), screen) and order.stop_after is None:
        return 130
    same = digest(path_of(order.output)) == record.command["output"]["sha256"]
    screen.entry("replay", "the same bytes" if same else "other bytes than the record's")
    return 0 if same else 1
