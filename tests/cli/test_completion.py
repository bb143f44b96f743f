"""What the shell offers on the tab key."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest

from volstyle.networks.inflation import placements
from volstyle.networks.registry import _BUILDERS, load_network
from volstyle.recipe import ScheduleChoice
from volstyle_cli import main
from volstyle_cli.completion import TAPS


def offered(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """As the shell asks: with the line in the environment."""
    monkeypatch.setenv("_VOLSTYLE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    with pytest.raises(SystemExit):
        main([])
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("volstyle ima", ["image"]),
        ("volstyle image a.png --network r3", ["r3d_18"]),
        ("volstyle video a.mp4 --network built", ["builtin", "builtin3d", "builtin1d"]),
        ("volstyle eval a.png --network vgg16", ["vgg16_torchvision"]),
        ("volstyle image a.png --preset f", ["fine", "fast"]),
        (
            "volstyle recipe show --set sche",
            [f"schedule.{key.name}=" for key in fields(ScheduleChoice)],
        ),
        ("volstyle plan image a.png --set content.", ["content.weight=", "content.taps.", "content.fine_taps."]),
        ("volstyle image a.png --set style.taps.relu5", [f"style.taps.relu5_{n}=" for n in range(1, 5)]),
        ("volstyle batch a --network builtin --set style.taps.relu5", ["style.taps.relu5_1="]),
        ("volstyle units --network builtin3d --layer relu3", ["relu3_1", "relu3_2"]),
    ],
)
def test_the_shell_offers(
    line: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offered(line, monkeypatch, capsys) == words


def test_torch_is_not_imported_for_it() -> None:
    code = "import sys, volstyle_cli.app; print({'torch', 'numpy', 'cv2', 'rich.table'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_all_networks_are_known() -> None:
    assert set(TAPS) == set(_BUILDERS)


@pytest.mark.parametrize("name", ["vgg19", "builtin", "builtin3d", "builtin1d", "random"])
def test_taps_are_those_of_the_network(name: str) -> None:
    network = load_network(name, axes={"builtin3d": 3, "builtin1d": 1}.get(name, 2))
    found = [
        tap
        for placement in placements(network.axes, network.axes, "center")
        for tap in network.placed(placement).taps
    ]
    assert sorted(TAPS[name]) == sorted(found)
