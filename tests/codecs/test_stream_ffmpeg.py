"""Streams that come from FFmpeg's own program, and go to it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.clips import first_video, times
from volstyle.codecs import DEFAULT, Encoding, read
from volstyle.codecs.stream import Passed, styled
from volstyle.grid.field import Field

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")

QUIET = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
PICTURES = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]


def ffmpeg(*words: str | Path) -> bytes:
    """What FFmpeg prints on its standard output."""
    return subprocess.run([*QUIET, *map(str, words)], check=True, capture_output=True).stdout


def inverted(frame: Field) -> Field:
    return replace(frame, samples=1 - frame.samples)


def through(source: Path, form: list[str], target: Path, encoding: Encoding = DEFAULT) -> Passed:
    """Runs ffmpeg -i source … - | styled | ffmpeg -f nut -i - -c copy target."""
    first = [*QUIET, "-i", str(source), *form, "-"]
    last = [*QUIET, "-f", "nut", "-i", "-", "-map", "0", "-c", "copy", "-copyts", str(target)]
    with (
        subprocess.Popen(first, stdout=subprocess.PIPE) as maker,
        subprocess.Popen(last, stdin=subprocess.PIPE) as taker,
    ):
        assert maker.stdout is not None
        assert taker.stdin is not None
        done = styled(maker.stdout, taker.stdin, (inverted,), encoding)  # type: ignore[arg-type]
        taker.stdin.close()
    assert (maker.returncode, taker.returncode) == (0, 0)
    return done


def apart(source: Path, target: Path) -> Tensor:
    """How far target is from the inverse of source, in levels of 8 bit."""
    return (read(target).samples - 1 + read(source).samples).abs() * 255


def hashes(path: Path) -> list[str]:
    """A hash of all packets of each stream of sound and of subtitles."""
    found = ffmpeg(
        "-i", path, "-map", "0:a", "-map", "0:s?", "-c", "copy", "-f", "streamhash", "-hash", "md5", "-"
    )
    return found.decode().splitlines()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of one second at a variable rate, with two streams of sound, and subtitles."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "a.srt").write_text(
        "1\n00:00:00,100 --> 00:00:00,300\nHello\n\n2\n00:00:00,600 --> 00:00:00,800\nyou\n"
    )
    uneven = "select='not(eq(mod(n,7),3))*not(eq(mod(n,11),4))'"
    words = [*PICTURES, *SOUND, *SOUND, "-i", str(folder / "a.srt"), "-t", "1", "-vf", uneven, "-fps_mode", "vfr"]
    kinds = ["-c:v", "libx264", "-qp", "8", "-bf", "2", "-c:a:0", "flac", "-c:a:1", "aac", "-c:s", "ass"]
    maps = [word for number in range(4) for word in ("-map", str(number))]
    ffmpeg(*words, *maps, *kinds, folder / "in.mkv")
    return folder / "in.mkv"


FORMS: dict[str, list[str]] = {
    "nut": ["-map", "0", "-c", "copy", "-f", "nut"],
    "matroska": ["-map", "0", "-c", "copy", "-f", "matroska"],
    "y4m": ["-f", "yuv4mpegpipe", "-fps_mode", "vfr"],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_pipe_of_three_programs(source: Path, tmp_path: Path, form: str) -> None:
    """The time stamps of a variable rate, and all packets of sound and subtitles, stay as they were."""
    target = tmp_path / "out.mkv"
    done = through(source, FORMS[form], target, Encoding("lossless"))
    assert (done.cut, done.notes) == ("", ())
    assert float(apart(source, target).max()) < 0.51
    if form == "y4m":
        return
    before, after = times(source), times(target)
    assert len({b - a for a, b in pairwise(before)}) > 2
    assert [at - after[0] for at in after] == [at - before[0] for at in before]
    assert hashes(target) == hashes(source)
    assert len(hashes(source)) == 3


@pytest.mark.parametrize(
    ("pixels", "quality", "kept"),
    [("yuv420p10le", "visual", "yuv420p10le"), ("bgra", "lossless", "bgra"), ("yuv444p", "lossless", "bgr0")],
)
def test_depth_transparency_and_color_tags_go_through(
    tmp_path: Path, pixels: str, quality: str, kept: str
) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    tags = ["-color_primaries", "bt470bg", "-color_trc", "smpte170m", "-colorspace", "bt470bg"]
    ffmpeg(*PICTURES, "-t", "0.3", "-c:v", "ffv1", "-pix_fmt", pixels, *tags, "-color_range", "tv", source)
    done = through(source, FORMS["matroska"], target, Encoding(quality))
    assert done.notes == ()
    found: Any = first_video(target)
    assert found["pixels"] == kept
    if quality == "visual":
        assert found["tags"] == (5, 1, 5, 6)
    assert float(apart(source, target).median()) < (1.5 if quality == "visual" else 0.5)
