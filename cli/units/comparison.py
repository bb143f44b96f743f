"""Which units the content, the styles and the result of a run light up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from volstyle.codecs import Selection, read
from volstyle.engine.machine import Machine
from volstyle.engine.outline import outline
from volstyle.engine.scene import Scene
from volstyle.engine.targets import style_samples
from volstyle.grid.color import luma
from volstyle.grid.resample import resize
from volstyle.judges.units import mean_activations
from volstyle.media.clip import Film
from volstyle.media.command import order_again
from volstyle.media.medium import Opened, nothing_earlier
from volstyle.media.signal import Signal
from volstyle.media.table import open_order
from volstyle.media.volume import Volume
from volstyle.networks.extractor import Network
from volstyle.networks.inflation import placements
from volstyle.record import Record


@dataclass(frozen=True)
class UnitMeans:
    """Mean activations (K,) of the units of a layer, for the content, each style by its name, and the result by
    its name."""

    name: str
    content: Tensor
    styles: dict[str, Tensor]
    result: Tensor

    @property
    def style(self) -> Tensor:
        """(K,), the mean over all styles."""
        return torch.stack(list(self.styles.values())).mean(0)

    @property
    def lift(self) -> Tensor:
        """(K,), what the style lights up more than the content does."""
        return self.style - self.content

    @property
    def way(self) -> float:
        """How far the result has come from the content to the style: 0 is the content, 1 the style."""
        return float((self.result - self.content) @ self.lift / self.lift.square().sum().clamp_min(1e-12))


def record_path(result: Path) -> Path:
    """The record of a result, which may be given itself."""
    return result if result.suffix == ".json" else result.with_name(f"{result.name}.json")


def unit_means_of(result: Path, network: Network, tap: str, machine: Machine) -> UnitMeans:
    """How strongly units respond to content, style and result, as the engine saw them in the last stage. Raises
    InputError if there is no record, or an input has changed."""
    record = record_path(result)
    order = order_again(record, Record.load(record), None, force=False)
    opened = open_order(order)
    part = opened.part(0, nothing_earlier)
    content = opened.clip.whole() if isinstance(opened, Film) else part.content
    run = outline(content, order.recipe)
    scene = Scene.prepare(
        content,
        part.styles,
        keep_colors=order.recipe.colors == "content",
        coherent=False,
        where=part.where,
    )
    file = record.with_name(record.name.removesuffix(".json"))
    came = _samples(file, opened)
    came = luma(came) if scene.content.shape[0] == 1 else came
    stage = run.stages[-1].shape

    def means(samples: Tensor, regions: Tensor | None = None) -> Tensor:
        # A network with all axes of the content sees a flat style as slice by slice.
        look = order.recipe.network.inflation
        looks = placements(network.axes, samples.dim() - 1, "center" if look == "native" else look)
        seen = [mean_activations(network.placed(p), tap, samples, machine, regions) for p in looks]
        return torch.stack(seen).mean(0)

    return UnitMeans(
        file.name,
        content=means(resize(scene.content, stage).clamp(0, 1)),
        styles={
            given.path.name: means(*style_samples(style, stage, scene, run))
            for style, given in zip(scene.styles, order.styles, strict=True)
        },
        result=means(resize(came, stage).clamp(0, 1)),
    )


def _samples(file: Path, opened: Opened) -> Tensor:
    """The result as the engine made it, in [0, 1]: of a volume the first channel and time."""
    field = read(file, Selection(signal=isinstance(opened, Signal)))
    if isinstance(opened, Signal):
        return opened.ready.levels.seen(field.samples)
    if not isinstance(opened, Volume):
        return field.samples
    if field.channels == opened.source.channels:
        return replace(opened, source=field, mask=None).part(0).content.samples
    return field.samples / 255
