"""What the choices for each kind of content begin with."""

from __future__ import annotations

from volstyle.recipe import (
    ContentChoice,
    NetworkChoice,
    Recipe,
    ScheduleChoice,
    StyleChoice,
)

SIZES = {"image": 512, "video": 256, "volume": 256}
"""What kind of content -> long side being optimized, unless --size says otherwise."""


BASES = {
    "video": Recipe(content=ContentChoice(weight=0.16)),
    "volume": Recipe(
        network=NetworkChoice(inflation="planes"),
        content=ContentChoice(weight=0.5),
        style=StyleChoice(scale=1.5),
        schedule=ScheduleChoice(smallest=48, largest=SIZES["volume"], steps=10, growth=2.0),
    ),
    "solid": Recipe(
        network=NetworkChoice(inflation="planes"),
        content=ContentChoice(weight=0.0),
        style=StyleChoice(statistic="w2"),
        smoothness=0.0,
        schedule=ScheduleChoice(smallest=32, largest=SIZES["volume"], steps=40, growth=1.5),
        init="noise",
    ),
}
"""Kind of content, or "solid" for none -> what its choices begin with. Volumes have many more samples than
pictures: fewer steps, most of them where they are cheap, and strokes of more samples. Frames that are held
together keep more structure than each for itself: with less content weight they have as much of the style."""
