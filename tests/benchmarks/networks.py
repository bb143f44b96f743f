"""Which network styles best: textures synthesized and pictures styled, under judges that none was tuned to.

`builtin`, the same layers untrained, `random` and `vgg19`, each with the
taps it recommends and the default recipe, on paintings and scenes drawn by formula. Prints a table and makes the
contact sheet: uv run python -m tests.benchmarks.networks --sheet networks.png
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import torch
from safetensors.torch import save_file

from tests.benchmarks.judging import color_distance, grain, patch_distance
from tests.tiny import stylized
from volstyle.codecs import Encoding, write
from volstyle.engine.scene import Style
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.judges.pictures import structure_kept, texture_distances
from volstyle.media.defaults import defaults
from volstyle.networks.registry import PACKAGED
from volstyle.networks.weights import load_weights
from volstyle.recipe import Recipe
from volstyle.training.batches import draw_batch
from volstyle.training.model import ARCHITECTURES, Trunk, export
from volstyle.training.train import PLANS
from volstyle.world.programs import Programs, draw_palettes
from volstyle_cli import art
from volstyle_cli.art import PAINTINGS, picture_field
from volstyle_cli.art.harbor import draw_frame, harbor
from volstyle_cli.draw.contact_sheet import Captioned, contact_sheet

SCENES = {**art.SCENES, "harbor": lambda: draw_frame(harbor(), 0).picture}


def untrained(folder: Path, name: str = "builtin") -> Path:
    """The layers of `builtin`, or `builtin3d`, as they are before training, their activations rescaled in the same
    way."""
    torch.manual_seed(0)
    trunk, generator = Trunk(ARCHITECTURES[name]), torch.Generator().manual_seed(0)
    plan, axes = PLANS[name], ARCHITECTURES[name].axes
    programs, palettes = Programs.draw(plan.batch, 0), draw_palettes(plan.batch, generator)
    pictures = draw_batch(programs, palettes, torch.arange(plan.batch), plan.size, generator, axes=axes).pictures
    with torch.no_grad():
        for _ in range(50):  # batch norm learns what deviates how much
            trunk(pictures)
    path = folder / "untrained.safetensors"
    save_file(export(trunk, [pictures]), path, metadata=dict(load_weights(PACKAGED[name]).metadata))
    return path


def contestants(folder: Path, others: list[Path]) -> dict[str, Recipe]:
    """Name -> its recipe."""
    found = {
        "builtin": defaults("image", "builtin"),
        "untrained": _with_weights(untrained(folder)),
        "random": defaults("image", "random"),
    }
    return found | {path.stem: _with_weights(path) for path in others} | {"vgg19": defaults("image", "vgg19")}


def _with_weights(path: Path) -> Recipe:
    """Weights of the layout of `builtin`."""
    return defaults("image", "builtin").set(f"network.weights={path}")


def styled(
    contents: Mapping[str, Field], styles: Mapping[str, Field], recipe: Recipe
) -> dict[tuple[str, str], Field]:
    return {
        (content, style): stylized(contents[content], [Style(styles[style])], recipe).field
        for content in contents
        for style in styles
    }


def table(
    textures: Mapping[str, Field],
    pictures: Mapping[tuple[str, str], Field],
    contents: Mapping[str, Field],
    styles: Mapping[str, Field],
) -> str:
    """The means of all judges, a row."""
    synthesized = [_judged(found, styles[name]) for name, found in textures.items()]
    painted = [_judged(found, styles[name]) for (_, name), found in pictures.items()]
    kept = fmean(float(structure_kept(found, contents[name]).mean()) for (name, _), found in pictures.items())
    columns = [fmean(column) for rows in (synthesized, painted) for column in zip(*rows, strict=True)]
    return " ".join(f"{value:8.3f}" for value in (*columns, kept))


def _judged(found: Field, style: Field) -> tuple[float, float, float, float]:
    a, b = found.samples, style.samples
    return float(texture_distances(found, [style]).mean()), color_distance(a, b), patch_distance(a, b), grain(a, b)


def _sized(field: Field, size: int) -> Field:
    shape = fitted(field.shape, size, (False, False))
    return field.with_samples(resize(field.samples, shape).clamp(0, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=192, help="long side of all pictures")
    parser.add_argument("--sheet", type=Path, help="a PNG of the contents styled")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="weights of further contestants")
    parser.add_argument("--styles", nargs="*", default=list(PAINTINGS), choices=list(PAINTINGS))
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--only", nargs="*", help="names of contestants")
    given = parser.parse_args()
    styles = {
        name: _sized(picture_field(paint()), given.size)
        for name, paint in PAINTINGS.items()
        if name in given.styles
    }
    contents = {
        name: _sized(picture_field(paint()), given.size) for name, paint in SCENES.items() if name in given.scenes
    }
    rows: list[list[Captioned]] = [
        [(name, style.samples) for name, style in [("", _blank(styles)), *styles.items()]]
    ]
    print(f"{'':12} seconds | textures: PS, color, patches, grain | styled: the same, structure kept")
    with tempfile.TemporaryDirectory() as folder:
        for name, recipe in contestants(Path(folder), given.also).items():
            if given.only and name not in given.only:
                continue
            began = time.perf_counter()
            blank = recipe.set("init=noise").set("content.weight=0")
            textures = {key: stylized(style, [Style(style)], blank).field for key, style in styles.items()}
            pictures = styled(contents, styles, recipe)
            seconds = (time.perf_counter() - began) / (len(textures) + len(pictures))
            print(f"{name:12} {seconds:7.1f} {table(textures, pictures, contents, styles)}", flush=True)
            rows += [
                [
                    (scene, contents[scene].samples),
                    *((f"{name}", pictures[scene, style].samples) for style in styles),
                ]
                for scene in contents
            ]
            if given.sheet:
                sheet = contact_sheet(rows, round(0.75 * given.size), given.size)
                write(given.sheet, sheet, Encoding(force=True))


def _blank(styles: Mapping[str, Field]) -> Field:
    style = next(iter(styles.values()))
    return style.with_samples(torch.full_like(style.samples, 0.975))


if __name__ == "__main__":
    main()
