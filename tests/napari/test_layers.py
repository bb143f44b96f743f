"""Image layers as contents, and results as layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Points

from tests.lessons import learn
from tests.scans import counts
from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.errors import InputError, RecipeError, VolstyleError
from volstyle.grid.field import Axis, Field
from volstyle.media.follower import Follower
from volstyle.media.style import style
from volstyle.napari import layers
from volstyle.napari.layers import Job, Wishes, media_of, solid_job, style_job

QUICK = {"network.name": "random", "precision": "float32", "schedule.steps": 1, "style.statistic": "gram"}

TURNED = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture to style by, and a network that takes no time."""
    monkeypatch.chdir(tmp_path)
    write("art.png", Field(numbers(3, 24, 24), (Axis("y"), Axis("x"))))

    def quick(*given: Any, choices: dict[str, Any], **more: Any) -> Any:
        return style(*given, choices=choices | QUICK, **more)

    monkeypatch.setattr(layers, "style", quick)


def wishes(medium: str, **more: Any) -> Wishes:
    return Wishes(Path("art.png"), medium, 32, 0.2, **more)


def done(job: Job) -> Image:
    """The layer that a job makes."""
    return Image(job.data(job.call(Follower()).field), name=job.name, **job.look)


def scan(**more: Any) -> Image:
    place = {"scale": (3, 1, 1), "units": ("mm",) * 3, "translate": (5, 6, 7), "rotate": TURNED}
    return Image(counts(10, 12, 14), name="scan", contrast_limits=(-400.5, 800.5), **{**place, **more})


@pytest.mark.parametrize(
    ("shape", "more", "found"),
    [
        ((20, 24), {}, ("image",)),
        ((20, 24, 3), {"rgb": True}, ("image",)),
        ((6, 20, 24), {}, ("volume", "video")),
        ((6, 20, 24), {"axis_labels": ("t", "y", "x")}, ("video", "volume")),
        ((6, 20, 24), {"units": ("s", "px", "px")}, ("video", "volume")),
        ((6, 20, 24, 3), {"rgb": True}, ("video",)),
        ((2, 6, 20, 24), {}, ("volume",)),
    ],
)
def test_the_medium_is_found_by_the_axes(shape: tuple[int, ...], more: dict[str, Any], found: Any) -> None:
    assert media_of(Image(np.zeros(shape, np.uint8), **more)) == found


def test_a_styled_volume_lies_on_its_layer() -> None:
    before = scan(affine=np.array([[1, 0, 0, 3], [0, 0, 1, 4], [0, 1, 0, 5], [0, 0, 0, 1]]), colormap="magma")
    after = done(style_job(before, wishes("volume")))
    assert after.name == "scan, art"
    for name in ("scale", "translate", "rotate", "shear", "affine"):
        assert np.array_equal(np.asarray(getattr(after, name)), np.asarray(getattr(before, name))), name
    for name in ("units", "contrast_limits", "gamma", "axis_labels"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.colormap.name == "magma"
    assert after.data.dtype == np.int16
    outside = (before.data < -400) | (before.data > 800)
    assert outside.any()
    assert np.array_equal(after.data[outside], before.data[outside])
    assert (after.data != before.data).any()


def test_labels_say_where_a_volume_and_an_image_change() -> None:
    for layer, medium in ((scan(), "volume"), (Image(counts(20, 24, dtype=np.uint16)), "image")):
        mask = Labels(np.zeros(layer.data.shape, int), name="cells")
        mask.data[..., 3:9, 4:9] = 2
        after = done(style_job(layer, wishes(medium), mask))
        changed = after.data != layer.data
        assert changed.any()
        assert not changed[mask.data == 0].any()


def test_a_gray_image_stays_gray_or_becomes_one_in_color() -> None:
    before = Image(
        counts(20, 24, dtype=np.uint16), contrast_limits=(40, 200), scale=(0.5, 0.25), units=("um",) * 2
    )
    after = done(style_job(before, wishes("image")))
    assert after.data.shape == (20, 24)
    assert after.data.dtype == np.uint16
    inside = (before.data >= 40) & (before.data <= 200)
    assert np.array_equal(after.data[~inside], before.data[~inside])
    assert (after.data[inside] != before.data[inside]).any()
    colored = done(style_job(before, wishes("image", color=True)))
    assert colored.rgb
    assert colored.data.shape == (20, 24, 3)
    assert np.array_equal(colored.scale, before.scale)
    assert np.ptp(colored.data, axis=-1).max() > 0


def test_a_volume_becomes_one_in_color() -> None:
    after = done(style_job(scan(), wishes("volume", color=True)))
    assert after.rgb
    assert after.data.shape == (10, 12, 14, 3)
    assert after.units == scan().units


def test_the_transparency_of_an_image_stays() -> None:
    pixels = (255 * numbers(20, 24, 4)).byte().numpy()
    after = done(style_job(Image(pixels, rgb=True), wishes("image")))
    assert after.data.dtype == np.uint8
    assert np.array_equal(after.data[..., 3], pixels[..., 3])
    assert not np.array_equal(after.data[..., :3], pixels[..., :3])


def test_a_clip_and_a_volume_over_time_are_styled() -> None:
    clip = Image(counts(3, 20, 24), axis_labels=("t", "y", "x"), contrast_limits=(-500, 500))
    assert done(style_job(clip, wishes("video"))).data.shape == (3, 20, 24)
    over_time = Image(np.stack([counts(10, 12, 14), counts(10, 12, 14, seed=1)]))
    assert done(style_job(over_time, wishes("volume"))).data.shape == (2, 10, 12, 14)
    job = style_job(Image(counts(10, 12, 14)[None], name="scan"), wishes("volume"))
    assert job.notes == ("layer 'scan': has one time, styled as a volume",)
    assert done(job).data.shape == (1, 10, 12, 14)


def test_a_learned_style_paints_where_the_mask_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "style", style)
    learned = learn("hand.safetensors", ("art.png",), "art.png", "image")
    before = Image(counts(40, 48, dtype=np.uint16), name="cells")
    mask = Labels(np.zeros((40, 48), int), name="there")
    mask.data[9:20, 9:20] = 1
    job = style_job(before, Wishes(learned, "image", 16, 0.2), mask)
    assert job.notes == ("hand.safetensors: learned, so that size and content weight are its own",)
    after = done(job)
    assert after.name == "cells, hand"
    assert (after.data != before.data).any()
    assert np.array_equal(after.data[mask.data == 0], before.data[mask.data == 0])


def test_the_finest_level_of_a_pyramid_is_styled() -> None:
    whole = counts(32, 48)
    pyramid = Image([whole, whole[::2, ::2]], multiscale=True, contrast_limits=(-1000, 1000))
    assert done(style_job(pyramid, wishes("image"))).data.shape == (32, 48)


def test_a_section_becomes_a_solid_in_its_units() -> None:
    section = Image(
        counts(32, 32, dtype=np.uint16),
        name="rock",
        scale=(0.5, 0.5),
        units=("um",) * 2,
        contrast_limits=(20, 220),
    )
    solid = done(solid_job(section, (16, 20, 24)))
    assert solid.name == "rock, solid"
    assert solid.data.shape == (16, 20, 24)
    assert solid.data.dtype == np.uint16
    assert 20 <= solid.data.min() < solid.data.max() <= 220
    assert np.array_equal(solid.scale, (0.5, 0.5, 0.5))
    assert [f"{unit:~}" for unit in solid.units] == ["µm"] * 3
    assert solid.contrast_limits == section.contrast_limits
    colored = done(
        solid_job(Image((255 * numbers(32, 32, 3)).byte().numpy(), rgb=True), (16, 16, 16), periodic=True)
    )
    assert colored.rgb
    assert colored.data.shape == (16, 16, 16, 3)


def test_sections_of_phases_become_a_solid_of_them() -> None:
    """One section of labels, or three of gray levels, one for each axis; shares are those of the sections."""
    levels = (counts(24, 24, dtype=np.uint8) > 120) * 7 + 3
    labels = Labels(levels, name="rock", scale=(0.5, 0.5))
    with pytest.raises(InputError, match="layer 'rock': holds labels, which are phases; choose auto for phases"):
        solid_job(labels, (16, 16, 16))
    job = solid_job(labels, (16, 16, 16), phases="auto")
    assert job.labels
    found = job.data(job.call(Follower()).field)
    assert found.dtype == levels.dtype
    assert set(np.unique(found)) == {3, 10}
    assert np.mean(found == 10) == pytest.approx(np.mean(levels == 10), abs=0.01)
    three = [Image(levels.astype(np.uint8), name=name) for name in "zyx"]
    job = solid_job(three[0], (16, 16, 16), others=(three[1], three[2]), phases="auto")
    assert not job.labels
    solid = done(job)
    assert solid.data.dtype == np.uint8
    assert set(np.unique(solid.data)) == {3, 10}
    colored = Image((255 * numbers(24, 24, 3)).byte().numpy(), rgb=True, name="photo")
    with pytest.raises(InputError, match="layer 'photo': has colors; the phases of a section are levels of gray"):
        solid_job(colored, (16, 16, 16), phases="2")


def test_a_solid_has_samples_of_the_size_of_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section larger than the solid is not made larger still."""
    seen: dict[str, Any] = {}

    def watch(*given: Any, choices: dict[str, Any], **more: Any) -> Any:
        seen.update(choices)
        return style(*given, choices=choices | QUICK, **more)

    monkeypatch.setattr(layers, "style", watch)
    done(solid_job(Image(counts(48, 48)), (16, 16, 16)))
    assert seen.get("style.scale", 1.0) == 1.0


ZEROS = Labels(np.zeros((10, 12, 14), int), name="cells")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: media_of(None), "layer: none is selected, must be an Image layer"),
        (lambda: media_of(ZEROS), "layer 'cells': holds labels, which are never styled; select an Image layer"),
        (lambda: media_of(Points(name="spots")), "layer 'spots': is one of Points, must be an Image layer"),
        (
            lambda: media_of(Image(np.zeros((2,) * 5), name="all")),
            "layer 'all': has 5 axes, must have y, x;",
        ),
        (lambda: style_job(scan(), wishes("image")), "medium: is image, must be volume or video as 'scan' is"),
        (lambda: style_job(scan(), Wishes(Path("no.png"), "volume", 16, 0.2)), "picture no.png: no such file"),
        (lambda: style_job(scan(), wishes("volume"), ZEROS), "mask 'cells': 0 everywhere"),
        (
            lambda: style_job(scan(), wishes("volume"), Labels(np.ones((3, 4), int), name="a")),
            "mask 'a': 3x4",
        ),
        (lambda: style_job(Image(np.ones((20, 24), bool)), wishes("image")), "samples are bool, must be real"),
        (lambda: solid_job(scan(), (9, 9, 9)), "layer 'scan': has 3 axes, a section has 2"),
        (lambda: solid_job(Image(counts(20, 24)), (0, 9, 9)), "shape: '0,9,9' has a side of 0"),
        (lambda: style_job(Image(np.zeros((20, 24))), wishes("image", window="auto")), "every sample is 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(wrong: Any, said: str) -> None:
    with pytest.raises(VolstyleError) as caught:
        wrong()
    assert isinstance(caught.value, InputError | RecipeError)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
