"""Cuts of a clip, found or given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volstyle.errors import InputError

_SHORTEST = 5
"""Frames of a shot that is looked for; a flash is none."""


class CutFinder:
    """Finds the cuts of a clip whose frames it is shown one after the other.

    PySceneDetect's adaptive detector: a cut is where a frame differs from the last far more than its neighbors
    do, so that fast motion is none.
    """

    def __init__(self) -> None:
        from scenedetect import AdaptiveDetector

        self._detector = AdaptiveDetector(min_scene_len=_SHORTEST)
        self._count = 0
        self._found: set[int] = set()

    def look(self, frame: NDArray[np.uint8]) -> None:
        """The next frame, (H, W, 3) in R, G, B."""
        self._keep(self._detector.process_frame(self._now(), np.ascontiguousarray(frame[..., ::-1])))
        self._count += 1

    def cuts(self) -> tuple[int, ...]:
        """First frames of all shots but the first, after the last frame was shown."""
        self._keep(self._detector.post_process(self._now()))
        return tuple(sorted(self._found - {0}))

    def _now(self) -> Any:
        from scenedetect import FrameTimecode

        return FrameTimecode(self._count, fps=25.0)

    def _keep(self, cuts: Iterable[Any]) -> None:
        self._found |= {cut.frame_num for cut in cuts}


def read_cuts(path: Path, count: int) -> tuple[int, ...]:
    """Frame numbers in a text file, one a line or by commas, that begin a shot. Raises InputError."""
    try:
        words = re.split(r"[\s,]+", path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no list of cuts; write the number of each shot's first frame") from error
    cuts = set()
    for word in filter(None, words):
        if not word.isdigit() or not int(word) < count:
            raise InputError(f"{path}: {word!r} is no frame of the clip; must be 0 to {count - 1}")
        cuts.add(int(word))
    return tuple(sorted(cuts - {0}))
