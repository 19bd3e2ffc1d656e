"""Retries after a status: what ended the connection is the cause, the status is evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer
from tests.servers.scripted import PATIENCE_S, Server
from tests.watching.causes.clients import Clock, causes

from keptalive.render.verdict import verdict
from keptalive.watching.api import watch

from .failing import cause_of, failing, findings


def busy(*statuses: int, closes: bool = False) -> Callable[[Peer], None]:
    """A server that answers each path with these statuses in turn, and then well."""
    asked: Counter[str] = Counter()

    def script(peer: Peer) -> None:
        while request := peer.request():
            number = asked[request.target]
            asked[request.target] += 1
            if number >= len(statuses):
                peer.respond()
                continue
            peer.respond(statuses[number], *(["Connection: close"] if closes else []))
            if closes:
                return

    return script


def retrying(clock: Clock, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> requests.Session:
    """A Session that sends again what was answered with 503; the clock goes on meanwhile."""

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr("urllib3.util.retry.time.sleep", sleep)
    retries = urllib3.Retry(5, status_forcelist=[503], **settings)
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", HTTPAdapter(max_retries=retries))
    return made


def test_a_503_that_closes_is_the_cause_and_not_the_retry(serve, monkeypatch):
    server: Server = serve(busy(503, 503, closes=True))
    clock = Clock()
    with watch(clock=clock) as watched, retrying(clock, monkeypatch) as made:
        for path in ("a", "b", "c"):
            assert made.get(server.url + path, timeout=PATIENCE_S).status_code == 200
    assert causes(watched) == {"first-use": 1, "close-announced": 6}
    found = cause_of(watched, "close-announced")
    assert found["facts"]["retried_for"] == {"503": 6}
    assert "Opened to send a request again after 503 (6)." in found["evidence"]
    assert findings(watched)["silent-retries"].facts["statuses"] == {"503": 6}


def closing(*statuses: int) -> Callable[[Peer], None]:
    """A server that answers with these statuses, and closes with each but 201."""
    left = iter(statuses)

    def script(peer: Peer) -> None:
        while peer.request():
            status = next(left)
            peer.respond(status, *(["Connection: close"] if status != 201 else []))
            if status != 201:
                return

    return script


@pytest.mark.parametrize("status", [401, 503])
def test_a_server_that_closes_after_an_error_is_not_asked_to_keep_connections(serve, status):
    server: Server = serve(closing(201, status, 201, status))
    with watch() as watched, requests.Session() as made:
        for _ in range(4):
            made.get(server.url, timeout=PATIENCE_S)
    found = cause_of(watched, "close-announced")
    assert found["facts"]["closed_after"] == {str(status): 1}
    assert f"Closed after an answer with status {status} (1)." in found["evidence"]
    assert found["cure"] == f"Find out why the server answers {status}: it closes after that."


@pytest.mark.parametrize(("statuses", "noted"), [((200, 503, 200), True), ((200, 200, 200), False)])
def test_a_server_that_closes_after_good_answers_too_is_configured_so(serve, statuses, noted):
    server: Server = serve(closing(*statuses))
    with watch() as watched, requests.Session() as made:
        for _ in statuses:
            made.get(server.url, timeout=PATIENCE_S)
    found = cause_of(watched, "close-announced")
    assert ("closed_after" in found["facts"]) is noted
    assert found["cure"].startswith("Ask the operator of the server to keep connections alive")


def test_a_503_on_a_connection_that_is_kept_opens_none(serve, monkeypatch):
    server: Server = serve(busy(503, 503))
    clock = Clock()
    with watch(clock=clock) as watched, retrying(clock, monkeypatch, backoff_factor=1) as made:
        assert made.get(server.url, timeout=PATIENCE_S).status_code == 200
    assert causes(watched) == {"first-use": 1}
    found = findings(watched)["silent-retries"]
    waited_s = clock.now
    assert waited_s >= 2
    assert found.seconds == found.facts["seconds_backing_off"] == waited_s
    assert found.cure == "Find out why they fail (status 503)."
    assert not verdict(watched.result()).startswith("Nothing to change")


def test_the_back_off_after_a_status_is_no_time_lost_on_a_failed_request(serve, monkeypatch):
    server: Server = serve(busy(503, 503, closes=True))
    clock = Clock()
    with watch(clock=clock) as watched, retrying(clock, monkeypatch, backoff_factor=1) as made:
        made.get(server.url, timeout=PATIENCE_S)
    assert watched.result().hosts[0].seconds_lost == 0


def test_a_body_that_broke_off_names_the_error_beneath_and_no_longer_timeout(serve):
    def breaks_off(peer: Peer) -> None:
        if peer.request():
            peer.respond()
        if peer.request():
            peer.send(b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok")

    server: Server = serve(breaks_off)
    errors: list[str] = []
    with watch(clock=Clock()) as watched, requests.Session() as made:
        made.trust_env = False
        for _ in range(5):
            with failing(errors):
                assert made.get(server.url, stream=True, timeout=PATIENCE_S).content
    assert errors == ["ChunkedEncodingError"] * 2
    assert causes(watched) == {"first-use": 1, "failed-request": 2}
    found = cause_of(watched, "failed-request")
    assert found["facts"]["errors"] == {"IncompleteRead": 2}
    assert "2 responses broke off." in found["evidence"]
    assert "timeout" not in found["cure"]
    assert not verdict(watched.result()).startswith("Nothing to change")
