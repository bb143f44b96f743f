"""What cannot be styled is refused in one line that says what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.quick import OTHER, RECIPE, SHAPES, STYLE, picture, tiny_networks
from tests.tiny import stylized, tiny_field
from volstyle.engine.scene import Style
from volstyle.errors import CapacityError, NetworkError, RecipeError, ShapeError
from volstyle.grid.field import Field

_networks = pytest.fixture(autouse=True)(tiny_networks)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("scaling=relativ", r"scaling: 'relativ' is unknown; did you mean 'relative'\?"),
        ("style.statistic=grams", r"style\.statistic: 'grams' is unknown; did you mean 'gram'\?"),
        ("colors=contents", r"colors: 'contents' is unknown; did you mean 'content'\?"),
        ("optimizer.name=adams", r"optimizer: 'adams' is unknown; did you mean 'adam'\?"),
        ("network.inflation=means", r"must name at least one network axis|inflation: 'means'"),
        ("init=other.png", r"init: 'other\.png' is not read"),
        ("device=gpu", "device: 'gpu' is unknown; .*allowed: auto, cpu, cuda, mps"),
        ("precision=float8", r"precision: 'float8' is unknown; did you mean 'float32'\?"),
        ("memory=lots", "memory: 'lots' is no amount; write 4GB or 512MB, or auto"),
        ("memory=9B", "memory: the smallest tile takes"),
        ("style.taps.relu9_1=1", r"no tap 'relu9_1'; did you mean"),
        ("content.taps.relu9_1=1", r"no tap 'relu9_1'; did you mean"),
    ],
)
def test_choices_that_do_not_exist(assignment: str, message: str) -> None:
    with pytest.raises((RecipeError, NetworkError, ShapeError, CapacityError), match=message) as raised:
        stylized(picture(3, *SHAPES[3]), [STYLE], RECIPE.set(assignment))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("schedule.ratio=1", r"schedule\.ratio is 1\.0, must be above 1 and below"),
        ("schedule.ratio=0", r"schedule\.ratio is 0\.0, must be above 1"),
        ("schedule.steps=0", r"schedule\.steps is 0, must be at least 1"),
        ("schedule.smallest=0", r"schedule\.smallest is 0, must be at least 1"),
        ("schedule.growth=nan", r"schedule\.growth is nan, must be above 0"),
        ("style.frames=-1", r"style\.frames is -1, must be at least 0"),
        ("style.scale=0", r"style\.scale is 0\.0, must be above 0"),
        ("style.weight=-1", r"style\.weight is -1\.0, must be at least 0"),
        ("style.weight=inf", r"style\.weight is inf, must be at least 0 and below"),
        ("content.weight=nan", r"content\.weight is nan, must be at least 0"),
        ("temporal.weight=nan", r"temporal\.weight is nan, must be at least 0"),
        ("optimizer.rate=0", r"optimizer\.rate is 0\.0, must be above 0"),
        ("smoothness=nan", "smoothness is nan, must be at least 0"),
        ("seed=-1", "seed is -1, must be at least 0"),
        ("seed=99999999999999999999", r"seed is 9+, must be at least 0 and below 2\*\*63"),
        ("style.taps.relu1_1=0", r"style\.taps is \{'relu1_1': 0\.0\}, weights must be"),
        ("content.taps={relu1_1=2, relu2_1=-1}", r"content\.taps is .*, weights must be finite, at least 0"),
    ],
)
def test_numbers_that_cannot_be_meant(assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^recipe: {message}"):
        stylized(picture(3), [STYLE], RECIPE.set(assignment))


def test_nothing_to_minimize() -> None:
    with pytest.raises(RecipeError, match=r"content\.weight and style\.weight are both 0"):
        stylized(picture(3), [STYLE], RECIPE.set("content.weight=0").set("style.weight=0"))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_samples_that_are_not_finite(number: float) -> None:
    samples = picture(3).samples.clone()
    samples[0, 3, 3] = number
    bad = replace(picture(3), samples=samples)
    with pytest.raises(ShapeError, match="content: samples hold NaN"):
        stylized(bad, [STYLE], RECIPE)
    with pytest.raises(ShapeError, match="style: samples hold NaN"):
        stylized(picture(3), [STYLE, Style(bad)], RECIPE)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_of_styles(weight: float) -> None:
    with pytest.raises(ShapeError, match=r"style: its weight is .*, must be finite and above 0"):
        stylized(picture(3), [STYLE, replace(OTHER, weight=weight)], RECIPE)


@pytest.mark.parametrize("init", [tiny_field(4, 20, 24), tiny_field(20, 24, channels=4), tiny_field(80)])
def test_an_init_that_does_not_fit(init: Field) -> None:
    with pytest.raises(ShapeError, match=r"init: . channels and . axes, must be 3 or 1 and 2"):
        stylized(picture(3), [STYLE], RECIPE, init=init)


def test_no_style_at_all() -> None:
    with pytest.raises(RecipeError, match="style: none given"):
        stylized(picture(3), [], RECIPE)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_field_below_the_networks_minimum(axes: int) -> None:
    small = tiny_field(*(3,) * axes)
    said = r"content: has .*3 samples, must have at least .*4 for the taps of network .*; give a larger one"
    with pytest.raises(ShapeError, match=said):
        stylized(small, [STYLE], RECIPE)
    with pytest.raises(ShapeError, match=said.replace("content", "result")):  # of a texture, which has no content
        stylized(small, [STYLE], RECIPE.updated({"content": {"weight": 0.0}}))


def test_a_style_below_the_networks_minimum() -> None:
    with pytest.raises(ShapeError, match=r"style: has 2x18 samples, must have at least 4x4"):
        stylized(picture(3), [Style(tiny_field(3, 30))], RECIPE)


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_the_network_has_not(channels: int) -> None:
    with pytest.raises(ShapeError, match=f"samples have {channels} channels, must be 3 or 1"):
        stylized(tiny_field(24, 24, channels=channels), [STYLE], RECIPE)
    with pytest.raises(ShapeError, match=f"samples have {channels} channels, must be 3 or 1"):
        stylized(picture(3), [Style(tiny_field(24, 24, channels=channels))], RECIPE)
    with pytest.raises(ShapeError, match=f"luma: samples have {channels} channels, must be 3 or 1"):
        stylized(picture(3), [Style(tiny_field(24, 24, channels=channels))], RECIPE.set("colors=content"))


@pytest.mark.parametrize("scale", [255.0, -1.0])
def test_samples_beyond_0_and_1_are_refused(scale: float) -> None:
    bad = replace(picture(3), samples=picture(3).samples * scale)
    with pytest.raises(ShapeError, match=r"content: samples lie from .*, must lie in \[0, 1\]"):
        stylized(bad, [STYLE], RECIPE)
    with pytest.raises(ShapeError, match="style: samples lie from"):
        stylized(picture(3), [Style(bad)], RECIPE)
