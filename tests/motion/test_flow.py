"""Where flow comes from: torchvision's RAFT as torchvision runs it, and files that somebody else made."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.optical_flow import raft_small

from tests.benchmarks.scenes import known_scene
from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.codecs.flow import FlowFiles
from volstyle.errors import InputError, WeightsError
from volstyle.grid.field import Axis, Field
from volstyle.grid.resample import resize
from volstyle.motion.flow import given, raft
from volstyle.motion.links import estimate_motion
from volstyle_cli import main

CPU = torch.device("cpu")
SCENE = known_scene(6, 48, 64)


def write_flow(path: Path, flow: Tensor) -> None:
    cv2.writeOpticalFlow(str(path), np.ascontiguousarray(flow.movedim(0, -1).numpy()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The true flow of the scene, frames counted from 1."""
    folder = tmp_path / "flow"
    folder.mkdir()
    for t, flow in enumerate(SCENE.flow(1)):
        write_flow(folder / f"frame_{t + 1:04d}.flo", flow)
    return folder


def opened(folder: Path, *, skipped: int = 0, count: int = 6, loop: bool = False) -> FlowFiles:
    return FlowFiles.open(folder, skipped, (count, 48, 64), loop=loop)


def test_true_flow_is_used_and_chained(folder: Path) -> None:
    links = estimate_motion(SCENE.clip.samples, flow=partial(given, flows=opened(folder)))
    assert [link.gap for link in links] == [1, -1, 2, -2, 4, -4]
    assert torch.equal(links[0].flow, SCENE.flow(1).half())
    for link in links[2::2]:
        inside = SCENE.visible(link.gap) & link.trust[:, 0].bool()
        assert inside.float().mean() > 0.5
        off = (link.flow.float() - SCENE.flow(link.gap)).norm(dim=1)[inside]
        assert off.max() < 0.02


def test_flow_of_another_size_is_scaled(folder: Path) -> None:
    large = resize(SCENE.clip.samples, (6, 96, 128)).clamp(0, 1)
    (link, *_) = estimate_motion(large, (1,), flow=partial(given, flows=opened(folder)))
    still = ~SCENE.inside[0, 40, 60]
    assert still
    torch.testing.assert_close(link.flow[0, :, 80, 120].float(), torch.tensor([1.5, 0.5]))


def test_flow_to_the_frame_before_is_taken_where_there_is_one(folder: Path) -> None:
    assert not opened(folder).both_ways
    assert opened(folder).backward(3) is None
    back = torch.tensor([2.0, -3.0]).view(2, 1, 1).expand(2, 48, 64)
    for t in range(2, 7):
        write_flow(folder / f"backward_{t}_{t - 1}.flo", back)
    flows = opened(folder)
    assert flows.both_ways
    links = estimate_motion(SCENE.clip.samples, (1, 2), flow=partial(given, flows=flows))
    assert torch.equal(links[1].flow, back.expand(5, -1, -1, -1).half())
    assert torch.equal(links[3].flow, (2 * back).expand(4, -1, -1, -1).half())
    assert not links[0].trust.any()  # one way contradicts the other


def test_frames_are_counted_from_where_the_clip_and_the_window_begin(folder: Path) -> None:
    for t in range(1, 7):
        write_flow(folder / f"frame_{t:04d}.flo", torch.full((2, 48, 64), float(t)))
    assert float(opened(folder).forward(2).mean()) == 3
    assert float(opened(folder, skipped=1, count=4).since(1).forward(1).mean()) == 4
    assert float(opened(folder, loop=True).since(4).forward(2).mean()) == 1


def test_unknown_flow_is_not_trusted(folder: Path) -> None:
    flow = SCENE.flow(1)[0].clone()
    flow[:, 20:30, 20:30] = 2e9
    write_flow(folder / "frame_0001.flo", flow)
    for link in estimate_motion(SCENE.clip.samples, flow=partial(given, flows=opened(folder))):
        assert link.flow.isfinite().all()
        if link.gap > 0:
            assert not link.trust[0, 0, 20:30, 20:30].any()


def test_what_is_wrong_with_a_folder_is_said(folder: Path, tmp_path: Path) -> None:
    def said(**choice: int) -> str:
        with pytest.raises(InputError) as error:
            opened(folder, **choice)  # type: ignore[arg-type]
        return str(error.value).replace(str(folder), "flow")

    assert said(count=7) == "flow: no flow from frame 6 to the next; the clip needs 6 of them"
    assert said(loop=True) == "flow: no flow from frame 6 to the next; the clip needs 6 of them"
    write_flow(folder / "frame_0003.flo", torch.zeros(2, 48, 60))
    assert said() == "flow/frame_0003.flo: is 60x48, must be 64x48 as frame_0001.flo"
    (folder / "frame_0003.flo").write_bytes((folder / "frame_0002.flo").read_bytes()[:-1])
    assert said() == "flow/frame_0003.flo: damaged, or no Middlebury .flo file; make it again"
    (folder / "frame_0003.flo").rename(folder / "b1.flo")
    assert said() == "flow/frame_0001.flo: is of the frame of b1.flo; leave one out"
    (folder / "b1.flo").rename(folder / "b.flo")
    assert said() == "flow/b.flo: no number of a frame in its name; name it as in frame_0001.flo"
    with pytest.raises(InputError, match="must have the proportions of the clip, 64x24"):
        (folder / "b.flo").unlink()
        FlowFiles.open(folder, 0, (2, 24, 64), loop=False)
    for path in folder.iterdir():
        path.unlink()
    assert said() == "flow: no flow from each frame to the next; name it as in frame_0001.flo"
    folder.rmdir()
    assert said() == "flow: no such folder; flow is dis, raft, raft_small or a folder of .flo files"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "raft_small.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


@pytest.mark.parametrize("shape", [(128, 136), (48, 64)])
def test_raft_is_torchvisions(weights: Path, shape: tuple[int, int]) -> None:
    pictures = numbers(3, 2, *shape)
    model = raft_small(weights=None).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    seen = tuple(max(128, side) for side in shape)
    a, b = (2 * resize(pictures, (2, *seen)).clamp(0, 1) - 1).unbind(1)
    with torch.no_grad():
        wanted = resize(model(b[None], a[None])[-1][0], shape, kind="linear")
    wanted *= torch.tensor([shape[1] / seen[1], shape[0] / seen[0]]).view(2, 1, 1)
    torch.testing.assert_close(raft(pictures, "raft_small", weights, CPU)(1, -1), wanted, atol=1e-4, rtol=1e-4)


def test_raft_without_weights_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(WeightsError, match=r"^raft_large_C_T_SKHT_V2-ff5fadd5.pth: not in torch's") as error:
        raft(SCENE.clip.samples, "raft_large", None, CPU)
    assert "--set temporal.flow_weights=FILE" in str(error.value)
    with pytest.raises(WeightsError, match="not weights of raft_large"):
        raft(SCENE.clip.samples, "raft_large", weights, CPU)


LINE = (
    "video clip.mp4 --style art.png -o a.mp4 --network random --precision float32 --memory 64MB --size 64 -q "
    "--set schedule.steps=2 --set temporal.window=3 --shots none --end 5f --flow"
)


def test_flow_by_choice_and_again(
    folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    write(Path("clip.mp4"), SCENE.clip)
    write(Path("art.png"), Field(numbers(3, 32, 32, seed=1), (Axis("y"), Axis("x"))))
    found = set()
    for choice in ("dis", "flow", f"raft_small --set temporal.flow_weights={weights}"):
        assert main([*LINE.split(), *choice.split(), "--force"]) == 0
        found.add(Path("a.mp4").read_bytes())
        assert main(["replay", "a.mp4.json", "-q", "--force"]) == 0
    assert len(found) == 3
    assert main([word for word in [*LINE.split(), "flow", "--force"] if word != "-q"]) == 0
    assert "flow: none from each frame to the one before" in capsys.readouterr().out
    shutil.copy(folder / "frame_0001.flo", folder / "frame_0002.flo")
    assert main(["replay", "a.mp4.json"]) == 2
    assert "flow: not as it was when a.mp4.json was made" in capsys.readouterr().err
    assert main([*LINE.split(), "rfat", "--force"]) == 2
    assert "rfat: no such folder; flow is dis, raft" in capsys.readouterr().err
