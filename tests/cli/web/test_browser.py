"""The page in a real browser, from upload to download; the server is the command itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import numbers
from volstyle.codecs import read, write
from volstyle.grid.field import Axis, Field
from volstyle_cli import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [name for name in ("gradio", "playwright") if find_spec(name) is None] + (
    [] if CHROMIUM else ["Chromium"]
)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}")

PLANE = (Axis("y"), Axis("x"))
QUICK = "network.name=builtin\nschedule.steps=2\nschedule.smallest=32"
WAIT_MS = 120_000.0
"""For whatever the page does: a busy machine fails no test."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dropped")
    write(folder / "photo.png", Field(numbers(3, 48, 64), PLANE))
    write(folder / "art.png", Field(numbers(3, 32, 32, seed=1), PLANE))
    write(folder / "clip.mp4", Field(numbers(3, 3, 32, 48), (Axis("t", 0.1, "s"), *PLANE)))
    write(folder / "scan.nii.gz", Field(200 * numbers(1, 16, 18, 20), (Axis("z"), *PLANE)))
    (folder / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:900])
    (folder / "notes.txt").write_text("no picture")
    (folder / "large.png").write_bytes(bytes(8 * 2**20 + 1))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of its own, which leaves no file behind when it is ended."""
    place = tmp_path_factory.mktemp("served")
    code = (
        "import sys; from volstyle_cli import main; sys.exit(main(['web', '--port', '0', '--upload-limit', '8']))"
    )
    environment = os.environ | {"TMPDIR": str(place), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment, cwd=place
    ) as process:
        line = process.stdout.readline()
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not list(place.iterdir())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    """The page, which must fetch nothing from elsewhere and complain of nothing."""
    elsewhere: list[str] = []
    complaints: list[str] = []
    shown = browser.new_page()
    shown.set_default_timeout(WAIT_MS)

    def asked(request: Any) -> None:
        if not request.url.startswith((server, "data:", "blob:")):
            elsewhere.append(request.url)

    def said(message: Any) -> None:
        if message.type == "error":
            complaints.append(message.text)

    shown.on("request", asked)
    shown.on("console", said)
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.goto(server)
    shown.wait_for_selector("#go")
    yield shown
    shown.close()
    assert not elsewhere
    assert not complaints


def drop(page: Any, files: Path, content: str, *styles: str, choices: str = QUICK) -> None:
    page.click("#more button")
    page.fill("#choices textarea", choices)
    page.set_input_files("#content input[type=file]", files / content)
    page.wait_for_selector(".viewer[data-stage=ready] .compare")
    page.set_input_files("#styles input[type=file]", [files / style for style in styles])
    page.wait_for_selector(".thumbnails img")
    page.wait_for_selector(".said.plan")


def finish(page: Any, into: Path) -> list[Path]:
    """Wait for the result, and download it and its record."""
    page.wait_for_selector(".viewer[data-stage=done]")
    found = []
    for link in page.query_selector_all(".viewer .files a"):
        with page.expect_download() as download:
            link.click()
        found.append(into / download.value.suggested_filename)
        download.value.save_as(found[-1])
    return found


def test_a_picture_from_upload_to_download(page: Any, files: Path, tmp_path: Path) -> None:
    drop(page, files, "photo.png", "art.png", "clip.mp4")
    assert page.locator(".thumbnails img").count() == 2
    assert "64x48, builtin in " in page.inner_text(".said")
    page.click("#go")
    result, record = finish(page, tmp_path)
    assert (result.name, record.name) == ("photo-art-clip.png", "photo-art-clip.png.json")
    assert read(result).shape == (48, 64)
    assert json.loads(record.read_text())["command"]["content"] == "photo.png"
    box = page.locator(".compare").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert page.get_attribute(".compare .line", "aria-valuenow") == "25"
    page.keyboard.press("End")
    assert page.get_attribute(".compare .line", "aria-valuenow") == "100"
    for name in ("photo.png", "art.png", "clip.mp4"):
        shutil.copy(files / name, tmp_path)
    os.chdir(tmp_path)
    assert main(["replay", str(record), "-o", "again.png", "--quiet"]) == 0


def test_the_slices_of_a_volume_are_scrolled(page: Any, files: Path, tmp_path: Path) -> None:
    drop(page, files, "scan.nii.gz", "art.png", choices=QUICK.replace("steps=2", "steps=1"))
    assert not page.is_visible("text=Keep the original's colors")
    page.click("#go")
    result, _ = finish(page, tmp_path)
    assert read(result).shape == (16, 18, 20)
    assert page.inner_text(".slices output") == "9 of 16"
    page.click("text=across x")
    assert page.inner_text(".slices output") == "11 of 20"
    page.hover(".compare")
    page.mouse.wheel(0, 100)
    page.wait_for_function("document.querySelector('.slices output').textContent == '12 of 20'")
    loaded = "[...document.querySelectorAll('.compare img')].every(i => i.complete && i.naturalWidth == 18)"
    page.wait_for_function(loaded)


@pytest.mark.slow
def test_a_clip_plays_before_and_after(page: Any, files: Path, tmp_path: Path) -> None:
    drop(page, files, "clip.mp4", "art.png", choices=QUICK.replace("steps=2", "steps=1"))
    page.click("#go")
    result, _ = finish(page, tmp_path)
    assert read(result).shape == (3, 32, 48)
    playing = "[...document.querySelectorAll('.compare video')].every(v => v.videoWidth == 48 && !v.paused)"
    page.wait_for_function(playing)


def test_a_learned_style_follows_the_slider(page: Any, files: Path, learned: Path, tmp_path: Path) -> None:
    page.set_input_files("#content input[type=file]", files / "photo.png")
    page.wait_for_selector(".viewer[data-stage=ready] .compare")
    page.set_input_files("#styles input[type=file]", learned)
    page.wait_for_selector(".compare.live")
    assert page.inner_text(".said p") == "Painted in one pass"
    shown = "document.querySelector('.compare img.after')"
    page.wait_for_function(f"getComputedStyle({shown}).opacity == '1'")
    page.fill("#strength input[type=number]", "30")
    page.wait_for_function(f"getComputedStyle({shown}).opacity == '0.3'")
    page.click("#go")
    result, _ = finish(page, tmp_path)
    assert read(result).shape == (48, 64)
    page.wait_for_function(f"getComputedStyle({shown}).opacity == '1'")


def test_a_run_sharpens_is_stopped_and_keeps_what_there_is(page: Any, files: Path, tmp_path: Path) -> None:
    drop(page, files, "photo.png", "art.png", choices=QUICK.replace("steps=2", "steps=9999"))
    page.click("#go")
    page.wait_for_function("document.querySelector('.viewer .text').textContent.includes('stage 1 of ')")
    first = page.get_attribute(".compare img.after", "src")
    page.wait_for_function("first => document.querySelector('.compare img.after').src != first", arg=first)
    page.click("#stop")
    result, _ = finish(page, tmp_path)
    assert page.inner_text(".viewer .text").startswith("Stopped after")
    assert read(result).shape == (48, 64)


@pytest.mark.slow
def test_a_page_that_is_closed_ends_its_run(
    browser: Any, page: Any, server: str, files: Path, tmp_path: Path
) -> None:
    """One run at a time: the next visitor waits for it, and goes on when the first one has left."""
    drop(page, files, "photo.png", "art.png")
    other = browser.new_page()
    other.set_default_timeout(WAIT_MS)
    other.goto(server)
    drop(other, files, "photo.png", "art.png", choices=QUICK.replace("steps=2", "steps=9999"))
    other.click("#go")
    other.wait_for_function("document.querySelector('.viewer .text').textContent.includes('stage 1 of ')")
    page.click("#go")
    page.wait_for_function("document.querySelector('.viewer .text').textContent == 'waiting for its turn'")
    other.close()
    finish(page, tmp_path)


def test_what_cannot_be_is_one_line(page: Any, files: Path) -> None:
    page.set_input_files("#styles input[type=file]", files / "art.png")
    page.wait_for_selector(".thumbnails img")
    for name, said in (("notes.txt", "notes.txt: suffix '.txt' is not known"), ("cut.png", "cut.png: damaged")):
        page.set_input_files("#content input[type=file]", files / name)
        page.wait_for_function(
            "text => document.querySelector('.said.error')?.textContent.startsWith(text)", arg=said
        )
        page.click("#content button[aria-label=Clear]")
        page.wait_for_selector("#content button.center")
    page.set_input_files("#content input[type=file]", files / "large.png")
    assert "exceed the maximum allowed size" in page.inner_text(".toast-body")


def test_names_of_uploads_and_paths_lead_nowhere(page: Any, server: str, files: Path) -> None:
    data = (files / "photo.png").read_bytes()
    sent = page.request.post(
        f"{server}gradio_api/upload",
        multipart={"files": {"name": "../../../evil.png", "mimeType": "image/png", "buffer": data}},
    )
    assert Path(sent.json()[0]).name == "evil.png"
    assert not list(Path(sent.json()[0]).parents[4].glob("evil.png"))
    large = {"name": "a.png", "mimeType": "image/png", "buffer": bytes(8 * 2**20 + 1)}
    assert page.request.post(f"{server}gradio_api/upload", multipart={"files": large}).status == 413
    for path in ("gradio_api/file=/etc/passwd", "look/x/get/result", "look/x/file/..%2f..%2fetc%2fpasswd"):
        assert page.request.get(server + path).status in (403, 404)
