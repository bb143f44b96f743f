"""Which colors are kept, and where each style goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.engine.quick import OTHER, RECIPE, SHAPES, STYLE, picture, samples_of, tiny_networks
from tests.tiny import numbers, stylized, tiny_field
from volstyle.engine.scene import Scene, Style
from volstyle.errors import ShapeError
from volstyle.grid.color import luma

_networks = pytest.fixture(autouse=True)(tiny_networks)


@pytest.mark.parametrize("axes", [2, 3])
def test_kept_colors_differ_by_luma_alone(axes: int) -> None:
    content = picture(3, *SHAPES[axes])
    found = samples_of(content, [STYLE], RECIPE.set("colors=content"))
    change = found - content.samples
    inside = ((found > 0) & (found < 1)).all(0)
    assert inside.float().mean() > 0.8
    assert float(change.abs().max()) > 0.02
    spread = (change.amax(0) - change.amin(0))[inside]
    assert float(spread.max()) < 1e-6
    free = samples_of(content, [STYLE], RECIPE) - content.samples
    assert float((free.amax(0) - free.amin(0)).max()) > 0.02


def test_where_colors_are_kept_the_styles_luma_is_shifted_to_the_contents() -> None:
    """To its mean and spread: otherwise a dark style would darken everything."""
    dark = Style(tiny_field(26, 30).with_samples(0.1 * STYLE.field.samples))
    scene = Scene.prepare(picture(3), [dark], keep_colors=True, coherent=False)
    (style,) = scene.styles
    assert style.field.channels == 1
    assert float(style.field.samples.mean()) == pytest.approx(float(scene.content.mean()), abs=0.02)
    assert float(style.field.samples.std()) == pytest.approx(float(scene.content.std()), abs=0.02)
    torch.testing.assert_close(scene.content, luma(picture(3).samples))


def test_luma_by_hand() -> None:
    red_green_blue = torch.eye(3).reshape(3, 3, 1)
    torch.testing.assert_close(luma(red_green_blue), torch.tensor([[[0.299], [0.587], [0.114]]]))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gray_stays_gray(axes: int) -> None:
    content = picture(3, *SHAPES[axes])
    gray = replace(content, samples=luma(content.samples))
    found = stylized(gray, [STYLE], RECIPE).field
    assert found.channels == 1
    assert (found.samples - gray.samples).abs().max() > 0.02


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_outside_the_masks_every_bit_stays(axes: int) -> None:
    content = picture(3, *SHAPES[axes])
    half = SHAPES[axes][-1] // 2
    mask = torch.zeros(SHAPES[axes])
    mask[..., :half] = 1
    found = samples_of(content, [replace(STYLE, target_mask=mask)], RECIPE)
    assert torch.equal(found[..., half:], content.samples[..., half:])
    assert (found[..., :half] - content.samples[..., :half]).abs().mean() > 0.01


def test_a_mask_of_another_size_and_one_picture_for_a_clip() -> None:
    content = picture(3, *SHAPES[3])
    mask = torch.zeros(40, 48)
    mask[:20] = 1
    found = samples_of(content, [replace(STYLE, target_mask=mask)], RECIPE)
    assert torch.equal(found[:, :, 11:], content.samples[:, :, 11:])
    assert all((found[:, t, :9] != content.samples[:, t, :9]).any() for t in range(SHAPES[3][0]))


def test_each_region_takes_its_own_style() -> None:
    """The left of the result is nearer in mean color to the style of the left, the right to that of the right."""
    texture = tiny_field(24, 24)
    dark, bright = (Style(texture.with_samples(0.2 * texture.samples + base)) for base in (0, 0.8))
    left = torch.zeros(SHAPES[2])
    left[:, :18] = 1
    recipe = (
        RECIPE.set("style.statistic=w2")
        .set("content.weight=0")
        .set("optimizer.rate=0.05")
        .set("schedule.steps=40")
    )
    found = samples_of(
        picture(3), [replace(dark, target_mask=left), replace(bright, target_mask=1 - left)], recipe
    )
    assert found[..., :14].mean() + 0.2 < found[..., 22:].mean()


def test_statistics_are_taken_where_the_style_mask_is() -> None:
    """What lies beyond the mask, and beyond what features at its edge see, may be anything."""
    mask = torch.zeros(24, 48)
    mask[:, :24] = 1
    results = []
    for end in (0, 1):
        samples = numbers(3, 24, 48, seed=5)
        samples[..., 42:] = end
        style = Style(tiny_field(24, 48).with_samples(samples), source_mask=mask)
        kinds = (style, replace(style, source_mask=None))
        results += [samples_of(picture(3), [kind], RECIPE.set("schedule.smallest=999")) for kind in kinds]
    masked, whole, masked_again, whole_again = results
    torch.testing.assert_close(masked, masked_again, rtol=0, atol=1e-6)
    assert (whole - whole_again).abs().mean() > 1e-3


def test_masks_that_do_not_fit() -> None:
    one = torch.ones(SHAPES[2])
    with pytest.raises(ShapeError, match="masks: 1 for 2 styles"):
        stylized(picture(3), [replace(STYLE, target_mask=one), OTHER], RECIPE)
    with pytest.raises(ShapeError, match="mask: black everywhere"):
        stylized(picture(3), [replace(STYLE, target_mask=0 * one)], RECIPE)
    with pytest.raises(ShapeError, match="style mask: black everywhere"):
        stylized(picture(3), [replace(STYLE, source_mask=torch.zeros(26, 30))], RECIPE)
    with pytest.raises(ShapeError, match="mask: 3 axes, must be 2 or fewer"):
        stylized(picture(3), [replace(STYLE, target_mask=one[None])], RECIPE)
    with pytest.raises(ShapeError, match="style mask: 3 axes, must be 2"):
        stylized(picture(3), [replace(STYLE, source_mask=torch.ones(1, 26, 30))], RECIPE)
