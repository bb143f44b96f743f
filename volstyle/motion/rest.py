"""What a volume over time was a time before, and where its content is at rest since."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from volstyle.errors import ShapeError
from volstyle.grid.resample import resize
from volstyle.networks.inflation import mean_around

_LEAST = 4 / 255
"""A change that counts is at least this, however little noise there is."""

_OVER_NOISE = 6.0
"""How many standard deviations of the noise a change that counts has."""

_AROUND = 2
"""How many samples around a change may change too."""


@dataclass(frozen=True)
class Rest:
    """samples: (C, *S'), the result of the time before, on any grid. moves: (1, *S), 1 where the content has
    changed since that result was made, 0 where it is at rest and the result stays."""

    samples: Tensor
    moves: Tensor

    @staticmethod
    def since(contents: Iterable[Tensor], samples: Tensor) -> Rest:
        """contents: (C, z, y, x) in [0, 1] of all times up to now, at least two. samples: what was made of the
        last but one.

        A sample is at rest while the mean over 3 × 3 × 3 samples around it stays near what it was when the sample
        changed last, so that slow changes count too once they are large. The noise of a scan, another at each
        time, does not count: it is how much single samples change beside their neighbors, in the median. Raises
        ShapeError for fewer than two contents.
        """
        moves: Tensor | None = None
        made_of: Tensor | None = None
        for before, now in pairwise(content.mean(0, keepdim=True) for content in contents):
            made_of, broad = _broad(before) if made_of is None else made_of, _broad(now)
            changed = ((broad - made_of).abs() > _noticed(now - before)).float()
            moves = (mean_around(changed[None], 2 * _AROUND + 1)[0] > 0).float()
            made_of = torch.where(moves > 0, broad, made_of)
        if moves is None:
            raise ShapeError("rest: contents of fewer than two times")
        return Rest(samples, moves)

    def resized(self, shape: tuple[int, ...]) -> Rest:
        """On another grid, where a sample moves if anything does that it covers."""
        moves = resize(self.moves, shape, kind="linear") > 0.01
        return replace(self, samples=resize(self.samples, shape).clamp(0, 1), moves=moves.float())

    def to(self, device: torch.device) -> Rest:
        return replace(self, samples=self.samples.to(device), moves=self.moves.to(device))

    def held(self, samples: Tensor) -> Tensor:
        """Samples (C, *S) on this grid, with those of the time before where the content is at rest."""
        return torch.where(self.moves > 0, samples, self.samples)


def _broad(content: Tensor) -> Tensor:
    return mean_around(content[None], 3)[0]


def _noticed(change: Tensor) -> float:
    """The least change of a mean that counts, in the noise of a change from one time to the next."""
    spread = float((change - _broad(change)).abs().median()) / 0.6745
    return max(_LEAST, _OVER_NOISE * spread / math.sqrt(27))
