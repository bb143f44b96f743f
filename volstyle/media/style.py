"""The one call of the library, which takes samples or files and gives a result. The command line makes the
same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor, as_tensor

from volstyle.codecs import Encoding, Moment, Selection
from volstyle.engine.scene import Style
from volstyle.engine.stylize import OnStep
from volstyle.errors import RecipeError, ShapeError
from volstyle.grid.field import Axis, Field
from volstyle.media.choices import given_choices, nested
from volstyle.media.follower import Follower, Followers
from volstyle.media.medium import Medium
from volstyle.media.method import with_method
from volstyle.media.order import Order, Source, StyleOrder, moment_of, style_named
from volstyle.media.painted import sized
from volstyle.media.progress import Bar
from volstyle.media.result import Result
from volstyle.media.run import carry_out
from volstyle.media.solid_lesson import lesson_of
from volstyle.media.solid_part import begins_at
from volstyle.media.table import MEDIA, medium_named, medium_of
from volstyle.media.together import together as make_together
from volstyle.media.volume import shape_of
from volstyle.recipe import AUTO, Recipe

Samples = str | PathLike[str] | Field | Any
"""What may be given as a content or a style: a path, a Field, an array or a tensor."""


def style(
    content: Samples | None,
    styles: Samples | Sequence[Samples | Style],
    output: str | PathLike[str] | None = None,
    *,
    size: int | None = None,
    recipe: Recipe | str | PathLike[str] | None = None,
    choices: Mapping[str, Any] | None = None,
    medium: str | None = None,
    progress: bool | Follower = False,
    on_step: OnStep | None = None,
    masks: Sequence[Samples] = (),
    style_masks: Sequence[Samples] = (),
    mask: Samples | None = None,
    full_size: bool = False,
    start: str | None = None,
    end: str | None = None,
    shots: str = "auto",
    keep_going: bool = False,
    shape: str | tuple[int, ...] | None = None,
    origin: str | tuple[int, ...] | None = None,
    style_size: str | None = None,
    seconds: float | None = None,
    value_range: tuple[float, float] | None = None,
    quality: str = "visual",
    method: str = AUTO,
    force: bool = False,
    resume: bool = True,
    together: bool = False,
) -> Result:
    """Style a content after one or several styles; the same call as `volstyle image`, `video`, `volume` and
    `signal`, with the same samples, bytes and record.

        volstyle.style("ct.nii.gz", ["painting.jpg"], "styled.nii.gz", choices={"schedule.steps": 20})

    content: a path, a `Field`, an array or a tensor; None for a texture that has the `shape` of a volume or lasts
    some `seconds`. Arrays are pictures (y, x) or (y, x, 3), clips (t, y, x, 3), volumes (z, y, x) or signals (t);
    tensors may have their 3 channels first. `Field.of` names the axes of all others, and their steps. Samples of
    pictures and clips must lie in [0, 1]; whole numbers are divided by the largest one of their type.
    styles: one or several of the same; a path may end in a weight and a time, as "b.jpg@0.5@2s", or in the axis
    that a section lies across, as "xy.png@z", and a `Style` has a weight, masks and an axis. output: where the
    result and its record are written; None leaves it in memory alone.

    size: the long side that is optimized; the medium has a default. A file is made that small when it is read,
    unless `full_size` brings the style back to its own size; samples in memory always keep their grid. recipe: all
    choices, or a file of some. choices: single ones by their keys, on top of the medium's defaults and the recipe;
    {"preset": "bold"} multiplies the former (see `media.presets`).
    medium: image, video, volume or signal, where the content does not tell: the sound of a clip is a signal.

    progress: whether to draw a bar; or who follows the run. on_step: called after each step; True stops the run,
    and what there is by then is the result. masks, style_masks: where each style goes, and where it is taken.
    mask: labels of a volume, which may change where they are not 0. start, end: the part of a file, as "2s",
    "1:30" or "48f". shots: where a clip cuts, "auto", "none" or a file. keep_going: leave out damaged frames.
    origin: where the part of a learned solid begins, in samples along z, y and x.
    style_size: the length of the style's long side in a volume, as "40mm". value_range: the values of content in
    memory that are black and white. quality: visual, lossless or prores. method: "optimize" the samples of a clip,
    or "learn" its style first and paint it with that at its own size; "auto" learns on long clips. force: replace
    files that are there. resume: go on from what a run of the same output left when it was cut off. together:
    share the run among all processes that torchrun started, each of which must make this call and gets the result;
    the first process alone reads and writes files, calls `on_step` and shows progress.

    Raises VolstyleError, one line for the user.
    """
    if together:
        return make_together(partial(style, **{**locals(), "together": False}))
    source = None if content is None else _source(content)
    wanted = _styles(styles, masks, style_masks)
    chosen = _medium(medium, source, wanted, shape)
    read_at, sizes = sized(chosen, size, wanted)
    plain = None if recipe is None else recipe if isinstance(recipe, Recipe) else Path(recipe)
    first = wanted[0].source if wanted else None
    resolved = chosen.recipe(source, first, given_choices(plain), sizes, *nested(choices or {}))
    is_signal = chosen.axes == ("t",)
    order = Order(
        kind=chosen.name,
        content=source,
        styles=wanted,
        output=None if output is None else Path(output),
        recipe=resolved,
        selection=Selection(read_at, moment_of("start", start), moment_of("end", end), is_signal, keep_going),
        encoding=Encoding(quality, force),
        full_size=full_size or (isinstance(source, Field) and read_at is not None),
        mask=None if mask is None else _source(mask),
        shape=None if shape is None else shape_of(shape),
        begins=None if origin is None else begins_at(origin),
        style_size=style_size,
        seconds=seconds,
        shots=shots if chosen.axes == ("t", "y", "x") else "none",
        resume=resume,
        value_range=value_range,
    )
    order = with_method(order, method, size, given_choices(plain), nested(choices or {}))
    bar = (Bar(),) if progress is True else () if progress is False else (progress,)
    return carry_out(order, Followers(bar, on_step))


def learn(
    styles: Samples | Sequence[Samples],
    on: Samples | Sequence[Samples] | None,
    output: str | PathLike[str],
    *,
    shape: str | tuple[int, ...] | None = None,
    medium: str | None = None,
    size: int | None = None,
    recipe: Recipe | str | PathLike[str] | None = None,
    choices: Mapping[str, Any] | None = None,
    progress: bool | Follower = False,
    on_step: OnStep | None = None,
    start: str | None = None,
    end: str | None = None,
    force: bool = False,
    resume: bool = True,
) -> Result:
    """Learn styles on contents, and write them to a file of networks that paint in one pass what is else
    optimized; the same call as `volstyle learn`, with the same bytes and record.

        volstyle.learn(["starry.jpg"], "clip.mp4", "starry.safetensors")
        volstyle.style("clip.mp4", ["starry.safetensors"], "styled.mp4")

        volstyle.learn(["xy.png@z", "xz.png@y", "yz.png@x"], None, "rock.safetensors", shape=(64, 64, 64))
        volstyle.style(None, ["rock.safetensors"], "part.nii.gz", shape=(256, 256, 256), origin=(1000, 0, 0))

    styles: one or several paintings, each a style of its own. on: contents of one medium to learn on: clips,
    pictures, folders of pictures, or volumes. output: where the styles and their record are written, as
    .safetensors. shape: without contents, a solid is learned of its sections, in pieces of this shape; `style`
    then makes any part of it. medium: image, video or volume, where a folder may be pictures or the frames of a
    clip; pictures if not given. size: the long side of contents at most. The other parameters are those of
    `style`.

    Source: Johnson et al. 2016 (arXiv 1603.08155) train such networks on many photographs; here the examples are
    the contents that are to be painted, and the objective is that of `style`. Raises VolstyleError, one line for
    the user.
    """
    contents = list(on) if isinstance(on, list | tuple) else [] if on is None else [on]
    plain = None if recipe is None else recipe if isinstance(recipe, Recipe) else Path(recipe)
    order = lesson_of(
        _styles(styles, (), ()),
        tuple(map(_source, contents)),
        Path(output),
        shape=None if shape is None else shape_of(shape),
        kind=medium,
        size=size,
        given=given_choices(plain),
        chosen=nested(choices or {}),
        selection=Selection(None, moment_of("start", start), moment_of("end", end)),
        encoding=Encoding(force=force),
        resume=resume,
    )
    bar = (Bar(),) if progress is True else () if progress is False else (progress,)
    return carry_out(order, Followers(bar, on_step))


def _medium(name: str | None, source: Source | None, styles: Sequence[StyleOrder], shape: object) -> Medium:
    """The medium that is named, else that of the content. A texture has the medium of its shape, or of its
    style."""
    if name is not None:
        return medium_named(name)
    if source is not None:
        return medium_of(source)
    if shape is not None:
        return MEDIA["volume"]
    if not styles:
        raise RecipeError("style: none given, must be at least one")
    return medium_of(styles[0].source)


def _source(given: Samples) -> Source:
    if isinstance(given, str | PathLike):
        return Path(given)
    field = given if isinstance(given, Field) else _field(given)
    if not field.samples.numel():
        shape = "x".join(map(str, field.samples.shape))
        raise ShapeError(f"samples: an array of {shape} (channels first) holds none; give one that does")
    return field


def _field(array: Any) -> Field:
    """Samples as a field, whose axes follow from their shape. Raises ShapeError."""
    samples = as_tensor(array)
    shape = tuple(samples.shape)
    first = isinstance(array, Tensor) and len(shape) > 2 and shape[0] == 3
    last = len(shape) > 2 and shape[-1] == 3 and not first
    axes = {1: "t", 2: "yx", 3: "cyx" if first else "yxc" if last else "zyx"}.get(len(shape), "")
    if len(shape) == 4 and (first or last):
        axes = "ctyx" if first else "tyxc"
    if not axes:
        raise ShapeError(
            f"samples: an array of shape {'x'.join(map(str, shape))} may be several things; "
            "name its axes, as in Field.of(array, 'tyxc')"
        )
    return Field.of(samples, axes)


def _styles(given: Any, masks: Sequence[Samples], source_masks: Sequence[Samples]) -> tuple[StyleOrder, ...]:
    """One style or several, each with its masks."""
    several = isinstance(given, Iterable) and not isinstance(given, str | PathLike | Tensor) and _is_plain(given)
    found = [_style(one) for one in (given if several else [given])]
    for name, files in (("masks", masks), ("style_masks", source_masks)):
        if len(files) not in (0, len(found)):
            raise RecipeError(f"{name}: {len(files)} for {len(found)} styles, must be one for each or none")
    for index, one in enumerate(masks):
        found[index] = replace(found[index], mask=_source(one))
    for index, one in enumerate(source_masks):
        found[index] = replace(found[index], source_mask=_source(one))
    return tuple(found)


def _is_plain(given: object) -> bool:
    """Whether something is a list or a tuple, not an array."""
    return not hasattr(given, "dtype")


def _style(given: Samples | Style) -> StyleOrder:
    if isinstance(given, str | PathLike):
        return style_named(str(given))
    if not isinstance(given, Style):
        return StyleOrder(_source(given))
    at = None if given.at is None else Moment(given.at, "f")
    masks = [None if mask is None else _mask(mask) for mask in (given.target_mask, given.source_mask)]
    across = None if given.across is None else "zyx"[given.across]
    return StyleOrder(_source(given.field), given.weight, masks[0], masks[1], at, across=across)


def _mask(mask: Tensor) -> Field:
    """A mask (y, x), or (t, y, x) for one that moves."""
    return Field(mask[None].float(), tuple(Axis(name) for name in ("t", "y", "x")[-mask.dim() :]))
