"""Which contents and styles files, folders and patterns stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from volstyle.errors import InputError, OutputError
from volstyle.media.gather import fits, gather, styles_of

FILES = (
    "photos/a.jpg",
    "photos/trip/b.png",
    "photos/trip/.hidden.png",
    "photos/trip/notes.txt",
    "photos/trip/b-art.png.json",
    "photos/volstyle.toml",
    "scans/one/T1.nii.gz",
    "scans/two/deep/T1.nii.gz",
    "scans/series/1.dcm",
    "scans/series/2.dcm",
    "scans/single/1.dcm",
    "scans/cells.zarr/0/0.0",
    "styles/a.jpg",
    "styles/b.jpg",
    "styles/rain.wav",
    "styles/read.me",
    "frames/0001.png",
    "frames/0002.png",
    "out/a-art.png",
)
OUT = Path("out")


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"not empty" * 20)


def places(*words: str, output: Path = OUT) -> list[tuple[str, str]]:
    return [(found.path.as_posix(), found.place.as_posix()) for found in gather(words, output).found]


def test_a_folder_is_all_contents_below_and_keeps_their_places() -> None:
    assert places("photos") == [("photos/a.jpg", "."), ("photos/trip/b.png", "trip")]
    assert [path.name for path in gather(["photos"], OUT).left_out] == ["notes.txt"]


def test_slices_of_a_folder_and_an_ome_zarr_are_one_content_each() -> None:
    assert places("scans") == [
        ("scans/cells.zarr", "."),
        ("scans/one/T1.nii.gz", "one"),
        ("scans/series", "."),
        ("scans/single/1.dcm", "single"),
        ("scans/two/deep/T1.nii.gz", "two/deep"),
    ]
    assert places("scans/series") == [("scans/series", ".")]
    assert places("scans/cells.zarr") == [("scans/cells.zarr", ".")]


def test_a_pattern_keeps_the_folders_after_its_fixed_ones() -> None:
    deep = [("scans/one/T1.nii.gz", "one"), ("scans/two/deep/T1.nii.gz", "two/deep")]
    assert places("scans/**/*.nii.gz") == deep
    assert places("scans/*/T1.nii.gz") == deep[:1]
    assert places("scans/s*") == [("scans/series", "."), ("scans/single/1.dcm", "single")]


def test_each_is_taken_once_and_a_named_file_whatever_it_is() -> None:
    assert places("photos/a.jpg", "photos") == [("photos/a.jpg", "."), ("photos/trip/b.png", "trip")]
    assert places("photos/trip/notes.txt") == [("photos/trip/notes.txt", ".")]
    assert places("frames/%04d.png") == [("frames/%04d.png", ".")]


def test_results_and_styles_are_no_contents() -> None:
    styles = [Path("styles/a.jpg"), Path("styles/b.jpg"), Path("styles/rain.wav")]
    found = [content.path.as_posix() for content in gather(["."], OUT, styles).found]
    assert "photos/a.jpg" in found
    assert not [name for name in found if name.startswith(("out", "styles"))]


@pytest.mark.parametrize("word", ["nope", "nope.png", "photos/*.tif", "**/*.mp4", "nowhere/%04d/*.png"])
def test_what_nothing_meets_is_said(word: str) -> None:
    with pytest.raises(InputError, match="no file matches"):
        gather([word], OUT)


def test_a_folder_without_contents_is_said() -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match="empty: the folder holds nothing"):
        gather(["empty"], OUT)


def test_results_do_not_go_among_the_inputs() -> None:
    with pytest.raises(OutputError, match="where the files come from"):
        gather(["photos"], Path("photos"))
    assert gather(["photos/a.jpg"], Path("photos")).found


def test_inputs_may_lie_below_the_output() -> None:
    assert places("photos", output=Path()) == places("photos")
    assert places("scans/**/*.nii.gz", output=Path("scans/..")) == places("scans/**/*.nii.gz")


def test_a_folder_of_styles_is_each_and_several_are_blended() -> None:
    names = [[style.path.name for style in blend] for blend in styles_of(["styles", "photos/a.jpg@0.5"])]
    assert names == [["a.jpg", "a.jpg"], ["b.jpg", "a.jpg"], ["rain.wav", "a.jpg"]]
    [(first, second), _] = styles_of(["styles/?.jpg@2", "photos/a.jpg@0.5"])
    assert (first.weight, second.weight) == (2, 0.5)
    with pytest.raises(InputError, match="holds no style"):
        styles_of(["frames/*.jpg"])


@pytest.mark.parametrize(
    ("content", "signal", "fitting"),
    [
        ("a.png", False, {"art.jpg", "a.npy", "clip.mp4", "art.xyz"}),
        ("a.wav", True, {"rain.wav", "clip.mp4", "art.xyz"}),
        ("a.csv", True, {"b.csv", "a.npy", "art.xyz"}),
    ],
)
def test_styles_fit_what_is_of_their_kind(content: str, signal: bool, fitting: set[str]) -> None:
    styles = {"art.jpg", "rain.wav", "b.csv", "a.npy", "clip.mp4", "art.xyz"}
    assert {name for name in styles if fits(Path(name), Path(content), signal=signal)} == fitting
