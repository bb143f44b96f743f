"""Clips longer than memory: decoded when their turn comes, and written as they were read."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.processes import ended
from tests.tiny import numbers
from volstyle.codecs import Encoding, Selection, open_clip, probe, read, write
from volstyle.codecs import video as video_codec
from volstyle.codecs.clip import Clip, PictureOrigin, Spool
from volstyle.codecs.encoder import Encoder
from volstyle.codecs.video import VideoOrigin
from volstyle.engine.checkpoint import Reached
from volstyle.engine.stylize import Stylized
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.media.clip import Film, Lasting
from volstyle.media.medium import Paint
from volstyle.motion.windows import Span
from volstyle.recipe import Recipe
from volstyle.record import Record
from volstyle_cli import main

CLIP = (Axis("t", 0.1, "s"), Axis("y"), Axis("x"))
LINE = (
    "video clip.mp4 --method optimize --style art.png -o a.mp4 --network random --precision float32 "
    "--memory 64MB --size 40 "
    "--set schedule.steps=1 --set schedule.smallest=64 --set style.statistic=gram --set temporal.window=4"
)
COUNT = 24

Run = Callable[..., tuple[int, str, str]]


def blocks(frames: int, seed: int = 0) -> Tensor:
    """(3, T, 32, 40), coarse enough for any encoder."""
    return numbers(3, frames, 8, 10, seed=seed).repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with a clip of 24 frames and a style: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    write(Path("art.png"), Field(numbers(3, 32, 32, seed=1), CLIP[1:]))
    write(Path("clip.mp4"), Field(blocks(COUNT), CLIP), Encoding("lossless"))

    def run(line: str, *more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*line.split(), *more])
        return code, *capsys.readouterr()

    return run


def test_no_more_frames_are_alive_than_those_of_a_window(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 of its own, 8 held and 4 beyond, beside the one that is decoded and the one that is encoded."""
    frames = video_codec._fields
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    most = decoded = 0

    def counted(*given: Any) -> Iterator[Field]:
        nonlocal most, decoded
        for frame in frames(*given):
            gc.collect(0)
            alive.add(frame.samples)
            most, decoded = max(most, len(alive)), decoded + 1
            yield frame

    monkeypatch.setattr(video_codec, "_fields", counted)
    assert run(LINE, "--shots", "none")[0] == 0
    assert decoded == 2 * COUNT  # once to be styled, once to be written
    assert 16 <= most <= 18
    assert probe(Path("a.mp4")).shape == (COUNT, 32, 40)


def test_a_spool_decodes_each_frame_once_and_keeps_the_last_span() -> None:
    field = Field(blocks(20), CLIP)
    clip = Clip.of(field)
    decoded: list[int] = []

    def frames() -> Iterator[Field]:
        for index, frame in enumerate(clip.frames()):
            decoded.append(index)
            yield frame

    spool = Spool(Clip(clip.shape, clip.axes, clip.origin, frames))
    for start, stop in ((0, 5), (0, 5), (3, 9), (12, 14)):
        assert torch.equal(spool.span(start, stop), field.samples[:, start:stop])
    assert decoded == list(range(14))
    assert torch.equal(spool.span(2, 4), field.samples[:, 2:4])
    assert decoded[14:] == [0, 1, 2, 3]


@pytest.mark.parametrize("have", [1, 5, 10, 23])
def test_what_lasts_as_long_is_the_whole_resized_in_time(have: int) -> None:
    field = Field(numbers(3, have, 6, 7), CLIP)
    whole = resize(field.samples, (10, 6, 7), kind="linear")
    lasting = Lasting(Clip.of(field), 10)
    for window in (Span(0, 3), Span(2, 7, 1), Span(5, 10, 2)):
        torch.testing.assert_close(lasting.during(window), whole[:, window.start : window.stop])
        if have == 10:
            assert torch.equal(lasting.during(window), field.samples[:, window.start : window.stop])


def test_held_are_the_last_frames_that_a_window_finished_and_kept_all_of_them() -> None:
    window, other = Span(0, 16, beyond=4), Span(4, 24, held=8)
    clip = Clip.of(Field(blocks(24), CLIP))
    film = Film(clip, (window, other), Lasting(clip, 24), (), (), None)
    reached = numbers(3, 16, 6, 7)
    assert torch.equal(film.held(window, reached), reached[:, 4:12])
    record = Record(Recipe(), "", "", "cpu", "float32", 1, {}, ())
    kept = film.kept(0, Stylized(Field(reached, CLIP), record, Reached(reached)))
    assert kept.finished is not None
    assert kept.finished.shape == (3, 12, 6, 7)


def test_a_frame_is_drafted_while_the_one_before_it_is_finished() -> None:
    clip = Clip.of(Field(blocks(6), CLIP))
    film = Film(clip, (Span(0, 6),), Lasting(clip, 6), (), (), None)
    drafted = [threading.Event() for _ in range(7)]
    drafted[6].set()

    def draft(content: Tensor, number: int) -> Tensor:
        drafted[number].set()
        return content / 2

    def finish(content: Tensor, made: Tensor, number: int) -> Tensor:
        assert drafted[number + 1].wait(20), f"frame {number + 1} waits until frame {number} is finished"
        return made + content + number

    for number, frame in enumerate(film.painted(Paint(draft, finish)).frames()):
        torch.testing.assert_close(frame.samples, 1.5 * clip.whole().samples[:, number] + number)


def test_a_whole_clip_is_its_frames(tmp_path: Path) -> None:
    alpha = numbers(6, 32, 40, seed=2)
    origin = VideoOrigin(pictures=tuple(PictureOrigin(alpha=each) for each in alpha))
    write(tmp_path / "a.mkv", Field(blocks(6), CLIP, origin), Encoding("lossless"))
    clip = open_clip(tmp_path / "a.mkv", Selection(size=20))
    assert clip.see_through
    whole = clip.whole()
    assert whole.shape == clip.shape == (6, 16, 20)
    frames = list(clip.frames())
    assert torch.equal(torch.stack([frame.samples for frame in frames], dim=1), whole.samples)
    assert write(tmp_path / "b.mkv", clip, Encoding("lossless")) == []
    again = read(tmp_path / "b.mkv")
    assert isinstance(again.origin, VideoOrigin)
    for frame, picture in zip(frames, again.origin.pictures, strict=True):
        assert isinstance(frame.origin, PictureOrigin)
        assert isinstance(picture, PictureOrigin)
        assert frame.origin.alpha is not None
        torch.testing.assert_close(picture.alpha, frame.origin.alpha, atol=0.01, rtol=0)


def test_masks_and_starts_that_move_may_have_other_numbers_of_frames(run: Run) -> None:
    mask = torch.zeros(3, 12, 32, 40)
    mask[:, 6:, :, :20] = 1  # and the first windows have nothing to style
    write(Path("mask.mkv"), Field(mask, CLIP), Encoding("lossless"))
    write(Path("init.mp4"), Field(blocks(50, seed=4), CLIP))
    more = ("--mask", "mask.mkv", "--init", "init.mp4", "--quality", "lossless")
    assert run(LINE, *more)[0] == 0
    came, was = read(Path("a.mp4")).samples, read(Path("clip.mp4")).samples
    assert torch.equal(came[..., 22:], was[..., 22:])
    assert torch.equal(came[:, : COUNT // 2 - 2], was[:, : COUNT // 2 - 2])
    assert all(float((came - was)[:, t, :, :18].abs().mean()) > 0.02 for t in range(COUNT // 2 + 2, COUNT))
    assert run("replay a.mp4.json -q") == (0, "", "")


def test_full_size_comes_frame_by_frame(run: Run) -> None:
    mask = torch.zeros(3, 32, 40)
    mask[..., :20] = 1
    write(Path("mask.png"), Field(mask, CLIP[1:]))
    line = LINE.replace("--size 40", "--size 30")
    assert run(line, "--full-size", "--mask", "mask.png", "--quality", "lossless")[0] == 0
    came, was = read(Path("a.mp4")).samples, read(Path("clip.mp4")).samples
    assert came.shape == was.shape
    assert torch.equal(came[..., 26:], was[..., 26:])
    assert not torch.equal(came[..., :16], was[..., :16])


def test_stopped_in_its_third_window_the_rest_stays_as_it_was(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    @contextmanager
    def stoppable() -> Iterator[Callable[[], bool]]:
        def asked() -> bool:
            if len(steps) == 3:
                return True
            steps.append(1)
            return False

        yield asked

    monkeypatch.setattr("volstyle_cli.run.acts.stoppable", stoppable)
    code, out, _ = run(LINE, "--set", "schedule.steps=2", "--set", "temporal.window=8", "--quality", "lossless")
    assert code == 130
    assert "stopped    in stage 2 of 3, after step 2" in out
    came, was = read(Path("a.mp4")).samples, read(Path("clip.mp4")).samples
    assert [not torch.equal(came[:, t], was[:, t]) for t in range(COUNT)] == [True] * 16 + [False] * 8
    monkeypatch.undo()
    assert not list(Path().glob(".a.mp4*"))


def test_numbered_images_go_in_windows_too(run: Run) -> None:
    write(Path("frames"), Field(blocks(11), CLIP))
    Path("frames/000004.png").write_bytes(b"no image")
    line = LINE.replace("clip.mp4", "frames").replace("a.mp4", "out")
    code, _, err = run(line)
    assert code == 2
    assert "000004.png" in err
    assert run(line, "--keep-going")[0] == 0
    assert sorted(file.name for file in Path("out").iterdir()) == [f"{n:06d}.png" for n in range(1, 12) if n != 4]
    assert run(LINE.replace("clip.mp4", "frames"), "--keep-going")[0] == 0
    with av.open("a.mp4") as container:
        times = [round(25 * frame.time) for frame in container.decode(video=0)]
    assert times == [time for time in range(11) if time != 3]


def test_a_clip_that_is_damaged_in_its_middle(run: Run) -> None:
    """Its frames 5 and 6 are noise."""
    with av.open("clip.mp4") as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    raw = bytearray(Path("clip.mp4").read_bytes())
    for start, size in places[5:7]:
        assert start is not None
        raw[start : start + size] = b"\xff" * size
    Path("clip.mp4").write_bytes(raw)
    code, _, err = run(LINE)
    assert code == 2
    assert "clip.mp4: frame 5" in err
    assert "--keep-going" in err
    code, out, _ = run(LINE, "--keep-going")
    assert code == 0
    assert "clip.mp4: frame 5" in out
    assert any("left out" in note for note in json.loads(Path("a.mp4.json").read_text())["notes"])
    with av.open("a.mp4") as container:
        times = [round(10 * frame.time) for frame in container.decode(video=0)]
    assert times == [time for time in range(COUNT) if time not in (5, 6)]
    assert run("replay a.mp4.json -q") == (0, "", "")
    assert run("eval a.mp4")[0] == 0


def test_a_clip_whose_frames_change_their_size_is_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 40, 32, "yuvj420p"
        for index in range(4):
            height, width = (32, 40) if index < 2 else (16, 20)
            black = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8))
            context: Any = av.CodecContext.create("mjpeg", "w")
            context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
            context.time_base = Fraction(1, 10)
            for packet in context.encode(black.reformat(format="yuvj420p")):
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 10)
                container.mux(packet)
    with pytest.raises(InputError, match="frame 2 is 20x16, must be 40x32 as the first is"):
        read(tmp_path / "a.mkv")


def test_what_a_mask_is_not_is_said(run: Run) -> None:
    code, _, err = run(LINE, "--init", "art.png")
    assert code == 2
    assert "art.png: an init must be a clip like clip.mp4" in err
    with pytest.raises(InputError, match="must be a clip"):
        Clip.of(read(Path("art.png")))


@pytest.mark.parametrize("name", ["two.mp4", "two"])
def test_cuts_are_found_while_a_clip_is_looked_through(run: Run, name: str) -> None:
    still = [numbers(3, 1, 4, 5, seed=seed).expand(3, 8, 4, 5) for seed in (3, 4)]
    samples = torch.cat(still, dim=1).repeat_interleave(8, 2).repeat_interleave(8, 3)
    write(Path(name), Field(samples.contiguous(), CLIP))
    assert run(LINE.replace("clip.mp4", name), "-q", "--shots", "auto")[0] == 0
    assert json.loads(Path("a.mp4.json").read_text())["command"]["cuts"] == [8]
    assert run("replay a.mp4.json -q") == (0, "", "")


def test_info_is_of_a_window(run: Run) -> None:
    _, out, _ = run("info clip.mp4 --network random --set temporal.window=4")
    assert f"frames     {COUNT}" in out
    assert "40x32, 16 frames" in out


def test_disk_is_that_of_the_part_that_is_asked_for(run: Run) -> None:
    def of_disk(*more: str) -> int:
        found = re.search(r"([\d.]+) (KB|MB) of disk", run(LINE, "--force", *more)[1])
        assert found
        return round(float(found[1]) * (2**10 if found[2] == "KB" else 2**20))

    whole, part = of_disk(), of_disk("--end", "4f")
    assert whole > COUNT * 32 * 40 * 3 * 2
    assert part < whole / 2  # for the stage is that of a window in both


def test_no_room_is_said_of_the_part_that_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil._ntuple_diskusage(2**30, 2**30, 300 * 2**10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, _, err = run(LINE)
    assert code == 2
    assert "its disk has 300 KB left" in err
    assert run(LINE, "--end", "4f")[0] == 0


def killed_while_encoding(line: str) -> None:
    """A process of a command that gets SIGKILL at the 15th frame that it encodes."""
    add = Encoder.add
    done: list[int] = []

    def killed(self: Encoder, picture: Field, tick: int, duration: int) -> None:
        done.append(tick)
        if len(done) == 15:
            os.kill(os.getpid(), signal.SIGKILL)
        add(self, picture, tick, duration)

    Encoder.add = killed  # type: ignore[method-assign]
    main(line.split())


def test_killed_while_encoding_it_ends_with_the_same_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(LINE)[0] == 0
    expected = Path("a.mp4").read_bytes()
    for file in Path().glob("a.mp4*"):
        file.unlink()
    assert ended(killed_while_encoding, f"{LINE} -q") == -signal.SIGKILL
    parts = list(Path(".a.mp4.state").glob("part*.safetensors"))
    assert len(parts) == 6
    # Of a part that is done, 4 finished frames in 16 bits and 8 that the next one holds in float32.
    assert max(part.stat().st_size for part in parts) < 3 * 32 * 40 * 4 * (2 + 8) + 2**13
    steps: list[int] = []
    monkeypatch.setattr("volstyle_cli.run.progress.Progress.__call__", lambda *_: steps.append(1))
    assert run(LINE)[0] == 0
    assert not steps
    assert Path("a.mp4").read_bytes() == expected
    assert not list(Path().glob(".a.mp4*"))
    assert not list(Path().glob(".a.part*"))
