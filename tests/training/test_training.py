"""The formula-made world and the training on it, at tiny size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from volstyle.errors import InputError
from volstyle.networks.registry import PACKAGED, load_network
from volstyle.networks.weights import load_weights
from volstyle.training.batches import draw_batch
from volstyle.training.model import ARCHITECTURES, Heads, Trunk, export, take_up
from volstyle.training.train import Plan, Progress, train
from volstyle.world.programs import Programs, draw_palettes

# So few samples cannot tell how alike hundreds of channels are.
TINY = Plan(steps=16, batch=8, size=32, programs=3, palettes=4, redundancy=0.0, seed=1, compiled=False)
TINIES = {"builtin": TINY, "builtin3d": replace(TINY, name="builtin3d", steps=12, batch=4, size=24)}
NAMES = tuple(TINIES)

SIZES = {2: 32, 3: 24}
"""Axes -> samples along each."""

PALETTES = draw_palettes(24, torch.Generator().manual_seed(0))


def _batch(seed: int, axes: int = 2) -> torch.Tensor:
    programs = Programs.draw(4, 0)
    generator = torch.Generator().manual_seed(seed)
    return draw_batch(programs, PALETTES, torch.arange(4), SIZES[axes], generator, axes=axes).pictures


@pytest.mark.parametrize("axes", [2, 3])
def test_a_seed_is_a_batch(axes: int) -> None:
    assert torch.equal(_batch(3, axes), _batch(3, axes))
    assert not torch.allclose(_batch(3, axes), _batch(4, axes))


@pytest.mark.parametrize("axes", [2, 3])
def test_pictures_are_colors(axes: int) -> None:
    pictures = _batch(5, axes)
    assert pictures.shape == (4, 3, *(SIZES[axes],) * axes)
    assert pictures.min() >= 0 and pictures.max() <= 1
    assert pictures.std() > 0.05


def test_solids_are_stretched_along_their_axis() -> None:
    """Upright and much stretched, they change less along the last axis, which is the first of the samples."""
    programs = replace(Programs.draw(6, 0), pitch=torch.zeros(6), lean=torch.zeros(6), spin=torch.zeros(6))

    def changes(stretch: float) -> tuple[float, float]:
        posed = replace(programs, stretch=torch.full((6,), stretch), canvas=torch.zeros(6))
        generator = torch.Generator().manual_seed(0)
        clean = draw_batch(posed, PALETTES, torch.arange(6), 24, generator, axes=3).clean
        along, across = (float(clean.diff(dim=axis).abs().mean()) for axis in (2, 4))
        return along, across

    (along, across), (flat, even) = changes(8.0), changes(0.3)
    assert along < 0.4 * across
    assert flat > 1.2 * even


def test_programs_do_not_tell_palettes() -> None:
    """The same program under many seeds has many mean colors: color alone does not give it away."""
    programs = Programs.draw(2, 0)
    labels = torch.arange(2).repeat_interleave(96)
    batch = draw_batch(programs, PALETTES, labels, 32, torch.Generator().manual_seed(0))
    means = batch.clean.mean((2, 3)).view(2, 96, 3)
    assert means.std(1).mean() > 3 * (means.mean(1)[0] - means.mean(1)[1]).abs().mean()


Trained = dict[str, tuple[Path, list[Progress]]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Network -> its weights, and what was told of the run."""
    folder, found = tmp_path_factory.mktemp("training"), {}
    for name, plan in TINIES.items():
        told: list[Progress] = []
        train(plan, folder / f"{name}.safetensors", resume=True, tell=told.append, every=plan.steps // 2)
        found[name] = (folder / f"{name}.safetensors", told)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_falls(name: str, trained: Trained) -> None:
    told = trained[name][1]
    assert told[-1].step == TINIES[name].steps
    assert told[-1].scores.loss < told[0].scores.loss


@pytest.mark.parametrize("name", NAMES)
def test_the_export_is_a_network(name: str, trained: Trained) -> None:
    state, architecture = load_weights(trained[name][0]), ARCHITECTURES[name]
    layers = [f"conv{s}_{i}" for s, widths in enumerate(architecture.stages, 1) for i in range(1, len(widths) + 1)]
    assert set(state.tensors) == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert (state.metadata["padding"], state.metadata["pooling"]) == ('"replicate"', '"average"')
    assert json.loads(state.metadata["card"])["steps"] == TINIES[name].steps
    network = load_network(name, weights=trained[name][0])
    assert (network.channels, network.axes) == (3, architecture.axes)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_package_carries(name: str) -> None:
    """Small, in float16, with a card, and of the layers that the training gives; it can be told from noise that it
    was trained: its answers are those of its card."""
    path, architecture = PACKAGED[name], ARCHITECTURES[name]
    with safe_open(path, framework="pt") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
    assert kinds == {torch.float16}
    assert sum(each.stat().st_size for each in PACKAGED.values()) < 8e6
    network = load_network(name)
    assert dict(network.style_taps) == architecture.style and dict(network.content_taps) == architecture.content
    card = json.loads(load_weights(path).metadata["card"])
    assert card["name"] == name if "name" in card else name == "builtin"
    assert card["scores"]["accuracy"] > 10 / card["programs"]


def test_a_picture_is_a_solid_to_builtin3d() -> None:
    """One that does not change along the first axis (law of constant extension): paintings can style volumes."""
    network, picture = load_network("builtin3d"), _batch(6)[:1]
    solid = picture[:, :, None].expand(-1, -1, 8, -1, -1)
    for tap in network.style_taps:
        flat, deep = (network.on(samples.dim() - 2)(samples, [tap])[tap] for samples in (picture, solid))
        for depth in deep.unbind(2):
            assert torch.allclose(depth, flat, atol=1e-4 * float(flat.abs().max()))


def test_builtin3d_runs_in_bfloat16() -> None:
    """What a CPU that has it uses unless asked otherwise; torch pools no bfloat16 along three axes."""
    network, solid = load_network("builtin3d"), _batch(6, 3)[:1]
    tap = list(network.style_taps)[-1]
    fine, coarse = (
        network.to(torch.device("cpu"), dtype).on(3)(solid, [tap])[tap]
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert coarse.dtype == torch.bfloat16
    assert float((coarse.float() - fine).norm() / fine.norm()) < 0.03


def test_builtin3d_sees_little() -> None:
    """Small receptive fields, so that tiles of volumes are cheap."""
    extractor = load_network("builtin", axes=3).on(3)
    assert extractor.network.name == "builtin3d"
    assert extractor.tap("relu1_1").reach.width == (3, 3, 3)
    assert extractor.tap("relu3_2").reach.width == (30, 30, 30)
    assert extractor.reach(extractor.network.style_taps).halo == (16, 16, 16)


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_run_goes_on_as_if_it_had_not(name: str, tmp_path: Path, trained: Trained) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 10:  # the last state is that of step 8
            raise KeyboardInterrupt

    out = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(TINIES[name], out, resume=True, tell=stop, every=2)
    train(TINIES[name], out, resume=True, tell=lambda _: None, every=2)
    whole, stopped = load_weights(trained[name][0]).tensors, load_weights(out).tensors
    for key, tensor in whole.items():
        assert torch.allclose(tensor, stopped[key], atol=1e-3), key


def test_a_run_goes_on_as_a_longer_one(tmp_path: Path) -> None:
    out = tmp_path / "longer.safetensors"
    told: list[Progress] = []
    train(replace(TINY, steps=4), out, resume=True, tell=told.append)
    train(replace(TINY, steps=6), out, resume=True, tell=told.append, every=1)
    assert [progress.step for progress in told] == [4, 5, 6]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_starts_from_weights(name: str, tmp_path: Path, trained: Trained) -> None:
    """The same features, up to the last bits, and a card that says so; weights of another network do not do."""
    architecture, (path, _) = ARCHITECTURES[name], trained[name]
    trunk, tensors, pictures = Trunk(architecture), load_weights(path).tensors, _batch(6, architecture.axes)
    last = f"relu{len(architecture.stages)}_{len(architecture.stages[-1])}"
    take_up(trunk, tensors, pictures)
    with torch.no_grad():
        found = trunk.eval()(pictures[:1])[-1]
    extractor = load_network(name, weights=path).on(architecture.axes)
    expected = extractor(pictures[:1], [last])[last]
    assert torch.allclose(found, expected, atol=1e-3)
    out, seed = tmp_path / "second.safetensors", replace(TINIES[name], steps=1, seed=2)
    train(seed, out, resume=True, tell=lambda _: None, start=path)
    assert json.loads(load_weights(out).metadata["card"])["started_from"]["steps"] == TINIES[name].steps
    save_file({"conv1_1.weight": torch.zeros(2)}, out)
    with pytest.raises(InputError, match=r"second.safetensors: not weights of this network"):
        train(seed, tmp_path / "third.safetensors", resume=True, tell=lambda _: None, start=out)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_it_works_in_what_the_processor_multiplies(
    precision: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[torch.dtype] = set()
    forward = Trunk.forward

    def watched(trunk: Trunk, pictures: torch.Tensor) -> list[torch.Tensor]:
        features = forward(trunk, pictures)
        if trunk.training and torch.is_grad_enabled():
            seen.update(feature.dtype for feature in features)
        return features

    monkeypatch.setattr(Trunk, "forward", watched)
    monkeypatch.setattr("volstyle.training.train.choose_precision", lambda name, device: precision)
    out = tmp_path / "one.safetensors"
    train(replace(TINY, steps=1, batch=2), out, resume=False, tell=lambda _: None)
    assert precision in seen and (precision == torch.bfloat16) == (torch.bfloat16 in seen)
    assert json.loads(load_weights(out).metadata["card"])["precision"] == str(precision).removeprefix("torch.")


def test_another_plan_does_not_resume(trained: Trained) -> None:
    with pytest.raises(InputError, match="another plan"):
        train(replace(TINY, seed=2), trained["builtin"][0], resume=True, tell=lambda _: None)


def test_a_size_that_the_network_cannot_halve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="size: 40, must be a multiple of 16 from 24 on"):
        train(replace(TINY, size=40), tmp_path / "odd.safetensors", resume=True, tell=lambda _: None)


def test_the_picture_is_told_sample_by_sample() -> None:
    """Channels become the samples of a block, as torch's PixelShuffle has it in 2-D."""
    torch.manual_seed(0)
    architecture = ARCHITECTURES["builtin"]
    trunk, heads = Trunk(architecture), Heads(architecture, 2, 2, 3)
    features = trunk(_batch(6))
    told: list[torch.Tensor] = []
    heads.picture.register_forward_hook(lambda _, __, draft: told.append(draft))
    picture = heads(features).picture
    assert torch.equal(picture, torch.nn.functional.pixel_shuffle(told[0], 4))


def test_the_export_is_the_same_function() -> None:
    """Up to a scale for each channel, and float16."""
    torch.manual_seed(0)
    trunk = Trunk(ARCHITECTURES["builtin"])
    pictures = _batch(6)
    trunk(pictures)
    tensors = export(trunk, [pictures])
    x = (pictures - 0.5) / 0.25
    for stage, widths in enumerate(ARCHITECTURES["builtin"].stages, 1):
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
