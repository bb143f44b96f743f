"""The public surface: what is promised is there, and nothing else."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

import volstyle

PACKAGE: Any = volstyle
"""As programs see it that ask for names that its stub does not have."""


def test_surface() -> None:
    assert set(PACKAGE.__all__) == {
        "Axis",
        "CapacityError",
        "Encoding",
        "Exported",
        "Facts",
        "Field",
        "Follower",
        "InputError",
        "Moment",
        "NetworkError",
        "Origin",
        "OutputError",
        "Outline",
        "Part",
        "RankError",
        "Recipe",
        "RecipeError",
        "Record",
        "Result",
        "Selection",
        "ShapeError",
        "Step",
        "Style",
        "Stylized",
        "Verdict",
        "VolstyleError",
        "WeightsError",
        "__version__",
        "export",
        "judge",
        "learn",
        "load_network",
        "outline",
        "probe",
        "read",
        "style",
        "stylize",
        "write",
    }


def test_every_name_is_there() -> None:
    assert all(getattr(volstyle, name) is not None for name in PACKAGE.__all__)
    assert volstyle.__version__ == version("volstyle")


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="No volstyle attribute Stylize"):
        PACKAGE.Stylize  # noqa: B018
