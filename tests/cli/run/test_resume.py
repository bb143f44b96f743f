"""A run that is killed goes on with the same command and ends with the same bytes."""

from __future__ import annotations

import errno
import json
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from tests.processes import answers, started
from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.engine import checkpoint
from volstyle.grid.field import Axis, Field
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
LINE = (
    "video clip.mp4 --method optimize --style art.png -o a.mp4 --network random --precision float32 "
    "--memory 64MB --size 40 -q "
    "--set schedule.steps=2 --set schedule.smallest=24 --set style.statistic=gram --set temporal.window=4"
)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of 14 frames, and a style."""
    monkeypatch.chdir(tmp_path)
    write(Path("art.png"), Field(numbers(3, 32, 32, seed=1), PLANE))
    samples = numbers(3, 14, 8, 10).repeat_interleave(4, 2).repeat_interleave(4, 3)
    write(Path("clip.mp4"), Field(samples, (Axis("t", 0.1, "s"), *PLANE)))


def there() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def undisturbed(line: str = LINE) -> bytes:
    """The bytes of a run."""
    assert main(line.split()) == 0
    assert there() == ["a.mp4", "a.mp4.json", "art.png", "clip.mp4"]
    found = Path("a.mp4").read_bytes()
    Path("a.mp4").unlink()
    Path("a.mp4.json").unlink()
    return found


def killed_when(files: int) -> None:
    """A run that gets SIGKILL once its state has so many files."""
    (run,) = started(1, main, LINE.split(), threads=torch.get_num_threads())
    while run.process.is_alive() and len(list(Path().glob(".a.mp4.state/part*.safetensors"))) < files:
        time.sleep(0.002)
    run.process.kill()
    assert answers([run]) == [None]
    assert run.process.exitcode == -signal.SIGKILL


def test_killed_in_two_windows_it_ends_with_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    expected = undisturbed()
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


def test_half_a_state_is_taken_for_none() -> None:
    other = LINE.replace("schedule.steps=2", "schedule.steps=1")
    expected = undisturbed(other)
    killed_when(2)
    Path(".a.mp4.state/order.json").unlink()
    Path(".a.mp4.state.done").mkdir()
    Path(".a.mp4.part123.json").touch()
    assert undisturbed(other) == expected


def test_a_disk_that_fills_up_loses_at_most_a_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = undisturbed()
    save = checkpoint.save_file

    def full(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
        save(tensors, path, metadata)
        if len(list(Path().glob(".a.mp4.state/part*.safetensors"))) == 2:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", full)
        assert main(LINE.split()) == 2
    error = capsys.readouterr().err
    assert error == "volstyle: .a.mp4.state: no room left on the disk; free some, and the same command goes on\n"
    assert sorted(path.suffix for path in Path(".a.mp4.state").iterdir()) == [
        ".json",
        ".safetensors",
        ".safetensors",
    ]
    assert main([word for word in LINE.split() if word != "-q"]) == 0
    assert "going on   in part 2 of 4, after stage" in capsys.readouterr().out
    assert Path("a.mp4").read_bytes() == expected


def test_an_error_of_the_system_keeps_its_number(tmp_path: Path) -> None:
    """Here of files that are too large; it is the same way by which a full disk is told."""
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="os error") as error:
            checkpoint.Reached(torch.zeros(3, 1000)).save(tmp_path / "part")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.errno == errno.EFBIG


def ended() -> bool:
    """Whether a run came to its end, killed or not: its result is there, and nothing to go on from."""
    return Path("a.mp4.json").exists() and not Path(".a.mp4.state").exists()


@pytest.mark.slow
def test_twenty_kills_at_random_moments() -> None:
    """Runs begin within milliseconds, so that a kill comes upon the work and not upon imports."""
    expected = undisturbed()

    def outcome(killed_after: float | None) -> int | None:
        """The exit code of a run, which gets SIGKILL after so many seconds; None if that ended it."""
        (run,) = started(1, main, LINE.split(), threads=torch.get_num_threads())
        if killed_after is not None:
            time.sleep(killed_after)
            run.process.kill()
        (code,) = answers([run])
        return code

    assert outcome(0.0) is None  # and all is imported
    began = time.monotonic()
    assert outcome(None) == 0
    seconds = time.monotonic() - began
    moments, left, ends = random.Random(0), 0, 0
    for kill in range(21):
        if ended():
            assert Path("a.mp4").read_bytes() == expected
            Path("a.mp4").unlink()
            Path("a.mp4.json").unlink()
            ends += 1
        if kill < 20:
            assert outcome(moments.uniform(0.05, 0.95) * seconds) in (0, None)
            left += Path(".a.mp4.state/order.json").exists()
    assert left >= 5, f"{left} kills left a state, {ends} runs came to their end"
    assert main(LINE.split()) == 0
    assert Path("a.mp4").read_bytes() == expected
    assert there() == ["a.mp4", "a.mp4.json", "art.png", "clip.mp4"]
