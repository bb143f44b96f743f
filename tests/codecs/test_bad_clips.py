"""Damaged clips and images are refused in one line that names the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.clips import (
    HEIGHT,
    SOUND_RATE,
    WIDTH,
    again,
    make_clip,
    make_images,
    one_line,
    tone,
)
from volstyle.codecs import WHOLE, Moment, Selection, probe, read
from volstyle.errors import InputError


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are not what they seem."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.mp4").touch()
    (folder / "empty.png").touch()
    for name in ("text.mp4", "text.png", "text.gif", "photo.heic"):
        (folder / name).write_text("hello there\n" * 50)
    whole = make_clip(folder / "whole.mp4", range(24), sound=tone, options={"g": "1"}).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "head.mp4").write_bytes(whole[:300])
    again(folder / "whole.mp4", folder / "fast.mp4")
    fast = (folder / "fast.mp4").read_bytes()
    (folder / "cut_fast.mp4").write_bytes(fast[: -len(fast) // 3])
    mkv = make_clip(folder / "whole.mkv", range(24), Fraction(1, 8), options={"g": "2"}).read_bytes()
    (folder / "cut.mkv").write_bytes(mkv[: len(mkv) // 2])
    cv2.imwrite(str(folder / "whole.png"), np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    png = (folder / "whole.png").read_bytes()
    (folder / "cut.png").write_bytes(png[:60])
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=SOUND_RATE)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = SOUND_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (folder / "nothing").mkdir()
    make_images(folder / "unequal", ["1.png", "2.png"])
    cv2.imwrite(str(folder / "unequal" / "3.png"), np.zeros((10, 10, 3), np.uint8))
    return folder


BAD = {
    "missing": ("missing.mp4", WHOLE, "no such file"),
    "missing-image": ("missing.png", WHOLE, "no such file"),
    "no-suffix": ("missing", WHOLE, "no such file"),
    "empty": ("empty.mp4", WHOLE, "empty"),
    "empty-image": ("empty.png", WHOLE, "empty"),
    "text": ("text.mp4", WHOLE, "not a clip"),
    "text-gif": ("text.gif", WHOLE, "not a clip"),
    "text-image": ("text.png", WHOLE, "not an image"),
    "unknown": ("photo.heic", WHOLE, "not known"),
    "header": ("head.mp4", WHOLE, "damaged"),
    "truncated": ("cut.mp4", WHOLE, "damaged"),
    "truncated-faststart": ("cut_fast.mp4", WHOLE, "frame"),
    "truncated-mkv": ("cut.mkv", WHOLE, "cut off"),
    "truncated-image": ("cut.png", WHOLE, "damaged"),
    "sound": ("sound.mp4", WHOLE, "no video"),
    "behind": ("whole.mp4", Selection(start=Moment(9)), "no frame"),
    "behind-frames": ("whole.mp4", Selection(start=Moment(24, "f")), "no frame"),
    "backwards": ("whole.mp4", Selection(start=Moment(0.5), end=Moment(0.25)), "no frame"),
    "nothing-between": ("whole.mp4", Selection(start=Moment(0.5), end=Moment(0.5)), "no frame"),
    "no-images": ("nothing", WHOLE, "no images"),
    "no-images-fit": ("unequal/shot_%04d.png", WHOLE, "no images"),
    "behind-images": ("unequal", Selection(start=Moment(3, "f")), "no frame"),
    "backwards-images": ("unequal", Selection(start=Moment(2, "f"), end=Moment(1, "f")), "no frame"),
    "unequal": ("unequal/3.png", WHOLE, "10x10, must be 64x48"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_the_file(bad: Path, name: str) -> None:
    file, selection, says = BAD[name]
    with pytest.raises(InputError) as error:
        read(bad / "unequal" if name == "unequal" else bad / file, selection)
    assert says in one_line(error, bad / file)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (_, selection, _) in BAD.items()
        if selection is WHOLE and not name.startswith(("truncated-", "unequal"))
    ],
)
def test_bad_input_is_said_by_probe(bad: Path, name: str) -> None:
    with pytest.raises(InputError) as error:
        probe(bad / BAD[name][0])
    one_line(error, bad / BAD[name][0])


@pytest.mark.parametrize("name", ["whole.mp4", "whole.mkv", "fast.mp4", "whole.png"])
def test_the_whole_of_what_was_cut_off_is_read(bad: Path, name: str) -> None:
    """That the checks above do not refuse everything."""
    assert read(bad / name).shape[-2:] == (HEIGHT, WIDTH)


def test_the_part_before_a_cut_can_be_read(bad: Path) -> None:
    assert read(bad / "cut.mkv", Selection(end=Moment(4, "f"))).shape == (4, HEIGHT, WIDTH)
