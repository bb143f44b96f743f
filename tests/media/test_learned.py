"""A style learned and painted with: by both doors, for each medium; killed, gone on with, replayed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import volstyle
from tests.lessons import killed_when_it_saves
from tests.processes import ended
from tests.scans import counts, loaded, nifti
from tests.tiny import numbers
from volstyle.codecs import Encoding, read, write
from volstyle.engine.blockwise import Evaluation, Plans, evaluate
from volstyle.engine.learning import Example
from volstyle.engine.painting import LearnedStage, LearnedStyle
from volstyle.errors import InputError, OutputError, RecipeError
from volstyle.grid.color import Colors
from volstyle.grid.field import Axis, Field
from volstyle.loss.objective import Objective
from volstyle.media.examples import Draw, formula_examples
from volstyle.networks.generator import Plan, StageGenerator
from volstyle_cli import main

PLANE = (Axis("y"), Axis("x"))
CLIP = (Axis("t", 0.1, "s"), *PLANE)
TINY = {
    "network.name": "random",
    "precision": "float32",
    "memory": "64MB",
    "learn.steps": 3,
    "learn.examples": 4,
    "learn.smallest": 24,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, pictures, a scan and two styles; and what was learned: s.safetensors is of the first style on the
    clip, two.safetensors is of both styles on it, photos.safetensors is of the first style on the pictures."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        write("art.png", Field(numbers(3, 32, 32, seed=1), PLANE))
        write("other.png", Field(numbers(3, 32, 40, seed=2), PLANE))
        clip = numbers(3, 6, 8, 10).repeat_interleave(4, 2).repeat_interleave(4, 3)
        write("clip.mp4", Field(clip, CLIP), Encoding("lossless"))
        Path("photos").mkdir()
        write("photos/a.png", Field(numbers(3, 30, 40), PLANE))
        write("photos/b.png", Field(numbers(3, 44, 36, seed=3), PLANE))
        nifti(Path("scan.nii.gz"), counts(20, 24, 28))
        assert learn("art.png", "--on", "clip.mp4", "-o", "s.safetensors") == 0
        assert learn("art.png", "other.png", "--on", "clip.mp4", "-o", "two.safetensors") == 0
        assert learn("art.png", "--on", "photos", "-o", "photos.safetensors") == 0
    return folder


@pytest.fixture(autouse=True)
def _files(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of all that was made."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def options(choices: dict[str, Any] = TINY) -> list[str]:
    return [word for key, value in choices.items() for word in ("--set", f"{key}={value}")]


def learn(*words: str) -> int:
    return main(["learn", *words, *options(), "-q"])


def paint(medium: str, *words: str) -> int:
    return main([medium, *words, "--set", "precision=float32", "--set", "memory=64MB", "-q"])


def test_two_doors_learn_the_same_bytes() -> None:
    result = volstyle.learn(["art.png"], "clip.mp4", "house.safetensors", choices=TINY)
    assert result.output == Path("house.safetensors")
    one, two = (LearnedStyle.load(Path(f"{name}.safetensors")) for name in ("s", "house"))
    for mine, theirs in zip(one.stages, two.stages, strict=True):
        assert all(torch.equal(w, theirs.generator.weights[n]) for n, w in mine.generator.weights.items())
    record = json.loads(Path("s.safetensors.json").read_text())
    assert record["command"]["examples"] == ["clip.mp4"]
    assert [stage["steps"] for stage in record["stages"]] == [6, 3]


def test_a_clip_is_painted_at_its_own_size_and_again_with_the_same_bytes() -> None:
    assert paint("video", "clip.mp4", "--style", "s.safetensors", "-o", "out.mkv", "--quality", "lossless") == 0
    source, result = read("clip.mp4"), read("out.mkv")
    assert result.shape == source.shape
    assert (result.samples - source.samples).abs().mean() > 1e-3
    assert main(["replay", "out.mkv.json", "-q"]) == 0
    one = volstyle.style("clip.mp4", ["s.safetensors"], choices={"precision": "float32", "memory": "64MB"})
    assert (one.field.samples - result.samples).abs().max() < 2 / 255


def test_learning_is_replayed_with_the_same_bytes() -> None:
    assert main(["replay", "s.safetensors.json", "-q"]) == 0
    assert Path("s-replay.safetensors").read_bytes() == Path("s.safetensors").read_bytes()


def test_a_lesson_starts_from_another_style_and_is_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["other.png", "--on", "clip.mp4", "--init", str(tmp_path / "s.safetensors")]
    line += ["--set", "learn.rate=1e-12"]
    assert learn(*line, "-o", "t.safetensors") == 0
    one, two = (LearnedStyle.load(Path(f"{name}.safetensors")) for name in "st")
    for mine, theirs in zip(one.stages, two.stages, strict=True):
        for name, weight in mine.generator.weights.items():
            assert torch.allclose(weight, theirs.generator.weights[name], atol=1e-8)
    monkeypatch.chdir("photos")
    assert main(["replay", "../t.safetensors.json", "-o", "r.safetensors", "-q"]) == 0
    assert Path("r.safetensors").read_bytes() == Path("../t.safetensors").read_bytes()
    monkeypatch.chdir(tmp_path)
    Path("s.safetensors").write_bytes(Path("t.safetensors").read_bytes())
    assert main(["replay", "t.safetensors.json", "-q", "--force"]) == 2
    assert "s.safetensors" in capsys.readouterr().err


def test_stages_that_a_start_has_no_network_for_are_named() -> None:
    pictures = {**TINY, "learn.steps": 1}
    volstyle.learn(["art.png"], "photos", "small.safetensors", choices={**pictures, "learn.largest": 24})
    result = volstyle.learn(
        ["art.png"], "photos", "t.safetensors", choices={**pictures, "init": "small.safetensors"}
    )
    assert result.notes == ("stage 2 starts anew: small.safetensors has no network for it",)
    volume = {**pictures, "learn.examples": 2}
    volstyle.learn(["art.png"], "scan.nii.gz", "one.safetensors", choices={**volume, "learn.smallest": 28})
    result = volstyle.learn(
        ["art.png"], "scan.nii.gz", "w.safetensors", choices={**volume, "init": "one.safetensors"}
    )
    assert result.notes[-1] == "stage 2 starts anew: one.safetensors has no network for it"  # a first one composes
    with pytest.raises(InputError, match="are for 3 axes and 1 channels, must be built for 2 axes and 3"):
        volstyle.learn(["art.png"], "photos", "u.safetensors", choices={**pictures, "init": "one.safetensors"})


def test_pictures_of_any_size_and_a_folder_of_them() -> None:
    for name in ("a", "b"):
        assert paint("image", f"photos/{name}.png", "--style", "photos.safetensors", "-o", f"{name}.png") == 0
        assert read(f"{name}.png").shape == read(f"photos/{name}.png").shape


def test_a_volume_keeps_its_grid_and_what_lies_outside_its_range() -> None:
    assert learn("art.png", "--on", "scan.nii.gz", "-o", "v.safetensors", "--set", "learn.examples=2") == 0
    assert LearnedStyle.load(Path("v.safetensors")).plan.axes == 3
    assert paint("volume", "scan.nii.gz", "--style", "v.safetensors", "-o", "out.nii.gz") == 0
    before, after = loaded(Path("scan.nii.gz")), loaded(Path("out.nii.gz"))
    assert (before.affine == after.affine).all() and before.shape == after.shape


def test_several_styles_are_chosen_blended_and_changed_over_time() -> None:
    assert LearnedStyle.load(Path("two.safetensors")).names == ("art", "other")
    made = {}
    for name, styles in {
        "first": ["two.safetensors#art"],
        "second": ["two.safetensors#other"],
        "both": ["two.safetensors#art@0.5", "two.safetensors#other@0.5"],
        "change": ["two.safetensors#art@0f", "two.safetensors#other@5f"],
    }.items():
        given = [word for style in styles for word in ("--style", style)]
        file = f"{name}.mkv"
        given += ["--set", "learn.carry=0"]  # so that each frame is of one style
        assert paint("video", "clip.mp4", *given, "-o", file, "--quality", "lossless") == 0
        made[name] = read(file).samples
    assert torch.equal(made["change"][:, 0], made["first"][:, 0])
    assert torch.equal(made["change"][:, 5], made["second"][:, 5])
    assert not torch.equal(made["first"], made["second"])
    assert not torch.equal(made["both"], made["first"])


def test_frames_are_held_to_the_one_before() -> None:
    write("still.mkv", Field(read("clip.mp4").samples[:, :1].repeat(1, 4, 1, 1), CLIP), Encoding("lossless"))
    learned = LearnedStyle.load(Path("two.safetensors"))
    learned.stages[-1].generator.weights["last.bias"][1] += 0.2  # so that the second style is brighter
    learned.save(Path("two.safetensors"), {})
    styles = ["--style", "two.safetensors#art@0f", "--style", "two.safetensors#other@1f"]
    made = {}
    for carry in (0.0, 0.8):
        file = f"{carry}.mkv"
        words = ["--set", f"learn.carry={carry}", "--quality", "lossless"]
        assert paint("video", "still.mkv", *styles, "-o", file, *words) == 0
        made[carry] = read(file).samples
    alone, held = made[0.0], made[0.8]
    assert torch.equal(held[:, 0], alone[:, 0])
    wanted = 0.4 * alone[:, 1] + 0.6 * alone[:, 0]  # the two differ in what is broad, of which less is mixed
    assert float((held[:, 1] - wanted).abs().mean()) < 2 / 255
    assert float((alone[:, 1] - wanted).abs().mean()) > 4 / 255


def test_one_command_learns_paints_and_does_not_learn_again() -> None:
    line = ["video", "clip.mp4", "--style", "art.png", "--method", "learn", "-o", "out.mp4", *options(), "-q"]
    assert main(line) == 0
    style = Path("out.safetensors")
    made = style.read_bytes()
    assert read("out.mp4").shape == (6, 32, 40)
    Path("out.mp4").unlink()
    Path("out.mp4.json").unlink()
    assert main(line) == 0  # as after a kill while it painted
    assert style.read_bytes() == made
    carried = [*line, "--set", "learn.carry=0.2", "--force"]
    assert main(carried) == 0
    assert style.read_bytes() == made
    changed = [word.replace("learn.steps=3", "learn.steps=4") for word in line]
    Path("out.mp4").unlink()
    Path("out.mp4.json").unlink()
    assert main(changed) == 2  # another style lies there


def test_what_is_for_other_contents_learns_from_other_pictures_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a clip is painted by a style that is learned on it, all that will be painted is shown."""
    given: list[int] = []

    def counted(shape: tuple[int, ...], contents: Sequence[Tensor], draw: Draw) -> list[Example]:
        given.append(draw.count)
        return formula_examples(shape, contents, draw)

    monkeypatch.setattr("volstyle.media.learned.formula_examples", counted)
    choices = {**TINY, "learn.examples": 8, "learn.steps": 1}
    volstyle.learn(["art.png"], "clip.mp4", "a.safetensors", choices=choices)
    assert given == [3, 3]  # beside 8 examples
    volstyle.style("clip.mp4", ["art.png"], "out.mp4", method="learn", choices=choices)
    assert given == [3, 3, 0, 0]
    volstyle.learn(["art.png"], "clip.mp4", "b.safetensors", choices={**choices, "learn.crop": 32})
    assert given == [3, 3, 0, 0, 3]  # the second stage is larger than a piece


def test_killed_while_it_learns_it_goes_on_with_the_same_bytes() -> None:
    line = ["learn", "art.png", "--on", "clip.mp4", "-o", "cut.safetensors", *options(), "-q"]
    assert ended(killed_when_it_saves, line) == 9
    assert not Path("cut.safetensors").exists()
    assert main(line) == 0
    assert Path("cut.safetensors").read_bytes() == Path("s.safetensors").read_bytes()


def test_a_stop_leaves_the_rest_of_a_clip_as_it_was() -> None:

    class Stop(volstyle.Follower):
        def painted(self, number: int, made: torch.Tensor) -> bool:
            return number == 2

    result = volstyle.style(
        "clip.mp4", ["s.safetensors"], "out.mkv", progress=Stop(), quality="lossless", choices={"memory": "64MB"}
    )
    assert result.stopped and result.last == (0, 2)
    apart = (read("out.mkv").samples - read("clip.mp4").samples).abs().mean((0, 2, 3))
    assert apart[:2].min() > 1e-3 and apart[2:].max() < 1e-3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mask", "art.png"], "--mask: does nothing with a style that was learned"),
        (["--content-weight", "0.4"], "content.weight: does nothing with a style that was learned"),
        (["--set", "schedule.steps=4"], "schedule.steps: does nothing with a style that was learned"),
        (["--loop"], "--loop: does nothing with a style that was learned"),
        (["--style", "art.png"], "style: art.png is a picture and another style is learned"),
        (["--method", "learn"], "the style was learned already"),
    ],
)
def test_what_a_learned_style_has_no_use_for_is_refused(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--mask" in words and "--style" in words:
        words = words[:2]
    assert paint("video", "clip.mp4", "--style", "s.safetensors", "-o", "out.mp4", *words) == 2
    assert says in capsys.readouterr().err
    assert not Path("out.mp4").exists()


def test_any_seed_learns_and_a_painted_clip_has_a_report() -> None:
    volstyle.learn(["art.png"], "clip.mp4", "t.safetensors", choices={**TINY, "seed": 10**13})
    volstyle.style("clip.mp4", ["t.safetensors"], "out.mp4")
    assert main(["report", "out.mp4.json"]) == 0
    page = Path("out.mp4.html").read_text()
    assert page.count("<video") == 2
    assert "Costs over steps" not in page
    assert "optimized at" not in page


def test_wrong_orders_are_refused_before_the_work() -> None:
    with pytest.raises(RecipeError, match="knows art, other; say which, as in two"):
        volstyle.style("clip.mp4", ["two.safetensors"], "out.mp4")
    with pytest.raises(InputError, match="no style 'candy' in it; allowed: art, other"):
        volstyle.style("clip.mp4", ["two.safetensors#candy"], "out.mp4")
    with pytest.raises(RecipeError, match="was learned for images and videos, not for a volume"):
        volstyle.style("scan.nii.gz", ["two.safetensors#art"], "out.nii.gz")
    with pytest.raises(OutputError, match=r"suffix '.pth', must be .safetensors"):
        volstyle.learn(["art.png"], "photos", "s.pth", choices=TINY)
    with pytest.raises(OutputError, match="is there already"):
        volstyle.learn(["art.png"], "photos", "s.safetensors", choices=TINY)
    with pytest.raises(RecipeError, match=r"learn\.carry: is for what is painted"):
        volstyle.learn(["art.png"], "photos", "t.safetensors", choices={**TINY, "learn.carry": 0.1})
    with pytest.raises(RecipeError, match=r"learn\.others is 0\.95, must be from 0 to 0\.9"):
        volstyle.learn(["art.png"], "photos", "t.safetensors", choices={**TINY, "learn.others": 0.95})
    with pytest.raises(RecipeError, match=r"learn\.others: is for pictures and clips"):
        volstyle.learn(["art.png"], "scan.nii.gz", "t.safetensors", choices={**TINY, "learn.others": 0.1})
    with pytest.raises(RecipeError, match="init: noise is for samples; a lesson starts from content"):
        volstyle.learn(["art.png"], "photos", "t.safetensors", choices={**TINY, "init": "noise"})
    with pytest.raises(InputError, match=r"init nope\.safetensors: there is no such file; must be a file of"):
        volstyle.learn(["art.png"], "photos", "t.safetensors", choices={**TINY, "init": "nope.safetensors"})
    with pytest.raises(InputError, match="is no clip"):
        volstyle.learn(["art.png"], "photos/a.png", "t.safetensors", medium="video", choices=TINY)
    with pytest.raises(RecipeError, match="learn: is for pictures, clips and volumes, not for a signal"):
        volstyle.learn(["art.png"], "photos", "t.safetensors", medium="signal", choices=TINY)
    with pytest.raises(RecipeError, match="method: learn is for clips"):
        volstyle.style("photos/a.png", ["art.png"], "out.png", method="learn")
    Path("empty").mkdir()
    with pytest.raises(InputError, match="no pictures in it"):
        volstyle.learn(["art.png"], "empty", "t.safetensors", medium="image", choices=TINY)
    write("still.mp4", Field(numbers(3, 1, 32, 40), CLIP), Encoding("lossless"))
    with pytest.raises(InputError, match="no two frames in one shot"):
        volstyle.learn(["art.png"], "still.mp4", "t.safetensors", choices=TINY)


def test_long_clips_are_learned_and_short_ones_optimized(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("volstyle.media.method.LONG", 24)
    clip = numbers(3, 1, 16, 20).expand(3, 26, 16, 20).contiguous()
    write("long.mp4", Field(clip, CLIP), Encoding("lossless"))
    assert main(["video", "long.mp4", "--style", "art.png", "-o", "l.mp4", *options()]) == 0
    assert "learned on" in capsys.readouterr().out
    quick = ["--set", "schedule.steps=1", "--set", "network.name=random", "--set", "style.statistic=gram"]
    line = ["video", "long.mp4", "--style", "art.png", *quick]
    assert main([*line, "--end", "4f", "-o", "s.mp4"]) == 0
    assert "learned on" not in capsys.readouterr().out
    assert main([*line, "--loop", "-o", "loop.mp4", "--set", "temporal.window=0"]) == 0
    assert "learned on" not in capsys.readouterr().out
    assert main([*line, "--init", "noise", "-o", "noise.mp4", "--set", "temporal.window=0"]) == 0
    assert "learned on" not in capsys.readouterr().out


def test_few_slices_of_a_volume_are_looked_at_in_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network carries what they ask for on to the others."""
    looked: list[int] = []

    def counted(samples: torch.Tensor, objective: Objective, plans: Plans) -> Evaluation:
        looked.append(sum(len(block.groups) for blocks in plans for block in blocks))
        return evaluate(samples, objective, plans)

    monkeypatch.setattr("volstyle.engine.learning.evaluate", counted)
    volume = Field(numbers(1, 20, 20, 20), (Axis("z"), *PLANE))
    volstyle.learn(["art.png"], volume, "few.safetensors", choices={**TINY, "learn.steps": 1})
    assert looked
    assert max(looked) <= 6  # of 20 along each axis: one, or the two that 17 apart are


def test_pictures_are_given_the_colors_of_their_style_and_frames_of_a_clip_by_one_map() -> None:
    """What adds nothing yet shows the contents in those colors."""
    generator = StageGenerator.new(Plan(width=6, residuals=1), 0)
    dark = Colors.of(0.2 + 0.1 * numbers(3, 20, 20, seed=4))
    style = LearnedStyle((LearnedStage(40, generator),), ("dark",), "random", 2.25, (dark,))
    style.save(Path("dark.safetensors"), {})
    lighter = 0.5 + 0.2 * read(Path("clip.mp4")).samples + torch.tensor([0.0, 0.04]).repeat(3).view(1, 6, 1, 1)
    content = Field(lighter, CLIP)
    made = volstyle.style(content, "dark.safetensors", choices={"learn.carry": 0.0}).field.samples
    of_frames, wanted = made.mean((2, 3)), dark.mean.float()
    torch.testing.assert_close(of_frames.mean(1), wanted, atol=0.02, rtol=0)
    assert (of_frames[:, 1::2] - of_frames[:, :-1:2])[:, 1:].min() > 0.01  # what is lighter stays lighter
    for frame in (0, 1):
        alone = volstyle.style(Field(lighter[:, frame], PLANE), "dark.safetensors").field.samples
        torch.testing.assert_close(alone.mean((1, 2)), wanted, atol=0.01, rtol=0)


def test_only_what_is_learned_on_pictures_gives_colors() -> None:
    (found,) = LearnedStyle.load(Path("photos.safetensors")).colors
    torch.testing.assert_close(found.mean.float(), read(Path("art.png")).samples.mean((1, 2)))
    assert LearnedStyle.load(Path("s.safetensors")).colors == ()
