"""Carrying out an errand: the library does the work; what happens is printed, drawn and reported here."""

from __future__ import annotations

from volstyle.codecs import Encoding, check_writable
from volstyle.codecs.atomic import check_target
from volstyle.errors import OutputError
from volstyle.media.run import carry_out, check_not_read

from ..draw.drawing import said_after
from ..screen import Screen
from .acts import Teller
from .order import Errand
from .pipes import check_out, picture_out

_PICTURE, _CLIP = ("y", "x"), ("t", "y", "x")


def run_errand(errand: Errand, screen: Screen) -> bool:
    """Returns whether it was stopped before its end; what there was by then is written all the same.

    Raises VolstyleError, and leaves nothing half-written.
    """
    check_drawings(errand)
    teller = Teller(screen, errand.preview)
    result = carry_out(errand.order, teller)
    for note in result.notes:
        screen.entry("note", note)
    if result.stopped and teller.stages:
        screen.entry("stopped", f"in stage {result.last[0] + 1} of {teller.stages}, after step {result.last[1]}")
    elif result.stopped:
        screen.entry("stopped", f"after {result.last[1]} frames or parts; the rest is as it was")
    if result.output != errand.order.output:  # stopped while it learned
        screen.entry("wrote", f"{result.output}; the same command goes on with what it learned")
        return True
    said_after(teller.opened, result, errand, screen)
    if result.output is None:
        picture_out(result.field)
        return result.stopped
    screen.entry("wrote", f"{result.output} and its record {errand.order.record_path}")
    if errand.report:
        from ..draw.report import write_report  # its curves need matplotlib, which other runs do without

        write_report(errand.order.record_path, errand.report, force=errand.order.encoding.force)
        screen.entry("wrote", f"{errand.report}")
    return result.stopped


def check_drawings(errand: Errand) -> None:
    """Raises OutputError now for a picture or a page that could not be written after the work."""
    force = errand.order.encoding.force
    if errand.order.output is None:
        check_out()
        if errand.report:
            raise OutputError(f"{errand.report}: a report is of a result in a file; give -o FILE")
    for picture, axes in ((errand.preview, _PICTURE), (errand.turn, _CLIP)):
        if picture:
            check_writable(picture, Encoding(force=force), axes)
    if errand.report:
        check_target(errand.report, force)
    written = (errand.preview, errand.turn, errand.report)
    check_not_read(errand.order, [path for path in written if path])
