"""What --json prints, command by command: one object, whose keys are always there.

Sizes are in samples along each axis, the slowest first; times are in seconds, memory and disk in bytes. A number
that is not finite is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypedDict

from volstyle.recipe import Recipe


class StyleJson(TypedDict):
    """at: when a clip takes it, as "4s" or "48f"; null for a style without a time."""

    path: str
    weight: float
    at: str | None


class AxisJson(TypedDict):
    name: str
    step: float
    unit: str


class NetworkJson(TypedDict):
    """weights: their sha256, or the seed of a network that has none."""

    name: str
    weights: str


class StageJson(TypedDict):
    shape: list[int]
    steps: int


class EngineJson(TypedDict):
    """memory: at the peak, beside what the program itself takes."""

    network: NetworkJson
    device: str
    precision: str
    threads: int
    stages: list[StageJson]
    memory: float


class PlanJson(EngineJson):
    """`volstyle plan … --json`. content: null for a texture or for a picture from stdin; output: null for stdout.
    parts: how many pieces are styled one after the other, as windows of a clip. disk: at most, on the way. method:
    "optimize", or "learn" for a clip on which a style is learned first: then output is that of the style, parts
    are the contents it is learned on, shape is that of an example, and disk is 0."""

    method: str
    medium: str
    content: str | None
    styles: list[StyleJson]
    output: str | None
    shape: list[int]
    parts: int
    seconds: float
    disk: float


class InfoJson(TypedDict):
    """`volstyle info FILE --json`. kind: "image", "video", … axes: null where the file says no steps. entries:
    what is said of the file. medium: the command that styles it. takes: null for a signal, and for what is too
    small, whose reason is `why_not`."""

    kind: str
    path: str
    shape: list[int]
    axes: list[AxisJson] | None
    entries: dict[str, str]
    medium: str
    takes: EngineJson | None
    why_not: str


class StageDoneJson(StageJson):
    """done: the steps taken. first, last: the costs of the first and of the last step, by name."""

    done: int
    seconds: float
    first: dict[str, float]
    last: dict[str, float]


class RecordJson(TypedDict):
    """`volstyle info RECORD.json --json`. kind: "record". Paths are relative to the record; content and output are
    null where it does not say them."""

    kind: str
    path: str
    content: str | None
    styles: list[StyleJson]
    output: str | None
    network: NetworkJson
    device: str
    precision: str
    threads: int
    stages: list[StageDoneJson]
    notes: list[str]


class EvalJson(TypedDict):
    """`volstyle eval --json`. results: of each result what the judges say: a list of objects with the name, value
    and better ("lower" or "higher") of each, the content's own value, both over time, and what it means."""

    content: str
    styles: list[str]
    network: str
    results: dict[str, list[dict[str, Any]]]


class OutcomeJson(TypedDict):
    """state: "done", "there" or "failed". medium, output: null where a content could not be told what it is.
    error: empty unless it failed."""

    content: str
    styles: list[StyleJson]
    medium: str | None
    output: str | None
    state: str
    seconds: float
    error: str
    notes: list[str]


class BatchJson(TypedDict):
    """`volstyle batch --json`. done, there, failed: how many. left_out: files that are of no kind that can be
    styled."""

    results: list[OutcomeJson]
    done: int
    there: int
    failed: int
    left_out: list[str]


class ForecastJson(TypedDict):
    """state: "to do", "there" or "failed". medium, output: null where a content could not be told what it is.
    seconds, memory: null unless it is to do, and where a learned style paints, whose pace is not known before.
    error: empty unless it would fail."""

    content: str
    styles: list[StyleJson]
    medium: str | None
    output: str | None
    state: str
    seconds: float | None
    memory: float | None
    disk: float
    error: str


class PlanBatchJson(TypedDict):
    """`volstyle plan batch … --json`. to_do, there, failed: how many. seconds: of all, one after the other.
    memory, disk: the most of any. left_out: files that are of no kind that can be styled."""

    results: list[ForecastJson]
    to_do: int
    there: int
    failed: int
    seconds: float
    memory: float
    disk: float
    left_out: list[str]


class ReplayJson(TypedDict):
    """`volstyle replay RECORD --json`. wrote: null when it was stopped before its end, as is `same`. same: whether
    the bytes are those of the record. expected, found: sha256. notes: of versions and numbers of processes that
    are others now."""

    record: str
    wrote: str | None
    same: bool | None
    expected: str
    found: str | None
    notes: list[str]


class UnitJson(TypedDict):
    """activations: of the patches that activate it most, the strongest first. content, style, result: its mean
    activation on those of the run that --of names; null without."""

    unit: int
    activations: list[float]
    content: float | None
    style: float | None
    result: float | None


class UnitsJson(TypedDict):
    """`volstyle units --json`. channels: how many units the layer has. sees, every: samples that a unit sees, and
    from one position of it to the next. inputs: what was shown to the network."""

    network: NetworkJson
    layer: str
    channels: int
    sees: list[int]
    every: list[int]
    inputs: str
    units: list[UnitJson]
    page: str
    sheet: str


Shape = (
    PlanJson
    | InfoJson
    | RecordJson
    | EvalJson
    | BatchJson
    | PlanBatchJson
    | ReplayJson
    | UnitsJson
    | Mapping[str, Any]
)


def json_text(values: Shape) -> str:
    return json.dumps(_finite(values), indent=1, allow_nan=False)


def recipe_json(recipe: Recipe) -> str:
    """`volstyle recipe show --json`: the keys of the TOML."""
    return json_text(asdict(recipe))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
