"""A real browser: the system's Chromium, which playwright drives."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Opened:
    """A page in the browser, and what it complained of."""

    page: Any
    complaints: list[str]

    @property
    def detail(self) -> str:
        """What the timeline says of what is under the pointer, or in focus."""
        return self.page.locator(".detail").first.inner_text()

    def view(self, expression: str) -> Any:
        """The value of an expression; ``view`` is the first timeline's."""
        return self.page.evaluate(
            f"() => {{ const view = [...timelines.values()][0].view; return {expression}; }}"
        )


@pytest.fixture(scope="module")  # while it is there, playwright's event loop runs in this thread
def browser() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens the text of a page, as a file, in a window of its own."""
    contexts = []

    def open_page(text: str, *, width: int = 1200, height: int = 900, **settings: Any) -> Opened:
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        seen = Opened(page, [])
        page.on("console", lambda message: seen.complaints.append(message.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: _note_foreign(seen, request.url, file))
        page.goto(file.as_uri())
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")
        return seen

    yield open_page
    for context in contexts:
        context.close()


def _note_foreign(seen: Opened, url: str, file: Path) -> None:
    if url.partition("#")[0] != file.as_uri():
        seen.complaints.append(f"the page asked for {url}")
