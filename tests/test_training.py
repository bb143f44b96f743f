"""The formula-made world and the training on it, at tiny size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from volstyle.errors import InputError
from volstyle.networks import load_network
from volstyle.training.batches import draw_batch
from volstyle.training.model import STAGES, Trunk, export, take_up
from volstyle.training.programs import Programs, draw_palettes
from volstyle.training.train import Plan, Progress, train
from volstyle.weights import load_state

# So few samples cannot tell how alike hundreds of channels are.
TINY = Plan(steps=16, batch=8, size=32, programs=3, palettes=4, redundancy=0.0, seed=1, compiled=False)

PALETTES = draw_palettes(24, torch.Generator().manual_seed(0))


def _batch(seed: int, size: int = 32) -> torch.Tensor:
    programs = Programs.draw(4, 0)
    generator = torch.Generator().manual_seed(seed)
    return draw_batch(programs, PALETTES, torch.arange(4), size, generator).pictures


def test_a_seed_is_a_batch() -> None:
    assert torch.equal(_batch(3), _batch(3))
    assert not torch.allclose(_batch(3), _batch(4))


def test_pictures_are_colors() -> None:
    pictures = _batch(5)
    assert pictures.shape == (4, 3, 32, 32)
    assert pictures.min() >= 0 and pictures.max() <= 1
    assert pictures.std() > 0.05


def test_programs_do_not_tell_palettes() -> None:
    """The same program under many seeds has many mean colors: color alone does not give it away."""
    programs = Programs.draw(2, 0)
    labels = torch.arange(2).repeat_interleave(96)
    batch = draw_batch(programs, PALETTES, labels, 32, torch.Generator().manual_seed(0))
    means = batch.clean.mean((2, 3)).view(2, 96, 3)
    assert means.std(1).mean() > 3 * (means.mean(1)[0] - means.mean(1)[1]).abs().mean()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    out = tmp_path_factory.mktemp("training") / "tiny.safetensors"
    told: list[Progress] = []
    train(TINY, out, resume=True, tell=told.append, every=8)
    return out, told


def test_the_loss_falls(trained: tuple[Path, list[Progress]]) -> None:
    told = trained[1]
    assert told[-1].step == TINY.steps
    assert told[-1].scores.loss < told[0].scores.loss


def test_the_export_is_a_network(trained: tuple[Path, list[Progress]]) -> None:
    state = load_state(trained[0])
    names = [f"conv{s}_{i}" for s, widths in enumerate(STAGES, 1) for i in range(1, len(widths) + 1)]
    assert set(state.tensors) == {f"{name}.{part}" for name in names for part in ("weight", "bias")}
    assert (state.metadata["padding"], state.metadata["pooling"]) == ('"replicate"', '"average"')
    assert json.loads(state.metadata["card"])["steps"] == TINY.steps
    assert load_network("builtin", weights=trained[0]).channels == 3


def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path: Path, trained: tuple[Path, list[Progress]]) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 10:
            raise KeyboardInterrupt

    out = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(TINY, out, resume=True, tell=stop, every=2)
    train(TINY, out, resume=True, tell=lambda _: None, every=2)
    whole, stopped = load_state(trained[0]).tensors, load_state(out).tensors
    for name, tensor in whole.items():
        assert torch.allclose(tensor, stopped[name], atol=1e-3), name


def test_a_run_goes_on_as_a_longer_one(tmp_path: Path) -> None:
    out = tmp_path / "longer.safetensors"
    told: list[Progress] = []
    train(replace(TINY, steps=4), out, resume=True, tell=told.append)
    train(replace(TINY, steps=6), out, resume=True, tell=told.append, every=1)
    assert [progress.step for progress in told] == [4, 5, 6]


def test_a_run_starts_from_weights(tmp_path: Path, trained: tuple[Path, list[Progress]]) -> None:
    """The same features, up to the last bits, and a card that says so; weights of another network do not do."""
    trunk, tensors, pictures = Trunk(), load_state(trained[0]).tensors, _batch(6)
    take_up(trunk, tensors, pictures)
    with torch.no_grad():
        found = trunk.eval()(pictures[:1])[-1]
    extractor = load_network("builtin", weights=trained[0]).on(2)
    expected = extractor(pictures[:1], ["relu5_1"])["relu5_1"]
    assert torch.allclose(found, expected, atol=1e-3)
    out, seed = tmp_path / "second.safetensors", replace(TINY, steps=1, seed=2)
    train(seed, out, resume=True, tell=lambda _: None, start=trained[0])
    assert json.loads(load_state(out).metadata["card"])["started_from"]["steps"] == TINY.steps
    save_file({"conv1_1.weight": torch.zeros(2)}, out)
    with pytest.raises(InputError, match=r"second.safetensors: not weights of this network"):
        train(seed, tmp_path / "third.safetensors", resume=True, tell=lambda _: None, start=out)


def test_another_plan_does_not_resume(trained: tuple[Path, list[Progress]]) -> None:
    with pytest.raises(InputError, match="another plan"):
        train(replace(TINY, seed=2), trained[0], resume=True, tell=lambda _: None)


def test_the_export_is_the_same_function() -> None:
    """Up to a scale for each channel, and float16."""
    torch.manual_seed(0)
    trunk = Trunk()
    pictures = _batch(6)
    trunk(pictures)
    tensors = export(trunk, [pictures])
    x = (pictures - 0.5) / 0.25
    for stage, widths in enumerate(STAGES, 1):
        x = torch.nn.functional.avg_pool2d(x, 2) if stage > 1 else x
        for place in range(1, len(widths) + 1):
            kernel = tensors[f"conv{stage}_{place}.weight"].float()
            x = torch.nn.functional.pad(x, (kernel.shape[-1] // 2,) * 4, mode="replicate")
            x = torch.relu(torch.nn.functional.conv2d(x, kernel, tensors[f"conv{stage}_{place}.bias"].float()))
    with torch.no_grad():
        expected = trunk.eval()(pictures)[-1]
    assert x.mean() == pytest.approx(1, abs=0.01)
    gain = (x * expected).sum((0, 2, 3)) / expected.square().sum((0, 2, 3)).clamp_min(1e-9)
    assert torch.allclose(x, expected * gain[:, None, None], atol=0.05)
