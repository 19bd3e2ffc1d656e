"""Sessions that nobody closed are named by the line that made them; others are not."""

from __future__ import annotations

import gc

import requests
import urllib3
from requests.adapters import HTTPAdapter

from keptalive.render.report_sentences import left_open
from keptalive.watching.api import watch


def test_a_session_that_was_collected_and_never_closed_is_named(serve):
    server = serve()

    def forgets() -> None:
        requests.Session().get(server.url)

    with watch() as seen:
        for _ in range(2):
            forgets()
        gc.collect()
    report = seen.result()
    [(place, connections)] = report.unclosed_at.items()
    assert place.partition(":")[0].endswith("test_unclosed.py")
    assert (connections, report.left_open) == (2, 0)
    assert left_open(report) == (
        f"Never closed, but collected: 2 connections (Session made at {place}). "
        "Use session.close(), or a with statement."
    )


def test_what_is_closed_evicted_or_still_there_is_not_named(serve):
    server, other = serve(), serve()
    with watch() as seen, requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_connections=1))
        for url in (server.url, other.url, server.url):  # each evicts the pool of the one before
            session.get(url)
        requests.get(server.url)
        with urllib3.PoolManager() as pools:
            pools.request("GET", server.url)
        gc.collect()
        assert seen.result().unclosed_at == {}
    report = seen.result()
    assert (report.unclosed_at, report.left_open, left_open(report)) == ({}, 0, "")
