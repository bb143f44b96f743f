"""torchvision's video networks, as ours: the same features from the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from tests.tiny import numbers
from volstyle.networks.registry import load_network
from volstyle.networks.weights import Weights

KINETICS = (torch.tensor([0.43216, 0.394666, 0.37645]), torch.tensor([0.22803, 0.22145, 0.216989]))


def video_model(name: str) -> nn.Module:
    """torchvision's, with random weights and random batch norms."""
    model: nn.Module = models.get_model(name, weights=None)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18"])
def test_video_networks_are_torchvisions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = video_model(name)
    monkeypatch.setattr(
        "volstyle.networks.weights.load_weights", lambda _: Weights(model.state_dict(), {}, "digest")
    )
    extractor = load_network(name, weights=Path("weights.pth")).on(3)
    samples = numbers(1, 3, 9, 20, 17)
    found = extractor(samples, extractor.taps)
    with torch.no_grad():
        slab = (samples - KINETICS[0][:, None, None, None]) / KINETICS[1][:, None, None, None]
        slab = model.stem(slab)
        expected = {"stem": slab.clone()}
        for group in ("layer1", "layer2", "layer3", "layer4"):
            for place, block in enumerate(getattr(model, group)):
                slab = block(slab)
                expected[f"{group}_{place}"] = slab.clone()
    assert list(found) == list(expected)
    for tap in expected:
        largest = float(expected[tap].abs().max())
        assert largest > 0.01
        torch.testing.assert_close(found[tap], expected[tap], rtol=0, atol=1e-5 * largest)
        reach, size = extractor.tap(tap).reach, samples.shape[2:]
        assert found[tap].shape[1] == extractor.tap(tap).channels
        assert tuple(found[tap].shape[2:]) == tuple(
            -(-s // step) for s, step in zip(size, reach.stride, strict=True)
        )
    network = load_network(name, weights=Path("weights.pth"))
    assert set(network.style_taps) | set(network.content_taps) <= set(expected)
