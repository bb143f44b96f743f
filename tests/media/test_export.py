"""Learned styles as ONNX: onnxruntime and OpenCV make of it what volstyle makes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import volstyle
from tests.tiny import numbers
from volstyle.engine.machine import Machine
from volstyle.engine.painting import LearnedStage, LearnedStyle
from volstyle.grid.color import Colors
from volstyle.networks.generator import Plan, StageGenerator
from volstyle.networks.inflation import standard_placement
from volstyle_cli import main

Array = np.ndarray[Any, Any]
NEAR = 1e-4
"""How far from ours they may be: a tenth of what is promised."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def learned(*names: str, axes: int = 2, channels: int = 3, colors: bool = False) -> LearnedStyle:
    """A style of networks of all kinds, which change what they see by much, also in the file s.safetensors.
    colors: whether contents are given those of the style."""
    stages = []
    plans = ({"deep": 12, "residuals": 2}, {"deep": 8, "block": 1}, {"residuals": 1})
    for number, (size, plan) in enumerate(zip((12, 27, 60), plans, strict=True)):
        generator = torch.Generator().manual_seed(number)
        built = Plan(axes=axes, channels=channels, styles=len(names), width=6, **plan)
        weights = {
            name: (0.1 if "last" in name or "bias" in name else 1.0)
            * torch.randn(shape, generator=generator)
            / np.prod(shape[1:]) ** 0.5
            for name, shape in built.shapes().items()
        }
        stages.append(LearnedStage(size, StageGenerator(built, weights)))
    given = [Colors.of(numbers(channels, 9, 9, seed=seed) ** (2 + seed)) for seed in range(len(names) * colors)]
    style = LearnedStyle(tuple(stages), names, "random", 2.25, tuple(given))
    style.save(Path("s.safetensors"), {})
    return style


def ours(style: LearnedStyle, content: Array, **weights: float) -> Array:
    axes = style.plan.axes
    machine = Machine(torch.device("cpu"), torch.float32, 2**30)
    brush = style.brush(standard_placement(axes, axes, "center"), style.shares(weights), machine)
    return np.stack([brush(torch.from_numpy(one)).numpy() for one in content])


def by_onnxruntime(file: str, **inputs: Array) -> Array:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def by_opencv(file: str, engine: int = cv2.dnn.ENGINE_AUTO, **inputs: Array) -> Array:
    net = cv2.dnn.readNetFromONNX(file, engine)
    for name, values in inputs.items():
        net.setInput(values, name)
    return net.forward()


def picture(height: int, width: int, count: int = 1) -> Array:
    return np.stack([numbers(3, height, width, seed=seed).numpy() for seed in range(count)])


def test_pictures_of_any_size() -> None:
    style = learned("one")
    assert main(["export", "s.safetensors", "s.onnx", "-q"]) == 0
    session = onnxruntime.InferenceSession("s.onnx", providers=["CPUExecutionProvider"])
    net = cv2.dnn.readNetFromONNX("s.onnx")
    for height, width in ((60, 44), (45, 60), (51, 51), (7, 53), (60, 1)):
        content = picture(height, width)
        wanted = ours(style, content, one=1)
        net.setInput(content)
        assert np.abs(session.run(None, {"image": content})[0] - wanted).max() < NEAR
        assert np.abs(net.forward() - wanted).max() < NEAR
        assert np.abs(wanted - content).mean() > 0.1
        assert 0.1 < wanted.mean() < 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_each_content_is_given_the_colors_of_the_style(channels: int) -> None:
    style = learned("one", "two", channels=channels, colors=True)
    volstyle.export("s.safetensors", "s.onnx")
    volstyle.export("s.safetensors", "fixed.onnx", styles=["one", "two@3"], shape=(48, 60))
    content = np.concatenate([low + high * picture(48, 60)[:, :channels] for low, high in ((0, 1), (0.6, 0.1))])
    faint = content[:1].mean(1, keepdims=True) + 0.01 * (content[:1] - 0.5)  # nearly gray
    plain = replace(style, colors=())
    for weights in ((1, 0), (1, 3)):
        given = np.array(weights, np.float32)
        for one in (content[:1], content[1:], faint):
            wanted = ours(style, one, **dict(zip(style.names, weights, strict=True)))
            for engine in (by_onnxruntime, by_opencv):
                assert np.abs(engine("s.onnx", image=one, weights=given) - wanted).max() < NEAR
            assert np.abs(wanted - ours(plain, one, **dict(zip(style.names, weights, strict=True)))).mean() > 0.02
    both = by_onnxruntime("s.onnx", image=content, weights=given)
    assert np.abs(both - ours(style, content, one=1, two=3)).max() < NEAR
    for engine in (by_onnxruntime, by_opencv):
        assert np.abs(engine("fixed.onnx", image=content[1:]) - both[1:]).max() < NEAR


def test_several_pictures_at_once() -> None:
    style = learned("one")
    volstyle.export("s.safetensors", "s.onnx")
    content = picture(50, 41, count=3)
    assert np.abs(by_onnxruntime("s.onnx", image=content) - ours(style, content, one=1)).max() < NEAR


def test_styles_are_weighed_by_an_input() -> None:
    style, content = learned("one", "two", "three"), picture(48, 60)
    volstyle.export("s.safetensors", "s.onnx")
    found = []
    for weights in ((1, 0, 0), (0, 1, 3), (2, 2, 0)):
        given = np.array(weights, np.float32)
        wanted = ours(style, content, **dict(zip(style.names, weights, strict=True)))
        for engine in (by_onnxruntime, by_opencv):
            assert np.abs(engine("s.onnx", image=content, weights=given) - wanted).max() < NEAR
        found.append(wanted)
    assert np.abs(found[0] - found[1]).mean() > 0.01


def test_a_blend_and_a_size_that_are_fixed_are_for_older_engines_too() -> None:
    style, content = learned("one", "two"), picture(47, 60)
    words = ["--style", "one", "--style", "two@0.5", "--shape", "47x60"]
    assert main(["export", "s.safetensors", "s.onnx", *words, "-q"]) == 0
    wanted = ours(style, content, one=1, two=0.5)
    for engine in (cv2.dnn.ENGINE_CLASSIC, cv2.dnn.ENGINE_NEW):  # OpenCV 4 has the first one alone
        assert np.abs(by_opencv("s.onnx", engine, image=content) - wanted).max() < NEAR
    assert np.abs(by_onnxruntime("s.onnx", image=content) - wanted).max() < NEAR
    reckoned = {"Shape", "Range", "Cast", "Round", "Max"}
    assert not reckoned & {node.op_type for node in onnx.load("s.onnx").graph.node}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_volume(channels: int) -> None:
    style = learned("one", axes=3, channels=channels)
    volstyle.export("s.safetensors", "s.onnx", size=25)
    content = numbers(channels, 25, 14, 19)[None].numpy()
    wanted = ours(style, content, one=1)
    assert np.abs(by_onnxruntime("s.onnx", volume=content) - wanted).max() < NEAR
    assert np.abs(wanted - content).mean() > 0.1


def test_it_is_said_which_pictures_are_painted_alike() -> None:
    style = learned("one")
    for size in (60, 100, 11):
        written = volstyle.export("s.safetensors", "s.onnx", size=size, force=True)
        least, most = written.alike
        assert least <= size <= most
        assert json.loads(facts("s.onnx")["alike"]) == [least, most]

        def apart(side: int) -> float:
            content = picture(3, side)
            return np.abs(by_onnxruntime("s.onnx", image=content) - ours(style, content, one=1)).max()

        assert max(map(apart, (least, size, most))) < NEAR
        assert least == 1 or apart(least - 1) > NEAR
        assert apart(most + 1) > NEAR


def test_what_has_other_stages_is_painted_too() -> None:
    learned("one")
    volstyle.export("s.safetensors", "s.onnx")
    for height, width in ((1, 1), (2, 3), (130, 150)):
        for engine in (by_onnxruntime, by_opencv):
            assert engine("s.onnx", image=picture(height, width)).shape == (1, 3, height, width)


def facts(file: str) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}


def test_what_it_says_of_itself() -> None:
    learned("one", "two")
    written = volstyle.export("s.safetensors", "s.onnx")
    volstyle.export("s.safetensors", "again.onnx")
    assert Path("s.onnx").read_bytes() == Path("again.onnx").read_bytes()
    assert written.styles == ("one", "two") and not written.shares
    said = facts("s.onnx")
    assert json.loads(said["styles"]) == ["one", "two"]
    assert said["learned"] == LearnedStyle.load(Path("s.safetensors")).digest
    assert said["volstyle"] == volstyle.__version__
    blended = volstyle.export("s.safetensors", "s.onnx", styles=["one@3", "two"], force=True)
    assert blended.shares == {"one": 0.75, "two": 0.25}


BAD = {
    "export s.safetensors out.pt": "out.pt: suffix '.pt', must be .onnx",
    "export s.safetensors nowhere/out.onnx": "no folder nowhere",
    "export none.safetensors out.onnx": "none.safetensors: ",
    "export s.onnx out.onnx": "s.onnx: ",
    "export other.safetensors out.onnx": "is no learned style; must be one of version 4, made by `volstyle learn`",
    "export s.safetensors s.onnx": "s.onnx: is there already; give another name or --force",
    "export s.safetensors out.onnx --style three": "no style 'three' in it; allowed: one, two",
    "export s.safetensors out.onnx --style one@0": "style: one@0 have weights of 0 alone, must be one above it",
    "export s.safetensors out.onnx --shape 12": "shape: '12', must be HEIGHTxWIDTH",
    "export s.safetensors out.onnx --shape 9x9x9": "shape: 9x9x9 has 3 sides, must have 2: height and width",
    "export s.safetensors out.onnx --shape 0x9": "size: 0, must be 1 to 32768 samples",
    "export s.safetensors out.onnx --size 99999": "size: 99999, must be 1 to 32768 samples",
}


@pytest.mark.parametrize("line", BAD)
def test_what_is_wrong_is_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    learned("one", "two")
    Path("s.onnx").write_bytes(b"mine")
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, "other.safetensors")
    there = sorted(Path().iterdir())
    assert main(line.split()) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert BAD[line] in said
    assert sorted(Path().iterdir()) == there
    assert Path("s.onnx").read_bytes() == b"mine"


def test_without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    learned("one")
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(volstyle.InputError, match=r"needs onnx.*; install it: pip install 'volstyle\[onnx\]'"):
        volstyle.export("s.safetensors", "s.onnx")
    assert not Path("s.onnx").exists()
