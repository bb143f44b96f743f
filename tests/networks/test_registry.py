"""Networks are what torchvision computes, and weights are checked before they are used."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from tests.tiny import numbers, tiny_network
from volstyle.errors import NetworkError, WeightsError
from volstyle.networks.random_filters import random_network
from volstyle.networks.registry import load_network
from volstyle.networks.weights import Weights, download, load_weights

IMAGENET = (torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225]))
VGG = {"vgg16": "D", "vgg19": "E"}


def vgg_features(name: str) -> nn.Sequential:
    """torchvision's VGG without its classifier, random weights that keep activations of one size."""
    features = models.vgg.make_layers(models.vgg.cfgs[VGG[name]])
    for module in features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, std=0.1)
    return features.eval()


@pytest.fixture(scope="module")
def vgg16() -> nn.Sequential:
    torch.manual_seed(0)
    return vgg_features("vgg16")


@pytest.fixture(scope="module")
def vgg16_file(vgg16: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save({f"features.{key}": value for key, value in vgg16.state_dict().items()}, path)
    yield path
    path.unlink()


def rectified(features: nn.Sequential, samples: Tensor) -> list[Tensor]:
    """What comes out of each ReLU of torchvision's own network."""
    found = []
    with torch.no_grad():
        slab = (samples - IMAGENET[0][:, None, None]) / IMAGENET[1][:, None, None]
        for module in features:
            slab = module(slab.clone())
            if isinstance(module, nn.ReLU):
                found.append(slab)
    return found


VGG16_TAPS = [f"relu{stage}_{i}" for stage, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]
VGG19_TAPS = [f"relu{stage}_{i}" for stage, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, n + 1)]


def assert_close(found: Tensor, expected: Tensor) -> None:
    largest = float(expected.abs().max())
    assert largest > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * largest)


def test_vgg16_from_a_file_is_torchvisions(vgg16: nn.Sequential, vgg16_file: Path) -> None:
    network = load_network("vgg16_torchvision", weights=vgg16_file, pooling="max")
    samples = numbers(1, 3, 34, 49)
    found = network.on(2)(samples, VGG16_TAPS)
    assert list(network.on(2).taps) == VGG16_TAPS
    for tap, expected in zip(VGG16_TAPS, rectified(vgg16, samples), strict=True):
        assert_close(found[tap], expected)
    assert network.digest == hashlib.sha256(vgg16_file.read_bytes()).hexdigest()


def test_vgg19_is_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    features = vgg_features("vgg19")
    state = Weights({f"features.{key}": value for key, value in features.state_dict().items()}, {}, "digest")
    monkeypatch.setattr("volstyle.networks.vgg.load_weights", lambda _: state)
    network = load_network("vgg19_torchvision", weights=Path("vgg19.pth"), pooling="max")
    samples = numbers(1, 3, 33, 32)
    assert list(network.on(2).taps) == VGG19_TAPS
    for tap, expected in zip(VGG19_TAPS, rectified(features, samples), strict=True):
        assert_close(network.on(2)(samples, [tap])[tap], expected)
    assert set(network.style_taps) | set(network.content_taps) <= set(VGG19_TAPS)


def test_average_pooling_is_scaled(vgg16: nn.Sequential, vgg16_file: Path) -> None:
    """Twice the average instead of the maximum, so that activations keep their size however deep."""
    samples = numbers(1, 3, 64, 64)
    network = load_network("vgg16_torchvision", weights=vgg16_file, pooling="average")
    doubled = nn.Sequential(*(_Doubled() if isinstance(m, nn.MaxPool2d) else m for m in vgg16))
    largest = rectified(vgg16, samples)
    found = network.on(2)(samples, VGG16_TAPS)
    for tap, expected, by_maximum in zip(VGG16_TAPS, rectified(doubled, samples), largest, strict=True):
        assert_close(found[tap], expected)
        assert 0.25 < float(found[tap].square().mean().sqrt() / by_maximum.square().mean().sqrt()) < 4


class _Doubled(nn.Module):
    def forward(self, slab: Tensor) -> Tensor:
        return 2 * nn.functional.avg_pool2d(slab, 2)


# ---- random


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_random_network_follows_from_its_seed(axes: int) -> None:
    samples = numbers(1, 3, *(16,) * axes)
    one, same, other = (
        random_network(seed, axes=axes, filters=4).on(axes)(samples, ["scale4"])["scale4"] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    assert one.shape == (1, 8, *(4,) * axes)


def test_random_network_by_name_has_the_recipes_seed() -> None:
    assert load_network("random", seed=3).digest == "seed 3"


# ---- builtin's format


def save_builtin(path: Path, **changes: object) -> Path:
    tensors = {
        "conv1_1.weight": torch.rand(4, 3, 5, 5),
        "conv1_1.bias": torch.rand(4),
        "conv2_1.weight": torch.rand(6, 4, 3, 3) / 40,
        "conv2_1.bias": torch.rand(6),
        "conv3_1.weight": torch.rand(5, 6, 3, 3) / 60,
        "conv3_1.bias": torch.rand(5),
    }
    tensors |= {key: value for key, value in changes.items() if isinstance(value, Tensor)}
    for key in [key for key, value in changes.items() if value is None]:
        del tensors[key]
    metadata = {
        "mean": "[0.5, 0.5, 0.5]",
        "std": "[0.25, 0.25, 0.25]",
        "style": '{"relu1_1": 2.0, "relu3_1": 1.0}',
        "content": '{"relu2_1": 1.0}',
    }
    save_file(tensors, str(path), metadata)
    return path


def test_builtin_by_its_own_format(tmp_path: Path) -> None:
    path = save_builtin(tmp_path / "builtin.safetensors")
    network = load_network("builtin", weights=path)
    state = load_weights(path).tensors
    samples = numbers(1, 3, 12, 9)
    first = (samples - 0.5) / 0.25
    first = nn.functional.pad(first, (2, 2, 2, 2), mode="replicate")
    first = nn.functional.conv2d(first, state["conv1_1.weight"], state["conv1_1.bias"]).relu()
    second = nn.functional.pad(nn.functional.avg_pool2d(first, 2), (1, 1, 1, 1), mode="replicate")
    second = nn.functional.conv2d(second, state["conv2_1.weight"], state["conv2_1.bias"]).relu()
    found = network.on(2)(samples, ["relu1_1", "relu2_1"])
    assert_close(found["relu1_1"], first)
    assert_close(found["relu2_1"], second)
    assert network.style_taps == {"relu1_1": 2.0, "relu3_1": 1.0}
    assert network.content_taps == {"relu2_1": 1.0}


def test_builtin_with_a_gap(tmp_path: Path) -> None:
    path = save_builtin(tmp_path / "gap.safetensors", **{"conv2_1.bias": None})
    assert one_line(lambda: load_network("builtin", weights=path)) == (
        f"{path}: not weights of builtin (no conv2_1.bias); train them anew"
    )


# ---- weights that are not


def one_line(call: object) -> str:
    """The message of the WeightsError it raises."""
    assert callable(call)
    with pytest.raises(WeightsError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch was-run",)


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.pth"
    assert one_line(lambda: load_network("vgg16_torchvision", weights=path)).startswith(
        f"{path}: no such weights file; give"
    )
    assert one_line(lambda: load_network("vgg16_torchvision", weights=tmp_path)).startswith(
        f"{tmp_path}: no such weights file"
    )


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors", "text.pth", "text.safetensors", "empty.pth"])
def test_damaged_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".pth":
        torch.save({"a": torch.rand(1000)}, path)
    else:
        save_file({"a": torch.rand(1000)}, str(path))
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"not weights", "empty": b""}[path.stem])
    assert one_line(lambda: load_weights(path)).startswith(f"{path}: not a whole file of tensors")


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    """Whatever the bytes, also after a pickle's first ones."""
    path = tmp_path / "garbage.pth"
    noise = bytes(torch.randint(0, 256, (64,), generator=torch.Generator().manual_seed(seed)).tolist())
    path.write_bytes((b"\x80\x02", b"}q\x00", b"", pickle.dumps({"a": 1.0})[:-1])[seed % 4] + noise)
    one_line(lambda: load_weights(path))


def test_pickled_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "malice.pth"
    torch.save({"features.0.weight": Malice()}, path)
    assert "holding code" in one_line(lambda: load_weights(path))
    path.write_bytes(pickle.dumps(Malice()))
    one_line(lambda: load_weights(path))
    assert [file.name for file in tmp_path.iterdir()] == ["malice.pth"]


def test_anything_but_tensors(tmp_path: Path) -> None:
    for value in ({"epoch": 3}, [torch.zeros(1)], {"state_dict": {"a": torch.zeros(1)}}):
        torch.save(value, tmp_path / "other.pth")
        one_line(lambda: load_weights(tmp_path / "other.pth"))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_numbers_that_are_not_finite(number: float, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    tensors = {"good": torch.ones(3), "bad": torch.tensor([1.0, number])}
    if suffix == ".pth":
        torch.save(tensors, path)
    else:
        save_file(tensors, str(path))
    assert "bad holds NaN or infinite numbers" in one_line(lambda: load_weights(path))


def test_weights_of_another_network(vgg16_file: Path, tmp_path: Path) -> None:
    for name in ("vgg19", "vgg19_torchvision", "r3d_18", "builtin"):
        assert f"not weights of {name}" in one_line(lambda name=name: load_network(name, weights=vgg16_file))
    torch.save({"features.0.weight": torch.ones(64, 3, 3, 3)}, tmp_path / "part.pth")
    expected = "not weights of vgg16_torchvision (no features.0.bias)"
    assert expected in one_line(lambda: load_network("vgg16_torchvision", weights=tmp_path / "part.pth"))
    other = save_builtin(tmp_path / "builtin.safetensors")
    assert "not weights of vgg16_torchvision" in one_line(lambda: load_network("vgg16_torchvision", weights=other))


# ---- torchvision's cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, in a folder of its own and without a network connection."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize("name", ["vgg16_torchvision", "vgg19_torchvision", "r3d_18", "mc3_18", "r2plus1d_18"])
def test_without_weights_and_network_it_says_where_to_put_them(name: str, cache: Path) -> None:
    message = one_line(lambda: load_network(name))
    found = re.search(r"put it at (\S+) or name it with --weights", message)
    assert found
    assert Path(found[1]).parent == cache
    assert Path(found[1]).name.startswith(name.removesuffix("_torchvision"))
    assert message.startswith(Path(found[1]).name)
    assert "no route to host" in message
    assert not list(cache.iterdir())


def test_what_is_in_the_cache_is_used(
    cache: Path, vgg16: nn.Sequential, vgg16_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(vgg16_file.read_bytes()).hexdigest()
    url = f"https://example.org/models/vgg16-{digest[:8]}.pth"
    monkeypatch.setattr(models, "get_model_weights", lambda _: SimpleNamespace(DEFAULT=SimpleNamespace(url=url)))
    cache.mkdir(parents=True)
    (cache / f"vgg16-{digest[:8]}.pth").symlink_to(vgg16_file)
    network = load_network("vgg16_torchvision")
    assert network.digest == digest
    samples = numbers(1, 3, 32, 32)
    assert_close(network.on(2)(samples, ["relu1_1"])["relu1_1"], rectified(vgg16, samples)[0])


def test_the_hash_of_a_cached_file_is_checked(cache: Path) -> None:
    cache.mkdir(parents=True)
    file = cache / "tiny-2c26b46b.pth"
    file.write_bytes(b"foo")  # sha256 2c26b46b68ffc68f…
    assert download("https://example.org/tiny-2c26b46b.pth", "2c26b46b") == file
    file.write_bytes(b"fool")
    message = one_line(lambda: download("https://example.org/tiny-2c26b46b.pth", "2c26b46b"))
    assert message.startswith(f"{file}: sha256 ")
    assert "must begin 2c26b46b" in message


def test_a_download_lands_in_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def give(url: str, path: str, hash_prefix: str, progress: bool) -> None:
        asked.append((url, hash_prefix, progress))
        Path(path).write_bytes(b"foo")

    monkeypatch.setattr(torch.hub, "download_url_to_file", give)
    url = "https://example.org/tiny-2c26b46b.pth"
    assert download(url, "2c26b46b") == download(url, "2c26b46b") == cache / "tiny-2c26b46b.pth"
    assert asked == [(url, "2c26b46b", False)]


# ---- words that are not


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(
        NetworkError, match=r"network: 'vgg91' is unknown; did you mean 'vgg19'\? allowed: builtin"
    ):
        load_network("vgg91")
    with pytest.raises(NetworkError, match=r"pooling: 'mean' is unknown; .*allowed: average, max"):
        load_network("vgg19", pooling="mean")
    with pytest.raises(NetworkError, match=r"network tiny: no tap 'relu3_2'; did you mean 'relu3_1'\?"):
        tiny_network(2).on(2).tap("relu3_2")
