"""Neural style transfer for anything sampled on a grid: clips, volumes, images, signals.

    import volstyle
    volstyle.style("clip.mp4", ["painting.jpg"], "styled.mp4", size=256)
    result = volstyle.style(array, ["painting.jpg"], progress=True)
    result.numpy()

The public names stand in `__init__.pyi`. They are looked up when they are first used, so that importing volstyle
does not import torch.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import lazy_loader

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    return version("volstyle") if name == "__version__" else _find(name)
