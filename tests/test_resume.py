"""A run that is killed goes on with the same command and ends with the same bytes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny import numbers

from volstyle.codecs import write
from volstyle.field import Axis, Field
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
LINE = (
    "video clip.mp4 --style art.png -o a.mp4 --network random --precision float32 --memory 64MB --size 40 -q "
    "--set schedule.steps=5 --set schedule.smallest=24 --set style.statistic=gram --set temporal.window=4"
)
COMMAND = [sys.executable, "-c", "import sys, volstyle_cli; sys.exit(volstyle_cli.main())", *LINE.split()]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of 14 frames, and a style."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    write(Path("art.png"), Field(numbers(3, 32, 32, seed=1), PLANE))
    samples = numbers(3, 14, 8, 10).repeat_interleave(4, 2).repeat_interleave(4, 3)
    write(Path("clip.mp4"), Field(samples, (Axis("t", 0.1, "s"), *PLANE)))


def there() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def undisturbed() -> tuple[bytes, float]:
    """The bytes of a run, and the seconds it takes."""
    began = time.monotonic()
    assert main(LINE.split()) == 0
    seconds = time.monotonic() - began
    assert there() == ["a.mp4", "a.mp4.json", "art.png", "clip.mp4"]
    found = Path("a.mp4").read_bytes()
    Path("a.mp4").unlink()
    Path("a.mp4.json").unlink()
    return found, seconds


def killed_when(files: int) -> None:
    """A run that gets SIGKILL once its state has so many files."""
    with subprocess.Popen(COMMAND) as process:
        while process.poll() is None and len(list(Path().glob(".a.mp4.state/part*.safetensors"))) < files:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_killed_in_two_windows_it_ends_with_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    expected, _ = undisturbed()
    killed_when(1)
    assert main(LINE.replace("temporal.window=4", "temporal.window=5").split()) == 2
    assert "state of a run with other choices" in capsys.readouterr().err
    killed_when(3)
    assert main([word for word in LINE.split() if word != "-q"]) == 0
    assert "going on   in part 3 of 4, after stage" in capsys.readouterr().out
    assert Path("a.mp4").read_bytes() == expected
    assert there() == ["a.mp4", "a.mp4.json", "art.png", "clip.mp4"]


def test_no_resume_starts_over(capsys: pytest.CaptureFixture[str]) -> None:
    killed_when(1)
    order = Path(".a.mp4.state/order.json")
    order.write_text(json.dumps(json.loads(order.read_text()) | {"asked": {}}))
    assert main(LINE.split()) == 2
    assert "--no-resume" in capsys.readouterr().err
    assert order.exists()
    order.write_text("{")
    assert main(LINE.split()) == 2
    assert "damaged state" in capsys.readouterr().err
    assert main([*LINE.split(), "--no-resume"]) == 0
    assert not order.exists()


@pytest.mark.slow
def test_twenty_kills_at_random_moments() -> None:
    expected, seconds = undisturbed()
    moments = random.Random(0)
    kills = 0
    while kills < 20:
        with subprocess.Popen(COMMAND) as process:
            try:
                process.wait(moments.uniform(0.2, 1.05) * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0
            assert Path("a.mp4").read_bytes() == expected
            Path("a.mp4").unlink()
            Path("a.mp4.json").unlink()
    assert main(LINE.split()) == 0
    assert Path("a.mp4").read_bytes() == expected
    assert there() == ["a.mp4", "a.mp4.json", "art.png", "clip.mp4"]
