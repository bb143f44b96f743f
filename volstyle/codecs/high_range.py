"""Colors of clips of high dynamic range, which PQ or HLG write, and those of pictures, which are sRGB.

The white of a picture is that of ITU-R BT.2408, 203 nits, far below the brightest that PQ and HLG can hold.
"""

from __future__ import annotations

import torch
from torch import Tensor

from volstyle.codecs.color import Color

PAINTED_NOTE = "content: is of high dynamic range; a learned style paints nothing brighter than white at 203 nits"

_PQ, _HLG, _BT2020 = 16, 18, 9
_WHITE_NITS, _WHITE_HLG = 203.0, 0.265
"""How bright white is shown in PQ, and its light in HLG, which makes 75 percent of its signal."""

_TO_BT2020 = torch.tensor([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""ITU-R BT.2087: linear R, G, B of BT.709 -> those of BT.2020."""

_M1, _M2, _C1, _C2, _C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
"""The numbers of SMPTE ST 2084, by their names there."""

_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
"""The numbers of HLG in ITU-R BT.2100, by their names there."""


def is_high_range(color: Color) -> bool:
    """Whether a clip is written by PQ or HLG."""
    return color.transfer in (_PQ, _HLG)


def in_range_of(samples: Tensor, color: Color) -> Tensor:
    """Samples of sRGB (3, *S) in [0, 1], brought to what a clip of high dynamic range holds for the same colors.
    For other clips they are given back as they are."""
    if not is_high_range(color):
        return samples
    light = torch.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
    if color.primaries == _BT2020:
        light = torch.tensordot(_TO_BT2020, light, dims=1).clamp_min(0)
    return _pq(light * _WHITE_NITS) if color.transfer == _PQ else _hlg(light * _WHITE_HLG)


def in_srgb(samples: Tensor, color: Color) -> Tensor:
    """The way back: samples (3, *S) of a clip, in sRGB. What sRGB cannot hold, as what is brighter than its white,
    becomes the nearest that it can, channel by channel."""
    if not is_high_range(color):
        return samples
    light = _pq_light(samples) / _WHITE_NITS if color.transfer == _PQ else _hlg_light(samples) / _WHITE_HLG
    if color.primaries == _BT2020:
        light = torch.tensordot(torch.linalg.inv(_TO_BT2020), light, dims=1)
    light = light.clamp(0, 1)
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _pq(nits: Tensor) -> Tensor:
    """The signal of PQ for light in nits."""
    power = (nits / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _pq_light(signal: Tensor) -> Tensor:
    """Light in nits."""
    power = signal.clamp(0, 1) ** (1 / _M2)
    return 10000 * ((power - _C1).clamp_min(0) / (_C2 - _C3 * power)) ** (1 / _M1)


def _hlg(light: Tensor) -> Tensor:
    """The signal of HLG for light in [0, 1]."""
    bright = _A * torch.log((12 * light - _B).clamp_min(1e-9)) + _C
    return torch.where(light <= 1 / 12, (3 * light).sqrt(), bright)


def _hlg_light(signal: Tensor) -> Tensor:
    """Light in [0, 1]."""
    return torch.where(signal <= 0.5, signal.square() / 3, (torch.exp((signal - _C) / _A) + _B) / 12)
