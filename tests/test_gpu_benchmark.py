"""The benchmark for a GPU, which nobody here has: in small it runs on the CPU, and never passes for a card's."""

from __future__ import annotations

import pytest
import torch

from tests.benchmarks import gpu


def test_in_small_all_of_it_runs_and_says_that_no_gpu_was_used(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--small"])
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| NO GPU: the CPU, in small")
    parts = ("cuda tests", "a step of VGG-19 at 48x32", "extrapolated", "sums of relu1_1", "of learning")
    for what in (*parts, "the networks alone", "painted and encoded"):
        assert any(what in row for row in rows), what
    assert "s on an H200" not in said
    assert "nothing of any card" in said.splitlines()[-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="no NVIDIA GPU here"):
        gpu.main([])
    assert capsys.readouterr().out == ""
