"""The samples that are programs run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from volstyle.codecs import probe

SAMPLES = Path(__file__).parent.parent / "samples"


def test_the_library_styles_an_array_a_scan_and_a_clip(tmp_path: Path) -> None:
    few = os.environ | {"STEPS": "1", "NETWORK": "random"}
    done = subprocess.run(
        [sys.executable, str(SAMPLES / "library.py")],
        cwd=tmp_path,
        env=few,
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line.split()[0] for line in done.stdout.splitlines()]
    assert said == ["array", "scan", "clip", "style:", "texture:", "structure:"]
    assert "100%" in done.stderr
    assert probe(tmp_path / "styled" / "harbor.mp4").shape[0] == 6
    assert probe(tmp_path / "styled" / "shell.nii.gz").shape == probe(SAMPLES / "shell.nii.gz").shape


def test_a_segmentation_is_trained_on_styled_scans(tmp_path: Path) -> None:
    few = os.environ | {"STEPS": "1", "SEEDS": "1", "NETWORK": "random", "SIDE": "20", "SCANS": "1"}
    done = subprocess.run(
        [sys.executable, str(SAMPLES / "scanner.py")],
        cwd=tmp_path,
        env=few,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line[:30].strip() for line in lines] == [
        "plain",
        "TorchIO's gamma, bias, noise",
        "paintings",
        "a slice of B",
        "a slice of B, and TorchIO's",
    ]
    assert all(" A " in line and " B " in line for line in lines)
