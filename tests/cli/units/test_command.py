"""`volstyle units`: the page, the sheet beside it, and what is wrong in one line."""

from __future__ import annotations

import base64
import io
import re
import wave
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.grid.field import Axis, Field
from volstyle.networks.registry import PACKAGED
from volstyle_cli import main
from volstyle_cli.draw.html import sound_uri
from volstyle_cli.units.inputs import World

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder with pictures: exit code, output, errors."""
    generator = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for name, shape in (("pictures/a", (40, 56)), ("pictures/b", (48, 48)), ("style", (64, 64)), ("tiny", (9, 9))):
        picture = cv2.resize(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8), shape[::-1])
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    (tmp_path / "pictures" / "notes.txt").write_text("not a picture, and none of our business")
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(line.split())
        return code, *capsys.readouterr()

    return run


def pictures(page: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/(?:png|webp);base64,([^"]+)"', page)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED) for data in found]


def test_the_page_stands_alone_and_the_sheet_beside_it(run: Run) -> None:
    code, out, err = run("units pictures --layer relu2_1 --unit 3 --unit 0")
    assert (code, err) == (0, "")
    for said in ("vgg19", "relu2_1, 2 of its 128 units", "10x10 samples, every 2x2", "2 files", "units.html"):
        assert said in out
    page = Path("units.html").read_text()
    assert re.findall(r'<section class="unit[^"]*" id="u(\d+)"', page) == ["0", "3"]
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "://" not in page
    found = pictures(page)
    assert found
    assert {picture.shape for picture in found} == {(10, 10, 4)}
    assert read(Path("units.png")).shape[0] > 100


def test_the_patches_of_the_page_are_cut_from_the_files(run: Run) -> None:
    """The caption says where from; the picture has those samples."""
    run("units pictures/a.png --layer relu1_1 --unit 1")
    page = Path("units.html").read_text()
    captions = re.findall(r'alt="\d\. \S+ in a\.png at y (\d+), x (\d+)"', page)
    source = cv2.imread("pictures/a.png")
    assert len(captions) == len(pictures(page)) == 18
    for (y, x), picture in list(zip(captions, pictures(page), strict=True))[:9]:
        there = picture[..., 3] > 0
        rows, columns = there.any(1).sum(), there.any(0).sum()
        cut = picture[there].reshape(rows, columns, 4)[..., :3]
        assert np.array_equal(cut, source[int(y) : int(y) + rows, int(x) : int(x) + columns])


def test_without_input_it_looks_at_the_procedural_world(run: Run) -> None:
    code, out, _ = run("units --count 2 --size 32 --unit 0 -o world.html")
    assert code == 0
    assert "2 pictures by formula, 32 px, seed 0" in out
    assert "picture 1 at" in Path("world.html").read_text() or "picture 0 at" in Path("world.html").read_text()
    assert torch.equal(World(2, 32, 0)[1].samples, World(2, 32, 0)[1].samples)
    assert not torch.equal(World(2, 32, 0)[1].samples, World(2, 32, 0)[0].samples)
    assert not torch.equal(World(2, 32, 0)[1].samples, World(2, 32, 1)[1].samples)
    solid = World(1, 16, 0, axes=3)[0]
    assert solid.samples.shape == (3, 16, 16, 16) and [axis.name for axis in solid.axes] == ["z", "y", "x"]


def test_of_a_result_says_what_lights_it(run: Run) -> None:
    made = run("image pictures/a.png --style style.png --size 40 --set schedule.steps=2 -o out.png -q")
    assert made == (0, "", "")
    code, _, err = run("units pictures --of out.png --layer relu2_1")
    assert (code, err) == (0, "")
    page = Path("units.html").read_text()
    assert "Why out.png looks as it does" in page
    lifts = [float(text) for text in re.findall(r'data-lift="([^"]+)"', page)]
    assert len(lifts) == 128
    assert lifts == sorted(lifts, reverse=True)
    rows = re.findall(r'<tr class="(\w+)"><th>([^<]+)</th>', page)[:3]
    assert rows == [("content", "content"), ("style", "style.png"), ("result", "result")]


def test_of_a_result_that_is_its_content_has_come_no_way(run: Run) -> None:
    run("image pictures/a.png --style style.png --size 40 --set schedule.steps=1 -o out.png -q")
    content = read(Path("pictures/a.png")).samples
    small = cv2.resize(cv2.imread("pictures/a.png"), (40, 29), interpolation=cv2.INTER_AREA)
    assert content.shape[1:] == (40, 56)
    cv2.imwrite("out.png", small)
    assert run("units pictures --of out.png.json --layer relu1_1")[0] == 0
    assert re.search(r"<b>-?[01]%</b> of the way", Path("units.html").read_text())


def test_volumes_are_shown_in_their_window(run: Run) -> None:
    """Intensities far from [0, 1], and a result in them; one place of a cube is three planes on the page."""
    volume = 1000 * numbers(24, 20, 20).numpy() - 500
    np.save("volume.npy", volume.astype(np.int16))
    made = run("volume volume.npy --style style.png --set schedule.steps=1 -o out.npy -q")
    assert made == (0, "", "")
    code, out, err = run("units volume.npy --of out.npy --layer relu1_1 --unit 1 --set network.inflation=mean")
    assert (code, err) == (0, "")
    assert "3x3x3 samples" in out
    page = Path("units.html").read_text()
    assert "three planes through its middle" in page
    assert {picture.shape for picture in pictures(page)} == {(7, 7, 4)}
    assert max(picture[..., :3].std() for picture in pictures(page)) > 20


def test_sounds_are_seen_and_heard(run: Run) -> None:
    """Two channels at another level; the player has half a second around each patch, in a few kilobytes."""
    rate = 16000
    time = torch.arange(2 * rate) / rate
    tone = torch.stack((torch.sin(1500 * time * time), torch.cos(900 * time)))
    write(Path("sound.wav"), Field(0.3 * tone, (Axis("t", 1 / rate, "s"),)))
    code, out, err = run("units sound.wav --layer bands512_3 --unit 0 --unit 1")
    assert (code, err) == (0, "")
    assert "builtin1d" in out
    assert "768 samples, every 128" in out
    page = Path("units.html").read_text()
    sounds = re.findall(r'data-sound="data:audio/mpeg;base64,([^"]+)"', page)
    assert sounds
    heard = soundfile.info(io.BytesIO(base64.b64decode(sounds[0])))
    assert heard.samplerate == rate
    assert heard.frames == pytest.approx(rate // 2, abs=2304)  # whole frames of MP3
    assert len(sounds[0]) < 8000


def test_a_sound_at_a_rate_that_mp3_has_not_is_kept_as_it_is() -> None:
    head, data = sound_uri(torch.linspace(-1, 1, 500), 1000.0).split(",")
    assert head == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(data))) as reader:
        assert (reader.getframerate(), reader.getnframes()) == (1000, 500)


def test_of_a_sound_says_what_lights_it(run: Run) -> None:
    noise = numbers(1, 6000) - 0.5
    for name, samples in (("a", noise), ("b", noise.cumsum(1) / 40)):
        write(Path(f"{name}.wav"), Field(samples - samples.mean(), (Axis("t", 1 / 8000, "s"),)))
    assert run("signal a.wav --style b.wav --set schedule.steps=1 -o out.wav -q") == (0, "", "")
    assert run("units a.wav --of out.wav --layer scale1 --unit 0")[::2] == (0, "")
    assert "Why out.wav looks as it does" in Path("units.html").read_text()


BAD = [
    ("units missing.png", "missing.png: no such file"),
    ("units style.png --layer relu9_9", "no tap 'relu9_9'; did you mean"),
    ("units style.png --unit 64 --layer relu1_1", "unit: 64 is none of relu1_1; it has 64, from 0 to 63"),
    ("units tiny.png --layer relu3_1", "tiny.png: is 9x9 samples, must be at least 24x24"),
    ("units pictures style.png tiny.png --layer relu3_1", "tiny.png: is 9x9 samples"),
    ("units damaged", "damaged/cut.png: damaged"),
    ("units times.npy", "times.npy: 2 channels or times, must be one"),
    ("units style.png volume.npy", "volume.npy: has axes z, y, x, must have 2 as the first"),
    ("units empty", "empty: nothing there that volstyle reads"),
    ("units style.png --weights missing.safetensors", "no such weights file"),
    ("units style.png --weights cut.safetensors", "not a whole file of tensors"),
    ("units style.png --weights code.pt", "not a whole file of tensors"),
    ("units style.png --weights other.safetensors", "not weights of vgg19"),
    ("units style.png --network resnet", "network: 'resnet' is unknown"),
    ("units style.png -o page.pdf", "suffix '.pdf' is not that of a page"),
    ("units style.png -o nowhere/page.html", "no folder nowhere"),
    ("units style.png --of style.png", "style.png.json: no such record"),
    ("units style.png --size 0", "--size"),
]


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("ran"),)  # type: ignore[return-value]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(run: Run, line: str, message: str) -> None:
    Path("damaged").mkdir()
    Path("empty").mkdir()
    Path("damaged/cut.png").write_bytes(Path("style.png").read_bytes()[:200])
    np.save("volume.npy", np.arange(8000, dtype=np.int16).reshape(20, 20, 20))
    np.save("times.npy", np.arange(16000, dtype=np.int16).reshape(2, 20, 20, 20))
    whole = PACKAGED["builtin"].read_bytes()
    Path("cut.safetensors").write_bytes(whole[: len(whole) // 2])
    torch.save({"conv1_1.weight": Code()}, "code.pt")
    save_file({"features.0.weight": torch.zeros(4, 3, 3, 3)}, "other.safetensors")
    before = sorted(Path().rglob("*"))
    code, _, err = run(line)
    assert code == 2
    assert message in err
    assert err.startswith("volstyle: ")
    assert err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


def test_pages_are_replaced_only_with_force(run: Run) -> None:
    Path("units.png").write_text("mine")
    code, _, err = run("units style.png --unit 0")
    assert (code, err.count("units.png: is there already")) == (2, 1)
    assert Path("units.png").read_text() == "mine"
    assert run("units style.png --unit 0 --force")[0] == 0
    assert Path("units.png").read_bytes().startswith(b"\x89PNG")
