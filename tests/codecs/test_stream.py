"""Clips that are read once and written frame after frame, through what cannot seek."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from tests.clips import HEIGHT, UNEVEN, WIDTH, first_video, levels_of, make_clip, packets, times, tone
from tests.codecs.pipes import (
    LOSSLESS,
    Pipe,
    Sink,
    clear_clip,
    frames,
    inverted,
    read_nut,
    same,
    since_first,
    through,
)
from volstyle.codecs import DEFAULT, WHOLE, Encoding, Moment, Selection, read
from volstyle.codecs.high_range import PAINTED_NOTE
from volstyle.codecs.stream import Passed, styled
from volstyle.errors import InputError, OutputError, ShapeError
from volstyle.grid.field import Field

KEEP_GOING = Selection(keep_going=True)


@pytest.mark.parametrize("name", ["in.nut", "in.mkv", "in.y4m"])
def test_a_stream_is_turned_frame_by_frame(tmp_path: Path, name: str) -> None:
    """Twice inverted without loss it is the same, bit for bit, and so is its sound."""
    source = tmp_path / name
    if name == "in.y4m":
        make_clip(source, codec="wrapped_avframe")
    else:
        make_clip(source, codec="ffv1", pixels="bgr0", sound=tone)
    once, twice = tmp_path / "once.nut", tmp_path / "twice.nut"
    assert through(source, once, inverted, LOSSLESS) == Passed(8)
    assert through(once, twice, inverted, LOSSLESS) == Passed(8)
    before, inverse = (levels_of(read_nut(path)) for path in (source, once))
    assert torch.equal(inverse, 255 - before)
    assert torch.equal(levels_of(read_nut(twice)), before)
    assert since_first(twice) == since_first(source)
    if name != "in.y4m":
        sound, wanted = packets(twice), packets(source)
        assert [data for data, _ in sound] == [data for data, _ in wanted]
        late = times(twice)[0] - times(source)[0]
        # Matroska counts in milliseconds.
        assert max(abs(at - was - late) for (_, at), (_, was) in zip(sound, wanted, strict=True)) < 0.001


@pytest.mark.parametrize("suffix", [".nut", ".mkv"])
def test_a_variable_rate_is_kept(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / f"in{suffix}", [30 + tick for tick in UNEVEN], Fraction(1, 50))
    assert through(source, tmp_path / "out.nut") == Passed(len(UNEVEN))
    assert times(tmp_path / "out.nut") == times(source) == [Fraction(30 + tick, 50) for tick in UNEVEN]


@pytest.mark.parametrize(("codec", "pixels"), [("rawvideo", "rgba"), ("ffv1", "bgra")])
def test_transparency_is_kept_where_there_is_a_place_for_it(tmp_path: Path, codec: str, pixels: str) -> None:
    source = clear_clip(tmp_path / "in.nut", codec, pixels)
    assert through(source, tmp_path / "out.nut", inverted, LOSSLESS) == Passed(4)
    found = frames(tmp_path / "out.nut", "rgba")
    assert np.array_equal(found[..., 3], frames(source, "rgba")[..., 3])
    assert np.array_equal(found[..., :3], 255 - frames(source))
    done = through(source, tmp_path / "visual.nut")
    assert done.notes == ("stream.nut: no transparency in this format, left out; --quality lossless keeps it",)


def test_10_bit_stays_10_bit(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", codec="ffv1", pixels="yuv420p10le")
    assert through(source, tmp_path / "out.nut") == Passed(8)
    assert first_video(tmp_path / "out.nut")["pixels"] == "yuv420p10le"
    apart = frames(tmp_path / "out.nut", "rgb48le").astype(int) - frames(source, "rgb48le")
    assert np.abs(apart).mean() / 257 < 1
    assert through(source, tmp_path / "out.nut", encoding=LOSSLESS) == Passed(8)
    assert first_video(tmp_path / "out.nut")["pixels"] == "gbrp10le"


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (6, 2, 6, 6), (9, 1, 9, 1), (9, 1, 9, 16)])
def test_color_tags_and_aspect_are_kept(tmp_path: Path, tags: tuple[int, int, int, int]) -> None:
    source = make_clip(tmp_path / "in.nut", tags=tags, aspect=Fraction(4, 3))
    high = tags[3] == 16  # PQ, in which what is brighter than the white of sRGB becomes that
    assert through(source, tmp_path / "out.nut") == Passed(8, (PAINTED_NOTE,) if high else ())
    found, wanted = first_video(tmp_path / "out.nut"), first_video(source)
    assert found["tags"] == wanted["tags"] == tags
    assert found["aspect"] == Fraction(4, 3)
    if not high:
        assert np.abs(frames(tmp_path / "out.nut").astype(int) - frames(source)).mean() < 3


def test_tags_that_a_lossless_stream_has_no_place_for_are_noted(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", tags=(9, 1, 9, 16))
    (note, painted) = through(source, tmp_path / "out.nut", encoding=LOSSLESS).notes
    assert "primaries 9, transfer 16" in note
    assert painted == PAINTED_NOTE


def test_a_rotated_stream_is_upright(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", rotation=90, aspect=Fraction(4, 3))
    assert through(source, tmp_path / "out.nut") == Passed(8)
    found = first_video(tmp_path / "out.nut")
    assert found["aspect"] == Fraction(3, 4)
    with av.open(str(tmp_path / "out.nut")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (HEIGHT, WIDTH, 0)
    wanted = read(source).samples[:, 0].movedim(0, -1).numpy() * 255
    assert np.abs(frames(tmp_path / "out.nut")[0] - wanted).mean() < 3


def test_size_makes_a_stream_smaller(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", sound=tone)
    assert through(source, tmp_path / "out.nut", selection=Selection(size=32)) == Passed(8)
    assert frames(tmp_path / "out.nut").shape[1:3] == (24, 32)


@pytest.mark.parametrize("name", ["in.nut", "in.mkv", "in.y4m"])
@pytest.mark.parametrize("share", [0.6, 0.8, 0.97])
def test_of_a_stream_cut_off_what_came_is_written(tmp_path: Path, name: str, share: float) -> None:
    source = make_clip(
        tmp_path / name,
        range(12),
        codec="wrapped_avframe" if name == "in.y4m" else "libx264",
        sound=None if name == "in.y4m" else tone,
        options={} if name == "in.y4m" else {"g": "1"},
    )
    whole = source.read_bytes()
    done = through(whole[: int(share * len(whole))], tmp_path / "out.nut")
    assert 0 < done.frames <= 12
    assert done.cut.startswith("-: ")
    assert f"the {done.frames} frames before it are written" in done.cut
    assert "\n" not in done.cut
    assert len(frames(tmp_path / "out.nut")) == done.frames
    assert through(tmp_path / "out.nut", tmp_path / "again.nut").cut == ""
    assert through(whole, tmp_path / "out.nut") == Passed(12)


def damaged(path: Path) -> bytes:
    """Of 12 frames the sixth is overwritten."""
    data = bytearray(make_clip(path, range(12), options={"g": "1"}).read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux() if packet.size][5]
    at = packet.pos + packet.size // 3
    data[at : packet.pos + packet.size] = b"\x55" * (packet.pos + packet.size - at)
    return bytes(data)


def test_damage_ends_a_stream_unless_it_is_to_go_on(tmp_path: Path) -> None:
    data = damaged(tmp_path / "in.nut")
    done = through(data, tmp_path / "out.nut")
    assert done.frames == 5
    assert "--keep-going leaves it out" in done.cut
    done = through(data, tmp_path / "out.nut", selection=KEEP_GOING)
    assert done.frames == 11
    assert done.cut == ""
    assert "left out" in done.notes[0]


def test_what_is_no_stream_is_one_line(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", options={"movflags": "+faststart"})
    with av.open(str(tmp_path / "sound.nut"), "w") as container:
        track = container.add_stream("pcm_s16le", rate=8000)
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        heard.sample_rate = 8000
        container.mux(track.encode(heard))
    cut = make_clip(tmp_path / "in.y4m", codec="wrapped_avframe").read_bytes()[:500]
    for data, says in {
        b"": "nothing comes in",
        b"hello there\n" * 500: "not a stream of NUT, Matroska or Y4M",
        (tmp_path / "a.mp4").read_bytes(): "not a stream of NUT, Matroska or Y4M",
        (tmp_path / "sound.nut").read_bytes(): "no video stream (found: audio)",
        cut: "its last picture is not complete; give a clip that has frames",
    }.items():
        with pytest.raises(InputError) as error:
            through(data, tmp_path / "out.nut")
        assert says in str(error.value)
        assert "\n" not in str(error.value)
        assert (tmp_path / "out.nut").read_bytes() == b""


def test_what_cannot_be_done_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    source = Pipe(b"anything")
    for target, encoding, selection, says in (
        (Sink(), DEFAULT, Selection(start=Moment(1)), "cut a stream where it is made"),
        (Sink(), Encoding("prores"), WHOLE, "ProRes does not fit into .nut; use lossless"),
        (Sink(), Encoding("best"), WHOLE, "quality: 'best' is unknown"),
        (tmp_path / "a.gif", DEFAULT, WHOLE, "cannot be written frame by frame"),
        (tmp_path / "no" / "a.mp4", DEFAULT, WHOLE, "no folder"),
    ):
        with pytest.raises((InputError, OutputError), match=says):
            styled(source, target, (same,), encoding, selection)  # type: ignore[arg-type]
    assert source.read(100) == b"anything"


def test_a_stream_becomes_a_file_and_a_file_a_stream(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", UNEVEN, Fraction(1, 600), sound=tone)
    target = tmp_path / "out.mp4"
    assert styled(Pipe(source.read_bytes()), target, (same,)) == Passed(len(UNEVEN))  # type: ignore[arg-type]
    assert since_first(target) == since_first(source)
    assert [data for data, _ in packets(target)] == [data for data, _ in packets(source)]
    sink = Sink()
    assert styled(target, sink, (same,)) == Passed(len(UNEVEN))  # type: ignore[arg-type]
    (tmp_path / "again.nut").write_bytes(sink.data)
    assert since_first(tmp_path / "again.nut") == since_first(source)
    with pytest.raises(InputError, match="no such file"):
        styled(tmp_path / "none.mp4", sink, (same,))  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="would be written over"):
        styled(target, target, (same,), Encoding(force=True))


def test_turns_are_done_one_after_the_other_and_beside_each_other(tmp_path: Path) -> None:
    """The second turn of a frame waits until the first turn of the next has begun."""
    source = make_clip(tmp_path / "in.mkv", range(4))
    begun = [threading.Event() for _ in range(5)]
    begun[4].set()
    numbers, again = iter(range(4)), iter(range(4))

    def darker(frame: Field) -> Field:
        begun[next(numbers)].set()
        return frame.with_samples(frame.samples / 2)

    def inverse(frame: Field) -> Field:
        assert begun[next(again) + 1].wait(20), "the next frame waits for this one"
        return frame.with_samples(1 - frame.samples)

    out = tmp_path / "out.mkv"
    assert styled(source, out, (darker, inverse), Encoding("lossless")) == Passed(4)
    torch.testing.assert_close(read(out).samples, 1 - read(source).samples / 2, atol=0.02, rtol=0)


def _working() -> list[str]:
    """Threads of ours that still run; other libraries leave some of their own."""
    return [thread.name for thread in threading.enumerate() if "ahead" in thread.name]


def test_a_style_that_fails_leaves_no_file(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut")

    def smaller(frame: Field) -> Field:
        return frame.with_samples(frame.samples[:, ::2])

    with pytest.raises(ShapeError, match="made 24x64 of a frame of 48x64"):
        styled(source, tmp_path / "out.mp4", (smaller,))
    assert [path.name for path in tmp_path.iterdir()] == ["in.nut"]
    assert not _working()


def test_somebody_may_stop(tmp_path: Path) -> None:
    source, sink = make_clip(tmp_path / "in.nut", sound=tone), Sink()
    done = styled(Pipe(source.read_bytes()), sink, (same,), watch=lambda count: count == 3)  # type: ignore[arg-type]
    assert done == Passed(3, stopped=True)
    (tmp_path / "out.nut").write_bytes(sink.data)
    assert len(frames(tmp_path / "out.nut")) == 3


class Gone(Sink):
    """A reader that goes away after the first bytes."""

    def write(self, data: Any) -> int:
        if len(self.data) > 2000:
            raise BrokenPipeError
        return super().write(data)


class Full(Sink):
    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


def test_a_reader_that_goes_away_ends_it(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", range(40), sound=tone).read_bytes()
    done = styled(Pipe(source), Gone(), (same,))  # type: ignore[arg-type]
    assert done.unread
    assert done.frames < 40
    with pytest.raises(OutputError, match=r"-: cannot be written \(No space left on device\)"):
        styled(Pipe(source), Full(), (same,))  # type: ignore[arg-type]
    assert not _working()


RAW = WIDTH * HEIGHT * 3 // 2 + len("FRAME\n")


class Marked(Sink):
    """Counts what is out: the header of NUT, then a frame at a time."""

    frames = -1

    def flush(self) -> None:
        self.frames += 1


class Live(Pipe):
    """A camera that gives a frame only when all but `lag` of those before it have come out."""

    def __init__(self, data: bytes, sink: Marked, lag: int) -> None:
        super().__init__(data, RAW)
        self._sink, self._lag, self.given = sink, lag, 0.0

    def readinto(self, buffer: Any) -> int:
        until = time.monotonic() + 20
        while self.given - self._sink.frames > self._lag:
            assert time.monotonic() < until, f"{self.given} frames came, {self._sink.frames} went out"
            time.sleep(0.001)
        count = super().readinto(buffer)
        self.given += count / RAW
        return count


def test_a_frame_goes_out_before_the_next_but_one_comes(tmp_path: Path) -> None:
    data, sink = make_clip(tmp_path / "in.y4m", range(30), codec="wrapped_avframe").read_bytes(), Marked()
    assert styled(Live(data, sink, 2), sink, (same,)) == Passed(30)  # type: ignore[arg-type]


class Slow(Sink):
    """What takes nothing for a while after the first frames."""

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.go_on = threading.Event(), threading.Event()

    def write(self, data: Any) -> int:
        if len(self.data) > 3000:
            self.waits.set()
            self.go_on.wait(20)
        return super().write(data)


def test_a_slow_reader_slows_the_writer(tmp_path: Path) -> None:
    """While nobody takes anything, a few frames are read and no more: they do not gather."""
    source = Pipe(make_clip(tmp_path / "in.y4m", range(60), codec="wrapped_avframe").read_bytes(), RAW)
    sink, left = Slow(), []

    def look() -> None:
        sink.waits.wait(20)
        time.sleep(0.5)
        left.append(len(source._data) / RAW)
        sink.go_on.set()

    looks = threading.Thread(target=look)
    looks.start()
    assert styled(source, sink, (same,)) == Passed(60)  # type: ignore[arg-type]
    looks.join()
    assert left[0] > 25
