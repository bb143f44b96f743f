"""Fields of arrays, and arrays of fields."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from volstyle.errors import ShapeError
from volstyle.grid.field import Axis, Field


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("t", (5,)), ("yx", (4, 5)), ("yxc", (4, 5, 3)), ("zyx", (2, 4, 5)), ("tyxc", (2, 4, 5, 3))],
)
def test_an_array_comes_back(axes: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).random(shape, np.float32)
    field = Field.of(array, axes)
    assert np.array_equal(field.numpy(), array)
    assert "".join(axis.name for axis in field.axes) == axes.replace("c", "")


def test_channels_may_come_first() -> None:
    tensor = torch.rand(3, 4, 5)
    assert torch.equal(Field.of(tensor, "cyx").samples, tensor)
    assert Field.of(tensor, "cyx").numpy().shape == (4, 5, 3)


def test_steps_and_units() -> None:
    field = Field.of(np.zeros((2, 3, 4)), "zyx", step=(3, 1.5, 1.5), unit="mm")
    assert field.axes == (Axis("z", 3.0, "mm"), Axis("y", 1.5, "mm"), Axis("x", 1.5, "mm"))
    clip = Field.of(np.zeros((2, 3, 4, 3)), "tyxc", step=(0.04, 1, 1), unit=("s", "px", "px"))
    assert clip.axes[0] == Axis("t", 0.04, "s")


def test_whole_numbers_of_pictures_are_levels_and_of_volumes_are_values() -> None:
    assert float(Field.of(np.full((2, 2), 255, np.uint8), "yx").samples.max()) == 1
    assert float(Field.of(np.full((2, 2, 2), -1000, np.int16), "zyx").samples.min()) == -1000
    assert float(Field.of(np.ones((2, 2), bool), "yx").samples.max()) == 1


@pytest.mark.parametrize("axes", ["yx", "yyx", "ccx", "", "zyxc"])
def test_letters_and_dimensions_must_agree(axes: str) -> None:
    with pytest.raises(ShapeError, match="field: axes"):
        Field.of(np.zeros((3, 4, 5)), axes)
    with pytest.raises(ShapeError, match="2 steps"):
        Field.of(np.zeros((3, 4, 5)), "zyx", step=(1, 2))
