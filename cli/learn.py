"""`volstyle learn`: learning a style, with what it takes and how it goes printed on the way."""

from __future__ import annotations

from pathlib import Path

from volstyle.codecs import Encoding, Selection, check_writable
from volstyle.media.choices import load_choices
from volstyle.media.lesson import lesson
from volstyle.media.order import StyleOrder, moment_of
from volstyle.media.run import carry_out
from volstyle.recipe import assigned

from .options import LearnOptions
from .run.acts import Teller
from .screen import Screen


def learn_style(options: LearnOptions, screen: Screen) -> bool:
    """Learn a style and write it. Returns whether learning was stopped before its end; what was learned by then is
    written all the same."""
    if options.preview:
        check_writable(options.preview, Encoding(force=options.force), ("y", "x"))
    order = lesson(
        tuple(StyleOrder(path) for path in options.styles),
        tuple(options.on),
        options.output or Path(f"{'-'.join(path.stem for path in options.styles)}.safetensors"),
        kind=options.kind,
        size=options.size,
        given={} if options.recipe is None else load_choices(options.recipe),
        chosen=(options.choices(), *map(assigned, options.set_)),
        selection=Selection(start=moment_of("start", options.start), end=moment_of("end", options.end)),
        encoding=Encoding(force=options.force),
        resume=not options.no_resume,
    )
    teller = Teller(screen, options.preview)
    result = carry_out(order, teller)
    for note in result.notes:
        if note not in teller.noted:
            screen.entry("note", note)
    if result.stopped:
        screen.entry("stopped", f"in stage {result.last[0] + 1}, after step {result.last[1]}")
    screen.entry("wrote", f"{result.output} and its record {order.record_path}")
    return result.stopped
