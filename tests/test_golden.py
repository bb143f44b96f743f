"""The look of the defaults: small results beside those that were looked at once and kept.

Choices of other numbers, another network or another schedule change these pictures. When a default is changed on
purpose, look at the new ones and keep them: VOLSTYLE_KEEP_GOLDEN=1 uv run pytest tests/test_golden.py
Everything runs in float32; what other processors round differently grows in a few steps to less than TOLERANCE.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.tiny import stylized
from volstyle.codecs import Encoding, Moment, Selection, read, write
from volstyle.engine.scene import Style
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.media.defaults import defaults

GOLDEN, SAMPLES = Path(__file__).with_name("golden"), Path(__file__).parents[1] / "samples"
TOLERANCE = 0.008
"""Root of the mean square, of samples in [0, 1]. Twice the content weight changes an image by 0.014."""


def image() -> Field:
    return read(SAMPLES / "still-life.jpg", Selection(size=112))


def video() -> Field:
    return read(SAMPLES / "harbor.mp4", Selection(size=80, end=Moment(3, "f")))


def volume() -> Field:
    samples = resize(read(SAMPLES / "shell.nii.gz").samples.float(), (24, 32, 32), kind="linear")
    return Field(
        (samples / samples.max()).clamp(0, 1).expand(3, -1, -1, -1).clone(), tuple(Axis(name) for name in "zyx")
    )


def flat(samples: torch.Tensor) -> torch.Tensor:
    """Frames or slices side by side: (3, H, N W)."""
    if samples.dim() == 3:
        return samples
    some = samples[:, :: max(1, samples.shape[1] // 4)]
    return torch.cat(some.unbind(1), dim=2)


@pytest.mark.parametrize(
    ("kind", "content", "steps"), [("image", image, 6), ("video", video, 6), ("volume", volume, 2)]
)
def test_defaults_look_as_they_did(kind: str, content: Callable[[], Field], steps: int) -> None:
    recipe = defaults(kind).set("precision=float32").set(f"schedule.steps={steps}").set("device=cpu")
    result = stylized(content(), [Style(read(SAMPLES / "swirl.jpg"))], recipe)
    picture = Field(flat(result.field.samples), (Axis("y"), Axis("x")))
    kept = GOLDEN / f"{kind}.png"
    if os.environ.get("VOLSTYLE_KEEP_GOLDEN"):
        write(kept, picture, Encoding(force=True))
    apart = float((read(kept).samples - picture.samples).square().mean().sqrt())
    assert apart < TOLERANCE
