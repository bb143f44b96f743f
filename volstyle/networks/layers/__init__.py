"""The few layers that our networks are made of, as a small algebra of frozen values.

A layer maps one slab to another. A slab is a tensor (N, C, *own): own are the axes that the network has itself,
and the axes of the field that are new to the network are folded into N. Each layer knows the stride and the halo
that it adds, and composite layers add these up, so that the planning of tiles needs no knowledge of any network.
"""

from __future__ import annotations

from volstyle.networks.layers.composite import Bank, Branch, Chain, Composite, Residual
from volstyle.networks.layers.filters import Convolution, Normalization, Rectifier
from volstyle.networks.layers.layer import Context, Layer, Reach
from volstyle.networks.layers.pooling import FromBlocks, Pool, ToBlocks

__all__ = [
    "Bank",
    "Branch",
    "Chain",
    "Composite",
    "Context",
    "Convolution",
    "FromBlocks",
    "Layer",
    "Normalization",
    "Pool",
    "Reach",
    "Rectifier",
    "Residual",
    "ToBlocks",
]
