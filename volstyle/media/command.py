"""An order in a record, and back: what is needed to do it again."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from volstyle.codecs import Encoding, Moment, Selection, files, suffix_of
from volstyle.codecs.atomic import arriving
from volstyle.errors import InputError
from volstyle.grid.field import Field
from volstyle.media.order import Order, Source, StyleOrder, path_of
from volstyle.media.table import MEDIA
from volstyle.networks.weights import sha256
from volstyle.record import Record, check_entries


def digest(path: Path) -> str:
    """sha256 of a file, or of the hashes of numbered images."""
    found = [sha256(file) for file in files(path)]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def command_of(order: Order, stopped_after: tuple[int, int] | None) -> dict[str, Any]:
    """The order as a record keeps it, paths relative to the record's folder. The output is there already."""
    folder = order.record_path.parent

    def named(source: Source | None) -> str | None:
        return Path(os.path.relpath(source, folder)).as_posix() if isinstance(source, Path) else None

    in_memory = {name: digest_of(field) for name, field in order.in_memory.items()}
    assert order.output is not None
    return {
        "kind": order.kind,
        "content": named(order.content),
        "styles": [
            {
                "path": named(style.source),
                "weight": style.weight,
                "mask": named(style.mask),
                "source_mask": named(style.source_mask),
                "at": style.at and dataclasses.asdict(style.at),
                **({"named": style.named} if style.named else {}),
                **({"across": style.across} if style.across else {}),
            }
            for style in order.styles
        ],
        "init": named(order.init),
        "weights": named(order.weights),
        "flow": named(order.flow),
        "flow_weights": named(order.flow_weights),
        "inputs": {named(path): digest(path) for path in order.inputs},
        "output": {"path": order.output.name, "sha256": digest(order.output)},
        "selection": dataclasses.asdict(order.selection),
        "quality": order.encoding.quality,
        "full_size": order.full_size,
        "mask": named(order.mask),
        "shape": order.shape,
        "seconds": order.seconds,
        "cuts": order.cuts,
        **({"examples": [named(source) for source in order.examples]} if order.examples else {}),
        **({"learns_solid": True} if order.learns_solid else {}),
        **({"begins": order.begins} if order.begins is not None else {}),
        "stopped_after": stopped_after,
        **({"in_memory": in_memory} if in_memory else {}),
    }


def digest_of(field: Field) -> str:
    """sha256 of samples in memory and of their grid."""
    found = hashlib.sha256(repr((field.axes, field.shape)).encode())
    found.update(field.samples.contiguous().cpu().numpy().tobytes())
    return found.hexdigest()


def save_record(order: Order, record: Record, stopped_after: tuple[int, int] | None) -> Record:
    """Write the record beside the output, all or nothing. Returns it with the command to do the run again."""
    record = replace(record, command=command_of(order, stopped_after))
    with arriving(order.record_path, force=True) as temporary:
        temporary.write_text(record.to_json(), encoding="utf-8")
    return record


def order_behind(output: Path) -> Order | None:
    """The order that made a file, if its record lies beside it. Raises InputError for a damaged record."""
    path = output.with_name(f"{output.name}.json")
    if not path.exists():
        return None
    record = Record.load(path)
    if record.command.get("in_memory"):
        raise InputError(f"{path}: the record of a run of samples in memory, which are gone")
    try:
        return _order(path, record, record.command)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a record that does not say what it is of (no {error})") from error


def order_again(path: Path, record: Record, output: Path | None, *, force: bool) -> Order:
    """The order of a record. Raises InputError for a record without one, or when an input has changed."""
    if record.command.get("in_memory"):
        raise InputError(f"{path}: a run of samples in memory, which are gone; must be of files to be done again")
    try:
        command = record.command
        order = _order(path, record, command)
        _ = command["output"]["sha256"]  # to compare with in the end
        expected = {path.parent / name: found for name, found in command["inputs"].items()}
        if not all(isinstance(found, str) for found in expected.values()):
            raise TypeError("inputs")
        name = path_of(order.output).name
        suffix = suffix_of(Path(name))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"has no entry {error}" if isinstance(error, KeyError) else "is damaged"
        raise InputError(f"{path}: a record that cannot be run again: its command {why}") from error
    for file, wanted in expected.items():
        if not file.exists() and not files(file):
            raise InputError(f"{file}: no such file, {path.name} needs it")
        found = digest(file)
        if found != wanted:
            raise InputError(
                f"{file}: not as it was when {path.name} was made (sha256 {found[:8]}…, must be {wanted[:8]}…)"
            )
    return replace(
        order,
        output=output or Path(f"{name.removesuffix(suffix)}-replay{suffix}"),
        encoding=replace(order.encoding, force=force),
    )


def _order(path: Path, record: Record, command: Mapping[str, Any]) -> Order:
    folder = path.parent

    def located(name: str | None) -> Path | None:
        return None if name is None else Path(os.path.normpath(folder / name))

    recipe = record.recipe
    if command["init"] is not None:
        recipe = replace(recipe, init=str(located(command["init"])))
    if command["weights"] is not None:
        recipe = replace(recipe, network=replace(recipe.network, weights=str(located(command["weights"]))))
    for key in ("flow", "flow_weights"):
        if command.get(key) is not None:
            recipe = recipe.updated({"temporal": {key: str(located(command[key]))}})
    selection, stopped = command["selection"], command["stopped_after"]
    if command["kind"] not in MEDIA:
        raise InputError(f"{path}: a record of a {command['kind']!r}, must be one of {', '.join(MEDIA)}")
    axes = MEDIA[command["kind"]].axes
    for stage in record.stages:
        if len(stage.shape) != len(axes):
            raise InputError(f"{path}: a record with a stage of shape {stage.shape}, must be of {', '.join(axes)}")
    order = Order(
        kind=command["kind"],
        content=located(command["content"]),
        styles=tuple(
            StyleOrder(
                folder / style["path"],
                style["weight"],
                located(style["mask"]),
                located(style["source_mask"]),
                _moment(style.get("at")),
                style.get("named", ""),
                style.get("across"),
            )
            for style in command["styles"]
        ),
        output=Path(command["output"]["path"]),
        recipe=recipe,
        selection=Selection(
            selection["size"],
            _moment(selection["start"]),
            _moment(selection["end"]),
            selection.get("signal", False),
            selection.get("keep_going", False),
        ),
        encoding=Encoding(command["quality"]),
        full_size=command["full_size"],
        mask=located(command["mask"]),
        shape=None if command["shape"] is None else tuple(command["shape"]),
        seconds=command.get("seconds"),
        cuts=None if command.get("cuts") is None else tuple(command["cuts"]),
        stop_after=None if stopped is None else (stopped[0], stopped[1]),
        network_digest=record.weights,
        examples=tuple(folder / example for example in command.get("examples", ())),
        learns_solid=command.get("learns_solid", False),
        begins=None if command.get("begins") is None else tuple(command["begins"]),
    )
    for part in (order, order.selection, order.encoding, *order.styles):
        check_entries(path, part)
    return order


def _moment(values: Mapping[str, Any] | None) -> Moment | None:
    return None if values is None else Moment(**values)
