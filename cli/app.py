"""The commands. What they need is imported when they run, so that --help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DemoOptions,
    EvalOptions,
    ImageOptions,
    InfoOptions,
    LearnOptions,
    RecipeOptions,
    SaveOptions,
    SignalOptions,
    StyleOptions,
    UnitsOptions,
    VideoOptions,
    VolumeOptions,
)
from .parameters import takes

app = typer.Typer(
    name="volstyle",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
recipes = typer.Typer(help="Print, save or edit every choice of a run.", no_args_is_help=True)
app.add_typer(recipes, name="recipe")

_STOPPED, _DIFFERENT = 130, 1


def _say_version(wanted: bool) -> None:
    if wanted:
        from volstyle import __version__

        typer.echo(f"volstyle {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which this is.")
    ] = False,
) -> None:
    """Neural style transfer for clips, volumes, images and signals."""


@app.command()
@takes(VideoOptions)
def video(options: VideoOptions) -> None:
    """Style a clip: a file, a folder or a pattern of numbered images. - is a stream from or to another program."""
    from .run.stream import is_stream, pass_stream
    from .screen import Screen

    if not is_stream(options):
        return _style(options)
    raise typer.Exit(pass_stream(options, Screen(quiet=options.quiet, aside=True)))


@app.command()
@takes(ImageOptions)
def image(options: ImageOptions) -> None:
    """Style an image."""
    _style(options)


@app.command()
@takes(VolumeOptions)
def volume(options: VolumeOptions) -> None:
    """Style a volume on its own grid, or make a solid texture."""
    _style(options)


@app.command()
@takes(SignalOptions)
def signal(options: SignalOptions) -> None:
    """Style a sound or a series, or make a texture of any length."""
    _style(options)


def _style(options: StyleOptions) -> None:
    from .run.carry_out import run_errand
    from .run.order import errand_of
    from .screen import Screen

    if run_errand(errand_of(options), Screen(quiet=options.quiet)):
        raise typer.Exit(_STOPPED)


@app.command()
@takes(LearnOptions)
def learn(options: LearnOptions) -> None:
    """Learn a style on your own clip, pictures or volumes, to paint any length of them in one pass."""
    from .learn import learn_style
    from .screen import Screen

    if learn_style(options, Screen(quiet=options.quiet)):
        raise typer.Exit(_STOPPED)


@app.command()
@takes(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Draw a clip and three paintings, style them, and say what to look at."""
    from .demo import show_demo
    from .screen import Screen

    if show_demo(options, Screen(quiet=options.quiet)):
        raise typer.Exit(_STOPPED)


@app.command()
@takes(InfoOptions)
def info(options: InfoOptions) -> None:
    """What a file is, and what styling it would take."""
    from .info import say_info
    from .screen import Screen

    say_info(Screen(), options)


@app.command("eval")
@takes(EvalOptions)
def evaluate(options: EvalOptions) -> None:
    """How good results are: style, texture, structure, flicker, drift, beside what the content itself scores."""
    from .eval import say_verdicts
    from .screen import Screen

    say_verdicts(Screen(), options)


@app.command()
@takes(UnitsOptions)
def units(options: UnitsOptions) -> None:
    """What the units of a layer see: for each the nine patches that light it most."""
    from .screen import Screen
    from .units.command import show_units

    show_units(options, Screen(quiet=options.quiet))


@app.command()
def replay(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="The .json beside a result.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The result; OUT-replay in this folder if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Do a run again, and say whether it gave the same bytes (exit code 1 if not)."""
    from .run.replay import run_again
    from .screen import Screen

    outcome = run_again(record, output, Screen(quiet=quiet), force=force)
    raise typer.Exit(outcome)


@app.command()
def report(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="The .json beside a result.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; RESULT.html beside the result if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """One page of a run, to open from disk: before and after, its numbers, its recipe."""
    from .draw.report import write_report

    target = output or record.with_suffix(".html")
    write_report(record, target, force=force)
    typer.echo(f"wrote {target}")


@recipes.command()
@takes(RecipeOptions)
def show(options: RecipeOptions) -> None:
    """Print a recipe: the default, or that of a file or a record, with --set."""
    from .recipes import recipe_of

    typer.echo(recipe_of(options).to_toml(), nl=False)


@recipes.command()
@takes(SaveOptions)
def save(options: SaveOptions) -> None:
    """Write a recipe to a file, to be edited and given with --recipe."""
    from .recipes import recipe_of, save_recipe

    save_recipe(options.file, recipe_of(options), force=options.force)


@recipes.command()
def edit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made from the default if not there.")],
) -> None:
    """Open a recipe in $EDITOR; it is kept only if it is one."""
    from .recipes import edit_recipe

    edit_recipe(file)
