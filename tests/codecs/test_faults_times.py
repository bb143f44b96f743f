"""Clips whose time stamps other tools stumbled over, and what must become of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.codecs.clips_of import RATE, make, times
from volstyle.codecs import Moment, Selection, open_clip, probe, read, write
from volstyle.codecs.video import VideoOrigin
from volstyle.errors import InputError


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_pictures_of_avi_come_at_its_rate(tmp_path: Path, codec: str) -> None:
    """AVI has no time stamps; those that FFmpeg guesses for pictures out of order are out of order themselves."""
    clip = open_clip(make(tmp_path / "a.avi", codec=codec, options={"bf": "2"}))
    assert isinstance(clip.origin, VideoOrigin)
    assert clip.origin.ticks == tuple(range(8))
    assert clip.notes == ()
    for name in ("b.avi", "b.mp4"):
        assert write(tmp_path / name, clip) == []
        assert times(tmp_path / name) == pytest.approx([index / RATE for index in range(8)], abs=2e-3)
    green = read(tmp_path / "a.avi").samples[1].mean((1, 2))
    assert bool((green.diff() > 0).all())


def test_frames_at_one_time_stamp_are_moved_apart_with_a_note(tmp_path: Path) -> None:
    path, base = tmp_path / "a.mkv", Fraction(1, 1000)
    with (
        av.open(
            str(make(tmp_path / "b.mkv", count=6, time_base=base, stamps=[0, 40, 80, 120, 160, 200]))
        ) as whole,
        av.open(str(path), "w") as container,
    ):
        stream = container.add_stream_from_template(whole.streams.video[0])
        for packet, time in zip(whole.demux(video=0), [0, 40, 80, 80, 80, 160], strict=False):
            packet.pts = packet.dts = time
            packet.stream = stream
            container.mux(packet)
    clip = open_clip(path)
    assert any("moved apart" in note for note in clip.notes)
    for name in ("c.mp4", "c.mkv", "c.mov"):
        assert write(tmp_path / name, clip) == []
        found = times(tmp_path / name)
        assert found == pytest.approx([0, 0.04, 0.08, 0.106, 0.133, 0.16], abs=2e-3)


@pytest.mark.parametrize("last", [1, 30])
def test_the_last_picture_of_slides_is_shown_as_long_as_the_file_says(tmp_path: Path, last: int) -> None:
    """Pictures that are decoded out of order, two seconds apart but for the last."""
    base, stamps = Fraction(1, 25), [0, 50, 100]
    path = make(tmp_path / "a.mp4", count=3, time_base=base, stamps=stamps, lasts=last, options={"bf": "2"})
    write(tmp_path / "b.mp4", open_clip(path))
    for name in ("a.mp4", "b.mp4"):
        assert times(tmp_path / name) == pytest.approx([0, 2, 4], abs=2e-3)
        with av.open(str(tmp_path / name)) as container:
            assert container.duration / av.time_base == pytest.approx(4 + last / 25, abs=5e-3)


@pytest.mark.parametrize("rate", [24, 30])
def test_an_end_in_milliseconds_makes_no_picture_shorter(tmp_path: Path, rate: int) -> None:
    """FFmpeg writes one where pictures are decoded out of order: here it comes some ticks before the last ends."""
    path = make(tmp_path / "a.mp4", count=14, time_base=Fraction(1, rate), lasts=1, options={"bf": "2"})
    origin = open_clip(path).origin
    assert isinstance(origin, VideoOrigin)
    assert len(set(origin.durations)) == 1


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.mp4"])
def test_sound_may_be_longer_than_the_pictures(tmp_path: Path, name: str) -> None:
    webm = name == "a.webm"
    codec, sound, rate = ("libvpx-vp9", "libopus", 48000) if webm else ("libx264", "aac", 44100)
    path = make(tmp_path / name, codec=codec, sound=sound, rate=rate, seconds=3, options={} if webm else None)
    assert read(path).shape[0] == 8
    assert probe(path).shape[0] == 8
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(InputError):
        read(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_last_picture_may_be_held_for_long(tmp_path: Path, name: str) -> None:
    base = Fraction(1, 1000)
    path = make(tmp_path / name, count=3, time_base=base, stamps=[0, 2000, 4000], lasts=2000)
    assert probe(path).shape[0] == 3
    clip = open_clip(path)
    assert isinstance(clip.origin, VideoOrigin)
    assert float(clip.origin.durations[-1] * clip.origin.time_base) == 2
    write(tmp_path / "b.mp4", clip)
    assert times(tmp_path / "b.mp4") == [0, 2, 4]


def test_what_an_edit_list_hides_is_hidden(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.mp4", count=48, options={"g": "250", "bf": "2"})
    with av.open(str(whole)) as source, av.open(str(tmp_path / "b.mp4"), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        moved = round(Fraction(5, 4) / Fraction(stream.time_base or 1))
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - moved, packet.dts - moved, copy
                target.mux(packet)
    assert read(tmp_path / "b.mp4").shape[0] == 18


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_range_counts_from_the_first_frame(tmp_path: Path, name: str) -> None:
    base = Fraction(1, 1000)
    stamps = [5000 + 100 * index for index in range(10)]
    path = make(tmp_path / name, count=10, time_base=base, stamps=stamps, lasts=100)
    clip = open_clip(path, Selection(start=Moment(0.2), end=Moment(0.5)))
    assert clip.shape[0] == 3
    assert isinstance(clip.origin, VideoOrigin)
    assert clip.origin.places == (2, 3, 4)
    assert open_clip(path).shape[0] == 10


def test_an_avi_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.avi", count=24, sound="pcm_s16le", seconds=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cut off"):
        read(path)
