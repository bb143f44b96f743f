"""The laws on a GPU, each once, against float32 on the CPU; and what a GPU has less of: memory.

The same tests run on the CPU, small as they are, so that they are known to work where there is no GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.test_laws_textbook import CONTENT, LAYOUTS, RESULT, STYLE, laid_out, transparent
from tests.test_laws_tiles import CASES, tiled
from tests.tiny import CPU, TAPS, numbers, stylized, tiny_field, tiny_network
from volstyle import style as style_by_library
from volstyle.codecs import read, write
from volstyle.engine import stylize as engine
from volstyle.engine.blockwise import style_sums
from volstyle.engine.machine import bytes_per_sample
from volstyle.engine.outline import outline
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.grid.tiles import plan
from volstyle.networks.extractor import Extractor
from volstyle.networks.inflation import Placement
from volstyle.recipe import ContentChoice, NetworkChoice, Recipe, ScheduleChoice, StyleChoice
from volstyle.record import Record
from volstyle_cli import main

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
on_devices = pytest.mark.parametrize("device", DEVICES)
AXES = {1: (96,), 2: (40, 32), 3: (3, 24, 32)}
CLIP_NAMES = ("t", "y", "x")


@pytest.fixture(autouse=True)
def _exact_products() -> Iterator[None]:
    """Without TF32, which keeps ten bits of a product: laws are about exactness."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def near(found: Tensor, expected: Tensor, share: float = 1e-4) -> None:
    """Equal to a share of the largest number, wherever they lie."""
    torch.testing.assert_close(found.cpu(), expected.cpu(), rtol=0, atol=share * float(expected.abs().max()))


def apart(a: Tensor, b: Tensor, device: str) -> float:
    """How far two results are apart: at most on the CPU, on average on a GPU."""
    differences = (a - b).abs()
    return float(differences.max() if device == "cpu" else differences.mean())


def placed(own: int, placement: Placement, device: str) -> Extractor:
    return tiny_network(own, dtype=torch.float32).to(torch.device(device), torch.float32).placed(placement)


def recipe_for(device: str) -> Recipe:
    return Recipe(
        network=NetworkChoice("random"),
        schedule=ScheduleChoice(smallest=48, ratio=2.0, steps=2),
        init="noise",
        memory="8MB",
        precision="float32",
        seed=4,
        device=device,
    )


# ---- 1 and 2: constant extension, the box identity


@on_devices
@pytest.mark.parametrize("inflation", ["center", "mean"])
def test_constant_extension(device: str, inflation: str) -> None:
    flat = numbers(1, 3, 13, 10, seed=1)
    extended = flat[:, :, None].expand(1, 3, 9, 13, 10)
    expected = placed(2, Placement((0, 1)), "cpu")(flat, TAPS)
    found = placed(2, Placement((inflation, 0, 1)), device)(extended.to(device), TAPS)
    for tap in TAPS:
        assert found[tap].device.type == device
        near(found[tap], expected[tap][:, :, None].expand_as(found[tap]))


@on_devices
def test_box_identity(device: str) -> None:
    placement, clip = Placement(("mean", 0, 1)), numbers(1, 3, 9, 13, 10, seed=7)
    expected = tiny_network(2, dtype=torch.float32).inflated(placement)(clip, TAPS)
    found = placed(2, placement, device)(clip.to(device), TAPS)
    for tap in TAPS:
        near(found[tap], expected[tap])


# ---- 3 and 4: tiles, zero at the target


@on_devices
@pytest.mark.parametrize("kind", ["gram", "moments", "w2", "gatys"])
@pytest.mark.parametrize("case", ["signal", "image", "clip-mean", "volume"])
def test_tiles_on_a_device_give_what_the_whole_gives_on_the_cpu(case: str, kind: str, device: str) -> None:
    which = CASES[case]
    network = tiny_network(which.own, dtype=torch.float32)
    samples, content, style = (numbers(3, *which.shape, seed=seed) for seed in (10, 11, 12))
    results = []
    for place, core in (("cpu", which.shape), (device, which.core)):
        extractor = network.to(torch.device(place), torch.float32).on(len(which.shape), which.inflation)
        blocks = plan(which.shape, which.shape, *extractor.reach(TAPS))
        targets = style_sums(extractor, (style**2).to(place), blocks, TAPS)
        found, tiles = tiled(
            which, extractor, samples.to(place), content.to(place), targets, kind, None, None, core
        )
        assert (tiles > 1) == (core == which.core)
        results.append(found)
    whole, parts = results
    assert parts.gradient.device.type == device
    assert parts.cost == pytest.approx(whole.cost, rel=1e-3)
    error = (parts.gradient.cpu() - whole.gradient).norm() / whole.gradient.norm()
    assert error < 1e-3


@on_devices
@pytest.mark.parametrize("kind", ["gram", "moments", "w2"])
def test_at_the_target_the_cost_is_zero(kind: str, device: str) -> None:
    which = CASES["image"]
    extractor = placed(2, Placement((0, 1)), device)
    samples = numbers(3, *which.shape, seed=14).to(device)
    targets = style_sums(extractor, samples, plan(which.shape, which.core, *extractor.reach(TAPS)), TAPS)
    elsewhere = (samples + 0.2 * numbers(*samples.shape, seed=15).to(device)).clamp(0, 1)
    at, away = (
        tiled(which, extractor, where, samples, targets, kind, None, None, which.core)[0]
        for where in (samples, elsewhere)
    )
    assert abs(at.cost) < 1e-6 * away.cost
    assert at.gradient.norm() < 1e-4 * away.gradient.norm()


# ---- 5: the textbook's formula


@on_devices
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_textbook(axes: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers worked by hand in `test_laws`."""
    monkeypatch.setattr("volstyle.engine.outline.load_network", lambda *_, **__: transparent(axes))
    content, style, init = (
        replace(tiny_field(*LAYOUTS[axes], channels=2), samples=laid_out(values, LAYOUTS[axes]) / 8)
        for values in (CONTENT, STYLE, RESULT)
    )
    recipe = Recipe(
        scaling="gatys",
        content=ContentChoice(weight=10.0),
        style=StyleChoice(weight=5e3, taps={"once": 1.0, "twice": 0.5}),
        schedule=ScheduleChoice(steps=1),
        precision="float32",
        device=device,
    )
    (stage,) = stylized(content, [Style(style)], recipe, init=init).record.stages
    assert stage.costs["content"] == [pytest.approx(10 * 3 / 64, rel=1e-5)]
    assert stage.costs["style"] == [pytest.approx(5e3 * 9 * 59 / 256 / 4096, rel=1e-5)]


# ---- 6: round trip; 7: replay; 8: two doors


@on_devices
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_run_on_a_device_begins_as_on_the_cpu_and_is_recorded(axes: int, device: str) -> None:
    """The first costs agree; later ones part, since rounding differs and each step adds to it. The result lies on
    the CPU, ready to be written."""
    shape = AXES[axes]
    content = tiny_field(*shape, names=CLIP_NAMES if axes == 3 else None)
    style = Style(tiny_field(*shape[-2:], seed=1))
    found, expected = (stylized(content, [style], recipe_for(place)) for place in (device, "cpu"))
    assert found.field.samples.device == CPU
    assert found.record.device.startswith(device)
    for name, costs in expected.record.stages[0].costs.items():
        assert found.record.stages[0].costs[name][0] == pytest.approx(costs[0], rel=1e-3, abs=1e-6), name


@on_devices
def test_a_record_is_run_again(device: str, tmp_path: Path) -> None:
    """To the byte on the CPU; on a GPU sums may be taken in another order each time."""
    content, style = tiny_field(40, 32), Style(tiny_field(40, 32, seed=1))
    first = stylized(content, [style], recipe_for(device))
    (tmp_path / "record.json").write_text(first.record.to_json())
    record = Record.load(tmp_path / "record.json")
    assert record.device.startswith(device)
    again = stylized(content, [style], record.recipe)
    assert apart(first.field.samples, again.field.samples, device) <= (0 if device == "cpu" else 1e-2)


@on_devices
def test_the_library_and_the_command_line_agree(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photo, art = (Field(numbers(3, 40, 48, seed=seed), (Axis("y"), Axis("x"))) for seed in (0, 1))
    write("photo.png", photo)
    write("art.png", art)
    choices = {"network.name": "random", "precision": "float32", "schedule.steps": 2, "device": device}
    said = [word for key, value in choices.items() for word in ("--set", f"{key}={value}")]
    assert main(["image", "photo.png", "--style", "art.png", "-o", "a.png", "-q", *said]) == 0
    result = style_by_library("photo.png", ["art.png"], "b.png", choices=choices)
    assert result.record.device.startswith(device)
    a, b = (read(Path(name)).samples for name in ("a.png", "b.png"))
    assert apart(a, b, device) <= (0 if device == "cpu" else 1e-2)


# ---- memory


@pytest.fixture
def little_memory(device: str) -> Iterator[int]:
    """Bytes of the device that this process may take: a part of a GPU, all of a CPU's."""
    if device == "cpu":
        yield 2**62
        return
    allowed = 768 * 2**20
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(allowed / total)
    yield allowed
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@on_devices
def test_tiles_keep_to_the_memory_that_is_allowed(device: str) -> None:
    side, budget = (1024, 64 * 2**20) if device == "cuda" else (96, 13 * 2**20)
    content, style = tiny_field(side, side), Style(tiny_field(64, 64, seed=1))
    recipe = replace(
        recipe_for(device), memory=f"{budget}B", schedule=ScheduleChoice(smallest=side, steps=1), init="content"
    )
    run = outline(content, recipe)
    each = bytes_per_sample(run.extractors[0], run.taps, run.machine.dtype)
    assert run.largest_window((side, side)) * each <= budget
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() if device == "cuda" else 0
    stylized(content, [style], recipe)
    if device == "cuda":
        fields = 12 * content.samples.numel() * 4
        assert torch.cuda.max_memory_allocated() - before <= fields + 2 * budget


@on_devices
def test_a_device_that_runs_out_of_memory_goes_on_in_smaller_tiles(
    device: str, little_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = 1400 if device == "cuda" else 160
    content, style = tiny_field(side, side), Style(tiny_field(64, 64, seed=1))
    recipe = replace(
        recipe_for(device), memory="64GB", schedule=ScheduleChoice(smallest=side, steps=1), init="content"
    )
    if device == "cpu":
        evaluate = engine.evaluate
        failed: list[bool] = []

        def once_without_memory(*arguments: object) -> object:
            if not failed:
                failed.append(True)
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return evaluate(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(engine, "evaluate", once_without_memory)
    found = stylized(content, [style], recipe)
    assert np.isfinite(found.field.samples.numpy()).all()
    assert set(found.record.notes) == {f"memory: ran out at {side}x{side}, went on in smaller tiles"}
