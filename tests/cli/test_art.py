"""The pictures drawn by formula: what the demo, the samples and the benchmarks count on."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from scipy import ndimage

from volstyle.codecs import Selection, read
from volstyle_cli.art import draw_clip, draw_pictures, draw_rain, draw_shell, harbor
from volstyle_cli.art.sound import SOUND_RATE_HZ, harbor_sound


def test_true_motion_finds_the_same_colors_again() -> None:
    layers = harbor.harbor()
    now, then = (harbor.draw_frame(layers, index).picture for index in (40, 44))
    motion, seen = harbor.true_motion(layers, 40, 4)
    y, x = np.mgrid[0 : harbor.HEIGHT, 0 : harbor.WIDTH].astype(np.float32)
    found = cv2.remap(then, x + motion[0], y + motion[1], cv2.INTER_LINEAR)
    apart = np.abs(found - now).mean(2)
    assert 0.9 < seen.mean() < 1
    assert apart[seen].mean() < 0.1 * np.abs(then - now).mean(2)[seen].mean()
    assert apart[~seen].mean() > 10 * apart[seen].mean()


def test_the_ball_is_heard_when_it_touches_the_ground() -> None:
    low = np.abs(
        np.fft.irfft(
            np.where(np.fft.rfftfreq(harbor_sound().shape[1], 1 / SOUND_RATE_HZ) < 80, 1, 0)
            * np.fft.rfft(harbor_sound().mean(0))
        )
    )
    touch, flight = (round((harbor.BEAT * share + harbor.BEAT) * SOUND_RATE_HZ) for share in (0.05, 0.5))
    assert low[touch - 1000 : touch + 1000].mean() > 3 * low[flight - 1000 : flight + 1000].mean()


def test_the_clip_has_its_frames_and_its_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harbor, "FRAMES", 12)
    draw_clip(tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert container.streams.video[0].frames == 12
        assert container.streams.video[0].average_rate == harbor.RATE


def test_a_painting_is_a_file(tmp_path: Path) -> None:
    draw_pictures(tmp_path, ["cutouts"], ".png")
    assert read(tmp_path / "cutouts.png").shape == (480, 640)


def test_the_shell_has_chambers_that_are_shut(tmp_path: Path) -> None:
    draw_shell(tmp_path / "shell.nii.gz")
    volume = read(tmp_path / "shell.nii.gz")
    assert [axis.step for axis in volume.axes] == pytest.approx([1.4] * 3)
    found, _ = ndimage.label(volume.samples[0].numpy() < -800)
    outside, *chambers = np.sort(np.bincount(found.ravel())[1:])[::-1]
    assert outside > found.size / 2
    assert sum(size > 100 for size in chambers) > 9


def test_the_rain_is_the_same_at_any_time(tmp_path: Path) -> None:
    draw_rain(tmp_path / "rain.ogg")
    wave = read(tmp_path / "rain.ogg", Selection(signal=True)).samples[0]
    loud = wave.square().unfold(0, SOUND_RATE_HZ, SOUND_RATE_HZ // 4).mean(1)
    assert loud.max() < 4 * loud.min()
    assert (wave[0] - wave[-1]).abs() < 0.2
