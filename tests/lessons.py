"""Styles that were learned, in no time: what they paint is of no use but to be told from the content."""

from __future__ import annotations

from pathlib import Path

from volstyle.codecs import Encoding, Selection
from volstyle.media.follower import Follower
from volstyle.media.lesson import lesson
from volstyle.media.order import StyleOrder
from volstyle.media.run import carry_out

_QUICK = {"network": {"name": "random"}, "learn": {"steps": 1, "examples": 1, "crop": 32, "largest": 32}}


def learn(output: str, styles: tuple[str, ...], content: str, kind: str) -> Path:
    """A file of styles, learned in a step from files of pictures and of one content."""
    order = lesson(
        tuple(StyleOrder(Path(name)) for name in styles),
        (Path(content),),
        Path(output),
        kind=kind,
        size=None,
        given={},
        chosen=(_QUICK,),
        selection=Selection(),
        encoding=Encoding(),
        resume=False,
    )
    carry_out(order, Follower())
    return Path(output)
