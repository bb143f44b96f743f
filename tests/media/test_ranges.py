"""Clips of high dynamic range and learned styles, which know sRGB alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import volstyle
from tests.tiny import numbers
from volstyle.codecs import Encoding, read, write
from volstyle.codecs.color import Color
from volstyle.codecs.high_range import PAINTED_NOTE, in_range_of, in_srgb
from volstyle.codecs.stream import styled
from volstyle.codecs.video import VideoOrigin
from volstyle.engine.outline import Outline
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.media.follower import Follower
from volstyle.media.lesson import lesson, studied
from volstyle.media.ranges import style_in_srgb

PQ = Color(matrix=9, primaries=9, transfer=16)
WHITE = 0.58069
AXES = (Axis("t", 0.1, "s"), Axis("y"), Axis("x"))
TINY = {
    "network.name": "random",
    "precision": "float32",
    "memory": "64MB",
    "learn.steps": 2,
    "learn.examples": 4,
    "learn.smallest": 24,
}


def bright_clip(path: Path) -> Tensor:
    """A clip in PQ, of which a half is brighter than white. Returns its samples."""
    samples = numbers(3, 6, 8, 10).repeat_interleave(4, 2).repeat_interleave(4, 3)
    write(path, Field(samples, AXES, VideoOrigin(color=PQ, bits=10)), Encoding("lossless"))
    found = read(path)
    assert isinstance(found.origin, VideoOrigin)
    assert found.origin.color.transfer == 16
    return found.samples


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("art.png", Field(numbers(3, 32, 32, seed=1), AXES[1:]))


def test_what_is_painted_is_no_brighter_than_white() -> None:
    bright_clip(Path("clip.mkv"))
    plain = numbers(3, 6, 32, 40, seed=2)
    write("plain.mkv", Field(plain, AXES), Encoding("lossless"))
    volstyle.learn(["art.png"], "plain.mkv", "s.safetensors", choices=TINY)
    result = volstyle.style("clip.mkv", ["s.safetensors"], "out.mkv", quality="lossless")
    made = read("out.mkv")
    assert isinstance(made.origin, VideoOrigin)
    assert made.origin.color.transfer == 16
    assert 0.3 < float(made.samples.max()) < WHITE + 0.01
    assert result.record.notes.count(PAINTED_NOTE) == 1
    assert not any("style: brought" in note for note in result.record.notes)


def test_what_is_not_painted_stays_as_bright_as_it_was() -> None:
    samples = bright_clip(Path("clip.mkv"))
    volstyle.learn(["art.png"], "clip.mkv", "s.safetensors", choices=TINY)
    none = {"strength": 0.0}
    volstyle.style("clip.mkv", ["s.safetensors"], "none.mkv", quality="lossless", choices=none)
    assert torch.equal(read("none.mkv").samples, samples)
    volstyle.style("clip.mkv", ["s.safetensors"], "all.mkv", quality="lossless")
    volstyle.style("clip.mkv", ["s.safetensors"], "half.mkv", quality="lossless", choices={"strength": 0.5})
    half = (samples + read("all.mkv").samples) / 2
    torch.testing.assert_close(read("half.mkv").samples, half, atol=0.01, rtol=0)

    class Stopping(Follower):
        def painted(self, number: int, made: Tensor) -> bool:
            return number == 2

    result = volstyle.style("clip.mkv", ["s.safetensors"], "part.mkv", quality="lossless", progress=Stopping())
    assert result.stopped
    part = read("part.mkv").samples
    assert torch.equal(part[:, 2:], samples[:, 2:])
    assert not torch.equal(part[:, :2], samples[:, :2])


def test_what_is_learned_on_is_seen_in_srgb() -> None:
    samples = bright_clip(Path("clip.mkv"))
    order = lesson(
        (),
        (Path("clip.mkv"),),
        None,
        kind=None,
        size=None,
        given={},
        chosen=(),
        selection=volstyle.Selection(),
        encoding=Encoding(),
        resume=False,
    )
    (found,) = studied(order, Path("clip.mkv"))
    whole = found.opened()
    assert PAINTED_NOTE in found.notes
    seen = torch.stack([frame.samples for frame in whole.frames()], dim=1)  # type: ignore[union-attr]
    torch.testing.assert_close(seen, in_srgb(samples, PQ))
    style = style_in_srgb(Style(read("clip.mkv")))
    torch.testing.assert_close(style.field.samples, in_srgb(samples, PQ))


def test_a_style_of_high_range_is_learned_in_srgb(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = bright_clip(Path("clip.mkv"))
    seen: list[Tensor] = []

    def caught(_: Outline, __: int, styles: Sequence[Style]) -> None:
        seen.extend(style.field.samples for style in styles)
        raise InterruptedError

    monkeypatch.setattr("volstyle.media.learned._targets", caught)
    with pytest.raises(InterruptedError):
        volstyle.learn(["clip.mkv"], "clip.mkv", "s.safetensors", choices=TINY)
    torch.testing.assert_close(seen[0], in_srgb(samples, PQ))


def test_streams_are_turned_in_srgb() -> None:
    samples = bright_clip(Path("clip.mkv"))
    shown: list[Tensor] = []

    def half(frame: Field) -> Field:
        shown.append(frame.samples)
        return replace(frame, samples=frame.samples / 2)

    passed = styled(Path("clip.mkv"), Path("out.mkv"), (half,), Encoding("lossless"))
    assert PAINTED_NOTE in passed.notes
    torch.testing.assert_close(torch.stack(shown, dim=1), in_srgb(samples, PQ), atol=2e-3, rtol=0)
    made = read("out.mkv").samples
    torch.testing.assert_close(made, in_range_of(in_srgb(samples, PQ) / 2, PQ), atol=0.02, rtol=0)
