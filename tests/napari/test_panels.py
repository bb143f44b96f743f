"""The widgets in a napari without a canvas, and once in a whole one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from npe2 import PluginManifest

from tests.napari.test_layers import QUICK
from tests.scans import counts
from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.grid.field import Axis, Field
from volstyle.media.style import style
from volstyle.napari import following, layers

STEPS = 6
ROOT = Path(__file__).parents[2]


@pytest.fixture
def viewer(qt: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ViewerModel:
    """With a scan and labels; every step is shown."""
    monkeypatch.chdir(tmp_path)
    write("art.png", Field(numbers(3, 24, 24), (Axis("y"), Axis("x"))))

    def quick(*given: Any, choices: dict[str, Any], **more: Any) -> Any:
        return style(*given, choices=choices | QUICK | {"schedule.steps": STEPS}, **more)

    monkeypatch.setattr(layers, "style", quick)
    monkeypatch.setattr(following, "_SHOWN_EVERY_S", 0.0)
    monkeypatch.setattr(following, "_SHARE_OF_SHOWING", 1e9)
    found = ViewerModel()
    found.add_labels((counts(12, 12, 14) > 0).astype(np.uint8), name="cells")
    found.add_image(counts(12, 12, 14), name="scan", scale=(2, 1, 1), units=("mm",) * 3)
    return found


def style_panel(viewer: ViewerModel) -> Any:
    from volstyle.napari.panels import StylePanel

    panel = StylePanel(viewer)
    panel.picture.value = Path("art.png")
    return panel


def finish(panel: Any, watch: Callable[[], None] = lambda: None) -> None:
    """Let Qt work until the panel does not run any more."""
    from qtpy.QtWidgets import QApplication

    late = time.monotonic() + 120
    while panel.is_running:
        assert time.monotonic() < late
        QApplication.processEvents()
        watch()
        time.sleep(0.005)
    QApplication.processEvents()


def test_a_panel_styles_the_selected_layer(viewer: ViewerModel) -> None:
    panel = style_panel(viewer)
    assert panel.layer.value is viewer.layers["scan"]
    assert panel.medium.choices == (None, "volume", "video")
    panel.reset_choices()  # as napari does when it puts the panel into its window
    assert (panel.medium.value, panel.size.value, panel.content.value) == ("volume", 256, 0.5)
    said: list[str] = []
    shares: list[int] = []
    seen: list[Any] = []

    def watch() -> None:
        if not said or said[-1] != panel.status.value:
            said.append(panel.status.value)
            shares.append(panel.bar.value)
        if panel.result is not None and not any(panel.result.data is data for data in seen):
            seen.append(panel.result.data)

    panel.run()
    assert panel.cancel.enabled
    assert not panel.start.enabled
    finish(panel, watch)
    assert any(line.startswith("runs on the CPU, for there is no GPU: about") for line in said)
    assert any(line.startswith("stage 1 of 1, about ") and line.endswith(" left") for line in said)
    assert shares[:-1] == sorted(shares[:-1])
    assert max(shares) > 0
    assert panel.status.value == "done: layer 'scan, art'"
    assert len(seen) > 2
    assert not np.array_equal(seen[0], panel.result.data)
    assert viewer.layers[-1] is panel.result
    assert viewer.layers.selection.active is viewer.layers["scan"]
    assert panel.start.enabled
    assert np.array_equal(panel.result.scale, (2, 1, 1))


def test_a_run_is_stopped_or_canceled(viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = style_panel(viewer)
    monkeypatch.setattr(following.Watcher, "planned", slowed(following.Watcher.planned))
    panel.run()
    finish(panel, lambda: panel.stop.changed.emit(True) if panel.result is not None else None)
    assert panel.status.value == "stopped: this is what there was"
    assert [layer.name for layer in viewer.layers] == ["cells", "scan", "scan, art"]
    panel.run()
    finish(panel, lambda: panel.cancel.changed.emit(True) if panel.result is not None else None)
    assert panel.status.value == "canceled"
    assert [layer.name for layer in viewer.layers] == ["cells", "scan", "scan, art"]


def slowed(planned: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Steps that leave the thread of the window its time."""

    def slow(watcher: Any, plan: Any) -> None:
        planned(watcher, plan)
        stepped = watcher.stepped

        def later(step: Any) -> bool:
            time.sleep(0.05)
            return bool(stepped(step))

        watcher.stepped = later

    return slow


def test_a_mask_is_chosen(viewer: ViewerModel) -> None:
    panel = style_panel(viewer)
    panel.mask.value = viewer.layers["cells"]
    panel.run()
    finish(panel)
    changed = panel.result.data != viewer.layers["scan"].data
    assert changed.any()
    assert not changed[viewer.layers["cells"].data == 0].any()


def test_what_cannot_be_done_is_said(viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = style_panel(viewer)
    panel.picture.value = "nowhere.png"
    panel.run()
    assert "nowhere.png: no such file" in panel.status.value
    Path("broken.png").write_bytes(b"no picture")
    panel.picture.value = "broken.png"
    panel.run()
    finish(panel)
    assert "broken.png" in panel.status.value
    assert len(viewer.layers) == 2
    viewer.layers.remove("scan")
    viewer.layers.selection.active = viewer.layers["cells"]
    panel.run()
    assert panel.status.value == ("layer 'cells': holds labels, which are never styled; select an Image layer")
    viewer.layers.clear()
    panel.run()
    assert panel.status.value == "layer: none is selected, must be an Image layer"
    assert not panel.is_running


def test_a_section_becomes_a_solid(viewer: ViewerModel) -> None:
    from volstyle.napari.panels import SolidPanel

    viewer.add_image(counts(24, 24), name="section", scale=(0.5, 0.5))
    panel = SolidPanel(viewer)
    assert panel.layer.choices == (None, viewer.layers["section"])
    for side in panel.sides:
        side.value = 16
    panel.run()
    finish(panel)
    assert panel.status.value == "done: layer 'section, solid'"
    assert panel.result.data.shape == (16, 16, 16)
    assert np.array_equal(panel.result.scale, (0.5, 0.5, 0.5))


def test_a_section_of_labels_becomes_a_solid_of_labels(viewer: ViewerModel) -> None:
    from volstyle.napari.panels import SolidPanel

    viewer.add_labels((counts(24, 24) > 0).astype(np.uint8) + 1, name="segmented")
    panel = SolidPanel(viewer)
    panel.layer.value = viewer.layers["segmented"]
    assert panel.phases.value == "auto"
    for side in panel.sides:
        side.value = 16
    panel.others[0].value = viewer.layers["segmented"]
    panel.run()
    assert panel.status.value == "across y, across x: one is missing; give none of them, or both"
    panel.others[0].value = None
    panel.run()
    finish(panel)
    assert panel.status.value == "done: layer 'segmented, solid'"
    assert isinstance(panel.result, Labels)
    assert set(np.unique(panel.result.data)) == {1, 2}


def test_the_manifest_names_what_is_there() -> None:
    manifest = PluginManifest.from_distribution("volstyle")
    titles = {command.id: command.title for command in manifest.contributions.commands}
    assert titles == {"volstyle.style": "Style this layer", "volstyle.solid": "Solid from this section"}
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        found = importlib.util.find_spec(module)
        assert f"class {name}(" in Path(found.origin).read_text()


DRIVEN = """
import sys, time
import napari, numpy
from volstyle.media.style import style
from volstyle.napari import layers
from qtpy.QtWidgets import QApplication

def quick(*given, choices, **more):
    return style(*given, choices=choices | {"network.name": "random", "schedule.steps": 3}, **more)

layers.style = quick
viewer = napari.Viewer(show=False)
rows, columns = numpy.mgrid[:48, :64]
viewer.add_image((rows * columns % 251).astype("uint8"), name="photo", scale=(2, 2))
dock, panel = viewer.window.add_plugin_dock_widget("volstyle", "Style this layer")
panel.picture.value = sys.argv[1]
panel.size.value = 32
panel.run()
late = time.monotonic() + 300
while panel.is_running and time.monotonic() < late:
    QApplication.processEvents()
names = [layer.name for layer in viewer.layers]
print(panel.status.value, names, panel.result.scale, viewer.screenshot(flash=False).std() > 1)
viewer.close()
"""


@pytest.mark.slow
def test_a_whole_napari_runs_the_plugin(tmp_path: Path) -> None:
    """In a process of its own, on a screen in memory, where Qt can draw with OpenGL: .ci/run does it."""
    if shutil.which("xvfb-run") is None:
        pytest.skip("no xvfb-run, on whose screen napari could draw; .ci/run installs it")
    done = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-W", "ignore", "-c", DRIVEN, str(ROOT / "samples" / "dots.jpg")],
        cwd=tmp_path,
        env=os.environ | {"QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "no Qt platform plugin could be initialized" in done.stderr:
        pytest.skip("Qt lacks libraries of the system to draw with; .ci/run installs them")
    said = "done: layer 'photo, dots' ['photo', 'photo, dots'] [2. 2.] True"
    assert done.stdout.splitlines()[-1] == said, done.stderr
