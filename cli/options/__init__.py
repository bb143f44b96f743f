"""The options of the commands, each written once; a command takes a dataclass of them."""

from __future__ import annotations

from .choices import EngineOptions, RecipeOptions, RunOptions, SaveOptions, ShowOptions
from .lessons import LearnOptions
from .looks import LookOptions, StyleOptions
from .media import ImageOptions, Method, Quality, SignalOptions, StyleMode, VideoOptions, VolumeOptions
from .questions import DemoOptions, EvalOptions, InfoOptions, WebOptions

__all__ = [
    "DemoOptions",
    "EngineOptions",
    "EvalOptions",
    "ImageOptions",
    "InfoOptions",
    "LearnOptions",
    "LookOptions",
    "Method",
    "Quality",
    "RecipeOptions",
    "RunOptions",
    "SaveOptions",
    "ShowOptions",
    "SignalOptions",
    "StyleMode",
    "StyleOptions",
    "VideoOptions",
    "VolumeOptions",
    "WebOptions",
]
