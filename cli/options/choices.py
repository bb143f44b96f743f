"""Options that every run has: where its choices come from, its network, the machine, and what is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from ..completion import assignments, networks, presets
from .panels import files, given, look, machine, setting

WEIGHTS_TEXT = "File with the weights of --network, if volstyle does not find them by itself."


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """Where the choices of a run come from: defaults, then a file, then options, then --set; the last wins."""

    preset: Annotated[
        str | None,
        look(
            "Ready-made look: calm keeps more of the content, bold paints with larger strokes, fine with smaller "
            "ones, fast is a quick sketch.",
            autocompletion=presets,
        ),
    ] = None
    recipe: Annotated[
        Path | None,
        setting("TOML file with the choices of a run, as `volstyle recipe save` writes it; options override it."),
    ] = None
    set_: Annotated[
        list[str],
        setting(
            "Set any choice by its key, such as schedule.steps=300; repeat the option for more. `volstyle recipe "
            "show` lists all keys.",
            "--set",
            metavar="KEY=VALUE",
            autocompletion=assignments,
        ),
    ] = field(default_factory=list)

    @property
    def medium(self) -> str:
        """The name of the medium whose defaults the choices begin with."""
        return "image"

    def choices(self) -> dict[str, Any]:
        """What the options say of a recipe, nested as in its TOML; --set is apart."""
        return given(preset=self.preset)


@dataclass(frozen=True, kw_only=True)
class EngineOptions(RecipeOptions):
    """Options of the network and the machine."""

    network: Annotated[
        str | None,
        setting(
            "Neural network whose features say what looks alike: vgg19, builtin (comes with volstyle), random, "
            "r3d_18, …",
            autocompletion=networks,
        ),
    ] = None
    weights: Annotated[Path | None, setting(WEIGHTS_TEXT)] = None
    device: Annotated[
        str | None, machine("Processor that computes: auto (the fastest one), cpu, cuda or mps.")
    ] = None
    precision: Annotated[
        str | None,
        machine("Number format of the network: auto, float32 or bfloat16 (half the memory, less exact)."),
    ] = None
    memory: Annotated[
        str | None,
        machine("Memory that the network may use at a time, such as 4GB; auto uses what is free."),
    ] = None
    seed: Annotated[
        int | None,
        machine("Number that random choices follow from; the same number gives the same result."),
    ] = None

    def choices(self) -> dict[str, Any]:
        network = given(name=self.network, weights=self.weights and str(self.weights))
        computing = given(device=self.device, precision=self.precision, memory=self.memory, seed=self.seed)
        return super().choices() | computing | {"network": network}


@dataclass(frozen=True, kw_only=True)
class RunOptions(EngineOptions):
    """Options of all commands that compute."""

    force: Annotated[bool, files("Replace files that exist.", "--force")] = False
    quiet: Annotated[bool, files("Print nothing but errors.", "--quiet", "-q")] = False


@dataclass(frozen=True, kw_only=True)
class ShowOptions(RecipeOptions):
    """Options of `volstyle recipe show`."""

    json: Annotated[bool, Option("--json", help="Print it as JSON, with the keys of the TOML.")] = False


@dataclass(frozen=True, kw_only=True)
class SaveOptions(RecipeOptions):
    """Options of `volstyle recipe save`."""

    file: Annotated[Path, Argument(metavar="FILE", help="TOML file to write.")]
    force: Annotated[bool, Option("--force", help="Replace a file that exists.")] = False
