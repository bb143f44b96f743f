"""`volstyle video - … -o -`: pipes, and what is refused."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
import torch

from tests.clips import make_clip, tone
from volstyle.engine.painting import LearnedStage, LearnedStyle
from volstyle.networks.generator import Plan, StageGenerator
from volstyle_cli import main
from volstyle_cli.run import stream

INVERTS = """
import sys
from dataclasses import replace
from volstyle_cli import main
from volstyle_cli.run import stream

def inverted(frame):
    print("somebody prints")
    return replace(frame, samples=1 - frame.samples)

stream.turns_of = lambda options: (inverted,)
sys.exit(main())
"""
"""The command line with a style that turns each frame into its inverse."""

VOLSTYLE = [sys.executable, "-c", INVERTS, "video", "-", "--style", "inverse", "-o", "-"]


def count(data: bytes) -> int:
    with av.open(io.BytesIO(data), "r") as container:
        return len(list(container.decode(video=0)))


def pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(int)


def test_standard_output_is_the_stream_and_nothing_else(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", range(5), sound=tone).read_bytes()
    done = subprocess.run(VOLSTYLE, input=source, capture_output=True, check=True)
    assert done.stdout.startswith(b"nut/multimedia container\0")
    assert count(done.stdout) == 5
    said = done.stderr.decode().splitlines()
    assert said.count("somebody prints") == 5
    assert said[-1] == "wrote      -, 5 frames"


def test_a_reader_that_goes_away_hears_nothing_more(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.nut", range(120), codec="rawvideo", pixels="rgb24", sound=tone)
    line = [*VOLSTYLE, "--quality", "lossless"]
    with (
        source.open("rb") as file,
        subprocess.Popen(line, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as styler,
    ):
        assert styler.stdout is not None
        assert styler.stderr is not None
        assert styler.stdout.read(3000)
        styler.stdout.close()
        heard = styler.stderr.read().decode().splitlines()
    assert styler.returncode == 141
    assert set(heard) == {"somebody prints"}


def in_process(monkeypatch: pytest.MonkeyPatch, source: BinaryIO, target: BinaryIO) -> None:
    """Standard input and output are these, and the style leaves frames as they are."""
    monkeypatch.setattr(stream, "turns_of", lambda _: (lambda frame: frame,))
    monkeypatch.setattr(stream, "_standard_input", lambda: nullcontext(source))
    monkeypatch.setattr(stream, "_standard_output", lambda: nullcontext(target))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_of_a_maker_that_is_killed_what_came_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = ["ffmpeg", "-nostdin", "-v", "quiet", "-re", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=50"]
    camera += ["-f", "lavfi", "-i", "sine", "-c:v", "libx264", "-tune", "zerolatency", "-f", "nut", "-"]
    out = tmp_path / "out.nut"
    with out.open("wb") as file, subprocess.Popen(camera, stdout=subprocess.PIPE) as maker:

        def kill() -> None:
            until = time.monotonic() + 60
            while out.stat().st_size < 4000 and time.monotonic() < until:
                time.sleep(0.05)
            maker.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        assert maker.stdout is not None
        in_process(monkeypatch, maker.stdout, file)  # type: ignore[arg-type]
        assert main(["video", "-", "--style", "a", "-o", "-"]) == 2
        killer.join()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1] == (  # before it may be how many frames a second it makes
        "volstyle: -: ends in the middle, the index at its end is missing; "
        f"the {count(out.read_bytes())} frames before it are written"
    )


def test_a_stream_is_said_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = io.BytesIO(make_clip(tmp_path / "in.nut", codec="ffv1", pixels="bgra").read_bytes())
    in_process(monkeypatch, source, io.BytesIO())
    assert main(["video", "-", "--style", "a", "-o", str(tmp_path / "out.mp4")]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "note       out.mp4: no transparency in this format, left out; WebM and --quality prores keep it",
        f"wrote      {tmp_path / 'out.mp4'}, 8 frames",
    ]
    source.seek(0)
    assert main(["video", "-", "--style", "a", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("- --style style.png -o -", "style.png is optimized, which takes the whole clip"),
        ("in.mp4 --style style.png -o -", "give files instead of -, or a style that was learned"),
        ("- --style style.png -o out.mp4 --end 2s", "--end: is for files"),
        ("- --style style.png --preview a.png", "--preview: is for files"),
        ("- --style none.safetensors@2s -o -", "none.safetensors has a time"),
        ("- --style none.safetensors -o -", "none.safetensors"),
        ("- --style style.png --loop", "--loop: is for files"),
        ("- --style none.safetensors --style b.png", "b.png is optimized"),
    ],
)
def test_what_a_stream_cannot_do_is_one_line(line: str, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["video", *line.split()]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert says in said.err
    assert len(said.err.splitlines()) == 1


def test_a_learned_style_paints_a_stream_as_it_paints_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    generator = StageGenerator.new(Plan(axes=2, channels=3, styles=1, width=4, deep=0, residuals=1), 0)
    noise = torch.Generator().manual_seed(1)
    weights = {
        name: 0.1 * torch.randn(weight.shape, generator=noise) for name, weight in generator.weights.items()
    }
    style = LearnedStyle((LearnedStage(64, replace(generator, weights=weights)),), ("a",), "none", 1.5)
    style.save(Path("a.safetensors"), {})
    make_clip(Path("in.mp4"), range(4), sound=tone)
    out = io.BytesIO()
    monkeypatch.setattr(stream, "_standard_output", lambda: nullcontext(out))
    line = ["video", "in.mp4", "--style", "a.safetensors", "--quality", "lossless", "-q"]
    assert main([*line, "-o", "-"]) == 0
    assert main([*line, "-o", "out.mkv"]) == 0
    assert capsys.readouterr() == ("", "")
    Path("out.nut").write_bytes(out.getvalue())
    found, wanted, source = (pictures(Path(name)) for name in ("out.nut", "out.mkv", "in.mp4"))
    assert np.array_equal(found, wanted)
    assert np.abs(found - source).mean() > 1
