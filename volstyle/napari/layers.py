"""An image layer of napari as a content, and a result as a layer that lies on it. Nothing here needs Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from napari.layers import Image, Labels
from numpy.typing import NDArray
from torch import Tensor

from volstyle.engine.scene import Style
from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.media.follower import Follower
from volstyle.media.intensity import WINDOWS, IntensityRange, in_type
from volstyle.media.order import style_named
from volstyle.media.painted import is_learned
from volstyle.media.result import Result
from volstyle.media.style import style
from volstyle.media.table import MEDIA
from volstyle.media.volume import shape_of

LIMITS = "contrast limits"
"""The window that is the layer's own contrast limits."""

CHOSEN_WINDOWS = (LIMITS, "auto", *WINDOWS)

_AXES = {"image": ("yx",), "volume": ("zyx", "tzyx"), "video": ("tyx",)}
"""What each medium's axes may be; a layer with more or fewer is another one."""

_SECTION_AXES = 2
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_CONTRAST = ("contrast_limits", "colormap", "gamma")
_DRAWN = ("opacity", "blending", "interpolation2d", "interpolation3d", "rendering", "attenuation", "iso_threshold")


@dataclass(frozen=True)
class Job:
    """What a panel does. name: of the layer that it makes. call: does it. data: of that layer, from a result on
    its way or at the end. look: what else makes the layer, as napari's constructor takes it. notes: for the user.
    labels: whether it is a layer of labels.
    """

    name: str
    call: Callable[[Follower], Result]
    data: Callable[[Field], NDArray[Any]]
    look: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    labels: bool = False


@dataclass(frozen=True)
class Wishes:
    """What the user asks for. picture: the style's file, which may be one that `volstyle learn` made. medium: its
    name. size: the long side that is optimized. content: the content weight. window: one of `CHOSEN_WINDOWS`, or
    "LO,HI". color: whether gray becomes R, G, B.
    """

    picture: Path
    medium: str
    size: int
    content: float
    window: str = LIMITS
    color: bool = False


def media_of(layer: Any) -> tuple[str, ...]:
    """The names of the media that an image layer may be, the likeliest first: by its axes, their names and units.

    Raises InputError for a layer that is no image or has no such axes."""
    if layer is None:
        raise InputError("layer: none is selected, must be an Image layer")
    if isinstance(layer, Labels):
        raise InputError(f"layer {layer.name!r}: holds labels, which are never styled; select an Image layer")
    if not isinstance(layer, Image):
        raise InputError(f"layer {layer.name!r}: is one of {type(layer).__name__}, must be an Image layer")
    if layer.rgb:
        found: tuple[str, ...] = {2: ("image",), 3: ("video",)}.get(layer.ndim, ())
    else:
        stack = ("video", "volume") if _is_time(layer, 0) else ("volume", "video")
        found = {2: ("image",), 3: stack, 4: ("volume",)}.get(layer.ndim, ())
    if not found:
        kinds = "y, x or t, y, x" if layer.rgb else "y, x; z, y, x; t, y, x or t, z, y, x"
        raise InputError(f"layer {layer.name!r}: has {layer.ndim} axes, must have {kinds}")
    return found


def style_job(layer: Any, wishes: Wishes, mask: Any = None) -> Job:
    """Style an image layer. mask: a labels layer of its shape; the layer changes where it is not 0.

    Raises VolstyleError for what cannot be styled."""
    known = media_of(layer)
    if wishes.medium not in known:
        raise RecipeError(f"medium: is {wishes.medium}, must be {' or '.join(known)} as {layer.name!r} is")
    picture = style_named(str(wishes.picture))
    if not picture.path.is_file():
        raise InputError(f"picture {wishes.picture}: no such file; choose a picture to style by")
    seen = _Seen.of(layer, wishes)
    where = None if mask is None else _where(mask, layer, seen)
    spatial, learned = _is_spatial(wishes.medium), is_learned(picture)
    choices: dict[str, Any] = {"volume.window": seen.window_text, "volume.color": wishes.color}
    if not spatial:
        choices = {"colors": "style" if seen.is_colored else "content"}
    given: dict[str, Any] = {}
    notes = [f"layer {layer.name!r}: has one time, styled as a volume"] if _has_one_time(layer) else []
    if learned:  # it paints everywhere, and `data` puts back what the mask leaves
        notes.append(f"{picture.path.name}: learned, so that size and content weight are its own")
    else:
        choices |= {"content.weight": wishes.content}
        given = {"size": wishes.size}
        if where is not None:
            mask_field = _named(where, seen.axes)
            given |= {"mask": mask_field} if spatial else {"masks": [mask_field]}

    def call(follower: Follower) -> Result:
        return style(
            seen.field(),
            [str(wishes.picture)],
            medium=wishes.medium,
            choices=choices,
            progress=follower,
            **given,
        )

    def data(result: Field) -> NDArray[Any]:
        styled = seen.data(result)
        if where is None:
            return styled
        return np.where(where[..., None] if seen.is_colored else where, styled, seen.before)

    name = f"{layer.name}, {picture.named or picture.path.stem}"
    return Job(name, call, data, _look(layer, color=seen.is_colored), tuple(notes))


def is_section(layer: Any) -> bool:
    """Whether a layer, of an image or of labels, is one that a solid can be made of."""
    return isinstance(layer, Image | Labels) and layer.ndim == _SECTION_AXES


def solid_job(
    layer: Any,
    shape: tuple[int, ...],
    *,
    others: tuple[Any, Any] | None = None,
    phases: str = "none",
    window: str = LIMITS,
    periodic: bool = False,
) -> Job:
    """A solid of a shape (z, y, x) whose planes look like a section, with samples of the section's size.

    others: where the layer lies across z alone, those that lie across y and x. phases: "none" for a texture,
    "auto" for a material of as many phases as the section has levels, or how many; the solid then behaves as the
    sections do, and one of labels is a layer of labels. Raises VolstyleError for a layer that is no section, or a
    shape that memory does not hold."""
    shape = shape_of(",".join(map(str, shape)))
    layers = (layer,) if others is None else (layer, *others)
    for one in layers:
        _check_section(one, phases)
    labels = isinstance(layer, Labels)
    wishes = Wishes(Path(), "image", 0, 0.0, window, color=not labels and layer.rgb)
    seen = _Seen.of(layer, wishes)
    fields = [replace(seen, array=_array(one)).section(phases) for one in layers]
    axes: Sequence[int | None] = (None,) if others is None else range(len(layers))
    sections = [Style(field, across=axis) for field, axis in zip(fields, axes, strict=True)]
    choices = {"solid.phases": phases, **({"periodic": True} if periodic else {})}

    def call(follower: Follower) -> Result:
        return style(None, sections, shape=shape, choices=choices, progress=follower)

    def data(result: Field) -> NDArray[Any]:
        if wishes.color:
            return result.numpy()
        if phases != "none":
            return in_type(result.samples[0], torch.from_numpy(seen.array).dtype).numpy()
        return seen.in_units(result.samples.mean(0))

    look = {} if labels else _look(layer, color=wishes.color)
    rows, columns = map(float, layer.scale)
    place = {"scale": (columns, rows, columns), "units": (layer.units[-1], *layer.units)}
    look = {name: value for name, value in look.items() if name not in _PLACE}
    return Job(f"{layer.name}, solid", call, data, {**look, **place}, labels=labels)


def _check_section(layer: Any, phases: str) -> None:
    """Raises InputError for a layer that no solid, or none of such phases, can be made of."""
    if not isinstance(layer, Labels):
        media_of(layer)
    elif phases == "none":
        raise InputError(f"layer {layer.name!r}: holds labels, which are phases; choose auto for phases")
    if not is_section(layer):
        raise InputError(f"layer {layer.name!r}: has {layer.ndim} axes, a section has 2; select one of y, x")
    if phases != "none" and not isinstance(layer, Labels) and layer.rgb:
        raise InputError(f"layer {layer.name!r}: has colors; the phases of a section are levels of gray")


def _array(layer: Any) -> NDArray[Any]:
    """The samples of a layer in the machine's own order of bytes. Raises InputError for a kind that is no
    number."""
    array = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    if array.dtype.kind not in "iuf":
        raise InputError(f"layer {layer.name!r}: samples are {array.dtype}, must be real numbers")
    return np.require(array, array.dtype.newbyteorder("="), ["C", "W"])


@dataclass(frozen=True)
class _Seen:
    """The samples of a layer and what of them volstyle sees. array: as the layer has them. window: what of gray
    ones is shown. color: whether gray ones become R, G, B."""

    array: NDArray[Any]
    rgb: bool
    axes: tuple[Axis, ...]
    window: IntensityRange
    window_text: str
    spatial: bool
    color: bool

    @staticmethod
    def of(layer: Any, wishes: Wishes) -> _Seen:
        array = _array(layer)
        if isinstance(layer, Labels):  # whose numbers are names, seen as they are
            axes = _axes(layer, wishes.medium)
            return _Seen(array, False, axes, IntensityRange(0.0, 1.0), "0,1", spatial=False, color=False)
        text = wishes.window
        if text == LIMITS:
            text = ",".join(map(str, map(float, layer.contrast_limits)))
        if layer.rgb:
            window, text = IntensityRange(0.0, 1.0), "0,1"
        else:
            window = IntensityRange.choose(text, torch.from_numpy(array.astype(np.float32))[None])
        spatial = _is_spatial(wishes.medium)
        return _Seen(array, layer.rgb, _axes(layer, wishes.medium), window, text, spatial, wishes.color)

    @property
    def is_colored(self) -> bool:
        """Whether the result has R, G, B."""
        return self.rgb or self.color

    def field(self) -> Field:
        """In the layer's units where a volume's own window does the rest, else in [0, 1]."""
        if self.rgb:
            pixels = torch.from_numpy(self.array[..., :3]).movedim(-1, 0)
            most = 1 if pixels.is_floating_point() else torch.iinfo(pixels.dtype).max
            return Field((pixels.float() / most).clamp(0, 1).contiguous(), self.axes)
        samples = torch.from_numpy(self.array.astype(np.float32))[None]
        return Field(samples if self.spatial else self.window.inside(samples), self.axes)

    def section(self, phases: str) -> Field:
        """A section in colors, or in the layer's own levels where they are phases."""
        if phases != "none":
            return Field(torch.from_numpy(self.array.astype(np.float32))[None], self.axes)
        field = self.field()
        return Field(field.samples.expand(3, *field.shape).contiguous(), field.axes)

    @property
    def before(self) -> NDArray[Any]:
        """The layer as its result is drawn, before anything is styled."""
        if self.rgb or not self.color:
            return self.array
        shown = self.window.inside(torch.from_numpy(self.array.astype(np.float32)))
        return np.repeat(shown.numpy()[..., None], 3, axis=-1)

    def data(self, result: Field) -> NDArray[Any]:
        """A result in the units and the type of the layer, with its transparency; or R, G, B in [0, 1]."""
        if self.rgb:
            kind = torch.from_numpy(self.array).dtype
            most = 1 if kind.is_floating_point else torch.iinfo(kind).max
            pixels = in_type(result.samples.movedim(0, -1) * most, kind).numpy()
            return np.concatenate((pixels, self.array[..., 3:]), axis=-1)
        if self.color:
            return result.samples.movedim(0, -1).numpy()
        return self._kept(result.samples[0]) if self.spatial else self.in_place(result.samples.mean(0))

    def in_place(self, shown: Tensor) -> NDArray[Any]:
        """What was styled in [0, 1], with the layer's own samples where the window leaves them."""
        return self._kept(self.window.outside(torch.from_numpy(self.array.astype(np.float32)), shown))

    def in_units(self, shown: Tensor) -> NDArray[Any]:
        """Samples in [0, 1] in the units and the type of the layer."""
        low, high = self.window.low, self.window.high
        return in_type(shown * (high - low) + low, torch.from_numpy(self.array).dtype).numpy()

    def _kept(self, samples: Tensor) -> NDArray[Any]:
        """Samples in the layer's units and type; what has not changed keeps bits that 32 of them cannot hold."""
        before = torch.from_numpy(self.array)
        return torch.where(samples != before.float(), in_type(samples, before.dtype), before).numpy()


def _axes(layer: Any, medium: str) -> tuple[Axis, ...]:
    """Steps in pixels that have no unit are still longer along one axis than along another."""
    names = next(names for names in _AXES[medium] if len(names) == layer.ndim)
    units = [f"{unit:~}" for unit in layer.units]
    steps = [abs(float(step)) or 1.0 for step in layer.scale]
    return tuple(
        Axis(name, step, "of napari's world" if unit in ("px", "pixel") else unit)
        for name, step, unit in zip(names, steps, units, strict=True)
    )


def _is_spatial(medium: str) -> bool:
    return "z" in MEDIA[medium].axes


def _is_time(layer: Any, axis: int) -> bool:
    label = str(layer.axis_labels[axis]).lower()
    return label in ("t", "time", "frame", "frames") or layer.units[axis].dimensionality == {"[time]": 1}


def _has_one_time(layer: Any) -> bool:
    return bool(layer.ndim == 4 and layer.data.shape[0] == 1)


def _where(mask: Any, layer: Any, seen: _Seen) -> NDArray[np.bool_]:
    """Where a labels layer is not 0, on the layer's grid. Raises InputError for one of another shape."""
    labels = np.asarray(mask.data) != 0
    shape = seen.array.shape[: layer.ndim]
    if labels.shape not in (shape, shape[-3:] if seen.spatial else shape):
        have, need = ("x".join(map(str, sizes)) for sizes in (labels.shape, shape))
        raise InputError(f"mask {mask.name!r}: {have}, must be {need} as {layer.name!r} is")
    if not labels.any():
        raise InputError(f"mask {mask.name!r}: 0 everywhere, must be another number where the style goes")
    return np.broadcast_to(labels, shape).copy()


def _named(array: NDArray[Any], axes: tuple[Axis, ...]) -> Field:
    return Field(torch.from_numpy(np.ascontiguousarray(array)).float()[None], axes)


def _look(layer: Any, *, color: bool) -> dict[str, Any]:
    """What makes a layer lie on another and look like it: place and units, and contrast unless it has colors."""
    state = layer.as_layer_data_tuple()[1]
    names = (*_PLACE, *_DRAWN) if color else (*_PLACE, *_DRAWN, *_CONTRAST)
    return {**{name: state[name] for name in names}, "rgb": color}
