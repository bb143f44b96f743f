"""The design as far as a program can read it: who may import whom, and what is spelled in one place only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, COMMANDS = ROOT / "volstyle", ROOT / "cli"
SOURCES, COMMAND_SOURCES = sorted(PACKAGE.rglob("*.py")), sorted(COMMANDS.rglob("*.py"))

ORDER = (
    {"errors"},
    {"grid", "recipe", "world"},
    {"networks", "codecs", "record"},
    {"motion"},
    {"loss"},
    {"engine"},
    {"media", "judges", "training"},
    {"napari", "torchio"},
)
"""Rooms of the package, each a folder or a module; a room imports itself and what stands in a line above it."""


def names(path: Path) -> list[str]:
    """The parts of a source's name: ["codecs", "video"], ["field"]."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return parts[:-1] or ["__init__"] if parts[-1] == "__init__" else parts


MODULES = {".".join(["volstyle", *names(path)]) for path in SOURCES}
"""Full names of all modules and folders of the package."""


def imported(path: Path) -> set[str]:
    """Full names of all modules a source imports, at its top or within a function; but for relative ones."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = {name for alias in node.names if (name := f"{node.module}.{alias.name}") in MODULES}
            found |= modules
            if len(modules) < len(node.names):
                found.add(str(node.module))
    return found


def rooms(path: Path) -> set[str]:
    """Which modules and folders of the package a source imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("volstyle.")}


def test_every_room_has_its_place() -> None:
    assert {names(path)[0] for path in SOURCES} == {"__init__"}.union(*ORDER)


@pytest.mark.parametrize("line", range(len(ORDER)), ids=lambda line: "-".join(sorted(ORDER[line])))
def test_imports_run_one_way(line: int) -> None:
    before: set[str] = set().union(*ORDER[:line])
    for path in SOURCES:
        room = names(path)[0]
        if room in ORDER[line]:
            assert rooms(path) <= before | {room}, f"{path} imports {sorted(rooms(path) - before - {room})}"


def test_codecs_and_engine_never_meet() -> None:
    """`media` joins them. Beside it only the public face knows of codecs, and only training knows of training,
    which writes its weights by the atomic writing of codecs."""
    for path in SOURCES:
        room = names(path)[0]
        if room == "training":
            used = {name for name in imported(path) if name.startswith("volstyle.codecs")}
            assert used <= {"volstyle.codecs.atomic"}, path
        elif room not in ("__init__", "media", "codecs"):
            assert "codecs" not in rooms(path), path
        if room != "training":
            assert "training" not in rooms(path), path


@pytest.mark.parametrize("room", sorted(set().union(*ORDER)))
def test_no_circle_within_a_room(room: str) -> None:
    inside = [path for path in SOURCES if names(path)[0] == room]
    graph = {".".join(["volstyle", *names(path)]): imported(path) for path in inside}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph) - {name}}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def test_every_folder_is_installed() -> None:
    folders = {"volstyle": PACKAGE, "volstyle_cli": COMMANDS}
    found = {
        ".".join([name, *path.parent.relative_to(folder).parts])
        for name, folder in folders.items()
        for path in folder.rglob("__init__.py")
    }
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(settings["tool"]["setuptools"]["packages"]) == found


def is_relative(path: Path) -> bool:
    """Whether a source imports something by a relative name."""
    tree = ast.parse(path.read_text())
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))


def test_imports_are_absolute_in_the_package_and_relative_among_the_commands() -> None:
    """The folder of the commands is called otherwise once it is installed."""
    assert not [path for path in SOURCES if is_relative(path)]
    for path in COMMAND_SOURCES:
        assert not {name.split(".")[0] for name in imported(path)} & {"volstyle_cli", "cli"}, path


def test_the_package_knows_no_command_line() -> None:
    for path in SOURCES:
        outside = {name.split(".")[0] for name in imported(path)}
        assert not outside & {"volstyle_cli", "cli", "typer", "rich"}, path
    assert any("volstyle" in {n.split(".")[0] for n in imported(path)} for path in COMMAND_SOURCES)


def test_only_drawing_knows_matplotlib() -> None:
    """The package draws nothing with it, and of the command line only what draws."""
    for path in SOURCES:
        assert "matplotlib" not in {name.split(".")[0] for name in imported(path)}, path


LATE = {
    *("matplotlib", "scipy", "sympy", "pandas", "scenedetect", "torchvision", "IPython"),
    *("porespy", "skimage", "taufactor"),
}


def test_a_run_imports_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    """From the command to the file, an image is styled without what signals, clips and drawings need."""
    code = (
        "import sys, torch, volstyle, volstyle_cli\n"
        "axes = (volstyle.Axis('y'), volstyle.Axis('x'))\n"
        "volstyle.write('a.png', volstyle.Field(torch.rand(3, 32, 32), axes))\n"
        "line = 'image a.png --style a.png --network builtin --set schedule.steps=1 -o b.png'\n"
        "assert volstyle_cli.main(line.split()) == 0\n"
        f"print({LATE} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == "set()\n"


KINDS = re.compile(r"""kind\s*(==|!=|in\b)|(==|!=)\s*["'](image|video|volume|signal)["']""")


def test_media_are_not_told_apart_by_their_names() -> None:
    """A medium is an object that knows what is particular to it; its name is looked up, never compared."""
    for path in [*(PACKAGE / "media").glob("*.py"), *(COMMANDS / "run").glob("*.py")]:
        found = KINDS.search(path.read_text())
        assert found is None, f"{path}: {found and found[0]}"


def calls(path: Path) -> set[str]:
    """What a source calls, as it is written: "print", "sys.exit"."""
    tree = ast.parse(path.read_text())
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_the_package_neither_prints_nor_exits() -> None:
    forbidden = {"print", "exit", "quit", "input", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
    for path in SOURCES:
        if path.stem != "__main__":  # a command of its own
            assert not calls(path) & forbidden, path


COUNTED = re.compile(r"\b(conv|conv_transpose|(avg|max|adaptive_avg|adaptive_max)_pool)[123]d\b")


def test_axes_are_counted_in_one_place() -> None:
    """torch's functions for one, two or three axes are spelled by the inflation alone; training has images."""
    spelled = {path.name for path in SOURCES if COUNTED.search(path.read_text()) and names(path)[0] != "training"}
    assert spelled == {"inflation.py"}


def test_nothing_is_written_twice_for_two_kinds_of_grid() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        defined = [n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        assert not [name for name in defined if re.search(r"[123]_?[dD]$", name)], path


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "common", "misc"}
    assert not {path.stem for path in [*SOURCES, *COMMAND_SOURCES]} & drawers
