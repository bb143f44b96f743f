"""`volstyle units`: what the units of a layer see, as a page and a contact sheet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from volstyle.codecs import Encoding, write
from volstyle.codecs.atomic import arriving, check_target
from volstyle.engine.machine import Machine
from volstyle.engine.outline import network_for
from volstyle.errors import OutputError
from volstyle.grid.field import Field
from volstyle.judges.units import Fields, check_units, find_peaks, view_patches
from volstyle.networks.extractor import Extractor, Network, Tap
from volstyle.networks.inflation import placements
from volstyle.recipe import AUTO, NetworkChoice, Recipe

from ..recipes import recipe_of
from ..screen import Screen
from ..shapes import NetworkJson, UnitJson, UnitsJson, json_text
from .comparison import UnitMeans, record_path, unit_means_of
from .inputs import gallery
from .options import UnitsOptions
from .page import Exhibition, Shown, as_page, as_sheet, shown


def show_units(options: UnitsOptions, screen: Screen) -> None:
    """Write the page and the contact sheet. Raises VolstyleError, and leaves nothing half-written."""
    page, sheet = _outputs(options)
    if options.of is not None and options.recipe is None:
        options = replace(options, recipe=record_path(options.of))
    recipe = recipe_of(options)
    inputs = gallery(options.inputs, recipe, size=options.size, count=options.count)
    first = inputs[0]
    if len(first.axes) == 1 and recipe.network == NetworkChoice() and options.network is None:
        recipe = replace(recipe, network=NetworkChoice("builtin1d"))
    machine, network = _loaded(first, recipe)
    placement = placements(network.axes, len(first.axes), recipe.network.inflation)[0]
    extractor = network.placed(placement)
    tap = extractor.tap(options.layer or next(iter(extractor.taps)))
    units = check_units(extractor, tap.name, options.unit)
    facts = {
        "network": f"{network.name} ({network.digest[:8]})",
        "layer": f"{tap.name}, {len(units)} of its {tap.channels} units",
        "sees": f"{_extent(tap.reach.width)} samples, every {_extent(tap.reach.stride)}",
        "inputs": str(inputs),
    }
    for name, text in facts.items():
        screen.entry(name, text)
    means = unit_means_of(options.of, network, tap.name, machine) if options.of else None
    patches = _looked(extractor, tap.name, inputs, machine, units, screen)
    exhibition = Exhibition(tap.name, facts, first.axes, tap.reach.width, patches, means)
    with arriving(page, options.force) as temporary:
        temporary.write_text(as_page(exhibition), encoding="utf-8")
        write(sheet, as_sheet(exhibition), Encoding(force=options.force))
    screen.entry("wrote", f"{page} and its contact sheet {sheet}")
    if options.json:
        sys.stdout.write(json_text(_json(network, tap, str(inputs), patches, means, (page, sheet))) + "\n")


def _json(
    network: Network,
    tap: Tap,
    inputs: str,
    patches: Mapping[int, Sequence[Shown]],
    means: UnitMeans | None,
    wrote: tuple[Path, Path],
) -> UnitsJson:
    def mean(of: str, unit: int) -> float | None:
        return None if means is None else float(getattr(means, of)[unit])

    return UnitsJson(
        network=NetworkJson(name=network.name, weights=network.digest),
        layer=tap.name,
        channels=tap.channels,
        sees=list(tap.reach.width),
        every=list(tap.reach.stride),
        inputs=inputs,
        units=[
            UnitJson(
                unit=unit,
                activations=[patch.activation for patch in wall],
                content=mean("content", unit),
                style=mean("style", unit),
                result=mean("result", unit),
            )
            for unit, wall in patches.items()
        ],
        page=str(wrote[0]),
        sheet=str(wrote[1]),
    )


def _outputs(options: UnitsOptions) -> tuple[Path, Path]:
    """The paths of the page and of the sheet. Raises OutputError if one of them cannot be written."""
    page = options.output
    if page.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{page}: suffix {page.suffix!r} is not that of a page, must be .html")
    sheet = page.with_suffix(".png")
    for path in (page, sheet):
        check_target(path, options.force)
    return page, sheet


def _loaded(first: Field, recipe: Recipe) -> tuple[Machine, Network]:
    """The machine, and the network for inputs like the first. It computes in float32, unless something else is
    asked for: in bfloat16 too many places have the same activation."""
    recipe.check()
    precision = "float32" if recipe.precision == AUTO else recipe.precision
    machine = Machine.choose(recipe.device, precision, recipe.memory)
    return machine, network_for(first, recipe).to(machine.device, machine.dtype)


def _looked(
    extractor: Extractor, tap: str, inputs: Fields, machine: Machine, units: Sequence[int], screen: Screen
) -> dict[int, list[Shown]]:
    """unit -> the patches that activate it most, the strongest first."""
    with _counting(screen, "looking", len(inputs)) as done:
        peaks = find_peaks(extractor, tap, inputs, machine, units, on_input=done)
    walls: dict[int, dict[int, Shown]] = {unit: {} for unit in units}
    with _counting(screen, "drawing", sum(map(len, peaks.values()))) as done:
        for number, patch in enumerate(view_patches(extractor, tap, inputs, machine, peaks)):
            walls[patch.peak.unit][patch.rank] = shown(patch)
            done(number)
    return {unit: [wall[rank] for rank in sorted(wall)] for unit, wall in walls.items()}


@contextmanager
def _counting(screen: Screen, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A context that shows a bar on a terminal and nothing elsewhere. It yields a function to be called with the
    number of each input that is done."""
    if screen.quiet or not screen.is_terminal:
        yield lambda _: None
        return
    with screen.bar() as bar:
        task = bar.add_task(name, total=total, costs="")
        yield lambda number: bar.update(task, completed=number + 1)


def _extent(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
