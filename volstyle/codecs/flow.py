"""Optical flow in a folder of Middlebury .flo files."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch
from torch import Tensor

from volstyle.errors import InputError

_HEADER = struct.Struct("<4sii")


@dataclass(frozen=True)
class FlowFiles:
    """The flow of a clip in files.

    ahead, back: number of a frame of the clip -> the file with its flow to the next frame, and to the one before.
    first: the frame of the clip from which `forward` and `backward` count. count: the number of frames."""

    ahead: Mapping[int, Path]
    back: Mapping[int, Path]
    first: int
    count: int

    @staticmethod
    def open(folder: Path, skipped: int, shape: tuple[int, ...], *, loop: bool) -> FlowFiles:
        """The flow of a clip of this shape (T, H, W).

        The first number in a file's name is that of its frame, and the lowest in the folder that of the first
        frame of the source: "frame_0001.flo". "backward" in the name makes it flow to the frame before, as in
        "backward_2_1.flo"; those may be left out. skipped: frames of the source before the clip. loop: the last
        frame has a flow to the first.

        Raises InputError for flow that is missing, damaged, or of other proportions than the clip.
        """
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; flow is dis, raft, raft_small or a folder of .flo files")
        ahead: dict[int, Path] = {}
        back: dict[int, Path] = {}
        for path in sorted(folder.glob("*.flo")):
            found = re.search(r"\d+", path.stem)
            if found is None:
                raise InputError(f"{path}: no number of a frame in its name; name it as in frame_0001.flo")
            flows = back if "backward" in path.stem else ahead
            if int(found[0]) in flows:
                raise InputError(f"{path}: is of the frame of {flows[int(found[0])].name}; leave one out")
            flows[int(found[0])] = path
        if not ahead:
            raise InputError(f"{folder}: no flow from each frame to the next; name it as in frame_0001.flo")
        lowest = min(ahead)
        ahead, back = ({number - lowest - skipped: path for number, path in f.items()} for f in (ahead, back))
        count = shape[0]
        for frame in range(count if loop else count - 1):
            if frame not in ahead:
                raise InputError(
                    f"{folder}: no flow from frame {frame + skipped + lowest} to the next; "
                    f"the clip needs {count if loop else count - 1} of them"
                )
        first = next(iter(ahead.values()))
        size = _size(first)
        for path in (*ahead.values(), *back.values()):
            if _size(path) != size:
                raise InputError(f"{path}: is {_said(_size(path))}, must be {_said(size)} as {first.name}")
        if abs(size[0] * shape[1] / (size[1] * shape[2]) - 1) > 0.05:
            raise InputError(
                f"{first}: is {_said(size)}, must have the proportions of the clip, {shape[2]}x{shape[1]}"
            )
        return FlowFiles(ahead, back, 0, count)

    @property
    def both_ways(self) -> bool:
        """Whether each frame but the first has a flow to the one before."""
        return all(frame in self.back for frame in range(1, self.count))

    def since(self, frame: int) -> FlowFiles:
        """The same flow, counted from a later frame on."""
        return replace(self, first=self.first + frame)

    def forward(self, frame: int) -> Tensor:
        """(2, H, W), from a frame to the next. Raises InputError."""
        return _read(self.ahead[(self.first + frame) % self.count])

    def backward(self, frame: int) -> Tensor | None:
        """(2, H, W), from a frame to the one before; None where there is no file. Raises InputError."""
        path = self.back.get((self.first + frame) % self.count)
        return None if path is None else _read(path)


def _size(path: Path) -> tuple[int, int]:
    """Width and height in the header. Raises InputError for a file that is not of that size."""
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    if len(head) == _HEADER.size:
        mark, width, height = _HEADER.unpack(head)
        if mark == b"PIEH" and width > 0 < height and path.stat().st_size == _HEADER.size + 8 * width * height:
            return width, height
    raise InputError(f"{path}: damaged, or no Middlebury .flo file; make it again")


def _said(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _read(path: Path) -> Tensor:
    _size(path)  # what OpenCV would believe unchecked
    return torch.from_numpy(cv2.readOpticalFlow(str(path))).movedim(-1, 0)
