"""The same numbers in every test, whatever ran before it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

import pytest
import torch
import typer
from hypothesis import settings

# The same cases in every run, as many as cost little, and no clock: a busy machine fails no test. To look for
# more: HYPOTHESIS_PROFILE=search uv run pytest.
settings.register_profile("suite", derandomize=True, database=None, deadline=None, max_examples=100)
settings.register_profile("search", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

_THREADS = min(2, torch.get_num_threads())


@pytest.fixture(scope="session", autouse=True)
def _commands_built_once() -> Iterator[None]:
    """The commands with all their options: typer would build them anew each time that a test calls one, as it does
    once in the process of a user."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="module", autouse=True)
def _seeded_for_what_is_shared() -> None:
    _seed()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    _seed()


def _seed() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(_THREADS)  # numba, which napari brings, sets those of OpenMP


@pytest.fixture(autouse=True)
def _optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of tests are optimized, however many frames they have, unless a test asks for more: learning takes
    longer than any test should."""
    monkeypatch.setattr("volstyle.media.method.LONG", 10**9)
