"""Files that come through the page: their names are never trusted, and they stay where they are put."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from volstyle.errors import InputError
from volstyle_cli.web.uploads import plain_name, take_in


@pytest.mark.parametrize(
    ("given_name", "plain"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("", "file"),
        (r"C:\scans\my scan.nii.gz", "my_scan.nii.gz"),
        ("frames%04d*.PNG", "frames_04d.PNG"),
        (".hidden.png", "hidden.png"),
        ("b.jpg@0.5@2s", "b.jpg_0.5_2s"),
        ("café.jpg", "café.jpg"),
        ("1.2.840.10008.5", "1.2.840.10008.5"),
    ],
)
def test_a_name_is_made_plain(given_name: str, plain: str) -> None:
    assert plain_name(given_name) == plain


@settings(max_examples=30)
@given(st.text())
@example("/" * 300)
@example("ä" * 300 + ".png")
@example("a.\u0661\u0662")
def test_every_name_is_that_of_a_file_in_the_folder(name: str) -> None:
    plain = plain_name(name)
    assert plain == Path(plain).name
    assert plain not in ("", ".", "..")
    assert not set(plain) & set("/\\%*?@ \n\0")
    assert len(plain.encode()) < 235


def test_uploads_of_one_name_stay_apart(tmp_path: Path) -> None:
    for place, text in (("a", "one"), ("b", "two"), ("c", "three")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "photo.nii.gz").write_text(text)
    (tmp_path / "job").mkdir()
    taken = take_in(tmp_path, tmp_path / "job", [str(tmp_path / place / "photo.nii.gz") for place in "abc"])
    assert [path.name for path in taken] == ["photo.nii.gz", "photo-2.nii.gz", "photo-3.nii.gz"]
    assert [path.read_text() for path in taken] == ["one", "two", "three"]


def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "root" / "job"
    folder.mkdir(parents=True)
    (tmp_path / "secret.png").write_text("secret")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    for given_path in (tmp_path / "secret.png", root / ".." / "secret.png", root / "link.png"):
        with pytest.raises(InputError, match="no upload of this page"):
            take_in(root, folder, [str(given_path)])
    with pytest.raises(InputError, match="the upload is gone"):
        take_in(root, folder, [str(root / "gone.png")])
    assert not list(folder.iterdir())
