"""Files that are uploaded to the page. They stay in one folder, and their names are never trusted."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from volstyle.codecs import suffix_of
from volstyle.errors import InputError

MOST_STYLES = 8
_BYTES_OF_NAMES = 180
"""How many bytes all names of a run may have together, since the name of its result is made of them."""


def plain_name(given: str, most_bytes: int = _BYTES_OF_NAMES) -> str:
    """The last part of a name, of letters, digits, ".", "-" and "_" alone: "../../my scan.nii.gz" is
    "my_scan.nii.gz". most_bytes: how long the part before the suffix may be."""
    last = re.split(r"[/\\]", given)[-1]
    suffix = suffix_of(Path(last))
    stem = re.sub(r"[^\w.-]+", "_", last.removesuffix(suffix)).strip("._-")
    stem = stem.encode()[:most_bytes].decode(errors="ignore")
    return f"{stem or 'file'}{suffix if suffix.isascii() else ''}"


def take_in(root: Path, folder: Path, given: Sequence[str]) -> list[Path]:
    """Link uploads into a folder under plain names, no two alike. root: the folder in which all uploads lie.

    Raises InputError for a path that leads elsewhere, whoever named it, and for an upload that is gone.
    """
    taken: list[Path] = []
    for text in given:
        upload = Path(text).resolve()
        name = plain_name(upload.name, _BYTES_OF_NAMES // len(given))
        if not upload.is_relative_to(root.resolve()):
            raise InputError(f"{name}: is no upload of this page; drop the file again")
        target = _free(folder / name, taken)
        try:
            _link(upload, target)
        except FileNotFoundError as error:
            raise InputError(f"{name}: the upload is gone; drop the file again") from error
        taken.append(target)
    return taken


def _free(path: Path, taken: Sequence[Path]) -> Path:
    """The path, or one with a number before its suffix if the path is taken."""
    suffix, found, number = suffix_of(path), path, 2
    while found in taken:
        found = path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")
        number += 1
    return found


def _link(upload: Path, target: Path) -> None:
    """Give a file a second name by a hard link, which costs nothing; copy it where the file system has no hard
    links."""
    try:
        os.link(upload, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(upload, target)
