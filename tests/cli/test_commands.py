"""The command line as a user meets it: what it writes, what it says, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from volstyle.codecs import probe, read, write
from volstyle.grid.field import Axis, Field
from volstyle_cli import main
from volstyle_cli.app import app
from volstyle_cli.options import ImageOptions
from volstyle_cli.run.order import errand_of
from volstyle_cli.run.stopping import stoppable

TINY = ["--network", "random", "--precision", "float32", "--set", "schedule.steps=2", "--size", "48"]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photo.png, art.png, other.png, clip.mp4, mask.png, and files that are not what they seem."""
    folder = tmp_path_factory.mktemp("media")
    numbers = np.random.default_rng(0)
    for name, shape in (("photo", (40, 56)), ("art", (32, 32)), ("other", (32, 40))):
        picture = cv2.resize(numbers.integers(0, 256, (8, 8, 3), dtype=np.uint8), shape[::-1])
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    mask = np.zeros((40, 56), np.uint8)
    mask[:, :28] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    cv2.imwrite(str(folder / "black.png"), 0 * mask)
    axes = (Axis("t", 0.1, "s"), Axis("y"), Axis("x"))
    write(folder / "clip.mp4", Field(torch.rand(3, 3, 32, 48, generator=torch.Generator().manual_seed(0)), axes))
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("not a picture")
    (folder / "text.txt").write_text("not a picture")
    (folder / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:100])
    (folder / "cut.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:200])
    torch.save({"conv1_1.weight": torch.full((1, 3, 3, 3), float("nan"))}, folder / "nan.pt")
    (folder / "bad.toml").write_text("[schedule]\nstep = 3\n")
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in an empty folder beside copies of the media: exit code, output, errors."""
    for file in media.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(line: str, *more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*line.split(), *more])
        return code, *capsys.readouterr()

    return run


def test_image_says_its_plan_and_writes_result_and_record(run: Run) -> None:
    code, out, err = run("image photo.png --style art.png", *TINY)
    assert (code, err) == (0, "")
    for said in ("photo.png, 48x34", "random (seed 0)", "cpu, float32", "2 steps", "takes", "photo-art.png"):
        assert said in out
    assert "\x1b" not in out
    assert read(Path("photo-art.png")).shape == (34, 48)
    record = json.loads(Path("photo-art.png.json").read_text())
    assert record["command"]["content"] == "photo.png"
    assert set(record["command"]["inputs"]) == {"photo.png", "art.png"}


def test_clip_is_styled_and_done_again_with_the_same_bytes(run: Run) -> None:
    assert run("video clip.mp4 --style art.png --style other.png@0.5 --end 2f -o a.mp4", *TINY)[0] == 0
    assert probe(Path("a.mp4")).shape == (2, 32, 48)
    code, out, _ = run("replay a.mp4.json")
    assert code == 0
    assert "the same bytes" in out
    assert Path("a.mp4").read_bytes() == Path("a-replay.mp4").read_bytes()


def test_replay_names_the_input_that_changed(run: Run) -> None:
    run("image photo.png --style art.png -o a.png", *TINY)
    shutil.copy("other.png", "art.png")
    code, _, err = run("replay a.png.json")
    assert code == 2
    assert err.startswith("volstyle: art.png: not as it was")
    assert not Path("a-replay.png").exists()


def test_replay_with_all_that_files_can_say(run: Run) -> None:
    line = "image photo.png --style art.png --mask mask.png --style-mask mask.png --init other.png --keep-colors"
    assert run(f"{line} -o a.png", *TINY)[0] == 0
    assert run("replay a.png.json -q") == (0, "", "")


def test_replay_that_gives_other_bytes_says_so(run: Run) -> None:
    run("image photo.png --style art.png -o a.png", *TINY)
    record = Path("a.png.json")
    record.write_text(record.read_text().replace('"rate": 0.03', '"rate": 0.3'))
    code, out, _ = run("replay a.png.json")
    assert code == 1
    assert "other bytes" in out


def test_an_image_has_its_own_size(run: Run) -> None:
    quick = [f"--set={choice}" for choice in ("network.name=random", "schedule.steps=1")]
    assert run("image photo.png --style art.png -o a.png", *quick)[0] == 0
    assert read(Path("a.png")).shape == (40, 56)


def test_where_the_mask_is_black_the_content_stays(run: Run) -> None:
    run("image photo.png --style art.png --mask mask.png -o a.png", *TINY, "--size", "56")
    came, was = read(Path("a.png")).samples, read(Path("photo.png")).samples
    assert torch.equal(came[..., 30:], was[..., 30:])
    assert not torch.equal(came[..., :26], was[..., :26])


def test_preview_is_a_picture_of_the_middle_frame(run: Run) -> None:
    assert run("video clip.mp4 --style art.png --preview now.png", *TINY)[0] == 0
    assert read(Path("now.png")).shape == (32, 48)


def test_a_file_that_is_there_is_replaced_only_with_force(run: Run) -> None:
    Path("a.png").write_text("mine")
    code, _, err = run("image photo.png --style art.png -o a.png", *TINY)
    assert code == 2
    assert "--force" in err
    assert Path("a.png").read_text() == "mine"
    assert run("image photo.png --style art.png -o a.png --force", *TINY)[0] == 0
    assert read(Path("a.png")).shape == (34, 48)


BAD = {
    "image nope.png --style art.png": "nope.png",
    "image photo.png --style nope.png": "nope.png",
    "image empty.png --style art.png": "empty",
    "image cut.png --style art.png": "cut.png",
    "video cut.mp4 --style art.png": "cut.mp4",
    "video sound.mp4 --style art.png": "audio",
    "image text.txt --style art.png": ".txt",
    "image photo.png --style text.jpg": "style text.jpg",
    "image photo.png --style art.png --init nope.png": "nope.png",
    "image photo.png --style art.png --init sideways": "sideways",
    "image photo.png --style art.png --mask nope.png": "nope.png",
    "image photo.png --style art.png --mask black.png": "black everywhere",
    "image photo.png --style art.png --mask mask.png --mask mask.png": "2 for 1 styles",
    "image clip.mp4 --style art.png": "volstyle video",
    "video photo.png --style art.png": "volstyle image",
    "video clip.mp4 --style art.png --start 9s": "--start",
    "video clip.mp4 --style art.png --end soon": "48f",
    "image photo.png --style art.png --size 4": "at least",
    "image photo.png --style art.png --size 0": "--size",
    "image photo.png --style art.png --sise 9": "--size",
    "image photo.png": "--style",
    "imagine photo.png": "image",
    "image photo.png --style art.png --network randum": "'random'",
    "image photo.png --style art.png --device abacus": "abacus",
    "image photo.png --style art.png --memory lots": "4GB",
    "image photo.png --style art.png --memory 1KB": "memory",
    "image photo.png --style art.png --set schedule.step=3": "'steps'",
    "image photo.png --style art.png --set schedule.steps=many": "whole number",
    "image photo.png --style art.png --set steps": "KEY=VALUE",
    "image photo.png --style art.png --recipe bad.toml": "bad.toml",
    "image photo.png --style art.png --recipe nope.toml": "nope.toml",
    "image photo.png --style art.png --network builtin --weights nan.pt": "NaN",
    "image photo.png --style art.png --network builtin --weights nope.pt": "nope.pt",
    "image photo.png --style art.png --network vgg19 --weights text.txt": "text.txt",
    "image photo.png --style art.png --network random --weights nan.pt": "random",
    "image photo.png --style art.png -o a.xyz": ".xyz",
    "image photo.png --style art.png -o a.mp4": "axes",
    "image photo.png --style art.png --preview now.mp4": "axes",
    "video clip.mp4 --style art.png -o a.png": "axes",
    "video clip.mp4 --style art.png -o a.mp4 --quality prores": ".mov",
    "video clip.mp4 --style art.png -o .": "names no file",
    "image photo.png --style art.png -o nowhere/a.png": "nowhere",
    "image photo.png --style art.png -o photo.png --force": "--output",
    "image photo.png --style art.png --preview now.xyz": ".xyz",
    "replay nope.json": "nope.json",
    "replay bad.toml": "bad.toml",
    "info nope.mp4": "nope.mp4",
    "recipe show --recipe nope.toml": "nope.toml",
    "recipe save mine.txt": ".toml",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(run: Run, line: str) -> None:
    before = sorted(Path().iterdir())
    defaults = [] if line.split()[0] not in ("image", "video") or "vgg" in line else TINY
    command, *rest = line.split()
    code, _, err = run(command, *rest[:1], *defaults, *rest[1:])
    assert code == 2
    assert err.startswith("volstyle: ")
    assert err.count("\n") == 1
    assert BAD[line] in err
    assert sorted(Path().iterdir()) == before


def test_a_full_disk_is_noticed_before_the_work(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    code, _, err = run("image photo.png --style art.png", *TINY)
    assert code == 2
    assert "its disk has" in err


def test_first_interrupt_asks_second_interrupts() -> None:
    with stoppable() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_interrupted_while_reading_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("volstyle.media.run.open_order", interrupted)
    before = sorted(Path().iterdir())
    assert run("image photo.png --style art.png", *TINY)[0] == 130
    assert sorted(Path().iterdir()) == before


def test_ctrl_c_keeps_what_there_is_and_replay_stops_there_too(run: Run) -> None:
    line = (
        "video clip.mp4 --method optimize --style art.png -o a.mp4 --preview now.png --set schedule.steps=100000"
    )
    command = [sys.executable, "-c", "import sys, volstyle_cli; sys.exit(volstyle_cli.main())"]
    arguments = [*line.split()[:4], *TINY, *line.split()[4:]]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        while not Path("now.png").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in out
    assert "\x1b" not in out
    assert probe(Path("a.mp4")).shape == (3, 32, 48)
    record = json.loads(Path("a.mp4.json").read_text())
    stage, step = record["command"]["stopped_after"]
    assert len(record["stages"][stage]["costs"]["style"]) == step
    assert run("replay a.mp4.json -q")[0] == 0


def test_info_of_files_and_records(run: Run) -> None:
    run("video clip.mp4 --style art.png -o a.mp4", *TINY)
    assert "48x32, 3 frames" in run("info clip.mp4 --network random")[1]
    _, out, _ = run("info photo.png --network random")
    assert "56x40" in out
    assert "memory" in out
    assert "2 steps" in run("info a.mp4.json")[1]


def test_recipe_shown_saved_edited_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "seed = 3" in run("recipe show --set seed=3")[1]
    assert run("recipe save mine.toml --set seed=3")[0] == 0
    assert run("recipe save mine.toml")[0] == 2
    monkeypatch.setenv("VISUAL", f'{sys.executable} -c "{EDITOR.format("seed = 4")}"')
    assert run("recipe edit mine.toml")[0] == 0
    assert "seed = 4" in run("recipe show --recipe mine.toml")[1]
    monkeypatch.setenv("VISUAL", f'{sys.executable} -c "{EDITOR.format("sead = 5")}"')
    code, _, err = run("recipe edit mine.toml")
    assert code == 2
    assert "'seed'" in err
    assert "seed = 4" in Path("mine.toml").read_text()


EDITOR = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('{}')"


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"volstyle {version('volstyle')}\n", "")


def test_a_style_may_have_an_at_in_its_name(tmp_path: Path) -> None:
    there = tmp_path / "icon@2"
    there.touch()
    order = errand_of(ImageOptions(content=Path("a.png"), style=["b.jpg@0.5", "c.jpg", str(there)])).order
    assert [(s.path.name, s.weight) for s in order.styles] == [("b.jpg", 0.5), ("c.jpg", 1.0), ("icon@2", 1.0)]


@pytest.mark.parametrize("statement", ["import volstyle", "import volstyle_cli; volstyle_cli.main(['--help'])"])
def test_torch_is_not_imported_before_it_is_needed(statement: str) -> None:
    heavy = "{'torch', 'av', 'cv2', 'numpy'}"
    code = f"import sys; {statement}; print({heavy} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


def test_a_loop_in_windows_is_made_again_with_the_same_bytes(run: Run) -> None:
    line = " ".join(TINY)
    code, _, err = run(f"video clip.mp4 --style art.png -o a.mp4 --loop --set temporal.window=2 {line}")
    assert (code, err) == (0, "")
    assert json.loads(Path("a.mp4.json").read_text())["recipe"]["temporal"]["loop"] is True
    assert run("replay a.mp4.json -q") == (0, "", "")
    Path("cuts.txt").write_text("1")
    code, _, err = run(f"video clip.mp4 --style art.png -o b.mp4 --loop --shots cuts.txt {line}")
    assert code == 2
    assert err.endswith("loop: the clip cuts at frame 1, a loop is one shot; --shots none if there is no cut\n")


def test_help_is_broken_by_the_terminal_alone() -> None:
    helps = [command.callback.__doc__ or "" for command in app.registered_commands if command.callback]
    assert any("\n\n" in text for text in helps)
    assert not any("\n" in paragraph for text in helps for paragraph in text.strip().split("\n\n"))


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("learn", "[OPTIONS] {STYLE}..."),
        ("batch", "[OPTIONS] {IN}..."),
        ("units", "[OPTIONS] [IN]..."),
        ("export", "[OPTIONS] {NAME.safetensors} [NAME.onnx]"),
    ],
)
def test_the_usage_marks_each_argument_once(capsys: pytest.CaptureFixture[str], command: str, usage: str) -> None:
    """typer adds brackets and dots by itself."""
    assert main([command, "--help"]) == 0
    assert f"Usage: volstyle {command} {usage} " in capsys.readouterr().out
