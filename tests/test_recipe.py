"""Every choice of a run, as TOML and by --set."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import RECIPES
from volstyle.errors import RecipeError, VolstyleError
from volstyle.recipe import ContentChoice, Recipe, ScheduleChoice, StyleChoice

OTHER = Recipe().updated(
    {
        "network": {"name": "builtin", "weights": "a b.pth", "pooling": "average", "inflation": "mean"},
        "content": {"weight": 0.5, "taps": {"relu4_2": 1.0}, "fine_taps": {"relu3_1": 1.0}},
        "style": {
            "weight": 2,
            "taps": {"relu1_1": 0.1, "relu2_1": 3},
            "fine_taps": {"relu1_1": 1},
            "statistic": "gram",
            "frames": 8,
            "scale": 0.5,
            "share": 0.5,
            "own_size": True,
        },
        "temporal": {
            "weight": 0,
            "smoothing": 0.3,
            "window": 7,
            "loop": True,
            "flow": "raft",
            "flow_weights": "b.pth",
        },
        "schedule": {
            "smallest": 64,
            "largest": 256,
            "ratio": 2,
            "steps": 7,
            "growth": 1.1,
            "fine_above": 99,
            "full_above": 300,
            "full_steps": 3,
            "stages": 4,
        },
        "optimizer": {"name": "gd", "rate": 1},
        "learn": {
            "smallest": 64,
            "largest": 640,
            "ratio": 2.0,
            "steps": 7,
            "rate": 0.001,
            "examples": 5,
            "others": 0.5,
            "crop": 128,
            "nearness": 0.5,
            "steadiness": 3.0,
            "carry": 0.5,
        },
        "volume": {"window": "lung", "color": True},
        "solid": {"phases": "auto", "two_point": 1, "values": 2, "variation": 3, "lags": 8},
        "series": {"autocorrelation": 1, "quantiles": 2, "lags": 16},
        "scaling": "gatys",
        "smoothness": 1e-3,
        "strength": 0.5,
        "periodic": True,
        "init": "noise",
        "colors": "content",
        "device": "cpu",
        "precision": "float32",
        "memory": "4GB",
        "seed": 11,
    }
)


def leaves(value: object) -> list[object]:
    return [x for v in value.values() for x in leaves(v)] if isinstance(value, dict) and value else [value]


def test_other_differs_in_every_choice() -> None:
    """So that the round trip below would notice a key that is lost."""
    mine, default = dataclasses.asdict(OTHER), dataclasses.asdict(Recipe())
    for key, value in default.items():
        if isinstance(value, dict):
            assert all(mine[key][inner] != value[inner] for inner in value), key
        else:
            assert mine[key] != value


@pytest.mark.parametrize("recipe", [Recipe(), OTHER], ids=["default", "other"])
def test_toml_round_trip(recipe: Recipe) -> None:
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert tomllib.loads(recipe.to_toml()) == dataclasses.asdict(recipe)


@given(RECIPES)
def test_any_recipe_comes_back(recipe: Recipe) -> None:
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@given(RECIPES)
def test_each_choice_of_any_recipe_can_be_set(recipe: Recipe) -> None:
    """One at a time, as the command line does, until all are those of the recipe."""
    made = Recipe()
    for table, choices in dataclasses.asdict(recipe).items():
        inner = choices.items() if isinstance(choices, dict) else [("", choices)]
        for key, value in inner:
            text = tomli_w.dumps({"value": value}).removeprefix("value = ").strip()
            if isinstance(value, dict):
                made = made.updated({table: {key: value}})
            else:
                made = made.set(f"{table}{'.' if key else ''}{key}={text}")
    assert made == recipe


@given(st.text())
def test_any_text_is_a_recipe_or_a_recipe_error(text: str) -> None:
    for read in (Recipe.from_toml, Recipe().set):
        try:
            assert isinstance(read(text), Recipe)
        except RecipeError as error:
            assert "\n" not in str(error)


def test_missing_keys_keep_their_defaults() -> None:
    recipe = Recipe.from_toml("[schedule]\nsteps = 3\n")
    assert recipe.schedule.steps == 3
    assert recipe == Recipe().set("schedule.steps=3")
    assert Recipe.from_toml("") == Recipe()


@pytest.mark.parametrize(
    ("assignment", "found"),
    [
        ("schedule.steps=300", lambda r: r.schedule.steps == 300),
        ("smoothness=1", lambda r: r.smoothness == 1.0 and type(r.smoothness) is float),
        (" style.weight = 2.5 ", lambda r: r.style.weight == 2.5),
        ("content.weight=.5", lambda r: r.content.weight == 0.5),
        ("init=nan.png", lambda r: r.init == "nan.png"),
        ("network.name=vgg19", lambda r: r.network.name == "vgg19"),
        ('network.name="vgg19"', lambda r: r.network.name == "vgg19"),
        ("init=my picture.png", lambda r: r.init == "my picture.png"),
        ("init=a=b.png", lambda r: r.init == "a=b.png"),
        ("style.taps.relu1_1=2", lambda r: r.style.taps == {"relu1_1": 2.0}),
        ("style.taps={relu1_1 = 1, relu2_1 = 0.5}", lambda r: r.style.taps == {"relu1_1": 1.0, "relu2_1": 0.5}),
        ("memory=4GB", lambda r: r.memory == "4GB"),
    ],
)
def test_set(assignment: str, found: object) -> None:
    assert callable(found)
    assert found(Recipe().set(assignment))


def test_kinds_are_those_declared_not_those_given() -> None:
    """A whole number given for a number does not make the key one of whole numbers."""
    recipe = Recipe(schedule=ScheduleChoice(ratio=2))
    assert recipe.set("schedule.ratio=1.5").schedule.ratio == 1.5


@pytest.mark.parametrize("recipe", [Recipe(), OTHER], ids=["default", "other"])
def test_good_numbers_pass(recipe: Recipe) -> None:
    recipe.check()


def test_a_key_by_its_old_name() -> None:
    old = OTHER.to_toml().replace("frames = 8", "window = 8")
    assert old != OTHER.to_toml()
    assert Recipe.from_toml(old) == OTHER
    assert Recipe().set("style.window=3") == Recipe().set("style.frames=3")
    with pytest.raises(RecipeError, match=r"style\.frames is given twice"):
        Recipe().updated({"style": {"window": 3, "frames": 3}})


def test_set_changes_nothing_else() -> None:
    assert OTHER.set("style.frames=3") == dataclasses.replace(
        OTHER, style=dataclasses.replace(OTHER.style, frames=3)
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "schedule.step=3",
            r"recipe: no key 'schedule\.step'; did you mean 'steps'\? allowed: fine_above, full_above",
        ),
        ("scedule.steps=3", r"recipe: no key 'scedule'; did you mean 'schedule'\?"),
        ("zzz=3", "recipe: no key 'zzz'; allowed: colors, content"),
        ("schedule.steps=many", r"recipe: schedule\.steps is 'many', must be a whole number"),
        ("schedule.steps=3.5", r"recipe: schedule\.steps is 3\.5, must be a whole number"),
        ("schedule.steps=true", r"recipe: schedule\.steps is True, must be a whole number"),
        ("style.weight=true", r"recipe: style\.weight is True, must be a number"),
        ("style.weight=heavy", r"recipe: style\.weight is 'heavy', must be a number"),
        ("network.name=3", r"recipe: network\.name is 3, must be text"),
        ("schedule=3", "recipe: schedule is 3, must be a table of keys"),
        ("style.taps=relu1_1", r"recipe: style\.taps is 'relu1_1', must be a table of taps and weights"),
        ('style.taps.relu1_1="a"', r"recipe: style\.taps is .*, must be a table of taps and weights"),
        ("seed.more=3", r"recipe: seed is \{'more': 3\}, must be a whole number"),
        ("schedule.steps", r"set: 'schedule\.steps' must be KEY=VALUE, as in schedule\.steps=300"),
        ("=3", "recipe: no key ''"),
    ],
)
def test_what_cannot_be_set(assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^{message}") as raised:
        Recipe().set(assignment)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, VolstyleError)


def test_what_is_not_toml() -> None:
    with pytest.raises(RecipeError, match=r"recipe: not TOML \(.+\)") as raised:
        Recipe.from_toml("steps = = 3")
    assert "\n" not in str(raised.value)


def test_a_recipe_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 3  # type: ignore[misc]
    assert StyleChoice().taps is not StyleChoice().taps
    assert ContentChoice() == ContentChoice()
