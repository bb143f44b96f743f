"""The design as far as a program can read it: who may import whom, and what is spelled in one place only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, COMMANDS = ROOT / "volstyle", ROOT / "cli"
SOURCES = sorted(PACKAGE.rglob("*.py"))

LEVELS = (
    {"errors"},
    {
        *("field", "inflate", "intensity", "listening", "recipe", "resample", "series", "statistics", "texture"),
        *("shots", "tiles", "weights"),
    },
    {"flow", "layers", "record", "schedule"},
    {"extractor", "motion", "spectrum"},
    {"filterbanks", "machine", "objective", "scene"},
    {"networks", "signals"},
    {"evaluate"},
    {"optimize", "units", "windows"},
    {"state"},
    {"pipeline"},
    {"estimate", "judges"},
)
"""Modules of the engine; each imports only what stands above it."""

CODECS_MAY = {"errors", "field"}
TRAINING_MAY = {"errors", "inflate", "weights"}


def names(path: Path) -> list[str]:
    """The parts of a source's name: ["codecs", "video"], ["field"]."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return parts[:-1] or ["__init__"] if parts[-1] == "__init__" else parts


def imported(path: Path) -> set[str]:
    """Full names of all modules a source imports, at its top or within a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            found.add(str(node.module))
            if node.module == "volstyle":
                found |= {f"volstyle.{alias.name}" for alias in node.names}
    return found


def rooms(path: Path) -> set[str]:
    """Which modules and folders of the package a source imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("volstyle.")}


ENGINE = [path for path in SOURCES if path.parent == PACKAGE and path.stem != "__init__"]


def test_every_module_has_its_place() -> None:
    assert {path.stem for path in ENGINE} == set().union(*LEVELS)
    assert sum(len(level) for level in LEVELS) == len(set().union(*LEVELS))


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.stem)
def test_imports_run_one_way(path: Path) -> None:
    level = next(i for i, level in enumerate(LEVELS) if path.stem in level)
    allowed = set().union(*LEVELS[:level])
    assert rooms(path) <= allowed, f"{path.stem} imports {sorted(rooms(path) - allowed)}"


def test_codecs_and_engine_never_meet() -> None:
    for path in SOURCES:
        if names(path)[0] == "codecs":
            assert rooms(path) <= CODECS_MAY | {"codecs"}, path
        elif path.stem != "__init__":
            assert "codecs" not in rooms(path), path


def test_training_stands_apart() -> None:
    for path in SOURCES:
        if names(path)[0] == "training":
            assert rooms(path) <= TRAINING_MAY | {"training"}, path
        else:
            assert "training" not in rooms(path), path


def test_the_package_knows_no_command_line() -> None:
    for path in SOURCES:
        outside = {name.split(".")[0] for name in imported(path)}
        assert not outside & {"volstyle_cli", "cli", "typer", "rich"}, path
    assert any("volstyle" in {n.split(".")[0] for n in imported(path)} for path in COMMANDS.glob("*.py"))


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
    assert spelled == {"inflate.py"}


def test_nothing_is_written_twice_for_two_kinds_of_grid() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        defined = [n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        assert not [name for name in defined if re.search(r"[123]_?[dD]$", name)], path


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "common", "misc"}
    assert not {path.stem for path in [*SOURCES, *COMMANDS.glob("*.py")]} & drawers
