"""Whatever is wrong with a file: an error of ours or samples, soon, in little memory, and nothing is written."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest
import torch
from torch import Tensor

from tests.codecs.small import PICTURES_AND_VOLUMES, SIGNALS, cuts, flips, headers
from volstyle.codecs import Encoding, Selection, probe, read, write
from volstyle.errors import VolstyleError
from volstyle.grid.field import Field

CASES = [*((name, False) for name in PICTURES_AND_VOLUMES), *((name, True) for name in SIGNALS)]
NAMES = [f"{name}-signal" if as_signal else name for name, as_signal in CASES]

LONGEST = 30
"""Seconds after which reading a file of a few kB counts as hanging; it takes a few hundredths of one."""

ROOM = 400 * 2**20
"""Bytes of memory that may be in use at most beyond what was before."""


class Hanging(BaseException):
    """No Exception, so that no codec takes it for a fault of the file."""


@contextmanager
def deadline() -> Iterator[None]:
    def late(_: int, __: FrameType | None) -> None:
        raise Hanging(f"not done after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def memory(peak: bool) -> int:
    """Bytes of this process in memory, now or at most since `forget_peak`; 0 where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    key = "VmHWM:" if peak else "VmRSS:"
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(key))


def forget_peak() -> None:
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def treated(path: Path, as_signal: bool, target: Path) -> Field | None:
    """What is read of a file, None where it is refused, by errors of ours that are one line each. What was read is
    written to target, or refused without a trace there."""
    try:
        with deadline():
            probe(path, signal=as_signal)
    except VolstyleError as error:
        assert "\n" not in str(error), error
    try:
        with deadline():
            field = read(path, Selection(signal=as_signal))
    except VolstyleError as error:
        assert "\n" not in str(error), error
        return None
    assert all(size > 0 for size in field.shape), field.shape
    assert all(0 < axis.step < math.inf for axis in field.axes), field.axes
    try:
        with deadline():
            write(target, field, Encoding(force=True))
    except VolstyleError as error:
        assert "\n" not in str(error), error
        assert not contents(target.parent), f"left behind by: {error}"
    return field


@dataclass(frozen=True)
class Place:
    """Where a damaged file is read. file: what is damaged, of the files that one name may stand for. target: where
    what was read is written again, in a folder that is otherwise empty."""

    as_signal: bool
    path: Path
    file: Path
    target: Path

    def fault(self, data: bytes, whole: Tensor | None = None) -> str:
        """What is wrong with how a file of this data is treated, "" for nothing. whole: what may be read of it."""
        self.file.write_bytes(data)
        before, memory_before = contents(self.path.parent), memory(peak=False)
        forget_peak()
        try:
            field = treated(self.path, self.as_signal, self.target)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        except Hanging as error:
            return str(error)
        finally:
            for left in self.target.parent.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        grown = memory(peak=True) - memory_before
        if grown > ROOM:
            return f"{grown >> 20} MB of memory"
        if contents(self.path.parent) != before:
            return "the folder it is in has changed"
        if field is not None and whole is not None and not same(field.samples, whole):
            return f"{tuple(field.samples.shape)} samples are read as if they were all, of {tuple(whole.shape)}"
        return ""


def same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


ENDS_ANYWHERE = {"a.csv", "a.tsv", "a.mkv", "a.webm", "a.zarr", "sound.mp4"}
"""Formats that do not say how much of them there must be: a table may end after any line, Matroska says how long
it lasts, of which half a second may be missing, OME-Zarr may lack any block."""


def damaged(folder: Path, name: str, as_signal: bool, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """How a small file was damaged, and the fault that was found by it, "" for none."""
    path, target = folder / "in" / name, folder / "out" / name
    path.parent.mkdir()
    target.parent.mkdir()
    (SIGNALS if as_signal else PICTURES_AND_VOLUMES)[name](path)
    whole = read(path, Selection(signal=as_signal)).samples
    files = sorted(file for file in path.parent.rglob("*") if file.is_file())
    each = max(count // len(files), 5)
    for file in files:
        data, place = file.read_bytes(), Place(as_signal, path, file, target)
        for cut in cuts(data, each):
            fault = place.fault(cut, None if name in ENDS_ANYWHERE else whole)
            yield f"{file.name} cut off to {len(cut)} of {len(data)} bytes", fault
        for number, flipped in enumerate(flips(data, each, seed)):
            yield f"{file.name}, flip {number}", place.fault(flipped)
        for number, changed in enumerate(headers(data, each, seed)):
            yield f"{file.name}, header {number}", place.fault(changed)
        file.write_bytes(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "as_signal"), CASES, ids=NAMES)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, name: str, as_signal: bool) -> None:
    """Warnings of a format's own library are no fault: what it warns of is read, or refused later."""
    found = dict(damaged(tmp_path, name, as_signal, 70, seed=0))
    assert len(found) > 150
    assert not {how: fault for how, fault in found.items() if fault}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "as_signal"), CASES, ids=NAMES)
def test_a_file_damaged_in_thousands_of_ways(tmp_path: Path, name: str, as_signal: bool) -> None:
    found = dict(damaged(tmp_path, name, as_signal, 1200, seed=1))
    assert len(found) > 1500
    assert not {how: fault for how, fault in found.items() if fault}
