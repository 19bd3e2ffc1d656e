"""The keep-alive race: a request is sent on a kept connection that the server is closing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import tunnel
from tests.watching.causes.clients import NONE_BUT_REDIRECTS, causes

from keptalive import tuned_session
from keptalive.render.verdict import verdict

from .failing import cause_of, failing, findings, hangs_up, in_turn, keeps_until

IDLE_S = 0.5


def retrying(session: requests.Session, **settings: Any) -> None:
    adapter = HTTPAdapter(max_retries=urllib3.Retry(3, **settings))
    session.mount("http://", adapter)
    session.mount("https://", adapter)


def test_posts_that_fail_after_a_pause_have_met_a_connection_that_the_server_was_closing(
    serve_both, session, watched, clock
):
    server = serve_both(keeps_until(clock, IDLE_S, hangs_up))
    errors: list[str] = []
    for _ in range(6):
        for _ in range(2):
            with failing(errors):
                session.post(server.url, json={"m": 1}, timeout=PATIENCE_S)
            clock.now += 0.1
        clock.now += 0.7
    assert errors == ["ConnectionError"] * 5
    assert causes(watched) == {"first-use": 1, "stale-connection": 5}
    facts = cause_of(watched, "stale-connection")["facts"]
    assert (facts["idle_least_s"], facts["idle_most_s"]) == (0.8, 0.8)
    assert facts["survived_s"] == 0.1
    assert 0.1 < facts["max_idle_s"] < 0.8
    assert facts["errors"] == {"RemoteDisconnected": 5}
    assert facts["not_sent_again"] == {"POST": 5}
    assert "sent_again" not in facts
    assert watched.result().hosts[0].perfect.most == 1
    assert not verdict(watched.result()).startswith("Nothing to change")


def test_a_post_is_only_sent_again_if_the_program_allows_it_and_the_cure_says_so(
    serve_both, session, watched, clock
):
    server = serve_both(keeps_until(clock, IDLE_S, hangs_up))
    for _ in range(2):
        with failing([]):
            session.post(server.url, timeout=PATIENCE_S)
        clock.now += 5
    session.get(server.url, timeout=PATIENCE_S)
    found = cause_of(watched, "stale-connection")
    assert "Not sent again by urllib3: POST (1)." in found["evidence"]
    assert "only if the program allows it (Retry(allowed_methods=None))" in found["cure"]


def test_one_failure_on_a_connection_that_was_idle_for_long_is_enough(
    serve_both, session, watched, clock
):
    server = serve_both(keeps_until(clock, IDLE_S, hangs_up))
    session.get(server.url, timeout=PATIENCE_S)
    clock.now += 5
    with failing([]):
        session.get(server.url, timeout=PATIENCE_S)
    session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "stale-connection": 1}
    assert "Idle 5.0 s before each" in cause_of(watched, "stale-connection")["evidence"]


def test_a_reset_of_what_was_idle_is_the_race_too_for_a_bare_pool_manager(
    serve_both, watched, clock, trusted
):
    server = serve_both(keeps_until(clock, IDLE_S, Peer.reset))
    with urllib3.PoolManager(ca_certs=trusted.bundle, retries=NONE_BUT_REDIRECTS) as pools:
        for _ in range(3):
            pools.request("GET", server.url, timeout=PATIENCE_S)
            clock.now += 7
            with pytest.raises(urllib3.exceptions.HTTPError):
                pools.request("GET", server.url, timeout=PATIENCE_S)
        pools.request("GET", server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "stale-connection": 3}
    errors = cause_of(watched, "stale-connection")["facts"]["errors"]
    assert set(errors) <= {"ConnectionResetError", "SSLEOFError", "RemoteDisconnected"}


def test_a_race_that_retries_have_hidden_is_found_with_the_time_of_the_back_off(
    serve_both, session, watched, clock, monkeypatch
):
    def sleep(seconds: float) -> None:
        clock.now += seconds

    class Later(urllib3.Retry):
        def get_backoff_time(self) -> float:
            return 0.25

    monkeypatch.setattr("urllib3.util.retry.time.sleep", sleep)
    server = serve_both(keeps_until(clock, IDLE_S, hangs_up))
    for prefix in ("http://", "https://"):
        session.mount(prefix, HTTPAdapter(max_retries=Later(3)))
    for _ in range(4):
        assert session.get(server.url, timeout=PATIENCE_S).ok
        clock.now += 2
    assert causes(watched) == {"first-use": 1, "stale-connection": 3}
    found = cause_of(watched, "stale-connection")
    assert found["facts"]["sent_again"] == 3
    assert "not_sent_again" not in found["facts"]
    assert found["facts"]["seconds_lost"] == 0.75
    assert watched.result().hosts[0].seconds_lost == pytest.approx(0.75)
    assert "Time lost: 750 ms. Sent again by urllib3: 3." in found["evidence"]
    assert "silent-retries" not in findings(watched), "the cause has told it"
    assert "750 ms of 8.8 s went into failed requests" in verdict(watched.result())


def test_a_request_that_fails_at_once_and_is_answered_on_the_next_connection_was_not_at_fault(
    serve_both, session, watched
):
    server = serve_both(in_turn(Peer.respond, hangs_up, Peer.respond))
    retrying(session)
    for _ in range(3):
        session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "stale-connection": 1}
    found = cause_of(watched, "stale-connection")
    assert "max_idle" not in found["cure"]
    assert "Each had served 1 response." in found["evidence"]


def test_a_request_that_fails_at_once_and_is_not_sent_again_may_be_at_fault_itself(
    serve_both, session, watched, clock
):
    server = serve_both(in_turn(Peer.respond, hangs_up, Peer.respond))
    for _ in range(3):
        with failing([]):
            session.get(server.url, timeout=PATIENCE_S)
        clock.now += 0.01
    assert causes(watched) == {"first-use": 1, "failed-request": 1}
    assert "why it closes" in cause_of(watched, "failed-request")["cure"]


def test_a_server_that_closes_new_connections_in_the_same_way_is_no_race(
    serve_both, session, watched, clock
):
    server = serve_both(in_turn(Peer.respond, hangs_up, hangs_up, Peer.respond))
    for _ in range(4):
        with failing([]):
            session.get(server.url, timeout=PATIENCE_S)
        clock.now += 5
    assert causes(watched).get("stale-connection") is None
    assert causes(watched)["failed-request"] == 1


def test_a_failure_after_a_time_that_was_survived_before_shows_no_race(
    serve_both, session, watched, clock
):
    server = serve_both(in_turn(*[Peer.respond] * 4, hangs_up, Peer.respond))
    for _ in range(6):
        with failing([]):
            session.get(server.url, timeout=PATIENCE_S)
        clock.now += 5
    assert causes(watched) == {"first-use": 1, "failed-request": 1}


def test_a_failure_after_the_time_that_the_server_announced_is_the_race_whatever_was_survived(
    serve_both, session, watched, clock
):
    def respond(peer: Peer) -> None:
        peer.respond(200, "Keep-Alive: timeout=5")

    server = serve_both(in_turn(*[respond] * 4, hangs_up, respond))
    for _ in range(6):
        with failing([]):
            session.get(server.url, timeout=PATIENCE_S)
        clock.now += 5
    assert causes(watched) == {"first-use": 1, "stale-connection": 1}
    assert "announces Keep-Alive: timeout=5" in cause_of(watched, "stale-connection")["evidence"]


def test_connections_that_all_fail_at_their_fourth_request_are_closed_after_three(
    serve_both, session, watched, clock
):
    server = serve_both(in_turn(*[*[Peer.respond] * 3, hangs_up] * 3, Peer.respond))
    for _ in range(13):
        with failing([]):
            session.get(server.url, timeout=PATIENCE_S)
        clock.now += 0.01
    assert causes(watched) == {"first-use": 1, "stale-connection": 3}
    found = cause_of(watched, "stale-connection")
    assert "Each had served 3 responses." in found["evidence"]
    assert "closes connections after a number of responses" in found["cure"]


def test_a_burst_of_threads_after_a_pause_finds_its_connections_stale(
    serve_both, watched, clock, trusted
):
    together = threading.Barrier(4)

    def slowly(peer: Peer) -> None:
        together.wait(PATIENCE_S)
        peer.respond()

    def script(peer: Peer) -> None:
        peer.request()
        slowly(peer)
        if peer.request():
            hangs_up(peer)

    server = serve_both(script, script, script, script, answers())
    with requests.Session() as made, ThreadPoolExecutor(4) as threads:
        made.trust_env, made.verify = False, trusted.bundle
        errors: list[str] = []

        def get(_number: int) -> None:
            with failing(errors):
                made.get(server.url, timeout=PATIENCE_S)

        for _ in range(3):
            list(threads.map(get, range(4)))
            clock.now += 30
    assert set(errors) == {"ConnectionError"}
    found = causes(watched)
    assert set(found) == {"first-use", "concurrency", "stale-connection"}
    # how many are replaced is up to the threads: what failed last may not be
    at_the_end = findings(watched).get("stale-connection")
    more = at_the_end.facts["errors"]["RemoteDisconnected"] if at_the_end else 0
    assert found["stale-connection"] + more == len(errors)


def test_a_race_within_a_tunnel_is_found_on_the_route_through_the_proxy(
    serve, trusted, session, watched, clock
):
    through = serve(tunnel(trusted.server, keeps_until(clock, IDLE_S, hangs_up)))
    for _ in range(3):
        with failing([]):
            session.get("https://localhost:1/", proxies={"https": through.url}, timeout=PATIENCE_S)
        clock.now += 5
    assert causes(watched) == {"first-use": 1, "stale-connection": 1}
    assert watched.result().hosts[0].via == through.url.rstrip("/")


def test_a_large_body_that_meets_a_closed_connection_is_the_race(
    serve_both, session, watched, clock
):
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.sock.recv(1)  # of the next request, most of which is still to come
        peer.close()

    server = serve_both(script, answers())
    session.get(server.url, timeout=PATIENCE_S)
    clock.now += 5
    with failing([]):
        session.post(server.url, data=b"x" * 5_000_000, timeout=PATIENCE_S)
    session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "stale-connection": 1}


def test_a_program_that_ends_with_the_failure_is_told_though_nothing_was_opened_after_it(
    serve_both, session, watched, clock
):
    server = serve_both(keeps_until(clock, IDLE_S, hangs_up))
    session.post(server.url, timeout=PATIENCE_S)
    clock.now += 61
    with pytest.raises(requests.ConnectionError):
        session.post(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1}
    found = findings(watched)["stale-connection"]
    assert "1 request failed on a kept connection, and nothing followed." in found.evidence
    assert "Idle 61.0 s" in found.evidence
    assert "POST (1)" in found.evidence
    assert found.cure
    assert not verdict(watched.result()).startswith("Nothing to change")


def test_a_tuned_session_sends_a_stale_get_again_and_leaves_a_post(
    serve_both, watched, clock, trusted
):
    server = serve_both(keeps_until(clock, IDLE_S, hangs_up))
    with closing(tuned_session(max_idle=None)) as made:
        made.trust_env, made.verify = False, trusted.bundle
        made.get(server.url, timeout=PATIENCE_S)
        clock.now += 5
        made.get(server.url, timeout=PATIENCE_S)
        clock.now += 5
        with pytest.raises(requests.ConnectionError):
            made.post(server.url, timeout=PATIENCE_S)
        made.get(server.url, timeout=PATIENCE_S)
    facts = cause_of(watched, "stale-connection")["facts"]
    assert (facts["sent_again"], facts["not_sent_again"]) == (1, {"POST": 1})
