"""`volstyle signal` as a user meets it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from volstyle.media.names import default_output
from volstyle.media.table import MEDIA
from volstyle_cli import main

RATE = 8000
QUICK = ["--set", "schedule.steps=3"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with rain.wav (mono), voice.wav (stereo), ecg.csv, and files that are bad."""
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0)
    time = np.arange(6000) / RATE
    rain = 0.1 * numbers.standard_normal(6000) * (1 + np.sin(2 * math.pi * 4 * time))
    left, right = 0.5 * np.sin(2 * math.pi * 200 * time), 0.3 * np.sin(2 * math.pi * 317 * time)
    soundfile.write("rain.wav", rain, RATE, "PCM_16")
    soundfile.write("fast.wav", np.repeat(rain, 2), 2 * RATE, "PCM_16")
    soundfile.write("voice.wav", np.stack((left, right), 1), RATE, "PCM_24")
    soundfile.write("loud.wav", np.clip(4 * np.stack((left, right), 1), -1, 1), RATE, "PCM_16")
    soundfile.write("silent.wav", np.zeros(6000), RATE)
    Path("cut.wav").write_bytes(Path("rain.wav").read_bytes()[:5000])
    rows = [f"{i / 100:.2f},{math.sin(i / 9):.6f},{math.cos(i / 9):.6f}" for i in range(800)]
    Path("ecg.csv").write_text("time,I,II\n" + "\n".join(rows) + "\n")
    Path("words.csv").write_text("time,I\n0,low\n1,high\n")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_folder_is_no_signal(run: Run) -> None:
    Path("empty").mkdir()
    Path("frames").mkdir()
    cv2.imwrite("frames/1.png", np.zeros((8, 8, 3), np.uint8))
    for folder in ("empty", "frames"):
        code, _, err = run("signal", folder, "--style", "rain.wav")
        said = f"{folder}: is a folder, a signal must be a file; give a sound, a table or waveforms"
        assert (code, err) == (2, f"volstyle: {said}\n")
        code, _, err = run("signal", "voice.wav", "--style", folder)
        assert (code, err) == (2, f"volstyle: style {said}\n")


@pytest.mark.parametrize(
    ("content", "output"), [("1.2.840.10008", "1.2.840.10008-b.dcm"), ("a.tsv", "a-b.tsv"), ("a.flac", "a-b.wav")]
)
def test_a_waveform_without_a_suffix_becomes_dicom(run: Run, content: str, output: str) -> None:
    Path(content).write_bytes(b"any")
    assert default_output(MEDIA["signal"], Path(content), [Path("b.csv")]) == Path(output)


def test_a_sound_is_styled(run: Run) -> None:
    code, out, err = run("signal", "voice.wav", "--style", "fast.wav", "-o", "out.wav", *QUICK)
    assert (code, err) == (0, "")
    info = soundfile.info("out.wav")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (RATE, 2, "PCM_24", 6000)
    for line in (
        "content    voice.wav, 6000 samples",
        "network    builtin1d (seed 0)",
        "note       style: 1 channels averaged, the content has 2",
        "note       style: resampled from 16000 to 8000 Hz, the content's rate",
        "heard      result: spectrum",
        "noise of its spectrum: spectrum",
        "content: spectrum",
    ):
        assert line in out
    assert re.search(r"style, shifted: spectrum \d\.\d dB off, texture 0\.0\d, copy 1\.00", out)
    record = json.loads(Path("out.wav.json").read_text())
    assert record["recipe"]["optimizer"]["name"] == "lbfgs"


def test_a_texture_of_any_length_is_made_from_noise(run: Run) -> None:
    code, out, _ = run("signal", "--style", "rain.wav", "-o", "out.flac", "--seconds", "1.5", *QUICK)
    assert code == 0
    assert "content    none, a texture, 12000 samples" in out
    assert soundfile.info("out.flac").frames == 12000
    costs = json.loads(Path("out.flac.json").read_text())["stages"][0]["costs"]
    assert costs["style"][-1] < costs["style"][0]
    assert not any(costs["content"])


def test_a_replay_gives_the_same_bytes(run: Run) -> None:
    run("signal", "--style", "rain.wav", "-o", "out.wav", "--seconds", "1", "--seed", "3", *QUICK)
    code, out, _ = run("replay", "out.wav.json")
    assert (code, "the same bytes" in out) == (0, True)
    assert Path("out-replay.wav").read_bytes() == Path("out.wav").read_bytes()


def test_a_series_keeps_times_and_names(run: Run) -> None:
    code, out, err = run("signal", "ecg.csv", "--style", "ecg.csv", "--init", "noise", "-o", "out.csv", *QUICK)
    assert (code, err) == (0, "")
    assert "network    random (seed 0)" in out
    lines = Path("out.csv").read_text().splitlines()
    assert lines[0] == "time,I,II"
    assert [line.split(",")[0] for line in lines[1:4]] == ["0.00", "0.01", "0.02"]
    assert set(json.loads(Path("out.csv.json").read_text())["stages"][0]["costs"]) >= {"memory", "values"}


def test_the_preview_is_a_picture(run: Run) -> None:
    code, _, _ = run("signal", "voice.wav", "--style", "rain.wav", "-o", "o.wav", "--preview", "p.png", *QUICK)
    assert code == 0
    picture = cv2.imread("p.png")
    assert picture is not None
    assert picture.shape[1] == 1000
    assert picture.std() > 20


def test_names_if_none_is_given(run: Run) -> None:
    assert run("signal", "voice.wav", "--style", "rain.wav", *QUICK)[0] == 0
    assert run("signal", "--style", "ecg.csv", *QUICK)[0] == 0
    assert Path("voice-rain.wav").exists()
    assert Path("texture-ecg.csv").exists()


def test_clipping_is_said(run: Run) -> None:
    _, out, _ = run("signal", "loud.wav", "--style", "rain.wav", "-o", "o.wav", *QUICK)
    assert "note       loud.wav: cut off at full scale in" in out


def test_a_first_column_that_is_kept_is_noted(run: Run) -> None:
    Path("x.csv").write_text(Path("ecg.csv").read_text().replace("time", "x"))
    code, out, err = run("signal", "x.csv", "--style", "x.csv", "-o", "out.csv", "--set", "schedule.steps=1")
    assert (code, err) == (0, "")
    assert "note       x.csv: its first column goes up evenly and is kept; call it time if it holds seconds" in out
    kept = [line.split(",")[0] for line in Path("x.csv").read_text().splitlines()]
    assert [line.split(",")[0] for line in Path("out.csv").read_text().splitlines()] == kept


def test_info_of_a_signal(run: Run) -> None:
    code, out, _ = run("info", "voice.wav")
    assert code == 0
    assert "rate       8000 Hz, 2 channels" in out
    assert "`volstyle signal voice.wav --style FILE` styles it." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["silent.wav", "--style", "rain.wav"], "content: silent, every sample is 0"),
        (["cut.wav", "--style", "rain.wav"], "cut.wav: holds 4956 of 12000 bytes of sound; cut off there"),
        (["voice.wav", "--style", "cut.wav"], "style cut.wav: holds 4956 of 12000"),
        (["voice.wav", "--style", "words.csv"], "style words.csv: line 2, column 'I' is 'low'"),
        (["ecg.csv", "--style", "rain.wav"], "style: 1 channels, must be 2 as the content has"),
        (["voice.wav", "--style", "rain.wav", "--seconds", "2"], "seconds: is for a texture, without IN"),
        (["voice.wav", "--style", "rain.wav", "--size", "64"], "size: is for images, clips and volumes"),
        (["voice.wav", "--style", "rain.wav", "--init", "fast.wav"], "an init must have 2x6000 as the content"),
        (["voice.wav", "--style", "rain.wav", "--network", "builtin"], "2 channels, must be 3 or 1"),
        (["--style", "rain.wav", "--seconds", "0"], "seconds: 0 are 0 samples, must be at least 64"),
        (["nothing.wav", "--style", "rain.wav"], "nothing.wav: no such file"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(run: Run, arguments: list[str], message: str) -> None:
    before = sorted(Path().iterdir())
    code, _, err = run("signal", *arguments, "-o", "out.wav" if "ecg.csv" not in arguments else "out.csv", *QUICK)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert sorted(Path().iterdir()) == before
