"""What units see: the places that light them most, exactly what they see of them, and the page that shows it."""

from __future__ import annotations

import base64
import io
import re
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny import CPU, TAPS, numbers, tiny_field, tiny_network
from volstyle.codecs import read, write
from volstyle.engine.machine import Machine, bytes_per_sample
from volstyle.errors import NetworkError, ShapeError
from volstyle.grid.field import Axis, Field, Origin
from volstyle.grid.tiles import Shape
from volstyle.judges.units import Patch, Peak, find_peaks, mean_activations, view_patches
from volstyle.networks.extractor import Extractor, Network
from volstyle.networks.layers import Chain, Convolution, Rectifier
from volstyle.networks.registry import PACKAGED
from volstyle_cli import main
from volstyle_cli.draw.html import sound_uri
from volstyle_cli.units.drawing import drawings, sound
from volstyle_cli.units.inputs import World

SHAPES: dict[int, Shape] = {1: (83,), 2: (47, 39), 3: (29, 26, 23)}
"""No multiple of the stride, so that something is left at the ends."""
WHOLE = Machine(CPU, torch.float64, 2**40)
TAP = TAPS[2]


def fields(axes: int, count: int = 4) -> list[Field]:
    return [tiny_field(*SHAPES[axes], seed=seed) for seed in range(count)]


def small(extractor: Extractor, tap: str, shape: Shape) -> Machine:
    """A machine whose tiles are a small part of a field of this shape."""
    cut = extractor.reach((tap,))
    least = 1.0
    for size, step, halo in zip(shape, cut.stride, cut.halo, strict=True):
        least *= min(size, 2 * step + 2 * halo)
    return Machine(CPU, torch.float64, int(least * bytes_per_sample(extractor, (tap,), torch.float64)) + 1)


# ---- the nine


def brute_force(extractor: Extractor, tap: str, inputs: list[Field], unit: int, count: int = 9) -> list[Peak]:
    """All places of all inputs, sorted; from the greatest on, each that shares no sample with one before it."""
    reach = extractor.tap(tap).reach
    found: list[tuple[float, int, Shape]] = []
    for number, field in enumerate(inputs):
        whole = [size // step * step for size, step in zip(field.shape, reach.stride, strict=True)]
        samples = field.samples[(slice(None), *(slice(0, size) for size in whole))][None]
        features = extractor(samples, [tap])[tap][0, unit]
        found += [
            (float(features[place]), number, place)
            for place in np.ndindex(tuple(features.shape))
            if features[place] > 0
        ]
    taken: list[Peak] = []
    covered: dict[int, set[Shape]] = {}
    for value, number, place in sorted(found, key=lambda entry: -entry[0]):
        box = reach.receptive_field(place)
        sides = [range(max(0, s.start), min(s.stop, n)) for s, n in zip(box, inputs[number].shape, strict=True)]
        seen = {(*at,) for at in np.stack(np.meshgrid(*sides), -1).reshape(-1, len(sides)).tolist()}
        if not seen & covered.setdefault(number, set()):
            covered[number] |= seen
            taken.append(Peak(unit, number, place, value))
        if len(taken) == count:
            break
    return taken


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("tap", TAPS[1:])
@pytest.mark.parametrize("tiled", [False, True], ids=["whole", "tiled"])
def test_the_nine_are_the_greatest_that_do_not_overlap(axes: int, tap: str, tiled: bool) -> None:
    extractor, inputs = tiny_network(axes).on(axes), fields(axes)
    machine = small(extractor, tap, SHAPES[axes]) if tiled else WHOLE
    found = find_peaks(extractor, tap, inputs, machine)
    assert any(len(peaks) == 9 for peaks in found.values())
    for unit, peaks in found.items():
        expected = brute_force(extractor, tap, inputs, unit)
        assert [(p.unit, p.input, p.place) for p in peaks] == [(p.unit, p.input, p.place) for p in expected]
        assert [p.activation for p in peaks] == pytest.approx([p.activation for p in expected], rel=1e-6)


def test_a_place_counts_whose_greater_neighbor_was_itself_ruled_out() -> None:
    """Of .9, .8 and .7, two samples apart and each seen with one neighbor on either side, the middle one falls to
    the first, so that the last stays."""
    kernel = torch.tensor([[[0.0, 1.0, 0.0]]])
    chain = Chain((Convolution(kernel, torch.zeros(1), (1,), (True,)), Rectifier(1, "out")))
    samples = torch.tensor([[0.9, 0.0, 0.8, 0.0, 0.7, 0.0]])
    found = find_peaks(
        Network("hand", "", 1, 1, chain, {}, {}).on(1), "out", [Field(samples, (Axis("t"),))], WHOLE
    )
    assert [peak.place for peak in found[0]] == [(0,), (4,)]


def test_units_that_nothing_lights_have_no_peak() -> None:
    kernel = torch.tensor([[[-1.0]], [[1.0]]])
    chain = Chain((Convolution(kernel, torch.zeros(2), (1,), (True,)), Rectifier(2, "out")))
    extractor = Network("hand", "", 1, 1, chain, {}, {}).on(1)
    found = find_peaks(extractor, "out", [tiny_field(12, channels=1)], WHOLE)
    assert len(found[0]) == 0
    assert len(found[1]) == 9


def test_inputs_are_had_one_at_a_time_and_twice_at_most() -> None:
    class Counted(list[Field]):
        asked: list[int]

        def __getitem__(self, index):  # type: ignore[no-untyped-def]
            self.asked.append(index)
            return super().__getitem__(index)

    inputs = Counted(fields(2))
    inputs.asked = []
    extractor = tiny_network(2).on(2)
    peaks = find_peaks(extractor, TAP, inputs, WHOLE)
    assert inputs.asked == [0, 1, 2, 3]
    inputs.asked = []
    patches = list(view_patches(extractor, TAP, inputs, WHOLE, peaks))
    assert inputs.asked == [0, 1, 2, 3]
    assert len(patches) == sum(map(len, peaks.values()))


# ---- exactly what a unit sees


def looked(axes: int, *, strided: bool = False, tap: str = TAP) -> tuple[Extractor, list[Patch]]:
    extractor = tiny_network(axes, strided=strided).on(axes)
    inputs = fields(axes, count=2)
    peaks = find_peaks(extractor, tap, inputs, WHOLE)
    return extractor, list(view_patches(extractor, tap, inputs, WHOLE, peaks))


def activation(extractor: Extractor, tap: str, patch: Patch, samples: Tensor) -> float:
    """Of the patch's unit, had the whole input been these samples (C, *S)."""
    return float(extractor(samples[None], [tap])[tap][(0, patch.peak.unit, *patch.peak.place)])


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_crop_is_the_receptive_field_to_the_sample(axes: int, strided: bool) -> None:
    tap = TAPS[1] if axes == 3 else TAP  # of which some fit into a small volume with nothing cut off
    extractor, patches = looked(axes, strided=strided, tap=tap)
    bordering = [p for p in patches if any(s.start < 0 for s in p.window)]
    inner = [p for p in patches if p.window == p.box]
    assert bordering
    assert inner
    for patch in [*bordering[:4], *inner[:4]]:
        samples = patch.field.samples
        lit = partial(activation, extractor, tap, patch)
        assert lit(samples) == pytest.approx(patch.peak.activation, rel=1e-6)
        inside = (slice(None), *patch.box)
        elsewhere = numbers(*samples.shape, seed=99)
        elsewhere[inside] = samples[inside]
        assert lit(elsewhere) == lit(samples)
        for axis, side in enumerate(patch.box, start=1):
            for at in (side.start, side.stop - 1):
                moved = samples.clone()
                face = (
                    slice(None),
                    *(slice(at, at + 1) if i == axis else s for i, s in enumerate(patch.box, start=1)),
                )
                moved[face] = moved[face] + 3.0
                below = samples.clone()
                below[face] = below[face] - 3.0
                changed = {lit(each) for each in (moved, below)}
                assert changed != {lit(samples)}, (axis, at)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_drive_is_the_guided_gradient_and_nothing_beyond_the_crop(axes: int) -> None:
    """Against the whole input in one backward pass, without windows or stacks."""
    _, patches = looked(axes)
    guided = tiny_network(axes).guided().on(axes)
    for patch in patches[:12]:
        leaf = patch.field.samples[None].clone().requires_grad_()
        guided(leaf, [TAP])[TAP][(0, patch.peak.unit, *patch.peak.place)].backward()
        assert leaf.grad is not None
        inside = (slice(None), *patch.box)
        torch.testing.assert_close(patch.drive, leaf.grad[0][inside], rtol=1e-4, atol=1e-6)
        assert patch.drive.abs().max() > 0
        leaf.grad[0][inside] = 0
        assert not leaf.grad.any()


def test_a_network_of_fewer_axes_sees_a_clip_frame_by_frame() -> None:
    network = tiny_network(2)
    clip = Field(numbers(3, 5, 47, 39), (Axis("t", 0.04, "s"), Axis("y"), Axis("x")))
    found = find_peaks(network.on(3), TAP, [clip], WHOLE, units=[2])
    frames = [Field(clip.samples[:, t], clip.axes[1:]) for t in range(5)]
    expected = find_peaks(network.on(2), TAP, frames, WHOLE, units=[2])
    assert [(p.place[0], *p.place[1:]) for p in found[2]] == [(p.input, *p.place) for p in expected[2]]
    (patch, *_) = view_patches(network.on(3), TAP, [clip], WHOLE, found)
    assert [side.stop - side.start for side in patch.window] == [1, 18, 18]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_means_are_those_of_all_places_also_in_tiles(axes: int) -> None:
    extractor, field = tiny_network(axes).on(axes), tiny_field(*SHAPES[axes])
    whole = extractor(field.samples[None], [TAP])[TAP][0].flatten(1).mean(1)
    for machine in (WHOLE, small(extractor, TAP, SHAPES[axes])):
        torch.testing.assert_close(mean_activations(extractor, TAP, field.samples, machine), whole.float())


# ---- what cannot be looked at


def test_a_layer_or_unit_that_is_not_there() -> None:
    extractor = tiny_network(2).on(2)
    with pytest.raises(NetworkError, match=r"no tap 'relu9_1'; did you mean"):
        find_peaks(extractor, "relu9_1", fields(2), WHOLE)
    for unit in (-1, 6):
        with pytest.raises(NetworkError, match=f"unit: {unit} is none of relu3_1; it has 6, from 0 to 5"):
            find_peaks(extractor, TAP, fields(2), WHOLE, units=[unit])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (tiny_field(40, 17), r"b.png: is 40x17 samples, must be at least 18x18, what a unit of relu3_1 sees"),
        (tiny_field(20, 20, 20), r"b.png: has axes z, y, x, must have 2 as the first"),
        (tiny_field(40, 40, channels=2), r"b.png: .* 2 channels, must be 3 or 1"),
        (Field(torch.full((3, 40, 40), torch.nan), (Axis("y"), Axis("x"))), r"b.png: samples hold NaN"),
    ],
)
def test_an_input_that_does_not_fit_is_named(field: Field, message: str) -> None:
    named = Field(field.samples, field.axes, Origin(Path("b.png")))
    with pytest.raises(ShapeError, match=message):
        find_peaks(tiny_network(2).on(2), TAP, [*fields(2), named], WHOLE)


# ---- how it looks


def patch_of(samples: Tensor, axes: tuple[Axis, ...], window: tuple[slice, ...]) -> Patch:
    field = Field(samples, axes)
    patch = Patch(Peak(0, 0, (0,) * len(axes), 1.0), 0, field, window, torch.zeros(0))
    return Patch(patch.peak, 0, field, window, numbers(*patch.samples.shape) - 0.5)


def test_past_the_border_of_an_image_there_is_nothing() -> None:
    patch = patch_of(numbers(3, 9, 9), (Axis("y"), Axis("x")), (slice(-2, 5), slice(4, 11)))
    for view in drawings(patch):
        (picture,) = view.frames
        assert picture.shape == (4, 7, 7)
        assert not picture[3, :2].any()
        assert not picture[3, :, 5:].any()
        assert bool((picture[3, 2:, :5] == 1).all())
    assert torch.equal(drawings(patch)[0].still[:3, 2:, :5], patch.samples)


def test_a_clip_is_an_animation_and_a_film_strip() -> None:
    axes = (Axis("t", 0.04, "s"), Axis("y"), Axis("x"))
    seen, _ = drawings(patch_of(numbers(3, 6, 9, 9), axes, (slice(0, 5), slice(0, 7), slice(0, 7))))
    assert len(seen.frames) == 5
    assert seen.still.shape == (4, 7, 3 * 7)


def test_a_volume_is_three_planes_through_the_middle() -> None:
    samples = numbers(1, 7, 9, 11)
    axes = (Axis("z", 2.0, "mm"), Axis("y", 1.0, "mm"), Axis("x", 1.0, "mm"))
    seen, _ = drawings(patch_of(samples, axes, tuple(slice(0, size) for size in (7, 9, 11))))
    (picture,) = seen.frames
    gap = picture.shape[1] - 9 - 14
    assert gap > 0
    assert torch.equal(picture[0, :9, :11], samples[0, 3])
    assert torch.equal(picture[0, :9, 11 + gap :: 2], samples[0, :, :, 5].T)
    assert torch.equal(picture[0, 9 + gap :: 2, :11], samples[0, :, 4])


def test_a_signal_is_heard_with_what_is_around_it() -> None:
    """A tone of 1 kHz: the spectrum is brightest where it is."""
    rate = 8000
    time = torch.arange(rate) / rate
    tone = torch.sin(2 * torch.pi * 1000 * time)[None]
    patch = patch_of(tone, (Axis("t", 1 / rate, "s"),), (slice(4000, 4400),))
    heard = sound(patch)
    assert heard is not None
    samples, found_rate = heard
    assert found_rate == pytest.approx(rate)
    assert len(samples) == rate // 2
    assert float(samples.abs().max()) == pytest.approx(0.9, abs=1e-3)
    picture = drawings(patch)[0].still
    spectrum = picture[:3, 72:].sum((0, 2))
    assert int(spectrum.argmax()) == pytest.approx(0.75 * len(spectrum), abs=2)
    assert sound(patch_of(numbers(3, 9, 9), (Axis("y"), Axis("x")), (slice(0, 5), slice(0, 5)))) is None


# ---- the command


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
