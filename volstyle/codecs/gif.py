"""Whether a GIF is whole, which FFmpeg does not say: it fills the rest of a picture that is cut off with noise."""

from __future__ import annotations

from pathlib import Path

_EXTENSION, _PICTURE, _TRAILER = 0x21, 0x2C, 0x3B


def is_whole(path: Path) -> bool:
    """Whether all blocks of a GIF are there, up to its trailer; what stands behind that is not looked at.

    Source: GIF89a, sections 15 and 17 to 27."""
    data = path.read_bytes()
    if len(data) < 13:
        return False
    place = 13 + _colors(data[10])
    while place < len(data):
        kind = data[place]
        if kind == _TRAILER:
            return True
        if kind == _EXTENSION:
            place += 2
        elif kind == _PICTURE and place + 9 < len(data):
            place += 11 + _colors(data[place + 9])  # its description, its colors, and the width of its codes
        else:
            return False
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
    return False


def _colors(flags: int) -> int:
    """Bytes of a table of colors, by the flags that announce it."""
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0
