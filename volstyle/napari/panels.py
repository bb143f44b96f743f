"""The plugin's widgets: one styles the selected layer, one makes a solid from a section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    ProgressBar,
    PushButton,
    SpinBox,
)
from napari.layers import Image, Labels
from napari.qt.threading import FunctionWorker
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from volstyle.errors import RecipeError, VolstyleError
from volstyle.grid.field import Field
from volstyle.grid.phases import MOST_PHASES
from volstyle.media.defaults import SIZES, defaults
from volstyle.media.result import Result
from volstyle.napari.following import Watcher
from volstyle.napari.layers import CHOSEN_WINDOWS, LIMITS, Job, Wishes, is_section, media_of, solid_job, style_job

_PICTURES = "Pictures (*.jpg *.jpeg *.png *.tif *.tiff *.bmp *.webp);;Learned styles (*.safetensors);;All (*)"
_NO_MASK = "everywhere"
_PICTURE = 512
"""The long side that a picture begins with: its own may take many minutes."""

_PHASES = ("none", "auto", *map(str, range(2, MOST_PHASES + 1)))
_PARTS = 1000
"""How many steps the progress bar has."""


class _Told(QObject):
    """What the thread of a run tells the thread of the window, in which this object lives: Qt carries it over."""

    said = Signal(str, float)
    shown = Signal(object)

    def __init__(self, said: Callable[[str, float], None], shown: Callable[[NDArray[Any]], None]) -> None:
        super().__init__()
        self._on_said, self._on_shown = said, shown
        self.said.connect(self._hear)
        self.shown.connect(self._see)

    def _hear(self, line: str, share: float) -> None:
        self._on_said(line, share)

    def _see(self, data: NDArray[Any]) -> None:
        self._on_shown(data)


class Panel(Container[Any]):
    """Runs a job: it starts, shows how far it is and what it looks like, stops with what there is, or cancels.

    napari_viewer: where layers are taken from and put."""

    title = ""

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self.layer = ComboBox(name="layer", choices=self._layers, nullable=True)
        self.start = PushButton(text=self.title, name="start")
        self.stop = PushButton(text="Stop here", name="stop", enabled=False)
        self.cancel = PushButton(text="Cancel", name="cancel", enabled=False)
        self.bar = ProgressBar(value=0, max=_PARTS, name="bar")
        self.status = Label(value="", name="status")
        line = self.status.native
        line.setWordWrap(True)
        line.setMinimumHeight(2 * line.fontMetrics().lineSpacing())  # the layout gives what wraps room for one
        buttons = Container(widgets=[self.start, self.stop, self.cancel], layout="horizontal", labels=False)
        progress: Container[Any] = Container(widgets=[self.bar, self.status], labels=False)
        super().__init__(widgets=[self.layer, *self.choices(), buttons, progress])
        self.result: Any = None
        self._worker: Any = None
        self._error: Exception | None = None
        self._stopping = False
        self.start.changed.connect(self.run)
        self.stop.changed.connect(self._stop_here)
        self.cancel.changed.connect(self._cancel)
        layers = napari_viewer.layers
        layers.selection.events.active.connect(self._selected)
        for event in (layers.events.inserted, layers.events.removed):
            event.connect(self.reset_choices)
        self.reset_choices()
        self._selected()

    def takes(self, layer: Any) -> bool:
        """Whether a layer is one to choose from."""
        raise NotImplementedError

    def choices(self) -> list[Any]:
        """The widgets by which the user chooses, beside that of the layer."""
        raise NotImplementedError

    def job(self) -> Job:
        """What the user has chosen. Raises VolstyleError."""
        raise NotImplementedError

    @property
    def chosen(self) -> Any:
        """The layer that is chosen, else the selected one, which may be of another kind or none."""
        return self._viewer.layers.selection.active if self.layer.value is None else self.layer.value

    def _selected(self, event: object = None) -> None:
        """A layer that is selected is chosen, if it is one to choose from."""
        active = self._viewer.layers.selection.active
        if active in self.layer.choices:
            self.layer.value = active

    def _layers(self, widget: object) -> list[Any]:
        return [layer for layer in self._viewer.layers if self.takes(layer)]

    @property
    def is_running(self) -> bool:
        return self._worker is not None

    def run(self) -> None:
        """Start what is chosen in a thread of its own; what cannot be done is said in one line."""
        if self.is_running:
            return
        try:
            job = self.job()
        except VolstyleError as error:
            self._say(str(error))
            return
        self._stopping, self._error, self.result = False, None, None
        self._say(*job.notes)
        told = _Told(self._said, self._shown)
        worker = FunctionWorker(_carried_out, job, told, self._is_to_stop)
        worker.returned.connect(self._shown)
        worker.errored.connect(self._failed)
        worker.finished.connect(self._finished)
        self._worker, self._told, self._job = worker, told, job
        self._set_running(True)
        worker.start()

    def _is_to_stop(self) -> bool:
        return self._stopping or self._worker is None or self._worker.abort_requested

    def _stop_here(self) -> None:
        if self.is_running:
            self._stopping = True
            self._say("stopping after this step")

    def _cancel(self) -> None:
        if self.is_running:
            self._worker.quit()
            self._say("canceling after this step")

    def _said(self, line: str, share: float) -> None:
        if self.is_running and not self._stopping and not self._worker.abort_requested:
            self._say(line, *self._job.notes)
            self.bar.value = round(_PARTS * share)

    def _shown(self, data: NDArray[Any]) -> None:
        """Put samples into the layer of the result, which is made when the first ones come."""
        if not self.is_running or self._worker.abort_requested:
            return
        if self.result is not None and self.result in self._viewer.layers:
            self.result.data = data
            return
        selected = self._viewer.layers.selection.active
        add = self._viewer.add_labels if self._job.labels else self._viewer.add_image
        self.result = add(data, name=self._job.name, **self._job.look)
        self._viewer.layers.selection.active = selected

    def _failed(self, error: Exception) -> None:
        self._remove()
        self._error = error
        self._say(str(error) if isinstance(error, VolstyleError) else f"{type(error).__name__}: {error}")

    def _finished(self) -> None:
        canceled = self._worker.abort_requested
        if canceled:
            self._remove()
        if self._error is None:
            stopped = "stopped: this is what there was" if self._stopping else f"done: layer {self._job.name!r}"
            self._say("canceled" if canceled else stopped, *self._job.notes)
        self._worker = None
        self._set_running(False)

    def _remove(self) -> None:
        if self.result is not None and self.result in self._viewer.layers:
            self._viewer.layers.remove(self.result)
        self.result = None

    def _set_running(self, running: bool) -> None:
        self.start.enabled, self.stop.enabled, self.cancel.enabled = not running, running, running
        if not running:
            self.bar.value = 0

    def _say(self, *lines: str) -> None:
        self.status.value = "; ".join(lines)


def _carried_out(job: Job, told: _Told, is_to_stop: Callable[[], bool]) -> NDArray[Any]:
    """In the thread of the run. Raises VolstyleError."""

    def show(field: Field) -> None:
        told.shown.emit(job.data(field))

    result: Result = job.call(Watcher(told.said.emit, show, is_to_stop))
    return job.data(result.field)


class StylePanel(Panel):
    """Styles the selected image layer by a picture."""

    title = "Style"

    def takes(self, layer: Any) -> bool:
        return isinstance(layer, Image)

    def choices(self) -> list[Any]:
        self.picture = FileEdit(name="picture", filter=_PICTURES)
        self.medium = ComboBox(name="medium", choices=self._media, nullable=True)
        self.size = SpinBox(name="size", min=16, max=4096, tooltip="Samples of the long side that is optimized")
        self.content = FloatSpinBox(name="content", label="content weight", min=0, max=10, step=0.05)
        self.content.tooltip = "A higher one keeps more of the layer"
        self.window = ComboBox(name="window", choices=CHOSEN_WINDOWS, value=LIMITS)
        self.window.tooltip = "The intensities that are styled; others keep their values"
        self.mask = ComboBox(name="mask", choices=self._masks, tooltip="Where the layer may change")
        self.color = CheckBox(name="color", text="in color", tooltip="Make R, G, B of gray")
        self.layer.changed.connect(self._layer_chosen)
        self.medium.changed.connect(self._medium_chosen)
        return [self.picture, self.medium, self.size, self.content, self.window, self.mask, self.color]

    def job(self) -> Job:
        media_of(self.chosen)
        picture = Path(str(self.picture.value))
        wishes = Wishes(picture, self.medium.value, self.size.value, self.content.value, self.window.value)
        mask = None if self.mask.value == _NO_MASK else self.mask.value
        return style_job(self.chosen, replace(wishes, color=self.color.value), mask)

    def _masks(self, widget: object) -> list[Any]:
        return [_NO_MASK, *(layer for layer in self._viewer.layers if isinstance(layer, Labels))]

    def _media(self, widget: object) -> tuple[str, ...]:
        """What the layer that is chosen may be; napari asks anew whenever a layer comes or goes."""
        try:
            return media_of(self.layer.value)
        except VolstyleError:
            return ()

    def _layer_chosen(self, layer: Any) -> None:
        """Offer what fits the layer."""
        self.medium.reset_choices()
        found = self._media(self.medium)
        if found:
            self.medium.value = found[0]
            self.window.enabled = self.color.enabled = not layer.rgb
            self._medium_chosen(found[0])

    def _medium_chosen(self, medium: str | None) -> None:
        """Begin with the medium's defaults."""
        if medium is not None:
            self.size.value = SIZES.get(medium, _PICTURE)
            self.content.value = defaults(medium).content.weight


class SolidPanel(Panel):
    """Makes a solid whose planes look like the selected section, or behave as its phases do."""

    title = "Solid from this section"

    def takes(self, layer: Any) -> bool:
        return is_section(layer)

    def choices(self) -> list[Any]:
        self.others = [
            ComboBox(name=f"across_{axis}", label=f"across {axis}", choices=self._layers, nullable=True)
            for axis in "yx"
        ]
        for other in self.others:
            other.tooltip = "Another section for each axis; the layer then lies across z alone"
        self.phases = ComboBox(name="phases", choices=_PHASES)
        self.phases.tooltip = "auto: each level of the section is a phase of the material; none: a texture"
        self.sides = [SpinBox(name=axis, min=1, max=1024, value=64) for axis in "zyx"]
        self.periodic = CheckBox(name="periodic", text="copies fit side by side")
        self.periodic.tooltip = "whether opposite faces meet; those of a solid of phases always do"
        self.layer.changed.connect(self._layer_chosen)
        return [*self.others, self.phases, *self.sides, self.periodic]

    def _layer_chosen(self, layer: Any) -> None:
        """The numbers of labels are phases."""
        self.phases.value = "auto" if isinstance(layer, Labels) else "none"

    def job(self) -> Job:
        shape = tuple(side.value for side in self.sides)
        y, x = (other.value for other in self.others)
        if (y is None) != (x is None):
            raise RecipeError("across y, across x: one is missing; give none of them, or both")
        others = None if y is None else (y, x)
        phases = self.phases.value
        return solid_job(self.chosen, shape, others=others, phases=phases, periodic=self.periodic.value)
