"""napari without a screen; without Qt's system libraries its tests are skipped."""

from __future__ import annotations

import os
import warnings

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

with warnings.catch_warnings():  # of napari's own, when its modules are first imported
    warnings.simplefilter("ignore")
    import napari.components
    import napari.layers  # noqa: F401


@pytest.fixture
def qt() -> None:
    """Skips unless Qt can be loaded, which needs libraries of the system such as libEGL."""
    pytest.importorskip("qtpy.QtWidgets", reason="Qt lacks a library of the system", exc_type=ImportError)
    from napari.qt import get_qapp

    get_qapp()
