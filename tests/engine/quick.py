"""Runs of a few steps with a tiny network, for the tests of the engine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers, stylized, tiny_field, tiny_network
from volstyle.engine import outline as outlines
from volstyle.engine.scene import Style
from volstyle.grid.field import Field
from volstyle.grid.resample import resize
from volstyle.recipe import Recipe, ScheduleChoice

SHAPES = {1: (96,), 2: (28, 36), 3: (5, 20, 24)}
CLIP = ("t", "y", "x")
RECIPE = Recipe(
    schedule=ScheduleChoice(smallest=24, ratio=2, steps=8, growth=1), precision="float32", device="cpu"
).updated({"temporal": {"weight": 0.0}, "smoothness": 0.0})


def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a fixture: every name of a network is that of a tiny one, and "own" that of one with three axes."""

    def load(name: str, **_: object) -> object:
        return tiny_network(3 if name == "own" else 2, dtype=torch.float32)

    monkeypatch.setattr(outlines, "load_network", load)


def picture(seed: int, *shape: int) -> Field:
    """Smooth, so that there is something to recognize; away from 0 and 1."""
    shape = shape or SHAPES[2]
    coarse = numbers(3, *(max(size // 6, 2) for size in shape), seed=seed)
    return tiny_field(*shape).with_samples(0.2 + 0.6 * resize(coarse, shape).clamp(0, 1))


STYLE = Style(replace(tiny_field(26, 30, seed=1), samples=numbers(3, 26, 30, seed=1) ** 2))
OTHER = Style(tiny_field(30, 22, seed=2))


def samples_of(*args: object, **kwargs: object) -> Tensor:
    return stylized(*args, **kwargs).field.samples  # type: ignore[arg-type]
