"""Chunks of PNG: those that OpenCV needs, and the color profile."""

from __future__ import annotations

import zlib
from pathlib import Path

from volstyle.errors import InputError

BEGIN = b"\x89PNG\r\n\x1a\n"
"""The first bytes of a PNG."""

_READ = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"bKGD")
"""Chunks that OpenCV makes something of, beside those that every decoder must know."""

_MOST = 2**24
"""Bytes of a color profile; one that unpacks to more is damaged."""


def without_others(path: Path, data: bytes) -> tuple[bytes, bytes | None, tuple[str, ...]]:
    """A PNG with no chunks but those that OpenCV makes something of; its ICC profile, and notes for the user.

    libpng prints a warning to standard error for each thing it finds amiss in the others. Raises InputError for a
    file that ends before a chunk does: OpenCV makes room for all that a chunk says it is long, up to 4 GB, before
    it looks whether that is there.
    """
    kept = [data[: len(BEGIN)]]
    profile: bytes | None = None
    notes: tuple[str, ...] = ()
    place, kind = len(BEGIN), b""
    while place < len(data) and kind != b"IEND":
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(data):
            raise InputError(f"{path}: damaged, ends before its {kind.decode('latin-1')!r} does; give a whole one")
        if kind == b"iCCP":
            profile = _profile(data[place + 8 : end - 4])
            notes = () if profile else (f"{path.name}: its color profile is damaged and is left out",)
        elif kind[:1].isupper() or kind in _READ:
            kept.append(data[place:end])
        place = end
    return b"".join(kept), profile, notes


def _profile(chunk: bytes) -> bytes | None:
    """The ICC profile in an iCCP chunk: a name, a zero, the method of packing, a zlib stream. None if damaged."""
    name, _, packed = chunk.partition(b"\0")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed[1:], _MOST)
    except zlib.error:
        return None
    whole = inflate.eof and int.from_bytes(profile[:4], "big") == len(profile)  # the header says its length
    return profile if name and whole else None
