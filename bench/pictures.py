"""Makes the pictures of README and docs/pictures.md from real runs: `make pictures`.

A small program runs against the look-alike under `keptalive run`, in a terminal of 80 columns, and
a browser (the system's Chromium, driven by playwright) opens its page. The benchmark's page is that
of `make bench`.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.text import Text

from keptalive.lookalike.process import Lookalike

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SCENARIO = "idle-timeout=0.6"
PROGRAM = """\
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests

url = sys.argv[1]
session = requests.Session()
for pause in (0, 0.3, 0.9, 0.3, 0.9, 0.2):
    time.sleep(pause)
    session.get(f"{url}/user/repos?per_page=30")
for page in range(4):
    requests.get(f"{url}/user?page={page}")
    time.sleep(0.1)
with ThreadPoolExecutor(3) as threads:
    list(threads.map(session.get, [f"{url}/repos/owner/name{n}" for n in range(15)]))
"""
NAME = "https://api.example.com"  # in place of the look-alike's


def main() -> None:
    """Make all of them."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "sync.py").write_text(PROGRAM)
        with Lookalike.start([SCENARIO], rtt_ms=20) as lookalike:
            url = lookalike.url(SCENARIO)
            shown = _in_terminal(folder, url, str(lookalike.ca_bundle))
        (IMAGES / "terminal.svg").write_text(_as_svg(shown.replace(url, NAME)))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = folder / "report.html"
        page.write_text(page.read_text().replace(url, NAME))
        _photograph(browser, page, "report", height=1130)
        _photograph(browser, page, "report-dark", height=1130, color_scheme="dark")
        _bench(folder)
        _photograph(browser, folder / "bench.html", "bench", height=900)
        browser.close()


def _in_terminal(folder: Path, url: str, bundle: str) -> str:
    """What `keptalive run` shows of the program in a terminal, with its colours."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "keptalive", "run", "--html", "report.html", "sync.py", url]
    variables = {
        **os.environ,
        "REQUESTS_CA_BUNDLE": bundle,
        "COLUMNS": "80",
        "TERM": "xterm-256color",
    }
    with subprocess.Popen(command, cwd=folder, stderr=theirs, env=variables):
        os.close(theirs)
        pieces = []
        while piece := _read(ours):
            pieces.append(piece)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


def _as_svg(shown: str) -> str:
    lines = [line for line in shown.strip("\n").split("\n") if not line.startswith("Wrote ")]
    console = Console(record=True, width=80, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123
    console.print(Text.from_ansi("\n".join(["$ keptalive run sync.py", "", *lines])))
    # No font is loaded from elsewhere
    return re.sub(
        r"@font-face \{.*?\}\n", "", console.export_svg(title="keptalive"), flags=re.DOTALL
    )


def _photograph(browser: Browser, page: Path, name: str, *, height: int, **settings: str) -> None:
    context = browser.new_context(
        viewport={"width": 1100, "height": height}, device_scale_factor=1.5, **settings
    )
    opened = context.new_page()
    opened.goto(page.as_uri())
    opened.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")
    opened.screenshot(path=IMAGES / f"{name}.png")
    context.close()


def _bench(folder: Path) -> None:
    plan = Path(__file__).parent / "github.toml"
    command = [sys.executable, "-m", "keptalive", "bench", str(plan), "--html", "bench.html"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
