"""The samples that are programs run."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from volstyle.codecs import probe

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(autouse=True)
def _little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They work in an empty folder, and are asked for little."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"STEPS": "1", "SEEDS": "1", "NETWORK": "random", "SIDE": "20", "SCANS": "1"}.items():
        monkeypatch.setenv(name, value)


def test_the_library_styles_an_array_a_scan_and_a_clip(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(SAMPLES / "library.py"))
    done = capsys.readouterr()
    said = [line.split()[0] for line in done.out.splitlines()]
    assert said == ["array", "scan", "clip", "style:", "texture:", "structure:"]
    assert "100%" in done.err
    assert probe("styled/harbor.mp4").shape[0] == 6
    assert probe("styled/shell.nii.gz").shape == probe(SAMPLES / "shell.nii.gz").shape


def test_a_segmentation_is_trained_on_styled_scans(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(SAMPLES / "scanner.py"))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:30].strip() for line in lines] == [
        "plain",
        "TorchIO's gamma, bias, noise",
        "paintings",
        "a slice of B",
        "a slice of B, and TorchIO's",
    ]
    assert all(" A " in line and " B " in line for line in lines)
