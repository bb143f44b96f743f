"""Whether an existing result is the one that an order asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from volstyle.codecs import probe
from volstyle.errors import InputError
from volstyle.media.command import digest, order_behind
from volstyle.media.method import is_done
from volstyle.media.order import Order
from volstyle.recipe import AUTO
from volstyle.record import Record


def differences(order: Order) -> list[str]:
    """How an existing output differs from what an order asks for, as "other inputs" or "no record"; empty if it is
    just that, finished and unchanged. Raises OutputError for an order without an output.

    The record says how the output was made. Other versions or another machine are no difference, so that a result
    is not made anew for them; nor is a choice that the order leaves open and the run has resolved.
    """
    try:
        record = Record.load(order.record_path)
        was = None if order.output is None else order_behind(order.output)
        command = record.command
        assert was is not None and order.output is not None
        inputs = list(command["inputs"].values())
        output, stopped = command["output"]["sha256"], command["stopped_after"]
    except InputError:
        return ["no record"]
    except (AttributeError, KeyError, TypeError):
        return ["a damaged record"]
    found = []
    if stopped is not None:
        found.append("an early end, for it was stopped")
    if output != digest(order.output):
        found.append("other bytes than its record says")
    if order.lesson is not None and not is_done(order.lesson):
        found.append("another learned style")
    elif inputs != [digest(path) for path in order.inputs]:
        found.append("other inputs")
    each = [[(style.weight, style.at, style.named) for style in styles] for styles in (was.styles, order.styles)]
    if each[0] != each[1]:
        found.append("other weights, times or names of styles")
    own = ("kind", "selection", "full_size", "seconds", "shape")
    found += [f"other {name.replace('_', ' ')}" for name in own if getattr(was, name) != getattr(order, name)]
    if was.encoding.quality != order.encoding.quality:
        found.append("other quality")
    asked, resolved = dataclasses.asdict(order.recipe), dataclasses.asdict(record.recipe)
    elsewhere = _elsewhere(order, record)
    return found + [f"other {key}" for key in _unlike(asked, resolved) if key not in elsewhere]


def _elsewhere(order: Order, record: Record) -> set[str]:
    """Choices that are not compared by their values: those of the machine, those that name files, whose hashes are
    compared, and those that a run resolves by what the content is (see `engine.outline`)."""
    found = {"device", "memory", "network.weights", "temporal.flow_weights"}
    found |= {key for key, path in (("init", order.init), ("temporal.flow", order.flow)) if path}
    asked, resolved = order.recipe.network, record.recipe.network
    if resolved.name == f"{asked.name}3d" and asked.inflation == "native":
        found.add("network.name")
    if (asked.inflation, resolved.inflation) == ("planes", "center") and isinstance(order.content, Path):
        is_slice = probe(order.content).shape[-3:-2] == (1,)
        found |= {"network.inflation"} if is_slice else set()
    return found


def _unlike(asked: Mapping[str, Any], resolved: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of choices whose resolved value is not the one that was asked for."""
    for name, value in asked.items():
        key, other = f"{prefix}{name}", resolved[name]
        if isinstance(value, Mapping) and not name.endswith("taps"):
            yield from _unlike(value, other, f"{key}.")
        elif value not in (other, AUTO, {}):
            yield key
