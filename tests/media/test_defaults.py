"""What the choices of a medium begin with, and how a network brings its own."""

from __future__ import annotations

import pytest

from volstyle.engine.schedule import plan_stages
from volstyle.errors import RecipeError
from volstyle.media.defaults import composed, defaults
from volstyle.recipe import Recipe


def test_a_recipe_by_itself_is_that_of_an_image() -> None:
    assert defaults("image") == Recipe()


@pytest.mark.parametrize("kind", ["image", "video", "volume"])
def test_pictures_use_the_original_vgg19(kind: str) -> None:
    assert defaults(kind).network.name == "vgg19"


def test_signals_and_solids_keep_their_networks() -> None:
    assert [defaults(kind).network.name for kind in ("sound", "series", "solid")] == [
        "builtin1d",
        "random",
        "builtin",
    ]


@pytest.mark.parametrize("size", [48, 128, 160, 256])
def test_a_solid_of_phases_has_two_stages_at_any_size(size: int) -> None:
    shape = (size,) * 3
    stages = plan_stages(shape, (False,) * 3, (16,) * 3, defaults("phases").schedule)
    assert len(stages) == 2 and stages[-1].shape == shape


def test_a_network_brings_what_fits_it() -> None:
    small = defaults("image", "builtin")
    assert (small.content.weight, small.smoothness, small.schedule.steps) == (0.2, 2.0, 60)
    assert defaults("video", "builtin").content.weight == 0.16


def test_the_medium_wins_over_the_fit() -> None:
    assert defaults("volume", "builtin").schedule.steps == defaults("volume").schedule.steps == 20
    assert defaults("solid").smoothness == 0


def test_torchvisions_vggs_take_the_fit_of_the_original() -> None:
    assert defaults("image", "vgg16_torchvision") == Recipe().set("network.name=vgg16_torchvision")


@pytest.mark.parametrize(
    "choices",
    [
        ({"network": {"name": "builtin"}}, {"style": {"scale": 0.5}}),
        ({"style": {"scale": 0.5}}, {"network": {"name": "vgg19"}}, {"network": {"name": "builtin"}}),
    ],
)
def test_the_last_network_chosen_decides_the_fit(choices: tuple[dict[str, object], ...]) -> None:
    assert composed("image", *choices) == defaults("image", "builtin").set("style.scale=0.5")


def test_what_is_chosen_wins_over_the_fit() -> None:
    recipe = composed("image", {"network": {"name": "builtin"}, "content": {"weight": 1}}, {"smoothness": 3})
    assert (recipe.content.weight, recipe.smoothness) == (1.0, 3.0)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(RecipeError, match="medium: 'movie' is unknown"):
        defaults("movie")
