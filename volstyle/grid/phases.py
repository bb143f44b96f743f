"""Phases of a material: the levels of a section as labels, and samples of the engine as labels again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from volstyle.errors import InputError, RecipeError

MOST_PHASES = 8
_CORNERS = ((0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))
"""Corners of the cube of colors. The first four are equally far from each other."""
_SUPPORT = 1e-3
"""How much the mean of its neighbors counts beside a sample, to tell equal ones apart."""
_ROUNDS = 30
_WIDEST = 2.0
"""The width, in samples, of the widest Gaussian that samples are smoothed by before they are cut."""
_HALVINGS = 8
_THIN = 2**18
"""How many samples are looked at to find out where to cut, while that width is sought."""
_STEP = 0.25
"""The difference of squared distances from two phases at which one counts e times as much as the other, beside the
square of how far the nearest two are apart. A steeper step has no slope where a phase is not yet, and none ever
grows there."""


@dataclass(frozen=True)
class Phases:
    """The phases of a material, as the engine sees them: two as one channel of 0 and 1, more as corners of the
    cube of colors, so that none lies between two others, as the gray of a third would.

    levels: (P,), ascending, as the sections have them. shares: (P,), of all samples of the sections.
    """

    levels: Tensor
    shares: Tensor

    @staticmethod
    def of(text: str, sections: Sequence[Tensor], names: Sequence[str]) -> Phases:
        """text: "auto" for one phase for each level there is, or how many: then levels are joined so that each is
        near its phase's mean. sections: (1, h, w) each. names: of the sections, for errors. Raises RecipeError for
        a text that is neither, InputError for sections that cannot have so many."""
        if text != "auto" and (not text.isdecimal() or not 2 <= int(text) <= MOST_PHASES):
            raise RecipeError(f"phases: {text!r} must be auto, or a number from 2 to {MOST_PHASES}")
        every = torch.cat([section.flatten() for section in sections])
        for name, section in zip(names, sections, strict=True):
            if section.min() == section.max():
                raise InputError(
                    f"{name}: every sample is {float(section.min()):g}, one phase; must have two or more"
                )
        levels = torch.from_numpy(np.unique(every.numpy()))
        if text == "auto":
            if len(levels) > MOST_PHASES:
                raise InputError(
                    f"{names[0]}: {len(levels)} levels, which are no phases; say how many there are, as in "
                    "--phases 2"
                )
        elif len(levels) < int(text):
            raise InputError(f"phases: {text} of sections with {len(levels)} levels; give {len(levels)} or auto")
        else:
            levels = _means(every, int(text))
        found = Phases(levels, torch.ones(len(levels)))
        counts = torch.bincount(found.labels_of(every), minlength=len(levels))
        return Phases(levels, counts / counts.sum())

    @staticmethod
    def told_apart(samples: Tensor) -> Phases | None:
        """The phases that samples (C, N) of the engine are of, with their numbers as levels and equal shares. None
        where samples have values of no phase, as those of a section do that was made smaller."""
        if not ((samples == 0) | (samples == 1)).all():
            return None
        found = torch.unique(samples, dim=1).T
        if not 2 <= len(found) <= MOST_PHASES:
            return None
        counts = torch.ones(len(found))
        phases = Phases(torch.arange(len(found)).float(), counts / counts.sum())
        same = {*map(tuple, found.tolist())} == {*map(tuple, phases.codes.tolist())}
        return phases if same else None

    @property
    def codes(self) -> Tensor:
        """(P, C): the channels of each phase."""
        channels = 1 if len(self.levels) == 2 else 3
        return torch.tensor(_CORNERS[: len(self.levels)], dtype=torch.float32)[:, :channels]

    def labels_of(self, section: Tensor) -> Tensor:
        """The number of the phase whose level is nearest, of the section's shape."""
        return torch.bucketize(section.contiguous(), (self.levels[1:] + self.levels[:-1]) / 2, out_int32=True)

    def seen(self, section: Tensor) -> Tensor:
        """A section (1, *S) in its own levels as the engine's (C, *S)."""
        return self.codes[self.labels_of(section[0]).long()].movedim(-1, 0).contiguous()

    def unlike(self, sections: Sequence[Tensor]) -> float:
        """The share of neighbors in sections (1, h, w) that are of two phases."""
        return fmean(_unlike(self.labels_of(section)) for section in sections)

    def told(self, samples: Tensor, unlike: float = 1.0, *, periodic: bool = False) -> Tensor:
        """Samples (C, *S) of the engine as levels (1, *S), each phase with its share: the nearest phase, after
        each is brought nearer, or farther, by one number for all samples until the shares are met.

        unlike: the share of neighbors that may be of two phases. Samples are smoothed before they are cut, by the
        narrowest Gaussian, of at most `_WIDEST`, that leaves no more: many lie between phases, and the variation
        that the engine holds to the sections' is the mean over all thresholds (the coarea formula, Fleming &
        Rishel 1960); at the one that meets the shares there can be a sixth more. periodic: whether opposite ends
        meet.
        """
        mode = "wrap" if periodic else "nearest"
        samples = self._smooth(samples + _SUPPORT * _blurred(samples, 2, mode), unlike, mode)
        return self.cut(samples, self.nearer(samples))

    def _smooth(self, samples: Tensor, unlike: float, mode: str) -> Tensor:
        """Samples (C, *S), smoothed as much as `told` says."""
        if unlike >= 1:
            return samples
        every = samples[0].numel() // _THIN | 1

        def is_smooth(now: Tensor) -> bool:
            nearer = self.nearer(now.flatten(1)[:, None, None, ::every])
            return _unlike(self.cut(now, nearer)) <= 1.001 * unlike

        if is_smooth(samples):
            return samples
        narrow, wide = 0.0, _WIDEST
        for _ in range(_HALVINGS):
            middle = (narrow + wide) / 2
            if is_smooth(_blurred(samples, middle, mode)):
                wide = middle
            else:
                narrow = middle
        return _blurred(samples, wide, mode)

    def nearer(self, samples: Tensor) -> Tensor:
        """(P,): by how much each phase must be brought nearer to samples (C, *S), in squared distance, for all to
        have their shares of them."""
        apart = self._apart(samples)
        nearer = torch.zeros(len(self.levels))
        for _ in range(1 if len(self.levels) == 2 else _ROUNDS):
            for phase, share in enumerate(self.shares.tolist()[1:], start=1):
                others = torch.cat((apart[:phase], apart[phase + 1 :])).amin(0)
                ranked = (apart[phase] - others).sort().values
                count = min(max(round(share * len(ranked)), 1), len(ranked) - 1)
                middle = (ranked[count - 1] + ranked[count]) / 2
                apart[phase] -= middle
                nearer[phase] += middle
        return nearer

    def cut(self, samples: Tensor, nearer: Tensor) -> Tensor:
        """Samples (C, *S) of the engine as levels (1, *S): the nearest phase, after each is brought nearer by its
        number, whatever shares they have then. nearer: (P,)."""
        labels = (self._apart(samples) - nearer[:, None]).argmin(0)
        return self.levels[labels].view(1, *samples.shape[1:])

    def leaning(self, samples: Tensor) -> Tensor:
        """Samples (C, *S) of the engine brought nearer to their nearest phases, (C, *S). Those of a phase stay as
        they are, and where two are cut from each other samples are half of both. It has a gradient."""
        codes = self.codes.to(samples)
        step = _STEP * torch.pdist(codes).min().square()
        likely, own = (
            torch.softmax(-self._apart(each) / step, 0)
            for each in (samples, codes.T.reshape(-1, 1, 1, len(codes)))
        )
        shares: Tensor = torch.linalg.solve(own, likely)  # of each phase; of its own samples, all
        return (codes.T @ shares).view(samples.shape)

    def _apart(self, samples: Tensor) -> Tensor:
        """(P, N): the squared distance of each of N samples from each phase."""
        return torch.stack(
            [(samples - code.view(-1, 1, 1, 1)).square().sum(0).flatten() for code in self.codes.to(samples)]
        )


def _blurred(samples: Tensor, width: float, mode: str) -> Tensor:
    """Samples (C, *S) under a Gaussian of this width, in samples."""
    from scipy import ndimage

    widths = (0.0, *(width,) * (samples.dim() - 1))
    return torch.from_numpy(ndimage.gaussian_filter(samples.numpy(), widths, mode=mode))


def _unlike(labels: Tensor) -> float:
    """The share of neighbors in labels (1, *S) that differ, the mean along all axes."""
    along = [axis for axis, size in enumerate(labels.shape) if size > 1]
    return fmean(float((labels.diff(dim=axis) != 0).float().mean()) for axis in along)


def _means(samples: Tensor, count: int) -> Tensor:
    """(count,) levels, ascending, such that samples are near one of them: Otsu's thresholds lie between
    (Otsu 1979), found by the k-means of Lloyd (1982) from equal shares."""
    from scipy.cluster import vq

    start = torch.quantile(torch.from_numpy(np.unique(samples.numpy())), (torch.arange(count) + 0.5) / count)
    every = -(-len(samples) // 2**20)
    means, _ = vq.kmeans2(samples[::every].double().numpy(), start.double().numpy(), minit="matrix")
    return torch.from_numpy(means).float().sort().values
