"""A stream as FFmpeg reads it, once and forwards; and whether it was whole, which FFmpeg does not say: it drops a
packet that is cut off, and what is missing behind it nobody misses."""

from __future__ import annotations

import select
from typing import BinaryIO

from volstyle.errors import InputError

_MATROSKA, _NUT, _Y4M = b"\x1a\x45\xdf\xa3", b"nut/multimedia container\0", b"YUV4MPEG2 "
_NUT_INDEX = bytes.fromhex("4E58DD672F23E64E")
_SEGMENT = 0x18538067


class Reading:
    """A binary file that is read once, forwards, without waiting for more than there is.

    count: bytes that came.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._read = getattr(file, "read1", file.read)  # `read` of a buffered file waits until all has come
        self.count = 0
        self._start = self._last = b""
        self._indexed = False
        self._elements = _Elements()

    def read(self, most: int) -> bytes:
        """At least one byte, or none at the end. Raises InputError."""
        try:
            while (data := self._read(most)) is None:  # there is none yet, and the file does not wait
                select.select([self._file], [], [])
        except OSError as error:
            raise InputError(f"-: cannot be read ({error.strerror or error})") from error
        self.count += len(data)
        if len(self._start) < len(_NUT):
            self._start += bytes(data[: len(_NUT)])
        if self._start.startswith(_NUT):
            self._indexed = self._indexed or _NUT_INDEX in self._last + data
            self._last = data[1 - len(_NUT_INDEX) :]
        elif self._start.startswith(_MATROSKA):
            self._elements.feed(data)
        return bytes(data)

    def missing(self, last: int) -> str:
        """What a stream that came to its end lacks; "" for nothing that could be told. last: where in the stream
        the last packet ends.

        NUT ends with an index, which FFmpeg writes into a pipe too. Matroska is made of elements, each of which
        says how long it is. Y4M ends with its last picture."""
        if self._start.startswith(_NUT):
            return "" if self._indexed else "the index at its end is missing"
        if self._start.startswith(_MATROSKA):
            return "" if self._elements.at_end else "its last cluster is not complete"
        if self._start.startswith(_Y4M):
            return "" if last == self.count else "its last picture is not complete"
        return ""


class _Elements:
    """Elements of EBML as their bytes go by. Source: RFC 8794, sections 4 to 6; RFC 9559, section 5."""

    def __init__(self) -> None:
        self._begun = b""
        self._skip = 0
        self._known = True

    @property
    def at_end(self) -> bool:
        """Whether the last element ends here, as far as can be told."""
        return not self._known or not (self._begun or self._skip)

    def feed(self, data: bytes) -> None:
        """The next bytes. A segment, and a cluster of unknown length, is looked into."""
        data, self._begun = self._begun + data, b""
        while self._known and data:
            skipped = min(self._skip, len(data))
            data, self._skip = data[skipped:], self._skip - skipped
            if not data:
                return
            name_length = 9 - data[0].bit_length()
            at = data[name_length : name_length + 1]
            length = name_length + (9 - at[0].bit_length() if at else 1)
            if len(data) < length:
                self._begun = data
                return
            self._known = name_length <= 4 and length - name_length <= 8
            most = (1 << 7 * (length - name_length)) - 1
            size = int.from_bytes(data[name_length:length]) & most
            is_open = size == most or int.from_bytes(data[:name_length]) == _SEGMENT
            data, self._skip = data[length:], 0 if is_open else size
