"""The sound and the labels of a clip go with it, in sync."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.clips import (
    PACKET,
    SOUND_RATE,
    again,
    heard,
    packets,
    times,
)
from volstyle.codecs import WHOLE, Moment, Selection, read


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_bit_for_bit(media: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    assert again(media / "tone.mp4", target) == []
    before, after = packets(media / "tone.mp4"), packets(target)
    assert [data for data, _ in after] == [data for data, _ in before]
    within = 5.1e-4 if suffix == ".mkv" else 1e-9
    assert max(abs(a - b) for (_, a), (_, b) in zip(after, before, strict=True)) <= within
    assert times(target)[0] == 0


def test_sound_of_a_clip_written_over_itself_is_kept(media: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes((media / "tone.mp4").read_bytes())
    assert again(path, path) == []
    assert packets(path) == packets(media / "tone.mp4")


def test_sound_that_does_not_fit_is_encoded_anew_with_a_note(media: Path, tmp_path: Path) -> None:
    notes = again(media / "tone.mp4", tmp_path / "a.webm")
    assert len(notes) == 1
    assert "aac" in notes[0]
    assert "libopus" in notes[0]
    at, wave = heard(tmp_path / "a.webm")
    assert abs(at[-1] - 2) < 0.06
    assert abs(at[0]) < 0.02
    middle = wave[SOUND_RATE // 2 : SOUND_RATE // 2 + SOUND_RATE]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert 0.15 < np.abs(middle).max() < 0.45


def test_sound_that_has_no_place_is_left_out_with_a_note(media: Path, tmp_path: Path) -> None:
    notes = again(media / "tone.mp4", tmp_path / "a.gif")
    assert len(notes) == 1
    assert "aac" in notes[0]
    assert "left out" in notes[0]


def shown_and_heard(path: Path) -> tuple[float, float]:
    """When the flash is seen and when the click is heard."""
    field = read(path)
    brightest = int(field.samples.mean((0, 2, 3)).argmax())
    at, wave = heard(path)
    return float(times(path)[brightest]), float(at[np.abs(wave).argmax()])


RANGES = {
    "whole": Selection(),
    "seconds": Selection(start=Moment(0.5), end=Moment(1.75)),
    "frames": Selection(start=Moment(7, "f"), end=Moment(20, "f")),
    "start": Selection(start=Moment(1.0)),
    "end": Selection(end=Moment(19, "f")),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("name", RANGES)
def test_a_part_is_in_sync(media: Path, tmp_path: Path, name: str, suffix: str) -> None:
    """A click where a flash is."""
    target = tmp_path / f"a{suffix}"
    selection = RANGES[name]
    again(media / "click.mp4", target, selection)
    start, end = (
        (moment.value / (12 if moment.unit == "f" else 1) if moment else None)
        for moment in (selection.start, selection.end)
    )
    start, end = start or 0.0, end or 2.0
    stamps = times(target)
    assert stamps[0] == 0
    assert len(stamps) == round((end - start) * 12)
    seen, clicked = shown_and_heard(target)
    assert abs(seen - (1.25 - start)) < 1e-3
    assert abs(clicked - seen) < 0.008
    # The sound covers the range to a packet, and no more.
    at, _ = heard(target)
    assert -PACKET - 1e-3 <= at[0] <= PACKET + 0.02 * (suffix == ".webm")
    assert abs(at[-1] - (end - start)) < PACKET + 0.02 * (suffix == ".webm")


def test_avi_is_in_sync(media: Path, tmp_path: Path) -> None:
    """FFmpeg shows H.264 in AVI a picture late, whoever wrote it."""
    again(media / "click.mp4", tmp_path / "a.avi")
    seen, clicked = shown_and_heard(tmp_path / "a.avi")
    assert abs(clicked - 1.25) < 0.008
    assert seen - 1.25 in (0, pytest.approx(1 / 12))


def test_damaged_sound_is_silent_with_a_note(media: Path, tmp_path: Path) -> None:
    """Sound that is encoded anew, that is; copied, it stays as it is."""
    data = bytearray((media / "tone.mp4").read_bytes())
    with av.open(str(media / "tone.mp4")) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for place, size in places[10:14]:
        data[place : place + size] = b"\xff" * size
    (tmp_path / "in.mp4").write_bytes(data)
    notes = again(tmp_path / "in.mp4", tmp_path / "a.webm")
    assert sum("damaged" in note for note in notes) == 1
    assert heard(tmp_path / "a.webm")[0][-1] > 1.9
    assert read(tmp_path / "a.webm").shape[0] == 24


def labelled(path: Path, source: Path) -> Path:
    """A copy with a title, three chapters and the sound's language."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        container.metadata.update(title="Harbor", comment="at noon")
        starts = ((0, 8, "one"), (8, 16, "two"), (16, 24, "three"))
        container.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": Fraction(1, 12), "metadata": {"title": name}}
                for i, (a, b, name) in enumerate(starts)
            ]
        )
        streams = {stream.index: container.add_stream_from_template(stream) for stream in given.streams}
        streams[1].metadata["language"] = "fra"
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_title_chapters_and_language_are_kept(media: Path, tmp_path: Path, suffix: str) -> None:
    source = labelled(tmp_path / f"in{suffix}", media / "tone.mp4")
    for selection, wanted in (
        (WHOLE, [("one", 0, 8), ("two", 8, 16), ("three", 16, 24)]),
        (Selection(start=Moment(10, "f"), end=Moment(18, "f")), [("two", 0, 6), ("three", 6, 8)]),
    ):
        notes = again(source, tmp_path / f"out{suffix}", selection)
        assert notes == []  # of MP4's track of chapters neither, which is made anew
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            tags = {key.lower(): text for key, text in container.metadata.items()}
            assert (tags["title"], tags["comment"]) == ("Harbor", "at noon")
            assert container.streams.audio[0].language == "fra"
            found = [
                (c["metadata"]["title"], *(round(c[side] * c["time_base"] * 12) for side in ("start", "end")))
                for c in container.chapters()
            ]
        assert found == wanted


def test_a_title_in_no_known_encoding_does_not_matter(media: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path / "a.mkv", media / "tone.mp4").read_bytes()
    (tmp_path / "in.mkv").write_bytes(data.replace(b"Harbor", b"Harb\xf6r"))
    again(tmp_path / "in.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.metadata["title"] == "Harb\ufffdr"


def test_copied_packets_of_a_part_are_those_of_the_source(media: Path, tmp_path: Path) -> None:
    again(media / "tone.mp4", tmp_path / "a.mp4", RANGES["seconds"])
    whole, part = dict(packets(media / "tone.mp4")), packets(tmp_path / "a.mp4")
    assert 1.25 / PACKET - 2 <= len(part) <= 1.25 / PACKET + 2
    assert all(abs(whole[data] - (at + 0.5)) < 1e-3 for data, at in part)


@pytest.mark.parametrize(
    ("selection", "frames"),
    [
        (Selection(start=Moment(0.5), end=Moment(1.0)), range(6, 12)),
        (Selection(start=Moment(6, "f"), end=Moment(12, "f")), range(6, 12)),
        (Selection(end=Moment(3, "f")), range(3)),
        (Selection(start=Moment(23, "f")), range(23, 24)),
    ],
)
def test_a_range_is_the_frames_it_says(media: Path, selection: Selection, frames: range) -> None:
    whole, part = read(media / "tone.mp4").samples, read(media / "tone.mp4", selection).samples
    assert torch.equal(part, whole[:, list(frames)])
