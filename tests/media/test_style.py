"""Law 8, two doors and one house: the library and the command line give the same bytes and the same record."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile
import torch

import volstyle
from tests.clips import make_clip, smooth
from tests.scans import counts, loaded, nifti
from tests.tiny import numbers
from volstyle.codecs import Encoding, read, write
from volstyle.engine import outline as outlines
from volstyle.errors import OutputError, RecipeError, ShapeError, VolstyleError
from volstyle.grid.field import Axis, Field
from volstyle.media.progress import Bar
from volstyle.networks.registry import load_network
from volstyle.recipe import Recipe
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
CLIP = (Axis("t", 0.1, "s"), *PLANE)
TINY = {"network.name": "random", "precision": "float32", "schedule.steps": 2, "memory": "64MB"}
QUICK = TINY | {"style.statistic": "gram"}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture, a clip, a scan, sounds, and two styles."""
    monkeypatch.chdir(tmp_path)
    write("photo.png", Field(numbers(3, 40, 56), PLANE))
    write("art.png", Field(numbers(3, 32, 32, seed=1), PLANE))
    write("other.png", Field(numbers(3, 32, 40, seed=2), PLANE))
    clip = numbers(3, 10, 8, 10).repeat_interleave(4, 2).repeat_interleave(4, 3)
    write("clip.mp4", Field(clip, CLIP), Encoding("lossless"))
    nifti(Path("scan.nii.gz"), counts(20, 24, 28))
    noise = np.random.default_rng(0).standard_normal(6000)
    soundfile.write("rain.wav", 0.1 * noise, 8000, "PCM_16")
    soundfile.write("voice.wav", 0.5 * np.sin(np.arange(4000) / 9), 8000, "PCM_24")


def options(choices: dict[str, Any]) -> list[str]:
    return [word for key, value in choices.items() for word in ("--set", f"{key}={value}")]


def record_of(path: str) -> dict[str, Any]:
    """A record without what no two runs share, how long they took."""
    found: dict[str, Any] = json.loads(Path(f"{path}.json").read_text())
    for stage in found["stages"]:
        del stage["seconds"]
    return found


DOORS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "image": (
        "image photo.png --style art.png --style other.png@0.5 --size 48 -o out.png",
        {"content": "photo.png", "styles": ["art.png", "other.png@0.5"], "size": 48},
        QUICK,
    ),
    "clip": (
        "video clip.mp4 --style art.png --end 9f --quality lossless --loop -o out.mp4",
        {"content": "clip.mp4", "styles": ["art.png"], "end": "9f", "quality": "lossless"},
        QUICK | {"temporal.window": 4},
    ),
    "volume": (
        "volume scan.nii.gz --style art.png --window -500,500 --style-size 60mm --size 24 -o out.nii.gz",
        {"content": Path("scan.nii.gz"), "styles": "art.png", "style_size": "60mm", "size": 24},
        QUICK,
    ),
    "solid": (
        "volume --shape 16,18,20 --style art.png -o out.nii.gz",
        {"content": None, "styles": "art.png", "shape": (16, 18, 20)},
        QUICK,
    ),
    "signal": (
        "signal voice.wav --style rain.wav -o out.wav",
        {"content": "voice.wav", "styles": ["rain.wav"]},
        {"schedule.steps": 2, "memory": "64MB"},
    ),
    "texture": (
        "signal --style rain.wav --seconds 0.5 --seed 3 -o out.wav",
        {"content": None, "styles": ["rain.wav"], "seconds": 0.5},
        {"schedule.steps": 2, "memory": "64MB"},
    ),
}
MORE: dict[str, dict[str, Any]] = {
    "clip": {"temporal.loop": True},
    "volume": {"volume.window": "-500,500"},
    "texture": {"seed": 3},
}
"""What the library says by a choice and the command line by an option."""


@pytest.mark.parametrize("medium", DOORS)
def test_both_doors_give_the_same_bytes_and_the_same_record(medium: str) -> None:
    line, call, choices = DOORS[medium]
    output = line.split()[-1]
    assert main([*line.split(), "-q", *options(choices)]) == 0
    expected, record = Path(output).read_bytes(), record_of(output)
    Path(output).unlink()
    Path(f"{output}.json").unlink()
    result = volstyle.style(**call, output=output, choices=choices | MORE.get(medium, {}))
    assert Path(output).read_bytes() == expected
    assert record_of(output) == record
    assert json.loads(result.record.to_json()) == json.loads(Path(f"{output}.json").read_text())
    assert not list(Path().glob(f".{output}*"))
    assert main(["replay", f"{output}.json", "-q"]) == 0


@pytest.mark.parametrize("medium", ["image", "volume", "signal"])
def test_without_an_output_the_samples_are_the_same(medium: str) -> None:
    line, call, choices = DOORS[medium]
    choices = choices | MORE.get(medium, {})
    before = sorted(Path().iterdir())
    held = volstyle.style(**call, choices=choices)
    assert sorted(Path().iterdir()) == before
    assert held.output is None
    written = volstyle.style(**call, output=line.split()[-1], choices=choices)
    assert torch.equal(held.field.samples, written.field.samples)
    assert held.field.axes == written.field.axes


def test_a_clip_in_memory_is_styled_as_its_file_is() -> None:
    _, call, choices = DOORS["clip"]
    found = volstyle.style(**call, choices=choices).field
    same = volstyle.style(**call, output="out.mkv", choices=choices).field
    torch.testing.assert_close(found.samples, same.samples, atol=0.02, rtol=0)
    clip = read("clip.mp4")
    short = Field(clip.samples[:, :9].contiguous(), clip.axes)
    held = volstyle.style(short, volstyle.Style(read("art.png")), choices=choices, shots="none").field
    torch.testing.assert_close(held.samples, found.samples, atol=1e-4, rtol=0)


def test_the_network_is_loaded_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str, **more: Any) -> object:
        loaded.append(name)
        return load_network(name, **more)

    monkeypatch.setattr(outlines, "load_network", load)
    line, _, choices = DOORS["clip"]
    assert main([*line.split(), *options(choices)]) == 0
    assert loaded == ["random"]


def test_arrays_keep_their_grid() -> None:
    photo = (255 * numbers(40, 56, 3)).to(torch.uint8).numpy()
    result = volstyle.style(photo, "art.png", size=32, choices=QUICK)
    assert result.numpy().shape == photo.shape
    gray = volstyle.style(numbers(30, 40).numpy(), [read("art.png")], choices=QUICK)
    assert gray.numpy().shape == (30, 40, 3)
    tensor = volstyle.style(numbers(3, 30, 40), ["art.png"], choices=QUICK)
    assert tensor.field.shape == (30, 40)
    volume = volstyle.style(counts(10, 12, 14), ["art.png"], choices=QUICK)
    assert volume.numpy().shape == (10, 12, 14)
    assert volume.numpy().min() < -100
    scan = Field.of(counts(10, 12, 14), "zyx", step=(3, 1, 1), unit="mm")
    assert volstyle.style(scan, "art.png", choices=QUICK).field.axes == scan.axes
    line = volstyle.style(np.sin(np.arange(900) / 7), np.cos(np.arange(800) / 5), choices={"schedule.steps": 2})
    assert line.numpy().shape == (900,)


def test_samples_in_memory_are_written_and_recorded_but_not_done_again() -> None:
    volstyle.style(read("photo.png"), ["art.png"], "out.png", choices=QUICK)
    record = json.loads(Path("out.png.json").read_text())
    assert set(record["command"]["in_memory"]) == {"content"}
    assert set(record["command"]["inputs"]) == {"art.png"}
    assert main(["replay", "out.png.json"]) == 2


def test_samples_lie_in_0_and_1_or_in_a_range_that_is_told() -> None:
    bright = 200 * numbers(3, 30, 40)
    with pytest.raises(ShapeError, match=r"content: samples lie from .* value_range=\(0, 19"):
        volstyle.style(bright, ["art.png"], choices=QUICK)
    with pytest.raises(ShapeError, match="style: samples lie from"):
        volstyle.style("photo.png", [bright], choices=QUICK)
    told = volstyle.style(bright, ["art.png"], choices=QUICK, value_range=(0, 200))
    plain = volstyle.style(bright / 200, ["art.png"], choices=QUICK)
    torch.testing.assert_close(told.field.samples, 200 * plain.field.samples)


def test_steps_and_progress_are_followed() -> None:
    steps: list[volstyle.Step] = []
    stream = io.StringIO()
    bar = Bar(stream)
    result = volstyle.style("clip.mp4", "art.png", choices=QUICK, progress=bar, on_step=steps.append, shots="none")
    assert "100%" in stream.getvalue()
    assert stream.getvalue().endswith("\n")
    assert not torch.equal(steps[0].samples, steps[-1].samples)
    assert [(step.stage, step.step) for step in steps] == [(0, 1), (0, 2)]
    assert not result.stopped
    stopped = volstyle.style("photo.png", "art.png", choices=QUICK, on_step=lambda step: True)
    assert stopped.stopped
    assert stopped.last == (0, 1)


@pytest.mark.parametrize("medium", ["image", "clip", "volume", "signal"])
def test_a_result_shows_itself_in_a_notebook(medium: str) -> None:
    _, call, choices = DOORS[medium]
    shown = volstyle.style(**call, choices=choices)._repr_png_()
    picture = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.std() > 5


def test_a_recipe_is_given_whole_or_in_a_file() -> None:
    plain = volstyle.style("photo.png", "art.png", choices=QUICK)
    again = volstyle.style("photo.png", "art.png", recipe=plain.record.recipe)
    assert torch.equal(plain.field.samples, again.field.samples)
    Path("look.toml").write_text(plain.record.recipe.to_toml())
    assert volstyle.style("photo.png", "art.png", recipe="look.toml").record.recipe == plain.record.recipe
    assert len({plain.record.recipe, again.record.recipe, Recipe()}) == 2


def test_an_output_goes_on_after_a_run_that_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    _, call, choices = DOORS["clip"]
    choices = choices | {"schedule.smallest": 20}
    volstyle.style(**call, output="whole.mp4", choices=choices)

    def die(step: volstyle.Step) -> None:
        if step.stage == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        volstyle.style(**call, output="out.mp4", choices=choices, on_step=die)
    steps: list[int] = []
    volstyle.style(**call, output="out.mp4", choices=choices, on_step=lambda step: steps.append(step.stage))
    assert min(steps) == 3
    assert Path("out.mp4").read_bytes() == Path("whole.mp4").read_bytes()


WRONG: list[tuple[dict[str, Any], type[VolstyleError], str]] = [
    ({"styles": []}, RecipeError, "style: none given"),
    ({"content": None, "styles": []}, RecipeError, "style: none given"),
    ({"content": "voice.wav", "styles": "rain.wav", "size": 64}, RecipeError, "size: is for images"),
    ({"medium": "movie"}, RecipeError, "medium: 'movie' is unknown"),
    ({"masks": ["a.png", "b.png"]}, RecipeError, "masks: 2 for 1"),
    ({"output": "photo.png"}, OutputError, "is there already"),
    ({"content": np.zeros((4, 5, 6, 7))}, ShapeError, "may be several things"),
    ({"content": np.zeros((0, 40, 3))}, ShapeError, "samples: an array of 3x0x40 .* holds none"),
    ({"styles": torch.zeros(3, 0, 9)}, ShapeError, "samples: an array of 3x0x9 .* holds none"),
    ({"styles": [volstyle.Style(Field(torch.zeros(3, 0, 9), PLANE))]}, ShapeError, "3x0x9 .* holds none"),
    ({"choices": {"schedule.step": 1}}, RecipeError, "did you mean"),
    ({"content": numbers(3, 4, 9, 9), "start": "1s"}, RecipeError, "are for files"),
]


@pytest.mark.parametrize(("call", "kind", "message"), WRONG)
def test_what_is_wrong_is_one_line(call: dict[str, Any], kind: type[VolstyleError], message: str) -> None:
    before = sorted(Path().iterdir())
    with pytest.raises(kind, match=message) as raised:
        volstyle.style(**{"content": "photo.png", "styles": "art.png"} | call)
    assert "\n" not in str(raised.value)
    assert sorted(Path().iterdir()) == before


def test_masks_of_a_style_say_where_it_goes() -> None:
    mask = torch.zeros(40, 56)
    mask[:, :28] = 1
    content = read("photo.png")
    result = volstyle.style(content, [volstyle.Style(read("art.png"), target_mask=mask)], choices=QUICK)
    assert torch.equal(result.field.samples[..., 32:], content.samples[..., 32:])
    assert not torch.equal(result.field.samples[..., :24], content.samples[..., :24])


def dim(index: int) -> np.ndarray:
    """A dark gradient that moves."""
    found: np.ndarray = np.rint(smooth(index) * 0.4).astype(np.uint8)
    return found


@pytest.mark.parametrize("transfer", [16, 18])
def test_nothing_in_a_clip_of_high_dynamic_range_becomes_brighter_than_content_and_style(transfer: int) -> None:
    """White of standard range is 58 percent of PQ and 75 percent of HLG; what lies above shines."""
    make_clip(Path("hdr.mkv"), range(3), draw=dim, pixels="yuv420p10le", tags=(9, 1, 9, transfer))
    white = torch.ones(3, 32, 32)
    white[:, ::2] = 0
    result = volstyle.style("hdr.mkv", Field(white, PLANE), choices=TINY | {"init": "noise", "schedule.steps": 1})
    most = max(0.5807 if transfer == 16 else 0.75, float(read("hdr.mkv").samples.max()))
    assert float(result.field.samples.max()) <= most + 1e-3
    assert float(result.field.samples.max()) > most - 0.02


def test_a_nifti_keeps_its_header() -> None:
    volstyle.style("scan.nii.gz", ["art.png"], "out.nii.gz", choices=QUICK)
    came, was = loaded("out.nii.gz"), loaded("scan.nii.gz")
    assert np.array_equal(came.affine, was.affine)
