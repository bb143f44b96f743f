"""What is refused before the work, and two runs of one output."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest
import soundfile
import torch

from tests.processes import answers, started
from volstyle.codecs import Encoding, Moment, Selection, open_clip, write
from volstyle.codecs.clip import ClipOrigin
from volstyle.errors import InputError
from volstyle.grid.field import Axis, Field
from volstyle.media.clip import Film, read_film
from volstyle.media.lock import alone
from volstyle.media.names import stem_of
from volstyle.media.order import Order
from volstyle.recipe import Recipe
from volstyle_cli import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with a picture, a style, a sound and a volume; code, and what it said."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    cv2.imwrite("a.png", noise.integers(0, 256, (32, 32, 3), np.uint8))
    cv2.imwrite("style.png", noise.integers(0, 256, (32, 32, 3), np.uint8))
    np.save("volume.npy", noise.random((8, 8, 8), np.float32))
    soundfile.write("a.wav", 0.1 * noise.standard_normal(4000), 8000)
    Path("weights.safetensors").write_bytes(b"any")

    def call(*arguments: str) -> tuple[int, str]:
        code = main([*arguments, "-q"])
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("volume volume.npy --style style.png@0s -o out.npy", "has a time, which is for clips alone"),
        ("signal a.wav --style a.wav@0s -o out.wav", "has a time, which is for clips alone"),
        ("image a.png --style style.png@2f -o out.png", "has a time, which is for clips alone"),
        ("signal a.wav --style a.wav --size 64 -o out.wav", "size"),
        (
            "signal a.wav --style a.wav --weights weights.safetensors -o out.wav",
            "builtin1d: has no weights to read",
        ),
        ("signal a.wav --style a.wav -o out.mp4", "cannot be written as .mp4"),
        ("signal a.wav --style a.wav -o out.dcm", "only what was read from a DICOM waveform"),
        ("volume volume.npy --style style.png -o out.dcm", "only written from DICOM"),
        (f"image a.png --style style.png -o {'a' * 232}.png", "must have at most 235"),
        (f"image a.png --style style.png -o {'a' * 300}.png", "must have at most 235"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(run: Run, line: str, says: str) -> None:
    there = sorted(os.listdir())  # noqa: PTH208
    code, said = run(*line.split())
    assert code == 2
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert sorted(os.listdir()) == there  # noqa: PTH208


@pytest.mark.parametrize(
    ("name", "stem"),
    [("sub-01.v2_bold.nii.gz", "sub-01.v2_bold"), ("What is it?.mp4", "What is it_"), ("50%dark.png", "50_dark"),
     ("a.b.jpg", "a.b"), ("scan", "scan")],
)  # fmt: skip
def test_the_stem_of_a_name_is_all_but_its_format(name: str, stem: str) -> None:
    assert stem_of(Path(name)) == stem


def test_default_outputs_are_named_after_their_inputs(run: Run) -> None:
    Path("a.png").rename("50%dark?.png")
    Path("style.png").rename("st*le.png")
    line = ["--network", "random", "--size", "32", "--set", "schedule.steps=1", "--set", "schedule.smallest=32"]
    assert run("image", "50%dark?.png", "--style", "st*le.png", *line)[0] == 0
    assert Path("50_dark_-st_le.png").exists()


def hold(output: str) -> None:
    """Be the run that makes an output, for a minute."""
    order = SimpleNamespace(output=Path(output), record_path=Path(f"{output}.json"))
    with alone(cast(Order, order)):
        Path("held").touch()
        time.sleep(60)


def test_the_second_run_of_an_output_is_refused_while_the_first_lives(run: Run) -> None:
    """By another name of the same file too, and it deletes nothing of the first."""
    state = Path(".out.png.state")
    state.mkdir()
    (state / "part00000.safetensors").write_bytes(b"of the first")
    Path(".out.part1.png").write_bytes(b"of the first")
    line = ["--network", "random", "--size", "32", "--set", "schedule.steps=1", "--set", "schedule.smallest=32"]
    (first,) = started(1, hold, "out.png")
    while not Path("held").exists():
        assert first.process.is_alive()
        time.sleep(0.01)
    for extra in ((), ("--force",), ("--no-resume",)):
        code, said = run("image", "a.png", "--style", "style.png", "-o", "out.png", *line, *extra)
        assert code == 2
        assert "out.png: another run is making it" in said
    assert (state / "part00000.safetensors").read_bytes() == b"of the first"
    assert Path(".out.part1.png").exists()
    assert run("image", "a.png", "--style", "style.png", "-o", "other.png", *line)[0] == 0
    first.process.kill()
    assert answers([first]) == [None]
    assert run("image", "a.png", "--style", "style.png", "-o", "out.png", "--no-resume", *line)[0] == 0
    assert not Path(".out.png.lock").exists()
    assert not state.exists()


def flow_folder(folder: Path, count: int) -> None:
    """A flow from each of so many frames to the next; that of frame n goes n samples to the right."""
    folder.mkdir()
    for number in range(count):
        flow = np.zeros((16, 16, 2), np.float32)
        flow[..., 0] = number
        cv2.writeOpticalFlow(str(folder / f"flow_{number:04d}.flo"), flow)


def film_of(content: Path, start: Moment | None = None, *, keep_going: bool = False) -> Film:
    order = Order(
        kind="video",
        content=content,
        styles=(),
        output=Path("out.mp4"),
        recipe=Recipe().set("temporal.flow=flows"),
        selection=Selection(start=start, keep_going=keep_going),
        encoding=Encoding(),
    )
    return read_film(order, open_clip(content, order.selection), (), ())


def test_flow_is_that_of_the_frames_of_a_clip_of_variable_rate(run: Run) -> None:
    """The third frame is shown at 2 s: at the clip's rate it would be counted as a later one."""
    flow_folder(Path("flows"), 6)
    axes = (Axis("t", 0.1, "s"), Axis("y"), Axis("x"))
    origin = ClipOrigin(ticks=(0, 1, 20, 21, 22, 23), durations=(1, 19, 1, 1, 1, 1))
    write(Path("clip.mkv"), Field(torch.rand(3, 6, 16, 16), axes, origin))
    flows = film_of(Path("clip.mkv"), Moment(1.5)).flows
    assert flows is not None
    assert flows.forward(0)[0].unique().tolist() == [2.0]


def test_flow_is_refused_where_frames_are_left_out(run: Run) -> None:
    flow_folder(Path("flows"), 6)
    Path("frames").mkdir()
    for number in range(6):
        cv2.imwrite(f"frames/{number:04d}.png", np.full((16, 16, 3), number, np.uint8))
    assert film_of(Path("frames"), keep_going=True).flows is not None
    Path("frames/0003.png").write_bytes(b"damaged")
    with pytest.raises(InputError, match="leave out --flow or --keep-going"):
        film_of(Path("frames"), keep_going=True)
