"""Draw everything in this folder anew: a clip with sound, five paintings and two scenes, a volume, and rain; and
what the units of three layers see in the pictures, for the README.

uv run python samples/make.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from volstyle.codecs import Encoding, read, write
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle_cli import main as volstyle
from volstyle_cli.art import SCENES, draw_clip, draw_pictures, draw_rain, draw_shell
from volstyle_cli.art.paintings import PAINTINGS

HERE = Path(__file__).parent
UNITS = {
    "relu1_1": (0, 6, 12, 14, 21, 22),
    "relu2_2": (4, 8, 24, 30, 32, 61),
    "relu3_2": (10, 16, 18, 64, 99, 100),
}


def draw_units(path: Path) -> None:
    """Six units of each of three layers, side by side."""
    pictures = [str(HERE / f"{name}.jpg") for name in (*PAINTINGS, *SCENES)]
    sheets = []
    with TemporaryDirectory() as folder:
        for layer, units in UNITS.items():
            page = Path(folder) / f"{layer}.html"
            chosen = [f"--unit={unit}" for unit in units]
            volstyle(["units", *pictures, "--layer", layer, *chosen, "-o", str(page), "--quiet"])
            sheets.append(read(page.with_suffix(".png")).samples)
    sheet = torch.cat(sheets, dim=2)
    small = resize(sheet, (sheet.shape[1] * 2 // 3, sheet.shape[2] * 2 // 3)).clamp(0, 1)
    write(path, Field(small, (Axis("y"), Axis("x"))), Encoding(force=True))


draw_clip(HERE / "harbor.mp4")
draw_pictures(HERE, [*PAINTINGS, *SCENES], ".jpg")
draw_shell(HERE / "shell.nii.gz")
draw_rain(HERE / "rain.ogg")
draw_units(HERE / "pictures" / "units.jpg")
