"""Draw everything in this folder anew: a clip with sound, five paintings and two scenes, a volume, and rain.

uv run python samples/make.py
"""

from pathlib import Path

from volstyle_cli.art import SCENES, draw_clip, draw_pictures, draw_rain, draw_shell
from volstyle_cli.art.paintings import PAINTINGS

HERE = Path(__file__).parent

draw_clip(HERE / "harbor.mp4")
draw_pictures(HERE, [*PAINTINGS, *SCENES], ".jpg")
draw_shell(HERE / "shell.nii.gz")
draw_rain(HERE / "rain.ogg")
