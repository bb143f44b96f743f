"""volstyle as a library: an array, a scan and a clip are styled from Python, all at once or cell by cell.

uv run python samples/library.py

STEPS and NETWORK in the environment say how much work it is; by default it takes a minute or two.
"""

# %% What all of them share
import os
from pathlib import Path

import numpy as np

import volstyle

HERE = Path(__file__).parent if "__file__" in globals() else Path("samples")
OUT = Path("styled")
OUT.mkdir(exist_ok=True)
CHOICES = {
    "schedule.steps": int(os.environ.get("STEPS", "10")),
    "network.name": os.environ.get("NETWORK", "vgg19"),
}

# %% An array: rows and columns of R, G, B; the result has the same shape
rows, columns = np.mgrid[:96, :128] / 128
waves = np.stack([np.sin(9 * rows), np.cos(7 * columns), np.sin(5 * (rows + columns))], axis=-1) / 2 + 0.5
picture = volstyle.style(waves, HERE / "swirl.jpg", choices=CHOICES, progress=True)
print("array", picture.numpy().shape, picture.record.stages[-1].costs["style"][-1])
picture  # noqa: B018 (in a notebook, this shows it)

# %% A scan: what is styled lies in a range of intensities, the header stays as it was
scan = volstyle.style(
    HERE / "shell.nii.gz",
    [HERE / "glass.jpg"],
    OUT / "shell.nii.gz",
    size=48,
    choices=CHOICES | {"volume.window": "-1000,1000"},
    progress=True,
    force=True,
)
print("scan", scan.field.shape, [f"{axis.step:g} {axis.unit}" for axis in scan.field.axes])

# %% A clip: its sound and the times of its frames stay; each step may be watched
shown: list[float] = []
clip = volstyle.style(
    HERE / "harbor.mp4",
    [HERE / "dots.jpg", volstyle.Style(volstyle.read(HERE / "woodcut.jpg"), weight=0.5)],
    OUT / "harbor.mp4",
    size=96,
    end="6f",
    choices=CHOICES,
    on_step=lambda step: shown.append(sum(step.costs.values())),
    force=True,
)
print("clip", clip.field.shape, f"{shown[0]:.3g} -> {shown[-1]:.3g} in {len(shown)} steps")

# %% How near the array's result is to its style, and how much of its content is left, beside the content itself
content, painting = volstyle.Field.of(waves, "yxc"), volstyle.read(HERE / "swirl.jpg")
for verdict in volstyle.judge(picture.field, content, [painting], volstyle.load_network("random")):
    print(f"{verdict.name}: {verdict.value:.3g}, of the content {verdict.content:.3g}")
