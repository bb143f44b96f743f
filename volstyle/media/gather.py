"""Finds the contents and the styles that files, folders and patterns stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product, takewhile
from pathlib import Path

from volstyle.codecs import CODECS, SIGNALS, is_dicom, suffix_of
from volstyle.engine.network_file import SUFFIX as LEARNED
from volstyle.errors import InputError, OutputError
from volstyle.media.order import StyleOrder, style_named

CHOICES = "volstyle.toml"
"""The name of the file in which a folder gives choices to the files below it."""

_PICTURES = {suffix for suffixes in CODECS.values() for suffix in suffixes}
_SIGNALS = {suffix for suffixes in SIGNALS.values() for suffix in suffixes}

_STYLES = _PICTURES | {LEARNED}
"""Suffixes of the files that can be styles of pictures, clips and volumes."""

_PATTERN = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Found:
    """A content that was found. path: a file, a folder that is one content, or a pattern of numbered images. base:
    the folder that was given; the result keeps its place below it."""

    path: Path
    base: Path

    @property
    def place(self) -> Path:
        """The folder in which the content lies, relative to the base."""
        return self.path.parent.relative_to(self.base)


@dataclass(frozen=True)
class Gathered:
    """The contents that were found. left_out: files in folders, or that match a pattern, whose suffix no codec
    knows."""

    found: tuple[Found, ...]
    left_out: tuple[Path, ...]


def gather(words: Sequence[str], output: Path, styles: Collection[Path] = ()) -> Gathered:
    """The contents that words on the command line stand for, in the order of the words and then by name.

    A file stands for itself, a folder for all contents in it and below. A pattern may have *, ? and [ ], and **
    for folders of any depth; one like %04d.png is a clip of numbered images. A folder with several DICOM files is
    one content, and so is a .zarr. Hidden files, records, styles, and what lies below the output are not taken.
    Raises InputError for a word that nothing matches, OutputError for an output that is the folder of the inputs.
    """
    found: dict[Path, Found] = {}
    left_out: dict[Path, None] = {}
    used = {path.resolve() for path in styles}
    for word in words:
        path = Path(word)
        if not path.is_dir() and (path.exists() or "%" in path.name):
            found.setdefault(path, Found(path, path.parent))
            continue
        base = root_of(word)
        if base.resolve() == output.resolve():
            raise OutputError(f"{output}: is where the files come from; give another folder")
        # Results in a folder below the inputs are not taken as inputs; inputs below the folder of results are.
        skipped = None if _is_within(base, output) else output
        met = _below(path, skipped) if path.is_dir() else _meeting(word, skipped)
        contents = [path for path in _contents(met, left_out) if path.resolve() not in used]
        if not contents:
            what = "the folder holds nothing that can be styled" if path.is_dir() else "no file matches"
            raise InputError(f"{word}: {what}; give files, folders, or a pattern such as 'scans/**/*.nii.gz'")
        for content in contents:
            found.setdefault(content, Found(content, content.parent if content == base else base))
    return Gathered(tuple(found.values()), tuple(left_out))


def root_of(word: str) -> Path:
    """The folder below which everything lies that a word stands for: the word itself if it is a folder, the folder
    of a file, or the beginning of a pattern, as far as it has no wildcards."""
    path = Path(word)
    if path.is_dir():
        return path
    if path.exists():
        return path.parent
    return Path(*takewhile(lambda part: not _PATTERN.search(part), path.parts[:-1]))


def is_pattern(word: str) -> bool:
    """Whether a word has wildcards, or a place for the numbers of images."""
    return bool(_PATTERN.search(word)) or "%" in Path(word).name


def _meeting(pattern: str, skipped: Path | None) -> Iterator[Path]:
    """Files that match a pattern, and files below folders that match it, except those in the folder to be
    skipped."""
    for path in _matches(pattern):
        if skipped and _is_within(path, skipped):
            continue
        if path.is_dir() and not _is_one(path):
            yield from _below(path, skipped)
        elif not any(_is_one(folder) for folder in path.parents):
            yield path


def _matches(pattern: str) -> list[Path]:
    """Files and folders that match a pattern, ordered by name, without hidden ones."""
    root = root_of(pattern)
    found = root.glob(str(Path(pattern).relative_to(root)))
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(root).parts))


def _below(folder: Path, skipped: Path | None) -> Iterator[Path]:
    """All files below a folder, ordered by name, and folders that are one content, except the folder to be
    skipped."""
    if _is_one(folder):
        yield folder
        return
    for here, folders, files in os.walk(folder):
        place = Path(here)
        yield from (place / name for name in sorted(files) if not name.startswith("."))
        whole = [name for name in sorted(folders) if _is_one(place / name)]
        yield from (place / name for name in whole)
        hidden = {name for name in folders if name.startswith(".")}
        results = {name for name in folders if skipped and _is_within(place / name, skipped)}
        folders[:] = sorted(set(folders) - set(whole) - hidden - results)


def _is_one(folder: Path) -> bool:
    return folder.suffix.lower() in CODECS["ngff"] and folder.is_dir()


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _contents(paths: Iterable[Path], left_out: dict[Path, None]) -> Iterator[Path]:
    """Those of some files that may be contents. Several DICOM files of one folder are replaced by the folder."""
    taken = []
    slices: dict[Path, int] = {}
    for path in dict.fromkeys(paths):
        suffix = suffix_of(path).lower()
        if suffix in CODECS["dicom"] or (suffix not in _PICTURES | _SIGNALS and path.is_file() and is_dicom(path)):
            slices[path.parent] = slices.get(path.parent, 0) + 1
            taken.append((path, True))
        elif suffix in _PICTURES | _SIGNALS:
            taken.append((path, False))
        elif path.name != CHOICES and suffix != ".json":
            left_out[path] = None
    yield from dict.fromkeys(
        path.parent if is_slice and slices[path.parent] > 1 else path for path, is_slice in taken
    )


def styles_of(texts: Sequence[str]) -> tuple[tuple[StyleOrder, ...], ...]:
    """The styles that each content is given in turn, each a blend of as many files as there are texts.

    A text is a file, which may have a weight as in "b.jpg@0.5", or a folder or a pattern, which stands for each of
    its files in turn. Several texts are blended, in all combinations of their files. Raises InputError for a
    folder or a pattern without styles.
    """
    return tuple(product(*map(_style_files, texts)))


def _style_files(text: str) -> list[StyleOrder]:
    style = style_named(text)
    path = style.path
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _is_style(file))
    elif _PATTERN.search(str(path)) and not path.exists():
        files = list(filter(_is_style, _matches(str(path))))
    else:
        return [style]
    if not files:
        raise InputError(f"style {path}: holds no style; give a file, a folder of files, or a pattern of them")
    return [replace(style, source=file) for file in files]


def _is_style(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file() and _suffix(path) in _STYLES | _SIGNALS


def _suffix(path: Path) -> str:
    return LEARNED if path.suffix.lower() == LEARNED else suffix_of(path).lower()


def fits(style: Path, content: Path, *, signal: bool) -> bool:
    """Whether a style's suffix lets it be one for a content: a sound for a sound, a series for a series, all else
    for what is no signal. One whose suffix is unknown fits all, so that reading it says what is wrong with it."""
    suffix, sounds = _suffix(style), set(SIGNALS["audio"])
    if suffix not in _STYLES | _SIGNALS:
        return True
    if not signal:
        return suffix in _STYLES
    is_sound = suffix_of(content).lower() in sounds
    return suffix in sounds if is_sound else suffix in _SIGNALS - sounds
