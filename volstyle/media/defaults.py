"""What the choices for each kind of content begin with: those of the medium, fitted to the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from volstyle.errors import RecipeError, nearest
from volstyle.media.presets import with_preset, without_preset
from volstyle.recipe import Recipe, merged

SIZES = {"video": 256, "volume": 256}
"""The long side that is optimized unless --size says otherwise, by kind of content; an image has its own."""

_SIGNAL = {
    # One stage: the views of a signal have all scales. L-BFGS gets further than Adam there.
    "schedule": {"smallest": 10**9, "steps": 150},
    "optimizer": {"name": "lbfgs"},
    "content": {"weight": 1.0},
    "style": {"statistic": "w2"},
    "smoothness": 0.0,  # what is fine in a sound is heard
    "precision": "float32",
}

_MEDIA: Mapping[str, Mapping[str, Any]] = {
    "image": {},
    "video": {},
    "volume": {
        "network": {"inflation": "planes"},
        "style": {"scale": 1.5, "share": 0.2},
        "schedule": {"smallest": 48, "largest": SIZES["volume"], "steps": 20, "growth": 1.5},
    },
    "solid": {
        "network": {"name": "builtin", "inflation": "planes"},
        "content": {"weight": 0.0},
        "style": {"statistic": "w2", "own_size": True},
        "smoothness": 0.0,
        "schedule": {"smallest": 32, "largest": SIZES["volume"], "steps": 40, "growth": 1.5},
        "init": "noise",
    },
    "phases": {
        "network": {"name": "builtin", "inflation": "planes"},
        "content": {"weight": 0.0},
        # A network that is asked for sees a tenth of the slices at each step.
        "style": {"weight": 0.0, "own_size": True, "frames": 16, "share": 0.1},
        "solid": {"two_point": 100.0, "values": 30.0, "variation": 300.0, "lags": 64},
        "smoothness": 0.0,
        # At ends that are open what is rare has less surface to pay for, and gathers: a fifth more than inside.
        "periodic": True,
        # One stage alone meets variation by fainter noise, and stays there; the last of three starts from what is
        # composed, and keeps a haze that is met as variation and cut to nothing: 10 % of the surface at 160³.
        "schedule": {
            "smallest": 1,
            "stages": 2,
            "largest": SIZES["volume"],
            "ratio": 2.5,
            "steps": 150,
            "growth": 0.5,
        },
        "optimizer": {"rate": 0.02},  # larger steps leave dust
        "init": "noise",
    },
    "sound": {**_SIGNAL, "network": {"name": "builtin1d"}},
    "series": {
        **_SIGNAL,
        "network": {"name": "random"},
        "series": {"autocorrelation": 1.0, "quantiles": 1.0},
    },
}
"""Kind of content -> choices for any network. A solid is a volume without content; one of
phases is made by terms of its samples alone, found with tests/benchmarks/solids.py. Volumes have many more samples
than pictures: fewer steps, most of them where they are cheap, and strokes of more samples."""

_FITS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "vgg19": {
        "": {"content": {"weight": 0.15}, "smoothness": 0.7, "schedule": {"steps": 50}},
        "volume": {"content": {"weight": 0.5}},
    },
    "builtin": {
        "": {"content": {"weight": 0.2}, "smoothness": 2.0, "schedule": {"steps": 60}},
        "video": {"content": {"weight": 0.16}},
        "volume": {"content": {"weight": 0.5}},
    },
}
"""Network -> kind of content, "" for any -> choices that fit the two; the medium's own choices win. They were
found with tests/benchmarks/peers.py. With `builtin`, frames that are held together keep more structure than each
for itself and need less content weight for as much style."""

_ON_DEMAND: Mapping[str, Any] = {
    "content": {"weight": 0.0},
    "smoothness": 0.0,
    "learn": {"steps": 250, "rate": 0.002, "others": 0.0, "nearness": 0.0},
    "periodic": False,
    "init": "content",
}
"""Choices with which a solid is learned that is made on demand. Each step sees a piece that no other has seen."""

_LEARNED: Mapping[str, Mapping[str, Any]] = {
    "": {"content": {"weight": 0.05}, "smoothness": 0.3, "learn": {"others": 0.25}},
    "image": {"content": {"weight": 0.1}, "learn": {"rate": 0.001}},
    "volume": {
        "content": {"weight": 0.15},
        "style": {"share": 0.06},
        "learn": {"crop": 72, "steps": 800, "rate": 0.0005, "examples": 48, "others": 0.0},
    },
    "solid": {**_ON_DEMAND, "style": {"share": 0.1}},
    # A network moves all samples at once: without much weight on their values it finds grays that correlate. What
    # is farther apart than these lags has few pairs in a section, which correlate by chance; coarser stages
    # compare it.
    "phases": merged(
        _ON_DEMAND,
        {"solid": {"values": 1000.0, "variation": 100.0, "lags": 8}, "learn": {"rate": 0.004, "nearness": 200.0}},
    ),
}
"""Kind of content, "" for any -> choices that fit a style that is learned, on top of those of the medium and the
network. Pictures differ more from one to the next than frames do, and steps twice as large break down on them. A
volume's pieces are small, and a step looks at few of their slices, for they have so many. Its kernels
add up three times as many weights as those of a picture, so that steps as large would overshoot."""

_ALIKE = {"vgg16_torchvision": "vgg19", "vgg19_torchvision": "vgg19"}
"""Networks that take the fit of another one; all that are not named here take that of `builtin`."""


def defaults(kind: str, network: str | None = None) -> Recipe:
    """The choices for a kind of content: image, video, volume, solid (a volume without
    content), phases (a solid that has the phases of its sections), sound, series.

    network: its name, if it is not the medium's own. Raises RecipeError for an unknown kind.
    """
    if kind not in _MEDIA:
        raise RecipeError(f"medium: {kind!r} is unknown; {nearest(kind, _MEDIA)}")
    choices = merged(_MEDIA[kind], {"network": {"name": network}} if network else {})
    name = Recipe().updated(choices).network.name
    fit = _FITS.get(_ALIKE.get(name, name), _FITS["builtin"])
    return Recipe().updated(merged(fit[""], fit.get(kind, {}), choices))


def learned(kind: str) -> Mapping[str, Any]:
    """The choices with which a style is learned, beside the defaults for a kind of content."""
    return merged(_LEARNED[""], _LEARNED.get(kind, {}))


def composed(kind: str, *choices: Mapping[str, Any]) -> Recipe:
    """The recipe of a kind of content with choices on top, nested as in TOML; the last wins.

    A network that is chosen brings the defaults that fit it, and a preset multiplies those; choices go before
    both. Raises RecipeError.
    """
    preset, layers = without_preset(*choices)
    network = merged(*layers).get("network")
    name = network.get("name") if isinstance(network, Mapping) else None
    recipe = with_preset(defaults(kind, name if isinstance(name, str) else None), preset)
    for layer in layers:
        recipe = recipe.updated(layer)
    return recipe
