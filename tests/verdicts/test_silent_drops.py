"""A path that forgets connections, and servers that are only slow."""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from typing import Any

import pytest
import urllib3
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S
from tests.watching.causes.clients import causes

from keptalive.render.verdict import verdict

from .failing import (
    Forgotten,
    Skipping,
    cause_of,
    failing,
    findings,
    in_turn,
    keeps_until,
    says_nothing,
)

IDLE_S = 30.0
SOON_S, LATER_S = 0.1, 60.0  # a busy machine makes no 30 s of the one
SHORT_S = 0.1
QUICK = (PATIENCE_S, SHORT_S)  # to connect, and to wait for the response
# a packet counts as lost after 0.2 s on loopback (TCP_RTO_MIN), and is well overdue then
OVERDUE_S = 0.45
ROUNDED_S = 0.001
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO and socket filters")


@pytest.fixture
def clock() -> Skipping:
    return Skipping()


def test_timeouts_of_all_that_was_idle_and_of_nothing_else_are_likely_a_silent_drop(
    serve_both, session, watched, clock
):
    server = serve_both(keeps_until(clock, IDLE_S, says_nothing))
    errors: list[str] = []
    took_s = 0.0
    for burst in range(5):
        for number in range(2):
            was_idle = burst > 0 and number == 0
            began = time.monotonic()
            with failing(errors):
                session.get(server.url, timeout=QUICK if was_idle else PATIENCE_S)
            took_s += (time.monotonic() - began) * was_idle
            clock.skipped += SOON_S
        clock.skipped += LATER_S
    assert errors == ["ReadTimeout"] * 4
    assert causes(watched) == {"first-use": 1, "silent-drop": 4}
    found = cause_of(watched, "silent-drop")
    assert found["facts"]["likely"] == 4
    assert "proven" not in found["facts"], "the system has acknowledged it all"
    assert SOON_S < found["facts"]["max_idle_s"] < IDLE_S
    assert 4 * SHORT_S <= found["facts"]["seconds_lost"] <= took_s + ROUNDED_S
    assert "ReadTimeoutError (4)" in found["evidence"]
    assert "TCP keepalive" in found["cure"]
    assert "A longer timeout would only wait for longer" in found["cure"]
    assert watched.result().hosts[0].perfect.most == 1
    said = verdict(watched.result())
    assert said.startswith("4 of 5 connections were not necessary")
    assert "went into failed requests" in said


@needs_linux
def test_one_timeout_is_enough_where_nothing_was_acknowledged(serve_both, session, watched, clock):
    path = Forgotten()
    server = serve_both(path, answers())
    session.get(server.url, timeout=PATIENCE_S)
    path.forget()
    clock.skipped += 300
    with failing([]):
        session.get(server.url, timeout=OVERDUE_S)
    session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "silent-drop": 1}
    found = cause_of(watched, "silent-drop")
    assert found["facts"]["proven"] == 1
    assert "likely" not in found["facts"]
    assert "Idle 300 s" in found["evidence"]
    assert "the system saw no acknowledgement" in found["evidence"]


@needs_linux
def test_a_drop_that_retries_have_hidden_from_a_bare_pool_is_found_with_its_time(
    serve, watched, clock
):
    path = Forgotten()
    server = serve(path, answers())
    retries = urllib3.Retry(2, backoff_factor=0, allowed_methods=None)
    with urllib3.HTTPConnectionPool("127.0.0.1", server.port, retries=retries) as pool:
        assert pool.urlopen("POST", "/", timeout=PATIENCE_S).status == 200
        path.forget()
        clock.skipped += LATER_S
        began = time.monotonic()
        assert pool.urlopen("POST", "/", timeout=OVERDUE_S).status == 200
        took_s = time.monotonic() - began
    assert causes(watched) == {"first-use": 1, "silent-drop": 1}
    facts = cause_of(watched, "silent-drop")["facts"]
    assert (facts["proven"], facts["sent_again"]) == (1, 1)
    assert OVERDUE_S <= facts["seconds_lost"] <= took_s + ROUNDED_S
    assert "silent-retries" not in findings(watched)


@needs_linux
def test_a_connection_that_the_system_has_given_up_is_a_silent_drop_also_over_tls(
    serve_both, trusted, watched, clock
):
    """Over TLS, Python up to 3.12 shows that as an end of the server's."""
    path = Forgotten()
    server = serve_both(path, answers())
    options = [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 250)]  # ms; else a quarter of an hour
    manager = {"ca_certs": trusted.bundle, "socket_options": options, "retries": False}
    with urllib3.PoolManager(**manager) as pool:
        pool.request("GET", server.url, timeout=PATIENCE_S)
        path.forget()
        clock.skipped += 300
        errors: list[str] = []
        with failing(errors):
            pool.request("GET", server.url, timeout=PATIENCE_S)
        pool.request("GET", server.url, timeout=PATIENCE_S)
    assert len(errors) == 1
    assert causes(watched) == {"first-use": 1, "silent-drop": 1}
    found = cause_of(watched, "silent-drop")
    assert found["facts"]["proven"] == 1
    assert "the system saw no acknowledgement" in found["evidence"]


@needs_linux
def test_a_program_that_gives_up_waiting_is_told_why_it_waited(
    serve_both, session, watched, clock, monkeypatch
):
    path = Forgotten()
    server = serve_both(path, answers())
    session.get(server.url, timeout=PATIENCE_S)
    path.forget()
    clock.skipped += 300
    waits = urllib3.connection.HTTPConnection.getresponse

    def gives_up(*given: Any, **named: Any) -> Any:  # the request is sent
        signal.setitimer(signal.ITIMER_REAL, OVERDUE_S)
        return waits(*given, **named)

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(urllib3.connection.HTTPConnection, "getresponse", gives_up)
            with pytest.raises(KeyboardInterrupt):
                session.get(server.url)  # without a timeout it would wait for a quarter of an hour
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    found = findings(watched)["silent-drop"]
    assert "KeyboardInterrupt" in found.evidence
    assert found.facts["proven"] == 1


def test_a_slow_server_times_out_whatever_was_idle_and_is_called_slow(
    serve_both, session, watched, clock
):
    clock.stand_still()
    acts = [Peer.respond, says_nothing, *[Peer.respond] * 3, says_nothing, Peer.respond]
    server = serve_both(in_turn(*acts))
    for number, act in enumerate(acts):
        with failing([]):
            url = f"{server.url}{number}"
            session.get(url, timeout=QUICK if act is says_nothing else PATIENCE_S)
        clock.skipped += 5
    assert causes(watched) == {"first-use": 1, "failed-request": 2}
    found = cause_of(watched, "failed-request")
    assert found["facts"]["acknowledged"] == 2
    assert "The server had acknowledged 2 requests: it is slow." in found["evidence"]
    assert found["cure"].startswith("A slow server: a longer timeout")
    assert not verdict(watched.result()).startswith("Nothing to change")


def test_one_timeout_alone_is_no_silent_drop(serve_both, session, watched, clock):
    server = serve_both(keeps_until(clock, IDLE_S, says_nothing))
    session.get(server.url, timeout=PATIENCE_S)
    clock.skipped += 300
    with failing([]):
        session.get(server.url, timeout=QUICK)
    session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "failed-request": 1}


def test_timeouts_of_new_connections_too_are_a_slow_server(serve_both, session, watched, clock):
    clock.stand_still()
    acts = [Peer.respond, says_nothing, says_nothing, Peer.respond, says_nothing, Peer.respond]
    server = serve_both(in_turn(*acts))
    for number, act in enumerate(acts):
        with failing([]):
            url = f"{server.url}{number}"
            session.get(url, timeout=QUICK if act is says_nothing else PATIENCE_S)
        clock.skipped += 5
    found = causes(watched)
    assert "silent-drop" not in found
    assert found["failed-request"] == 2


def test_a_body_that_stalls_is_no_silent_drop(serve_both, session, watched, clock):
    def stalls(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\nok")
        says_nothing(peer)

    server = serve_both(keeps_until(clock, IDLE_S, stalls))
    for burst in range(3):
        for number in range(2):
            was_idle = burst > 0 and number == 0
            with failing([]):
                session.get(server.url, timeout=QUICK if was_idle else PATIENCE_S)
            clock.skipped += SOON_S
        clock.skipped += LATER_S
    assert causes(watched) == {"first-use": 1, "failed-request": 2}
    assert cause_of(watched, "failed-request")["facts"]["errors"] == {"ReadTimeoutError": 2}


def test_a_body_that_stalls_while_urllib3_reads_it_is_no_silent_drop_either(serve, watched, clock):
    def stalls(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\nok")
        says_nothing(peer)

    server = serve(keeps_until(clock, IDLE_S, stalls))
    timeouts = [PATIENCE_S, SHORT_S] * 2 + [PATIENCE_S]
    with urllib3.HTTPConnectionPool("127.0.0.1", server.port, retries=False) as pool:
        for read_s in timeouts:
            with failing([]):
                pool.urlopen("GET", "/", timeout=urllib3.Timeout(connect=PATIENCE_S, read=read_s))
            clock.skipped += LATER_S
    assert causes(watched) == {"first-use": 1, "failed-request": 2}


@needs_linux
@pytest.mark.complete
def test_probes_that_nobody_acknowledges_show_a_silent_drop_before_a_request_is_lost(
    serve, watched, clock
):
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1),
    ]
    path = Forgotten()
    server = serve(path, answers())
    with urllib3.HTTPConnectionPool("127.0.0.1", server.port, socket_options=options) as pool:
        pool.urlopen("GET", "/", timeout=PATIENCE_S)
        path.forget()
        kept = pool.pool.queue[-1].sock
        poller = select.poll()
        poller.register(kept, select.POLLERR)
        assert poller.poll(PATIENCE_S * 1000), "the system has given up"
        pool.urlopen("GET", "/", timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "silent-drop": 1}
    found = cause_of(watched, "silent-drop")
    assert found["facts"]["probes_unanswered"] == 1
    assert "TCP keepalive probes got no answer (1)." in found["evidence"]
