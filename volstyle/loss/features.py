"""The features of a field, for the tiles that own them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor

from volstyle.grid.tiles import Block, Tile
from volstyle.networks.extractor import Extractor

_ALL = slice(None)


class SourceFeatures:
    """The features of a content field, tile by tile. They are kept as long as they fit, and else computed anew
    each time.

    extractor, taps: what is computed. samples: (C, *S). capacity: how many bytes may be kept in all. Features that
    are kept have the same bits as those that are computed anew.
    """

    def __init__(
        self, extractor: Extractor, samples: Tensor, taps: Collection[str], capacity: float = math.inf
    ) -> None:
        self._extractor = extractor
        self._samples = samples
        self._taps = taps
        self._left = capacity
        self._kept: dict[tuple[tuple[int, int], ...], dict[str, Tensor]] = {}

    def __call__(self, tile: Tile) -> Mapping[str, Tensor]:
        place = tuple((side.start, side.stop) for side in tile.core)
        if place in self._kept:
            return self._kept[place]
        with torch.no_grad():
            owned = owned_features(self._extractor, self._samples, tile, self._taps)
        size = sum(features.numel() * features.element_size() for features in owned.values())
        if size <= self._left:
            self._left -= size
            self._kept[place] = {tap: features.clone() for tap, features in owned.items()}
        return owned

    def powers(self, blocks: Iterable[Block]) -> dict[str, float]:
        """tap -> ‖â‖² of the whole source, by which the scaling "relative" divides."""
        total = dict.fromkeys(self._taps, 0.0)
        for tile in (tile for block in blocks for tile in block.tiles):
            for tap, features in self(tile).items():
                total[tap] += float(features.float().square().sum())
        return {tap: max(power, 1e-12) for tap, power in total.items()}


def owned_features(
    extractor: Extractor, samples: Tensor, tile: Tile, taps: Collection[str], window: Tensor | None = None
) -> dict[str, Tensor]:
    """tap -> the features (1, K, *S') that a tile owns in a field of samples (C, *S).

    window: (1, C, *W), the samples in the tile's window, where the caller has them already, as to differentiate by
    them.
    """
    if window is None:
        window = samples[(_ALL, *tile.window)][None]
    shape = tuple(samples.shape[1:])
    return {
        tap: features[(_ALL, _ALL, *tile.owned(extractor.tap(tap).reach.stride, features.shape[2:], shape))]
        for tap, features in extractor(window, taps).items()
    }
