"""Looks by name, on top of any medium's and network's defaults and below all choices."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from volstyle.errors import RecipeError
from volstyle.media.choices import load_choices
from volstyle.media.defaults import composed, defaults
from volstyle.media.presets import PRESETS, with_preset


@pytest.mark.parametrize("kind", ["image", "video", "volume", "solid", "sound", "series"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_multiplies_what_the_medium_begins_with(kind: str, name: str) -> None:
    before, after = defaults(kind), composed(kind, {"preset": name})
    after.check()
    assert after.content.weight == pytest.approx(before.content.weight * PRESETS[name].get("content.weight", 1))
    assert after.style.scale == pytest.approx(before.style.scale * PRESETS[name].get("style.scale", 1))
    assert after.schedule.steps == round(before.schedule.steps * PRESETS[name].get("schedule.steps", 1))
    assert after.network == before.network


def test_a_preset_multiplies_what_fits_the_network_and_choices_go_before_it() -> None:
    chosen = {"preset": "calm", "network": {"name": "builtin"}, "smoothness": 0.1}
    recipe = composed("image", chosen)
    assert recipe.content.weight == pytest.approx(0.2 * PRESETS["calm"]["content.weight"])
    assert recipe.smoothness == 0.1
    assert composed("image", {"preset": "calm"}, {"preset": "bold"}) == composed("image", {"preset": "bold"})


def test_a_preset_that_would_change_nothing_is_refused() -> None:
    assert composed("image", {"preset": "bold", "style": {"scale": 3.0}}).style.scale == 3
    with pytest.raises(RecipeError, match=r"bold changes content.weight and style.scale, which is chosen besides"):
        composed("image", dataclasses.asdict(defaults("image")), {"preset": "bold"})
    with pytest.raises(RecipeError, match=r"calm changes content.weight and smoothness"):
        composed("image", {"content": {"weight": 1}}, {"preset": "calm", "smoothness": 1})


def test_whole_numbers_stay_whole_and_above_0() -> None:
    assert with_preset(defaults("image").set("schedule.steps=1"), "fast").schedule.steps == 1


def test_a_file_may_name_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "bold"\nseed = 3\n')
    recipe = composed("image", load_choices(file))
    assert (recipe.seed, recipe.style.scale) == (3, PRESETS["bold"]["style.scale"])
    file.write_text('preset = "bald"\n')
    with pytest.raises(RecipeError, match=r"mine.toml: preset: 'bald' is unknown; did you mean 'bold'\?"):
        load_choices(file)
    with pytest.raises(RecipeError, match="allowed: bold, calm, fast, fine"):
        composed("image", {"preset": 3})
