"""The commands. What they need is imported when they run, so that --help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .batch.options import BatchOptions
from .export.options import ExportOptions
from .options import (
    DemoOptions,
    EvalOptions,
    ImageOptions,
    InfoOptions,
    LearnOptions,
    SaveOptions,
    ShowOptions,
    SignalOptions,
    StyleOptions,
    VideoOptions,
    VolumeOptions,
    WebOptions,
)
from .parameters import takes
from .plans import plans
from .sheet.options import SheetOptions
from .units.options import UnitsOptions

app = typer.Typer(
    name="volstyle",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
recipes = typer.Typer(help="Print, save or edit the recipe: all choices of a run.", no_args_is_help=True)
app.add_typer(recipes, name="recipe")
app.add_typer(plans, name="plan")

_STOPPED, _DIFFERENT = 130, 1


def _say_version(wanted: bool) -> None:
    if wanted:
        from volstyle import __version__

        typer.echo(f"volstyle {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Neural style transfer for clips, volumes, images and signals."""


@app.command()
@takes(VideoOptions)
def video(options: VideoOptions) -> None:
    """Style a clip, so that its frames hold together; its sound is kept.

    A clip of fewer than 24 frames is optimized, all frames together. For a longer one a small network first learns
    the style on the clip, and then paints every frame at full size; see --method. IN, and the file given to
    --output, may be - for a stream from or to another program.
    """
    from .run.stream import is_stream, pass_stream
    from .screen import Screen

    if not is_stream(options):
        return _style(options)
    raise typer.Exit(pass_stream(options, Screen(quiet=options.quiet, aside=True)))


@app.command()
@takes(ImageOptions)
def image(options: ImageOptions) -> None:
    """Style a picture."""
    _style(options)


@app.command()
@takes(VolumeOptions)
def volume(options: VolumeOptions) -> None:
    """Style a volume, such as a CT scan or a stack of microscope slices, or make a solid texture.

    With IN, the result has the grid, the format and the units of IN. Without IN, --shape says how large a solid is
    made after the style alone.
    """
    _style(options)


@app.command()
@takes(SignalOptions)
def signal(options: SignalOptions) -> None:
    """Style a sound or a series of numbers, or make a texture of any length.

    Without IN, a texture is made after the style alone, as long as --seconds says.
    """
    _style(options)


def _style(options: StyleOptions) -> None:
    from .run.carry_out import run_errand
    from .run.order import errand_of
    from .screen import Screen

    errand = errand_of(options)
    # Messages go to stderr where the picture goes to stdout.
    if run_errand(errand, Screen(quiet=options.quiet, aside=errand.order.output is None)):
        raise typer.Exit(_STOPPED)


@app.command()
@takes(LearnOptions)
def learn(options: LearnOptions) -> None:
    """Learn a style once, to paint any number of clips, pictures or volumes with it, each in one pass.

    A small network is trained on your own content and written to a .safetensors file. That file is then given to
    --style of `volstyle image`, `video` or `volume`.
    """
    from .learn import learn_style
    from .screen import Screen

    if learn_style(options, Screen(quiet=options.quiet)):
        raise typer.Exit(_STOPPED)


@app.command()
@takes(ExportOptions)
def export(options: ExportOptions) -> None:
    """Write a learned style as ONNX, for onnxruntime, OpenCV or a browser: one graph, from a picture to the styled
    one, of any size."""
    from .export.command import export_style
    from .screen import Screen

    export_style(options, Screen(quiet=options.quiet))


@app.command()
@takes(BatchOptions)
def batch(options: BatchOptions) -> None:
    """Style many files of any kind, each by the defaults of its own; what is done is left as it is.

    A volstyle.toml in a folder gives the files below it their own choices; the nearest folder's win. A failure
    stops no other file (exit code 1). --force replaces only results that were made otherwise.
    """
    from .batch.command import run_batch
    from .screen import Screen

    raise typer.Exit(run_batch(options, Screen(quiet=options.quiet or options.json)))


@app.command()
@takes(SheetOptions)
def sheet(options: SheetOptions) -> None:
    """Draw one photograph in all styles, or in one style at several settings, side by side on a sheet."""
    from .screen import Screen
    from .sheet.command import draw_sheet

    draw_sheet(options, Screen(quiet=options.quiet))


@app.command()
@takes(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Show what volstyle does, on a clip and three paintings that are drawn by formula."""
    from .demo import show_demo
    from .screen import Screen

    if show_demo(options, Screen(quiet=options.quiet)):
        raise typer.Exit(_STOPPED)


@app.command()
@takes(InfoOptions)
def info(options: InfoOptions) -> None:
    """Say what a file is, and how much time and memory it would take to style it."""
    from .info import say_info
    from .screen import Screen

    say_info(Screen(), options)


@app.command("eval")
@takes(EvalOptions)
def evaluate(options: EvalOptions) -> None:
    """Measure how good a result is: its style, structure, flicker and drift, beside those of the content."""
    from .eval import say_verdicts
    from .screen import Screen

    say_verdicts(Screen(), options)


@app.command()
@takes(UnitsOptions)
def units(options: UnitsOptions) -> None:
    """Show what the units of a network see: for each, the nine patches that activate it most."""
    from .screen import Screen
    from .units.command import show_units

    show_units(options, Screen(quiet=options.quiet or options.json))


@app.command()
@takes(WebOptions)
def web(options: WebOptions) -> None:
    """Serve a page in the browser, to drop files on, watch the result emerge, compare and download it."""
    from .screen import Screen
    from .web.command import serve

    serve(options, Screen())


@app.command()
def replay(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="Record of the run: the .json beside its result.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. Default: OUT-replay in the current folder."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print how it went as JSON, and nothing else.")] = False,
) -> None:
    """Repeat a run from its record, and say whether the result has the same bytes (exit code 1 if not)."""
    from .run.replay import run_again
    from .screen import Screen
    from .shapes import json_text

    code, said = run_again(record, output, Screen(quiet=quiet or json), force=force)
    if json:
        typer.echo(json_text(said))
    raise typer.Exit(code)


@app.command()
def report(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="Record of the run: the .json beside its result.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Page to write. Default: RESULT.html beside the result.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a web page about a run: before and after, its numbers, its recipe."""
    from .draw.report import write_report

    target = output or record.with_suffix(".html")
    write_report(record, target, force=force)
    typer.echo(f"wrote {target}")


@recipes.command()
@takes(ShowOptions)
def show(options: ShowOptions) -> None:
    """Print all choices as TOML: the defaults, or those of a file or a record, changed by --preset and --set."""
    from .recipes import recipe_of
    from .shapes import recipe_json

    recipe = recipe_of(options)
    typer.echo(recipe_json(recipe) if options.json else recipe.to_toml(), nl=options.json)


@recipes.command()
@takes(SaveOptions)
def save(options: SaveOptions) -> None:
    """Write all choices to a TOML file, to be edited and given to a run by --recipe."""
    from .recipes import recipe_of, save_recipe

    save_recipe(options.file, recipe_of(options), force=options.force)


@recipes.command()
def edit(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML file; it is made from the defaults if it does not exist.")
    ],
) -> None:
    """Open a file of choices in $EDITOR; changes that are not valid are not kept."""
    from .recipes import edit_recipe

    edit_recipe(file)
