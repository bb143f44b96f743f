"""Transforms for TorchIO that style scans after pictures: training data of another look, on the same grid.

    augment = torchio.Compose([volstyle.torchio.RandomStyle(["a.jpg", "b.jpg"], p=0.5), torchio.RandomFlip()])
    subject = augment(torchio.Subject(mri=torchio.ScalarImage("mri.nii.gz"), seg=torchio.LabelMap("seg.nii.gz")))

MONAI's wrappers look a transform up among TorchIO's by its name. Importing this module puts both there:

    monai.transforms.TorchIOd(keys=["mri"], name="Style", styles=["a.jpg"])
    monai.transforms.RandTorchIOd(keys=["mri"], name="RandomStyle", styles=["a.jpg", "b.jpg"], p=0.5)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.media.choices import nested
from volstyle.media.intensity import in_type
from volstyle.media.order import StyleOrder, style_named
from volstyle.media.painted import is_learned
from volstyle.media.style import Samples, style
from volstyle.recipe import Recipe, merged

try:
    import torchio
    from torchio.transforms.augmentation import RandomTransform
except ImportError as error:
    message = "volstyle.torchio: needs torchio; install it: pip install 'volstyle[torchio]'"
    raise ImportError(message, name=error.name) from error

_NOTHING = Field(torch.zeros(3, 1, 1), (Axis("y"), Axis("x")))


class Style(torchio.IntensityTransform):
    """Style the scalar images of a subject after one or several pictures, or by learned styles.

    Each channel is styled within its own window of intensities and written back in the image's units and type;
    samples outside the window keep their bits. Label maps, affines and all else stay. The same subject gives the
    same samples, and the subject's history repeats them.

    styles: one or several paths, `Field`s or arrays; "b.jpg@0.5" has half the weight, and "c.safetensors#candy" is
    one of the styles in a file that `volstyle learn` made, which takes seconds; see `volstyle.style`.
    choices: single choices of the recipe, as {"schedule.steps": 20, "volume.window": "soft"}. size: the long side
    that is optimized. mask: the name of a label map; images change where it is not 0. kwargs: those of
    `torchio.Transform`, as p, include and exclude.

    Images that come as plain tensors, as through MONAI's wrappers, have cubes for voxels. In a worker of a
    DataLoader the device is the CPU unless the choices name one, for a forked process cannot use the GPU of its
    parent. Raises VolstyleError: at once for choices that do not exist and files that are not there, and when it
    is called for a subject without a scalar image.
    """

    def __init__(
        self,
        styles: Samples | Sequence[Samples],
        *,
        choices: Mapping[str, Any] | None = None,
        size: int | None = None,
        mask: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.styles, self.choices, self.size, self.mask = _checked(styles), dict(choices or {}), size, mask
        self.args_names = ["styles", "choices", "size", "mask"]
        _check(self.choices)

    def apply_transform(self, subject: torchio.Subject) -> torchio.Subject:
        images = self.get_images_dict(subject)
        if not images:
            found = ", ".join(f"{name} ({type(image).__name__})" for name, image in subject.items()) or "nothing"
            raise InputError(f"subject: has {found}, must have a ScalarImage, for labels are never styled")
        where = None if self.mask is None else _labels(subject, self.mask)
        for image in images.values():
            image.set_data(self._styled(image, where))
        return subject

    def _styled(self, image: torchio.ScalarImage, where: Field | None) -> Tensor:
        """Samples (C, x, y, z) in the type of the image."""
        content = _field(image)
        choices = self.choices
        if get_worker_info() is not None and "device" not in merged(*nested(choices)):
            choices = {**choices, "device": "cpu"}
        # A learned style paints all of an image; what lies outside the mask is put back below.
        given = None if any(map(is_learned, map(_ordered, self.styles))) else where
        result = style(content, self.styles, choices=choices, size=self.size, mask=given, medium="volume")
        for note in result.notes:
            warnings.warn(note, stacklevel=2)
        samples = result.field.samples
        changed = (samples != content.samples) & (True if where is None else where.samples != 0)
        styled = in_type(samples.transpose(1, 3), image.data.dtype)
        return torch.where(changed.transpose(1, 3), styled, image.data)


class RandomStyle(RandomTransform, torchio.IntensityTransform):
    """Style the scalar images of a subject after one of several pictures or learned styles, drawn at random.

    strength: what share of the result is styled, the rest being the image as it was: one number, or the lowest and
    the highest that may be drawn. styles and all others: see `Style`, as which the subject's history keeps what
    was drawn. Draws come from torch's generator, as those of TorchIO's own transforms do. Raises VolstyleError.
    """

    def __init__(
        self,
        styles: Samples | Sequence[Samples],
        *,
        strength: float | tuple[float, float] = (0.5, 1.0),
        choices: Mapping[str, Any] | None = None,
        size: int | None = None,
        mask: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.styles, self.choices, self.size, self.mask = _checked(styles), dict(choices or {}), size, mask
        self.strength = (strength, strength) if isinstance(strength, int | float) else tuple(strength)
        if len(self.strength) != 2 or self.strength[0] > self.strength[1]:
            raise RecipeError(f"strength: {strength} must be one number or two, the lower one first")
        if "strength" in merged(*nested(self.choices)):
            raise RecipeError("choices: strength is drawn; give it as `strength` and leave it out of the choices")
        for share in self.strength:
            _check({**self.choices, "strength": share})

    def apply_transform(self, subject: torchio.Subject) -> torchio.Subject:
        drawn = self.styles[int(torch.randint(len(self.styles), ()))]
        choices = {**self.choices, "strength": self.sample_uniform(*self.strength)}
        fixed = Style([drawn], choices=choices, size=self.size, mask=self.mask, **self._get_base_args())
        found: torchio.Subject = fixed(subject)
        return found


def _field(image: torchio.Image) -> Field:
    """An image, (C, x, y, z), as a field (C, z, y, x) with the steps of its voxels in mm."""
    axes = tuple(Axis(name, step, "mm") for name, step in zip("zyx", reversed(image.spacing), strict=True))
    return Field(image.data.as_subclass(Tensor).transpose(1, 3).float().contiguous(), axes)


def _labels(subject: torchio.Subject, name: str) -> Field:
    """Raise InputError unless a label map has the name."""
    labels = subject.get(name)
    if not isinstance(labels, torchio.LabelMap):
        maps = ", ".join(key for key, image in subject.items() if isinstance(image, torchio.LabelMap))
        raise InputError(f"mask: {name!r} is no label map of the subject, must be one of: {maps or 'it has none'}")
    return _field(labels)


def _checked(styles: Samples | Sequence[Samples]) -> list[Samples]:
    """The styles as a list. Raises RecipeError for none, InputError for a file that is not there."""
    found = list(styles) if isinstance(styles, list | tuple) else [styles]
    if not found:
        raise RecipeError("style: none given, must be at least one")
    for one in found:
        source = _ordered(one).source
        if not isinstance(source, Field) and not source.exists():
            raise InputError(f"style {one}: no such file")
    return found


def _ordered(given: Samples) -> StyleOrder:
    """The order for a style that was given by its path. For a style in memory it is an order that names no
    file."""
    return style_named(str(given)) if isinstance(given, str | PathLike) else StyleOrder(_NOTHING)


def _check(choices: Mapping[str, Any]) -> None:
    """Raise RecipeError for choices that do not exist, or that would change what an image is."""
    recipe = Recipe().updated(merged(*nested(choices)))
    recipe.check()
    if recipe.volume.color:
        raise RecipeError("volume.color: makes R, G, B of intensities, which a transform must keep; leave it out")


for _transform in (Style, RandomStyle):
    if not hasattr(torchio.transforms, _transform.__name__):  # by that name TorchIO's own transform would be meant
        setattr(torchio.transforms, _transform.__name__, _transform)
