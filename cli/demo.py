"""The demo: a clip and three paintings drawn by formula, the clip after one, a still of it after all three."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from volstyle.codecs import Encoding, Moment, Selection, read, write
from volstyle.errors import OutputError
from volstyle.grid.field import Axis, Field
from volstyle.media.order import Order, StyleOrder
from volstyle.recipe import Recipe

from .art import draw_clip, draw_pictures
from .draw.contact_sheet import Captioned, contact_sheet
from .options import DemoOptions
from .recipes import recipe_of
from .run.carry_out import run_errand
from .run.order import Errand
from .screen import Screen

_PAINTINGS = ("swirl", "glass", "woodcut")
_CLIP, _STILL = Selection(size=160, end=Moment(0.56)), Selection(size=256)
"""What is styled of the clip, and the size of the still: so much that two cores take less than three minutes."""


def show_demo(options: DemoOptions, screen: Screen) -> bool:
    """Draw and style the demo. Returns whether it was stopped. Raises VolstyleError."""
    folder = options.out
    if folder.exists() and not options.force:
        raise OutputError(f"{folder}: is there already; give another --out or --force")
    recipe, moving = recipe_of(options), recipe_of(options, medium="video")
    folder.mkdir(parents=True, exist_ok=True)
    clip, still = folder / "clip.mp4", folder / "still.png"
    draw_clip(clip)
    draw_pictures(folder, _PAINTINGS, ".png")
    write(still, _middle(read(clip)), Encoding(force=True))
    runs = [
        _order("video", clip, folder / f"{_PAINTINGS[0]}.png", folder / "clip-styled.mp4", _CLIP, moving),
        *(
            _order("image", still, folder / f"{name}.png", folder / f"still-{name}.png", _STILL, recipe)
            for name in _PAINTINGS
        ),
    ]
    for order in runs:
        if run_errand(Errand(order), screen):
            return True
        screen.print()
    sheet = folder / "sheet.png"
    write(sheet, _sheet(folder), Encoding(force=True))
    screen.print(f"Open {sheet} for all of it at a glance, and {folder / 'clip-styled.mp4'} to see it move.")
    return False


def _order(kind: str, content: Path, style: Path, output: Path, part: Selection, recipe: Recipe) -> Order:
    return Order(
        kind=kind,
        content=content,
        styles=(StyleOrder(style),),
        output=output,
        recipe=recipe,
        selection=part,
        encoding=Encoding(force=True),
    )


def _middle(clip: Field) -> Field:
    return Field(clip.samples[:, clip.shape[0] // 2].contiguous(), (Axis("y"), Axis("x")))


def _sheet(folder: Path) -> Field:
    """Above what was given, below what came out."""

    def picture(name: str) -> Tensor:
        return read(folder / name).samples

    still = picture("still.png")
    moved: Captioned = ("a frame of the clip, styled", _middle(read(folder / "clip-styled.mp4")).samples)
    given: list[Captioned] = [("a frame of the clip", still), *((n, picture(f"{n}.png")) for n in _PAINTINGS)]
    came: list[Captioned] = [moved, *((f"after {n}", picture(f"still-{n}.png")) for n in _PAINTINGS)]
    width = 320
    return contact_sheet([given, came], round(width * still.shape[1] / still.shape[2]), width)
