"""The page: what it shows, and that nothing in it can run but its own scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.hostile.words import HOSTILE
from tests.render.test_comparison import WORSE
from tests.reports import whole
from tests.runs import run
from tests.timelines import timeline

from keptalive.records.plain import with_texts
from keptalive.render.comparison_view import of_results
from keptalive.render.html import of_comparison, of_report, of_run


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.contents: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        self.contents.setdefault(self.inside[-1] if self.inside else "", []).append(data)

    def text(self) -> str:
        seen = {name: parts for name, parts in self.contents.items() if name not in _UNSEEN}
        return " ".join(" ".join(part for parts in seen.values() for part in parts).split())


_UNSEEN = ("script", "style")


def test_the_page_begins_with_the_verdict_and_has_causes_with_costs_and_cures():
    page = Page(of_report(timeline()))
    text = page.text()
    assert "1 of 2 connections was not necessary" in page.contents["h1"][0]
    for words in ("Seen.", "Change this.", "https://api.example.com", "idle-timeout", "Timeline"):
        assert words in text


def test_each_cause_leads_to_its_connections():
    page = Page(of_report(timeline()))
    links = [attrs for tag, attrs in page.elements if tag == "a"]
    assert {(one["data-route"], one["data-cause"]) for one in links} == {
        ("https://api.example.com", "idle-timeout"),
        ("https://api.example.com", "first-use"),
    }


def test_without_a_timeline_the_page_shows_the_life_of_each_connection():
    text = Page(of_report(replace(timeline(), exchanges=None))).text()
    assert "The life of each connection" in text
    assert "download" not in text


def test_a_report_without_connections_has_no_picture():
    page = Page(of_report(replace(timeline(), connections=(), exchanges=None)))
    assert "canvas" not in [tag for tag, _ in page.elements]


@pytest.mark.parametrize(
    "page",
    [of_report(whole()), of_run(run()), of_comparison(of_results(WORSE))],
    ids=["report", "bench", "comparison"],
)
def test_nothing_is_loaded_and_only_our_scripts_run(page):
    elements = Page(page).elements
    assert not [attrs for _, attrs in elements if {"src", "style"} & attrs.keys()]
    assert not [name for _, attrs in elements for name in attrs if name.startswith("on")]
    (policy,) = [
        attrs["content"]
        for tag, attrs in elements
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    for (text,), kind in ((scripts, "script"), (styles, "style")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_text(words):
    hostile = with_texts(timeline(), lambda text: f"{text}{words}")
    hostile = replace(hostile, source="run", started_at=timeline().started_at)
    ours, page = Page(of_report(timeline())), Page(of_report(hostile))
    known = {tag for tag, _ in ours.elements}
    assert {tag for tag, _ in page.elements} <= known
    assert [tag for tag, _ in page.elements].count("script") == 2


def test_text_that_would_turn_the_direction_of_the_page_is_made_visible():
    report = replace(timeline(), warnings=("abc\u202egnp.exe",))
    assert "\u202e" not in of_report(report)


def test_no_token_is_in_a_page():
    token = "ghp_" + "a1" * 18
    report = with_texts(timeline(), lambda text: f"{text}?token={token}")
    report = replace(report, source="run", started_at=timeline().started_at)
    assert token not in of_report(report)


def test_the_page_of_threads_has_throughput_and_the_wait_for_the_pool():
    phases = {"blocked": 0.05, "wait": 0.02}
    plain = run(plan={"threads": 8, "bursts": True})
    summary = tuple(replace(row, phases=phases) for row in plain.summary)
    text = Page(of_run(replace(plain, summary=summary))).text()
    assert "8 runs of 4 requests each, on 8 threads, in bursts." in text
    assert "in a second" in text
    assert "wait for the pool" in text
    few = tuple(replace(row, phases={**phases, "blocked": 0.001}) for row in plain.summary)
    alone = Page(of_run(replace(run(), summary=few))).text()
    assert "in a second" not in alone
    assert "wait for the pool" not in alone
