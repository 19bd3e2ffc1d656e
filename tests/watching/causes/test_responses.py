"""Responses unread, failures, retries and redirects are causes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import never_answers, tunnel
from tests.versions import URLLIB3_1

from keptalive import tuned_session

from .clients import (
    CLIENTS,
    RETRIES,
    Get,
    causes,
    session_gets,
)

LONG = b"x" * 300_000
# Only the response may be late: a TLS handshake that takes longer would be tried again
QUICK = urllib3.Timeout(connect=PATIENCE_S, read=0.05)


def test_responses_that_are_never_read_keep_their_connections(get, serve_both, watched):
    server = serve_both(answers((200,)))
    held = [get(server.url, stream=True) for _ in range(3)]
    assert causes(watched) == {"first-use": 1, "unread-body": 2}
    assert watched.opened == server.accepted
    held.clear()
    get(server.url)
    assert causes(watched) == {"first-use": 1, "unread-body": 3}


def test_responses_that_are_read_late_give_their_connections_back(get, serve_both, watched):
    server = serve_both(answers())
    for _ in range(3):
        response = get(server.url, stream=True)
        if isinstance(response, requests.Response):
            assert response.content == b"ok"
        else:
            assert response.read() == b"ok"
    assert causes(watched) == {"first-use": 1}
    assert watched.reused == 2


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_response_closed_before_it_was_read_is_the_cause_abandoned_body(
    make, serve_both, watched, trusted
):
    def script(peer: Peer) -> None:
        while peer.request():
            with suppress(OSError):
                peer.respond(body=LONG)

    server = serve_both(script)
    with make() as made:
        get = session_gets(made, trusted.bundle)
        for _ in range(2):
            with get(server.url, stream=True):
                pass
            response = get(server.url, stream=True)
            assert next(response.iter_content(10)) == LONG[:10]
            response.close()
        get(server.url)
    assert causes(watched) == {"first-use": 1, "abandoned-body": 4}
    assert watched.opened == server.accepted


def test_a_request_after_a_first_one_that_timed_out_is_still_the_first_use(
    get, serve_both, watched
):
    server = serve_both(never_answers, answers())
    with pytest.raises((requests.Timeout, urllib3.exceptions.HTTPError)):
        get(server.url, timeout=QUICK)
    # nothing has come of the first connection: this is the first use, as much as ever
    get(server.url)
    assert causes(watched) == {"first-use": 1}
    assert (watched.opened, server.accepted) == (1, 2)


def test_a_request_after_one_that_failed_on_a_kept_connection_has_that_for_its_cause(
    get, serve_both, watched
):
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        assert peer.client_closes()

    server = serve_both(script, answers())
    get(server.url)
    with pytest.raises((requests.Timeout, urllib3.exceptions.HTTPError)):
        get(server.url, timeout=QUICK)
    get(server.url)
    assert causes(watched) == {"first-use": 1, "failed-request": 1}
    assert watched.opened == server.accepted


def test_a_first_connection_that_fails_late_does_not_make_a_used_pool_new(
    serve_both, watched, trusted
):
    asked, served = threading.Event(), threading.Event()

    def fails_late(peer: Peer) -> None:
        assert peer.request()
        asked.set()
        assert served.wait(PATIENCE_S)

    server = serve_both(fails_late, answers((200, "Connection: close")))
    made, gets = CLIENTS["Session"](trusted.bundle)
    with made, ThreadPoolExecutor(1) as other:
        get = gets(made, trusted.bundle)
        first = other.submit(get, server.url)
        assert asked.wait(PATIENCE_S)
        get(server.url)
        served.set()
        with pytest.raises(requests.ConnectionError):
            first.result(PATIENCE_S)
        get(server.url)
    assert causes(watched) == {"first-use": 1, "failed-request": 1}


@pytest.mark.skipif(URLLIB3_1, reason="urllib3 1.26 takes a body that breaks off for a whole one")
@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_body_that_broke_off_is_a_failed_request(make, serve_both, watched, trusted):
    def breaks_off(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\nok")

    server = serve_both(breaks_off, answers())
    with make() as made:
        get = session_gets(made, trusted.bundle)
        with pytest.raises(requests.RequestException):
            get(server.url)
        get(server.url)
    assert causes(watched) == {"first-use": 1, "failed-request": 1}
    assert watched.opened == server.accepted


def test_a_body_that_broke_off_within_urllib3_counts_only_if_a_response_came(
    serve_both, watched, trusted
):
    def breaks_off(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok")

    server = serve_both(breaks_off, answers())
    with urllib3.PoolManager(ca_certs=trusted.bundle, retries=False) as pools:
        with pytest.raises(urllib3.exceptions.HTTPError):
            pools.request("GET", server.url, timeout=PATIENCE_S)
        pools.request("GET", server.url, timeout=PATIENCE_S)
    # urllib3 2 hands over no response there, so nothing had come of the first connection
    failed = {"failed-request": 1} if URLLIB3_1 else {}
    assert causes(watched) == {"first-use": 1, **failed}
    assert server.accepted == 2


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_request_that_fails_on_a_kept_connection_and_is_answered_on_a_new_one_is_the_race(
    kind, serve_both, watched, trusted
):
    def hangs_up(peer: Peer) -> None:
        if peer.request():
            peer.respond()
            peer.request()

    server = serve_both(hangs_up)
    if kind == "PoolManager":
        made: Any = urllib3.PoolManager(ca_certs=trusted.bundle, retries=RETRIES)
        get: Get = lambda url: made.request("GET", url, timeout=PATIENCE_S)  # noqa: E731
    else:
        made = CLIENTS[kind](trusted.bundle)[0]
        if kind == "Session":
            for prefix in ("http://", "https://"):
                made.mount(prefix, HTTPAdapter(max_retries=RETRIES))
        get = session_gets(made, trusted.bundle)
    with made:
        for _ in range(3):
            get(server.url)
    assert causes(watched) == {"first-use": 1, "stale-connection": 2}
    assert watched.opened == server.accepted == 3


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_tunnel_that_was_refused_is_no_cause_of_the_next_connection(
    make, watched, trusted, serve
):
    proxy = serve(answers((502,)), tunnel(trusted.server, answers()))
    with make() as made:
        get = session_gets(made, trusted.bundle)
        with pytest.raises(requests.RequestException):
            get("https://localhost:1/", proxies={"https": proxy.url})
        for _ in range(2):
            get("https://localhost:1/", proxies={"https": proxy.url})
    assert causes(watched) == {"first-use": 1}
    assert watched.reused == 1


def test_a_redirect_to_another_host_is_a_cause(get, serve_both, watched):
    target = serve_both(answers())
    first = serve_both(answers((302, f"Location: {target.url}"), (200,)))
    get(first.url)
    assert causes(watched) == {"first-use": 1, "redirect": 1}
    assert sum(host["requests"] for host in watched.report()["hosts"]) == 1
    get(target.url)
    assert causes(watched) == {"first-use": 1, "redirect": 1}
