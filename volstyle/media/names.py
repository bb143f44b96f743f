"""How a result is named if nobody names it: IN-STYLE, with the suffix that the medium chooses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from volstyle.codecs import CODECS, is_sequence, suffix_of
from volstyle.media.medium import Medium


def default_output(medium: Medium, content: Path | None, styles: Sequence[Path], quality: str = "visual") -> Path:
    """IN-STYLE in the current folder; of a texture, which has no content, what it is and its styles."""
    suffix = medium.suffix(content, styles[0], quality)
    first = medium.texture if content is None else _named(content)
    names = [stem_of(style) for style in styles]
    if not suffix:  # a folder, whose name must not look as if it had a suffix
        names = [name.replace(".", "_") for name in names]
    return Path("-".join((first, *names)) + suffix)


def stem_of(path: Path) -> str:
    """The name of a file without what says its format, or that of a folder, as a part of another file's name: no
    character of it makes that a pattern."""
    is_folder = path.is_dir() and suffix_of(path).lower() not in CODECS["ngff"]
    stem = path.name if is_folder else path.name.removesuffix(suffix_of(path))
    return re.sub(r"[%*?]+", "_", stem or path.absolute().name)


def _named(content: Path) -> str:
    """What a content is called: of numbered images, what stands before the number, else their folder."""
    if is_sequence(content) and not content.is_dir():
        return re.sub(r"[^\w-]*%.*|[^\w-]*[*?].*", "", content.stem) or stem_of(content.absolute().parent)
    return stem_of(content)
