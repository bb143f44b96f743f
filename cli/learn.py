"""`volstyle learn`: learning a style, with what it takes and how it goes printed on the way."""

from __future__ import annotations

from pathlib import Path

from volstyle.codecs import Encoding, Selection, check_writable
from volstyle.media.choices import load_choices
from volstyle.media.order import Order, StyleOrder, moment_of, style_named
from volstyle.media.run import carry_out
from volstyle.media.solid_lesson import lesson_of
from volstyle.media.volume import shape_of
from volstyle.recipe import assigned

from .options import LearnOptions
from .run.acts import Teller
from .screen import Screen


def learn_style(options: LearnOptions, screen: Screen) -> bool:
    """Learn a style and write it. Returns whether learning was stopped before its end; what was learned by then is
    written all the same."""
    if options.preview:
        check_writable(options.preview, Encoding(force=options.force), ("y", "x"))
    order = _order_of(options)
    teller = Teller(screen, options.preview)
    result = carry_out(order, teller)
    for note in result.notes:
        if note not in teller.noted:
            screen.entry("note", note)
    if result.stopped:
        screen.entry("stopped", f"in stage {result.last[0] + 1}, after step {result.last[1]}")
    screen.entry("wrote", f"{result.output} and its record {order.record_path}")
    return result.stopped


def _order_of(options: LearnOptions) -> Order:
    """The order that the options describe. Raises VolstyleError."""
    shape = None if options.shape is None else shape_of(options.shape)
    # A name that ends in an axis is that of a section; elsewhere it is a name like others.
    styles = tuple(StyleOrder(path) if shape is None else style_named(str(path)) for path in options.styles)
    return lesson_of(
        styles,
        tuple(options.on),
        options.output or Path(f"{'-'.join(style.path.stem for style in styles)}.safetensors"),
        shape=shape,
        kind=options.kind,
        size=options.size,
        given={} if options.recipe is None else load_choices(options.recipe),
        chosen=(options.choices(), *map(assigned, options.set_)),
        selection=Selection(start=moment_of("start", options.start), end=moment_of("end", options.end)),
        encoding=Encoding(force=options.force),
        resume=not options.no_resume,
    )
