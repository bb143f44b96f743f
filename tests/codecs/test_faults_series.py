"""Numbered pictures, names of files, and tables that other tools stumbled over, and what must become of them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from volstyle.codecs import Encoding, Selection, check_writable, files, open_clip, probe, read, write
from volstyle.codecs.atomic import arriving
from volstyle.codecs.clip import ClipOrigin
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

PLANE = (Axis("y"), Axis("x"))
CLIP = (Axis("t", 1 / 25, "s"), *PLANE)
FORCED = Encoding(force=True)


def picture(level: int) -> np.ndarray:
    return np.full((8, 10, 3), level, np.uint8)


# ----------------------------------------------------------------------------------------------- names of files


@pytest.mark.parametrize("name", ["what?.png", "a*b.png", "50%dark.png", "%04d.png", "shot[1].png"])
def test_a_picture_that_exists_is_itself_whatever_its_name(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "whatx.png"), picture(9))
    cv2.imwrite(str(tmp_path / name), picture(60))
    field = read(tmp_path / name)
    assert field.shape == (8, 10)
    assert field.samples.mean().item() == pytest.approx(60 / 255)
    assert files(tmp_path / name) == [tmp_path / name]
    assert probe(tmp_path / name).kind == "image"
    check_writable(tmp_path / name, FORCED, ["y", "x"])
    write(tmp_path / name, field, FORCED)
    assert (tmp_path / "whatx.png").exists()


def test_a_clip_that_exists_is_itself_whatever_its_name(tmp_path: Path) -> None:
    for name in ("What is it?.mp4", "100%d.mp4", "a*.mkv"):
        write(tmp_path / name, Field(torch.rand(3, 3, 16, 16), CLIP))
        assert open_clip(tmp_path / name).shape == (3, 16, 16)


@pytest.mark.parametrize("name", ["new?.png", "50%dark.png", "a*b.png"])
def test_the_name_of_one_picture_is_no_pattern(tmp_path: Path, name: str) -> None:
    check_writable(tmp_path / name, axes=["y", "x"])
    write(tmp_path / name, Field(torch.rand(3, 8, 8), PLANE))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_only_the_number_of_a_pattern_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "%04d_50%[x].png"
    check_writable(path, axes=["t", "y", "x"])
    write(path, Field(torch.rand(3, 3, 8, 8), CLIP))
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{n:04d}_50%[x].png" for n in (1, 2, 3)]
    assert open_clip(path).shape == (3, 8, 8)


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    """macOS puts a file ._NAME beside each on foreign disks; it has the suffix and is no picture."""
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), picture(number))
        (tmp_path / f"._{number:04d}.png").write_bytes(b"\0\5\26\7")
    (tmp_path / ".thumbnail.jpg").write_bytes(b"no picture")
    for path in (tmp_path, tmp_path / "%04d.png", tmp_path / "*.png"):
        assert open_clip(path).shape == (2, 8, 10)


@pytest.mark.parametrize("name", ["a" * 232 + ".png", "ä" * 116 + ".mp4", "a" * 242 + ".mp4", "a" * 300])
def test_a_name_that_is_too_long_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Temporary files beside the output have longer names."""
    axes = PLANE if name.endswith(".png") else CLIP
    for attempt in (
        lambda: check_writable(tmp_path / name, axes=[axis.name for axis in axes]),
        lambda: write(tmp_path / name, Field(torch.rand(3, *(8 for _ in axes)), axes)),
    ):
        with pytest.raises(OutputError, match="bytes, must have at most 235") as error:
            attempt()
        assert "\n" not in str(error.value)
    longest = "a" * 231 + ".png"
    write(tmp_path / longest, Field(torch.rand(3, 8, 8), PLANE))
    assert os.listdir(tmp_path) == [longest]  # noqa: PTH208


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.png", tmp_path / "link.png"
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write(link, Field(torch.rand(3, 8, 8), PLANE), FORCED)
    assert link.is_symlink()
    assert read(target).shape == (8, 8)
    assert [file.name for file in (tmp_path / "far").iterdir()] == ["real.png"]


def test_what_is_written_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)  # noqa: PTH115
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc to tell which file is meant")
    monkeypatch.setattr(os, "fsync", fsync)
    with arriving(tmp_path / "a.txt", force=False) as temporary:
        temporary.write_text("a")
        name = temporary.name
    assert synced == [name, tmp_path.name]


def test_frames_say_which_of_the_source_they_are(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), picture(number))
    (tmp_path / "0003.png").write_bytes(b"damaged")
    origin = open_clip(tmp_path, Selection(keep_going=True)).origin
    assert isinstance(origin, ClipOrigin)
    assert origin.places == (0, 1, 2, 4, 5)


# ------------------------------------------------------------------------------------------------------- tables


def table(path: Path, names: str, *columns: list[str]) -> Path:
    lines = [",".join(cells) for cells in zip(*columns, strict=True)]
    path.write_text("\n".join([names, *lines]) + "\n")
    return path


def wave(count: int = 40) -> list[str]:
    return [f"{np.sin(index / 5):.4f}" for index in range(count)]


def evenly(step: float, count: int = 40, first: float = 0, decimals: int = 3) -> list[str]:
    return [f"{first + step * index:.{decimals}f}" for index in range(count)]


@pytest.mark.parametrize(
    ("name", "step", "seconds"),
    [
        ("time_ms", 10, 0.01),
        ("time_s", 0.01, 0.01),
        ("t_ms", 10, 0.01),
        ("Time_sec", 0.01, 0.01),
        ("timestamps", 0.01, 0.01),
        ("timeMs", 10, 0.01),
        ("TimeStamp", 0.01, 0.01),
        ("elapsed_us", 10000, 0.01),
        ("time (ms)", 10, 0.01),
        ("t [min]", 1, 60),
        ("Seconds", 0.01, 0.01),
        ("seconds_elapsed", 0.01, 0.01),
        ("Recording timestamp", 0.01, 0.01),
        ("device_time_ms", 10, 0.01),
        ("ts", 0.01, 0.01),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_column_of_times_is_no_channel(
    tmp_path: Path, name: str, step: float, seconds: float, first: bool
) -> None:
    times = evenly(step)
    columns, names = ([times, wave()], f"{name},v") if first else ([wave(), times], f"v,{name}")
    path = table(tmp_path / "a.csv", names, *columns)
    field = read(path, Selection(signal=True))
    assert field.samples.shape == (1, 40)
    assert field.axes[0].unit == "s"
    assert field.axes[0].step == pytest.approx(seconds)
    assert write(tmp_path / "b.csv", field) == []
    lines = (tmp_path / "b.csv").read_text().splitlines()
    assert lines[0] == names
    assert [line.split(",")[0 if first else 1] for line in lines[1:]] == times


@pytest.mark.parametrize(
    ("name", "step", "seconds"),
    [
        ("Zeit", 0.01, 0.01),
        ("Zeit_ms", 10, 0.01),
        ("Zeit in Millisekunden", 10, 0.01),
        ("Zeitstempel", 0.01, 0.01),
        ("temps écoulé", 0.01, 0.01),
        ("tiempo (ms)", 10, 0.01),
        ("tempo", 0.01, 0.01),
        ("Время", 0.01, 0.01),
        ("时间", 0.01, 0.01),
        ("時間(秒)", 0.01, 0.01),
        ("Zeit in Minuten", 10, 600),
        ("temps (heures)", 1, 3600),
        ("时间(分)", 10, 600),
        ("Время; мс", 10, 0.01),
    ],
)
def test_a_first_column_may_be_called_time_in_other_languages(
    tmp_path: Path, name: str, step: float, seconds: float
) -> None:
    field = read(table(tmp_path / "a.csv", f'"{name}",v', evenly(step), wave()), Selection(signal=True))
    assert field.samples.shape == (1, 40)
    assert field.axes[0].unit == "s"
    assert field.axes[0].step == pytest.approx(seconds)


@pytest.mark.parametrize("names", ["v,tempo", "Zeit in Äonen,v"])
def test_what_may_be_no_time_is_not_taken_for_seconds(tmp_path: Path, names: str) -> None:
    """A tempo in beats a minute, and a unit that is not known."""
    columns = [wave(), evenly(0.5)] if names.startswith("v") else [evenly(0.5), wave()]
    field = read(table(tmp_path / "a.csv", names, *columns), Selection(signal=True))
    assert field.axes[0].unit == "sample"


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "Index"])
def test_an_index_is_no_channel(tmp_path: Path, name: str) -> None:
    numbers = [str(index + 7) for index in range(40)]
    numbers[20:] = [str(int(number) + 3) for number in numbers[20:]]  # some lines were dropped
    path = table(tmp_path / "a.csv", f"{name},time_s,v", numbers, evenly(0.5), wave())
    field = read(path, Selection(signal=True))
    assert field.samples.shape == (1, 40)
    assert field.axes[0] == Axis("t", 0.5, "s")
    write(tmp_path / "b.csv", field)
    lines = (tmp_path / "b.csv").read_text().splitlines()
    assert lines[0] == f"{name},time_s,v"
    assert [line.split(",")[0] for line in lines[1:]] == numbers


@pytest.mark.parametrize("name", ["sample", "Sample #", "#", "frame_number", "Row"])
def test_a_column_that_counts_lines_is_no_channel(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / "a.csv", f"v,{name}", wave(), [str(index + 7) for index in range(40)])
    assert read(path, Selection(signal=True)).samples.shape == (1, 40)


@pytest.mark.parametrize("names", ["x,v", "longueur d'onde,v", "v,w", ""])
def test_a_first_column_that_goes_up_evenly_is_no_channel(tmp_path: Path, names: str) -> None:
    path = table(tmp_path / "a.csv", names, evenly(0.25, first=-3), wave())
    path.write_text(path.read_text().lstrip())
    field = read(path, Selection(signal=True))
    assert field.samples.shape == (1, 40)
    assert field.axes == (Axis("t", 1.0, "sample"),)
    first = names.split(",")[0] or "1"
    assert probe(path, signal=True).entries["kept"] == f"column {first!r}, which goes up evenly"
    longer = Field(field.samples.repeat(1, 2), field.axes, field.origin)
    write(tmp_path / "b.csv", longer)
    lines = (tmp_path / "b.csv").read_text().splitlines()
    assert lines[: len(lines) - 80] == ([names] if names else [])
    assert [line.split(",")[0] for line in lines[-80:]] == evenly(0.25, 80, first=-3)


@pytest.mark.parametrize(
    ("names", "columns", "channels"),
    [
        ("v,x", [wave(), evenly(0.25)], 2),  # it is not the first one
        ("x", [evenly(0.25)], 1),  # it is the only one
        ("x,v", [evenly(0.25, 8), wave(8)], 2),  # it may be by chance
        ("x,v", [[*evenly(0.25, 39), "9"], wave()], 2),  # not all of it
        ("x,time,v", [evenly(0.25), evenly(0.01), wave()], 2),  # the times are another
    ],
)
def test_another_column_that_goes_up_is_a_channel(
    tmp_path: Path, names: str, columns: list[list[str]], channels: int
) -> None:
    path = table(tmp_path / "a.csv", names, *columns)
    assert read(path, Selection(signal=True)).channels == channels
    assert "kept" not in probe(path, signal=True).entries


def test_a_count_that_begins_again_is_no_channel(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "Sample Index,v", [str(index % 16) for index in range(40)], wave())
    assert read(path, Selection(signal=True)).samples.shape == (1, 40)


def test_times_behind_a_channel_that_go_up_unevenly_are_refused(tmp_path: Path) -> None:
    times = [str(index + index // 20) for index in range(40)]
    with pytest.raises(InputError, match=r"'time' goes on by 2, elsewhere by 1; must be equal steps"):
        read(table(tmp_path / "a.csv", "v,time", wave(), times), Selection(signal=True))


@pytest.mark.parametrize(
    "names", ["min,max", "t1,t2", "temperature,tension", "temps,tempo", "speed_ms,v", "a,time_of_flight"]
)
def test_a_channel_that_sounds_like_time_is_one(tmp_path: Path, names: str) -> None:
    path = table(tmp_path / "a.csv", names, wave(), wave())
    assert read(path, Selection(signal=True)).samples.shape == (2, 40)


@pytest.mark.parametrize(("first", "step", "decimals"), [(1700000000, 0.01, 3), (1700000000000, 10, 0)])
def test_times_since_1970_are_exact(tmp_path: Path, first: float, step: float, decimals: int) -> None:
    times = evenly(step, 40, first, decimals)
    field = read(table(tmp_path / "a.csv", "timestamp,v", times, wave()), Selection(signal=True))
    assert field.axes[0] == Axis("t", 0.01, "s")
    longer = Field(field.samples.repeat(1, 3), field.axes, field.origin)
    write(tmp_path / "b.csv", longer)
    found = [line.split(",")[0] for line in (tmp_path / "b.csv").read_text().splitlines()[1:]]
    assert found == evenly(step, 120, first, decimals)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.npy"])
def test_a_rate_that_is_not_written_is_noted(tmp_path: Path, name: str) -> None:
    sound = Field(torch.rand(2, 100), (Axis("t", 1 / 8000, "s"),))
    assert write(tmp_path / name, sound) == [f"{name}: has no times, the rate of 8000 Hz is left out"]
    assert write(tmp_path / f"b{name}", read(tmp_path / name, Selection(signal=True))) == []


def test_the_times_of_a_table_say_its_rate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,v\n" + "".join(f"{i / 100},{i % 7}\n" for i in range(50)))
    series = read(tmp_path / "a.csv", Selection(signal=True))
    assert write(tmp_path / "b.csv", series) == []
    assert write(tmp_path / "c.npy", series) == ["c.npy: has no times, the rate of 100 Hz is left out"]


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 40), np.float32))
    data = (tmp_path / "a.npy").read_bytes().replace(b"(2, 40), }        ", b"(2, 40000000000), }")
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npy: damaged, or not an array"):
        read(tmp_path / "a.npy", Selection(signal=True))


@pytest.mark.parametrize(("suffix", "between"), [(".csv", ";"), (".tsv", "\t")])
def test_a_table_with_decimal_commas_is_read_and_written_as_it_came(
    suffix: str, between: str, tmp_path: Path
) -> None:
    text = "Zeit (s);Druck, innen;1,5\n0,0;1013,25;-2\n0,5;1012;,5\n1,0;1,5e3;1\n".replace(";", between)
    source = tmp_path / f"in{suffix}"
    source.write_text(text.replace("1,5\n", "U\n", 1))
    field = read(source)
    assert field.samples.tolist() == [[1013.25, 1012, 1500], [-2, 0.5, 1]]
    assert field.axes[0] == Axis("t", 0.5, "s")
    write(tmp_path / f"out{suffix}", field)
    again = (tmp_path / f"out{suffix}").read_text().splitlines()
    assert again[0] == source.read_text().splitlines()[0]
    assert again[1:] == [
        between.join(line)
        for line in (("0,0", "1013,25", "-2,0"), ("0,5", "1012,0", "0,5"), ("1,0", "1500,0", "1,0"))
    ]
    other = ".tsv" if suffix == ".csv" else ".csv"
    write(tmp_path / f"out{other}", field)
    assert read(tmp_path / f"out{other}").samples.tolist() == field.samples.tolist()
    assert "1013.25" in (tmp_path / f"out{other}").read_text()


def test_points_and_semicolons_and_what_only_looks_like_them(tmp_path: Path) -> None:
    found = {
        "a;b\n1.5;2\n3;4.5\n": [[1.5, 3], [2, 4.5]],
        "a;b,c\n1.5,2\n3,4.5\n": [[1.5, 3], [2, 4.5]],
        '"a;b";c\n1,5;2\n3;4\n': [[1.5, 3], [2, 4]],
        "sep=;\r\na;b\r\n1,5;2\r\n": [[1.5], [2]],
    }
    for number, (text, samples) in enumerate(found.items()):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(text.encode())
        assert read(path).samples.tolist() == samples


@pytest.mark.parametrize(
    ("name", "text", "cell"),
    [
        ("a.csv", "a;b\n1.234,5;2\n3;4\n", "1.234,5"),
        ("a.csv", "a;b\n1,234;2.5\n", "1,234"),
        ("a.csv", "a;b\n1.234;2,5\n3.456;4,5\n", "2,5"),
        ("a.tsv", "a\tb\n1,234\t5.5\n", "1,234"),
    ],
)
def test_a_table_with_points_and_commas_is_refused(name: str, text: str, cell: str, tmp_path: Path) -> None:
    """One of them divides thousands, and nobody knows which."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"is '{cell}', must be a finite number"):
        read(tmp_path / name)
