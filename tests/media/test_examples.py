"""What a style is learned on beside its contents: pictures made by formula."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.tiny import numbers
from volstyle.engine.painting import Brush
from volstyle.grid.color import Colors
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.media.examples import Draw, field_examples, formula_examples
from volstyle.motion.links import warping_error
from volstyle.world.pictures import picture

DRAW = Draw(size=48, crop=64, count=6, seed=5, styles=2)
CALM = [low + 0.3 * numbers(3, 20, 30) for low in (0.3, 0.4)]
"""Contents of little contrast, one darker than the other."""


def test_pictures_by_formula_are_all_different_and_the_same_again() -> None:
    examples = formula_examples((28, 48), CALM, DRAW)
    assert [example.style for example in examples] == [0, 1, 0, 1, 0, 1]
    for example in examples:
        assert example.content.shape == (3, 28, 48)
        assert 0 <= float(example.content.min()) <= float(example.content.max()) <= 1
        assert example.content is example.before
        assert example.links == ()
    for one, other in itertools.combinations(examples, 2):
        assert float((one.content - other.content).abs().mean()) > 0.02
    again = formula_examples((28, 48), CALM, DRAW)
    assert all(torch.equal(a.content, b.content) for a, b in zip(examples, again, strict=True))


def test_pictures_by_formula_have_the_colors_of_contents() -> None:
    for contents in (CALM, [like[:1] for like in CALM]):
        examples = formula_examples((48, 48), contents, replace(DRAW, count=4))
        for example, like in zip(examples, [contents[0]] * 2 + [contents[1]] * 2, strict=True):
            samples, wanted = example.content.flatten(1), like.flatten(1)
            # They are a piece of what has the colors, and few samples of it are cut off.
            torch.testing.assert_close(samples.mean(1), wanted.mean(1), atol=0.03, rtol=0)
            assert 0.6 < float(samples.var(1).sum() / wanted.var(1).sum()) < 1.6


def test_contents_may_be_given_the_colors_of_their_style() -> None:
    colors = tuple(Colors.of(like) for like in CALM)
    field = Field(numbers(3, 40, 48) ** 2, (Axis("y"), Axis("x")))
    for example in field_examples(field, replace(DRAW, colors=colors)):
        samples, wanted = example.content.flatten(1), colors[example.style]
        torch.testing.assert_close(samples.mean(1), wanted.mean.float(), atol=0.02, rtol=0)
        torch.testing.assert_close(samples.cov(), wanted.spread.float(), atol=1e-3, rtol=0)
        assert example.variance == pytest.approx(float(CALM[example.style].var()), rel=0.1)
    for example in field_examples(field, DRAW):
        assert float(example.content.mean()) == pytest.approx(float(field.samples.mean()), abs=0.02)


def test_a_picture_lies_elsewhere_in_the_blocks_each_time() -> None:
    field = Field(numbers(3, 30, 48), (Axis("y"), Axis("x")))
    examples = field_examples(field, Draw(size=48, crop=64, count=40, seed=5))
    assert {tuple(example.content.shape) for example in examples} == {(3, 30, 48)}
    assert all(torch.equal(example.content, example.before) for example in examples)
    assert len({float(example.content.sum()) for example in examples}) > 15
    volume = Field(numbers(1, 9, 9, 9), (Axis("z"), Axis("y"), Axis("x")))
    for example in field_examples(volume, Draw(size=9, crop=64, count=3, seed=5)):
        assert torch.equal(example.content, volume.samples)


def test_two_frames_show_one_picture_that_moves() -> None:
    still, along = 0.0, 0.0
    for example in formula_examples((2, 40, 48), [picture(3, 48)], DRAW):
        now, then = example.content[:, 0], example.content[:, 1]
        still += float((now - then).square().mean())
        along += float(warping_error(example.content, example.links[0]).mean())
    assert still > 0.01
    assert along < still / 3


@pytest.mark.parametrize("shape", [(28, 48), (2, 28, 48)])
def test_what_the_stage_before_made_of_them_is_beside_them(shape: tuple[int, ...]) -> None:
    sizes = []

    class Inverting(Brush):
        def __call__(self, content: Tensor, size: int = 0, own: Colors | None = None) -> Tensor:
            sizes.append(size)
            return 1 - resize(content, (*content.shape[1:-2], 14, 24))

    brush = Inverting((), (), 2.0, torch.device("cpu"))
    draw = Draw(size=48, crop=64, count=2, seed=5, coarser=(brush,), before=24)
    for example in formula_examples(shape, [CALM[0][:1]], draw):
        assert example.content.shape == (1, *shape)
        small = resize(example.content, (*shape[:-2], 14, 24))
        torch.testing.assert_close(example.before, (1 - resize(small, shape)).clamp(0, 1), atol=1e-4, rtol=0)
    assert sizes == [24, 24]
