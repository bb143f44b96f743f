"""What the shell offers on the tab key: networks, presets, keys of a recipe, and taps.

It must answer at once, so that it may not import torch: the names of networks and of their taps are written down
here, and a test holds them to those there are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from typer import Context

from volstyle.media.presets import PRESETS
from volstyle.recipe import Recipe


def _vgg(*widths: int) -> tuple[str, ...]:
    return tuple(f"relu{block}_{n}" for block, width in enumerate(widths, start=1) for n in range(1, width + 1))


_RESNET = ("stem", *(f"layer{group}_{block}" for group in range(1, 5) for block in range(2)))
_SCALES = ("scale1", "scale2", "scale4", "scale8")
_BANDS = tuple(f"bands{size}_{width}" for size, most in ((512, 4), (2048, 3)) for width in (1, 3, 9, 27)[:most])

TAPS: dict[str, tuple[str, ...]] = {
    "vgg19": _vgg(2, 2, 4, 4, 4),
    "builtin": ("relu1_1", *_vgg(0, 2, 2, 2, 1)),
    "builtin3d": ("relu1_1", *_vgg(0, 2, 2)),
    "builtin1d": (*_BANDS, "bins512_1", "bins512_3", *_SCALES),
    "random": _SCALES,
    "vgg16_torchvision": _vgg(2, 2, 3, 3, 3),
    "vgg19_torchvision": _vgg(2, 2, 4, 4, 4),
    "r3d_18": _RESNET,
    "mc3_18": _RESNET,
    "r2plus1d_18": _RESNET,
}
"""Names of networks -> those of their taps, the shallowest first."""


def networks(incomplete: str) -> list[str]:
    return [name for name in TAPS if name.startswith(incomplete)]


def presets(incomplete: str) -> list[str]:
    return [name for name in PRESETS if name.startswith(incomplete)]


def taps(ctx: Context, incomplete: str) -> list[str]:
    """The taps of the network on the command line; where none is named, those of the default network."""
    return [tap for tap in _taps_of(ctx) if tap.startswith(incomplete)]


def assignments(ctx: Context, incomplete: str) -> list[str]:
    """Keys of a recipe up to where the value begins; of a table of taps, the taps."""
    found = []
    for key, is_table in _keys(Recipe(), ""):
        if is_table and incomplete.startswith(f"{key}."):
            found += [f"{key}.{tap}=" for tap in _taps_of(ctx)]
        else:
            found.append(f"{key}{'.' if is_table else '='}")
    return [text for text in found if text.startswith(incomplete)]


def _keys(choice: object, prefix: str) -> Iterator[tuple[str, bool]]:
    """Keys of all choices, and whether each is a table of taps."""
    for field in dataclasses.fields(choice):  # type: ignore[arg-type]
        value = getattr(choice, field.name)
        if dataclasses.is_dataclass(value):
            yield from _keys(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", isinstance(value, dict)


def _taps_of(ctx: Context) -> tuple[str, ...]:
    return TAPS.get(ctx.params.get("network") or Recipe().network.name, ())
