"""A timeline has a bound, and whoever shows it says what it left out."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import requests
from tests.servers.peer import answers

from keptalive.causes.judge import report
from keptalive.quantities import number as number_of
from keptalive.records.process import EXCHANGES_KEPT, ProcessRecord
from keptalive.render.html import of_report
from keptalive.watching import recorder
from keptalive.watching.api import watch
from keptalive.watching.recorder import ExchangeInProgress, Recorder


def test_requests_beyond_the_bound_of_a_timeline_are_counted_and_said(serve, monkeypatch):
    monkeypatch.setattr(recorder, "EXCHANGES_KEPT", 3)
    url = serve(answers(obeys=False)).url
    with watch(timeline=True) as watched, requests.Session() as session:
        for _ in range(5):
            session.get(url)
    found = watched.result()
    said = "2 requests are missing from the timeline: there were too many."
    assert found.warnings == (said,)
    assert found.exchanges is not None
    assert len(found.exchanges.path) == 3
    assert said in of_report(found)


@pytest.mark.complete
def test_a_million_requests_stay_within_the_bound_of_a_timeline(serve):
    url = serve(answers(obeys=False)).url
    with watch(timeline=True) as watched:
        requests.get(url)
    (one,) = (seen := watched.record()).connections
    million = Recorder(timeline=True)
    for number in range(1_000_000):
        exchange = ExchangeInProgress(7, number / 1000)
        exchange.connection, exchange.method, exchange.path = one.id, "GET", f"/{number % 100}"
        exchange.head = exchange.released = number / 1000 + 0.0005
        million.add_exchange(exchange)
    assert million.exchanges is not None
    assert (len(million.exchanges), million.exchanges_missing) == (EXCHANGES_KEPT, 800_000)
    record: ProcessRecord = replace(
        seen,
        process=os.getpid(),
        exchanges=tuple(exchange.record(0.0) for exchange in million.exchanges),
        exchanges_missing=million.exchanges_missing,
    )
    page = of_report(report([record], source="watch"))
    missing = number_of(800_000)
    assert f"{missing} requests are missing from the timeline: there were too many." in page
    assert len(page) < 12_000_000
