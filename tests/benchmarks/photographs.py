"""A style learned on photographs against optimizing them: how good both are, on some it was shown and on others.

Each side is the command of a user, in a process of its own on one thread, and is judged by what knows no network
(Portilla–Simoncelli texture, structure kept, grain) at the size it was made at. What is in --out is kept.

uv run python -m tests.benchmarks.photographs STYLE [STYLE …] --on FOLDER --others FOLDER --out FOLDER [--size 256]

--on: photographs to learn on, as 30 of the training part of BSDS500 (Arbeláez et al. 2011). --others: ten others.

What was tried, with the Starry Night, as texture and structure on photographs that were shown, and on others. The
first stage alone, at 112 pixels, in 400 steps with a step size of .002:

    photographs in their own colors                    .060, .93; .069, .93 (7 photographs, the whole lesson)
    luma and two opponent colors, each spread alike    .045, .84; .056, .83
    the linear map that moves colors least             .036, .75; .035, .70; what is kept

In 1200 steps of .002 it breaks down after 700, as units fall silent; of .001 it costs half as much after 600 as
after 600 of .002. The whole lesson at 256 pixels with content.weight=0.05: .0131, .738; .0163, .686.

With networks that enlarge linearly (`networks.generator`) the others are .0184, .717, with grain .51 where it was
.72: clean forms, and ticks of 4 samples, 1 % of all power, where it was a grid. They come of the rectifier after
what was enlarged; without it .0231, .716, .54, no ticks, and a faint canvas. What is kept, gains and a term for
the pattern: .0201, .718, .51, and neither (.0221, .775, .54 on ten that were shown). Nine of the others are
.0197, .717, .51 so, and optimized .0087, .753, .78. Ways there, as texture, structure, grain of the first stage
alone at 112 pixels after 400 steps:

    ticks                                                           .0408, .743, .71
    what alternates taken out before the last convolution           learns slowly: style cost .38, with ticks .31
    the term alone, its weight 100                                  .0557, .820, .70; paints less
    and biases of their own for all samples of a block, weight 20   .0373, .776, .72; ticks on what is flat
    and gains instead, weight 20; what is kept                      .0416, .778, .71
    kernels of their own as before, the term in windows of 32       .0732, .888, .68; a grid

Frames of a clip given the colors of the style in the same way (candy, the cockatoo, first stage, 400 steps) are
.0162, .751; .0410, .796 beside .0172, .759; .0347, .772 in their own colors, which they therefore keep.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.judging import grain
from tests.benchmarks.learned import run
from volstyle.codecs import PICTURES, Selection, read
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.judges.pictures import structure_kept, texture_distances

_JUDGED = 10
"""Photographs of each folder that are judged."""


def pictures(folder: Path) -> list[Path]:
    """Some of a folder, from all of it."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    return found[:: max(1, len(found) // _JUDGED)][:_JUDGED]


def marks(results: Sequence[Path], contents: Sequence[Path], style: Field, size: int) -> str:
    """The means over all results."""
    painting = resize(style.samples, fitted(style.shape, size, (False, False))).clamp(0, 1)
    found = []
    for result, content in zip(map(read, results), contents, strict=True):
        kept = structure_kept(result, read(content, Selection(size=size)))
        texture = texture_distances(result, [style])
        found.append((float(texture.mean()), float(kept.mean()), grain(result.samples, painting)))
    texture, structure, grains = (sum(each) / len(found) for each in zip(*found, strict=True))
    return f"texture {texture:.4f} structure {structure:.3f} grain {grains:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("styles", type=Path, nargs="+")
    parser.add_argument("--on", type=Path, required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("photographs"))
    parser.add_argument("--size", type=int, default=256)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    size = ["--size", str(given.size)]
    for path in given.styles:
        style, networks = read(path), given.out / f"{path.stem}.safetensors"
        if not networks.exists():
            seconds = run("learn", str(path), "--on", str(given.on), *size, "-o", str(networks))
            print(f"{path.stem}: learned in {seconds:.0f} s of processor time", flush=True)
        sides = {
            "learned, shown": (given.on, networks),
            "learned, others": (given.others, networks),
            "optimized, others": (given.others, path),
        }
        for side, (folder, source) in sides.items():
            contents, results, took = pictures(folder), [], 0.0
            for content in contents:
                results.append(given.out / f"{path.stem}-{side.replace(', ', '-')}-{content.stem}.png")
                if not results[-1].exists():
                    words = ["image", str(content), "--style", str(source), *size, "-o", str(results[-1])]
                    took += run(*words)
            each = f", {took / len(contents):.0f} s each" if took else ""
            print(f"{path.stem}, {side}: {marks(results, contents, style, given.size)}{each}", flush=True)


if __name__ == "__main__":
    main()
