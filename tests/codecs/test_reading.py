"""Whether a stream is whole is told from its bytes."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import av
import pytest

from tests.clips import make_clip, tone
from volstyle.codecs.reading import Reading
from volstyle.errors import InputError


def missing(data: bytes, most: int = 999) -> str:
    """What a stream lacks that is read in pieces, all its packets too."""
    reading, last = Reading(io.BytesIO(data)), 0
    with av.open(reading, "r", buffer_size=most) as container:
        for packet in container.demux():
            last = (packet.pos or 0) + packet.size if packet.size else last
    return reading.missing(last)


@pytest.mark.parametrize(
    ("name", "codec", "says"),
    [
        ("a.nut", "ffv1", "the index at its end is missing"),
        ("a.mkv", "ffv1", "its last cluster is not complete"),
        ("a.y4m", "wrapped_avframe", "its last picture is not complete"),
    ],
)
def test_a_stream_cut_off_anywhere_is_not_whole(tmp_path: Path, name: str, codec: str, says: str) -> None:
    pixels, sound = ("yuv420p", None) if name == "a.y4m" else ("bgr0", tone)
    path = make_clip(tmp_path / name, range(6), codec=codec, pixels=pixels, sound=sound)
    data = path.read_bytes()
    assert missing(data) == ""
    assert missing(data, 17) == ""
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux() if packet.size]
    for place in range(places[1] + 9, places[-1] + 9, max(1, len(data) // 40)):
        assert missing(data[:place]) == says


def test_what_is_of_another_kind_may_be_whole() -> None:
    reading = Reading(io.BytesIO(b"anything"))
    assert reading.read(100) == b"anything"
    assert reading.read(100) == b""
    assert (reading.count, reading.missing(0)) == (8, "")


def test_bytes_come_when_they_are_there() -> None:
    """Not when as many have come as were asked for; from what does not wait too."""
    for blocking in (True, False):
        taken, given = os.pipe()
        os.set_blocking(taken, blocking)
        with io.FileIO(taken) as file:

            def give(place: int = given) -> None:
                for data in (b"one", b"two"):
                    time.sleep(0.05)
                    os.write(place, data)
                os.close(place)

            giver = threading.Thread(target=give)
            giver.start()
            reading = Reading(file)
            assert [reading.read(100) for _ in range(3)] == [b"one", b"two", b""]
            giver.join()


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_file_that_cannot_be_read_is_one_line() -> None:
    with pytest.raises(InputError, match=r"-: cannot be read \(Input/output error\)"):
        Reading(Broken()).read(10)  # type: ignore[arg-type]
