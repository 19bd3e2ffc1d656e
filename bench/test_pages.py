"""What a page of 100,000 requests on 2,000 connections costs: to write, to open, and to move in.

To open and to move in it needs Chromium (Debian: apt-get install chromium) and playwright; both
draw without a GPU here. A frame is what passes between two calls of requestAnimationFrame.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keptalive.records.report import ConnectionReport, ExchangeColumns, Report
from keptalive.render.html import of_report

LONGEST_WRITING_S = 10
LONGEST_OPENING_S = 3
LONGEST_FRAME_MS = 1000 / 30
LARGEST = 12_000_000  # characters; a page is mostly ASCII

PANS = """async (zoom) => {
  const { view } = [...timelines.values()][0];
  const next = () => new Promise(requestAnimationFrame);
  view.showAll();
  view.zoom(zoom);
  const frames = [];
  let last = await next();
  for (let number = 0; number < 120; number += 1) {
    view.pan(number < 60 ? 12 : -12);
    view.scroll(number % 60 < 30 ? 8 : -8);
    const now = await next();
    frames.push(now - last);
    last = now;
  }
  return frames.sort((a, b) => a - b);
}"""


def large() -> Report:
    """2,000 connections of two processes, with 50 requests each, over ten minutes."""
    chance, connections, requests = random.Random(7), [], []
    for number in range(1, 2001):
        begins_s = now_s = chance.random() * 600
        for _ in range(50):
            head_s = now_s + chance.random() * 0.2
            released_s = head_s + chance.random() * 0.05
            path = f"/repos/owner/name{chance.randrange(300)}"
            requests.append((now_s, number, head_s, released_s, path))
            now_s = released_s + chance.random() * 0.3
        connections.append(
            ConnectionReport(
                id=number,
                host="https://api.example.com:443",
                via=None,
                process=number % 2,
                thread=7,
                local_port=20_000 + number,
                attempted_s=begins_s,
                connected_s=begins_s + 0.05,
                ended_s=now_s,
                phases={"dns": 0.01, "connect": 0.01, "tls": 0.03},
                served=50,
                cause="new-session",
                end=None,
                where="sync.py:3",
            )
        )
    requests.sort()
    started_s, ids, head_s, released_s, paths = zip(*requests, strict=True)
    count = len(requests)
    exchanges = ExchangeColumns(
        connection=ids,
        started_s=started_s,
        head_s=head_s,
        released_s=released_s,
        method=("GET",) * count,
        path=paths,
        status=(200,) * count,
        thread=(7,) * count,
        where=(0,) * count,
    )
    return Report(
        source="run",
        started_at="2026-11-24T12:00:00.000+00:00",
        seconds=620.0,
        connections=tuple(connections),
        exchanges=exchanges,
        places=("sync.py:3",),
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "large.html"
    path.write_text(of_report(large()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


def opened(browser: Any, page: Path) -> Any:
    """The page in a window of its own, once its picture is drawn."""
    window = browser.new_page(viewport={"width": 1200, "height": 900})
    window.goto(page.as_uri())
    window.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")
    return window


def test_a_large_page_is_written(benchmark):
    report = large()
    text = benchmark.pedantic(lambda: of_report(report), rounds=3)
    benchmark.extra_info["characters"] = len(text)
    assert len(text) < LARGEST
    assert benchmark.stats.stats.max < LONGEST_WRITING_S


def test_a_large_page_opens(benchmark, browser, page):
    seconds = []

    def open_it() -> None:
        began = time.perf_counter()
        window = opened(browser, page)
        seconds.append(time.perf_counter() - began)
        window.close()

    benchmark.pedantic(open_it, rounds=5, warmup_rounds=1)
    assert max(seconds) < LONGEST_OPENING_S


@pytest.mark.parametrize("zoom", [1, 8, 200])
def test_one_moves_in_a_large_page_at_30_frames_a_second(benchmark, browser, page, zoom):
    window = opened(browser, page)
    frames = benchmark.pedantic(lambda: window.evaluate(PANS, zoom), rounds=1)
    window.close()
    benchmark.extra_info |= {
        "frame_ms_median": frames[len(frames) // 2],
        "frame_ms_95": frames[int(len(frames) * 0.95)],
    }
    assert sum(frames) / len(frames) < LONGEST_FRAME_MS
