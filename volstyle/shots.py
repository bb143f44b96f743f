"""Cuts of a clip, found or given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import Tensor

from volstyle.errors import InputError

_SHORTEST = 5
"""Frames of a shot that is looked for; a flash is none."""


def find_cuts(frames: Iterable[Tensor]) -> tuple[int, ...]:
    """First frames of all shots but the first, of a clip's frames (C, H, W) in [0, 1].

    PySceneDetect's adaptive detector: a cut is where a frame differs from the last far more than its neighbors
    do, so that fast motion is none.
    """
    from scenedetect import AdaptiveDetector, FrameTimecode

    detector = AdaptiveDetector(min_scene_len=_SHORTEST)
    found = []
    count = 0
    for index, frame in enumerate(frames):
        count = index + 1
        bgr = (255 * frame.expand(3, -1, -1).flip(0)).byte().permute(1, 2, 0)
        found += detector.process_frame(FrameTimecode(index, fps=25.0), np.ascontiguousarray(bgr.numpy()))
    found += detector.post_process(FrameTimecode(count, fps=25.0))
    return tuple(sorted({cut.frame_num for cut in found} - {0}))


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
