"""What watch() sees: all pools and threads, watches within watches, and what it says of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3
from tests.servers.fixtures import listening_later
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import tunnel

from keptalive.render.har import har
from keptalive.watching import recorder
from keptalive.watching.api import Watch, watch


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(answers(obeys=False))


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def numbers(watched: Watch) -> dict[str, Any]:
    [host] = watched.report()["hosts"]
    return {name: host[name] for name in ("requests", "attempts", "opened", "reopened", "reused")}


def causes(watched: Watch) -> dict[str, int]:
    return {
        cause["cause"]: cause["count"]
        for host in watched.report()["hosts"]
        for cause in host["causes"]
    }


def test_requests_are_counted_by_what_they_used(server, session):
    with watch() as watched:
        for _ in range(3):
            session.get(server.url)
    assert numbers(watched) == {
        "requests": 3,
        "attempts": 3,
        "opened": 1,
        "reopened": 0,
        "reused": 2,
    }
    [host] = watched.report()["hosts"]
    assert host["host"] == server.url.rstrip("/")
    assert 0 < host["seconds_opening"] < PATIENCE_S


def test_a_pool_that_was_there_before_is_watched(server, session):
    session.get(server.url)
    with watch() as watched:
        session.get(server.url)
        assert (watched.opened, watched.reused) == (0, 1)
        session.get(server.url, headers={"Connection": "close"})
    assert (watched.opened, watched.reused) == (0, 2)


def test_a_kept_connection_that_ended_before_the_watch_is_told_without_guessing(serve, session):
    closed = threading.Event()

    def closes(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.close()
        closed.set()

    server = serve(closes, answers())
    session.get(server.url)
    assert closed.wait(PATIENCE_S)
    with watch(clock=lambda: 0.0) as watched:  # else it may be idle for long, on a busy machine
        session.get(server.url)
    assert causes(watched) == {"server-closed": 1}


def test_what_a_response_from_before_the_watch_holds_back_leaves_the_cause_unknown(server, session):
    held = session.get(server.url, stream=True)
    with watch() as watched:
        session.get(server.url)
    assert causes(watched) == {"unknown": 1}
    assert held.content
    assert server.accepted == 2


def test_nothing_before_or_after_the_block_is_counted(server, session):
    session.get(server.url)
    with watch() as watched:
        pass
    session.get(server.url)
    assert watched.report()["hosts"] == []


def test_all_threads_are_watched(server):
    with watch() as watched, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: requests.get(server.url), range(40)))
    assert watched.opened == server.accepted == 40
    found = causes(watched)  # how many were in flight at once is the threads' affair
    [host] = watched.report()["hosts"]
    assert found.keys() <= {"first-use", "concurrency", "new-session"}
    assert found["first-use"] + found.get("concurrency", 0) <= host["perfect"]["most"] <= 8
    assert sum(found.values()) == 40


def test_a_watch_within_a_watch_has_a_report_of_its_own(server, session):
    with watch() as outer:
        session.get(server.url)
        with watch() as inner:
            requests.get(server.url)
        session.get(server.url)
    assert (outer.opened, outer.reused) == (2, 1)
    assert (inner.opened, inner.reused) == (1, 0)
    assert causes(outer) == {"first-use": 1, "new-session": 1}


def test_watches_may_end_in_any_order(server, session):
    one, other = watch(), watch()
    first, second = one.__enter__(), other.__enter__()
    session.get(server.url)
    one.__exit__(None, None, None)
    session.get(server.url)
    other.__exit__(None, None, None)
    session.get(server.url)
    assert (first.opened, first.reused) == (1, 0)
    assert (second.opened, second.reused) == (1, 1)


def test_watches_one_after_the_other_do_not_mix_their_owners_and_connections(server):
    with requests.Session() as early, requests.Session() as late:
        with watch():
            early.get(server.url)
        early.get(server.url, headers={"Connection": "close"})
        with watch() as watched:
            late.get(server.url)
            early.get(server.url)
            late.get(server.url)
    assert (watched.opened, watched.reused) == (1, 2)
    assert causes(watched) == {"first-use": 1}


def test_a_response_left_unread_in_one_watch_haunts_no_other(server):
    with requests.Session() as session:
        with watch():
            response = session.get(server.url, stream=True)
        assert response.content
        with watch() as watched:
            session.get(server.url)
            session.get(server.url, headers={"Connection": "close"})
            session.close()
            session.get(server.url)
        assert causes(watched) == {"first-use": 1}


def test_a_watch_may_be_entered_in_one_thread_and_left_in_another(server, session):
    watching = watch()
    watched = watching.__enter__()
    with ThreadPoolExecutor(1) as other:
        other.submit(session.get, server.url).result(PATIENCE_S)
        other.submit(watching.__exit__, None, None, None).result(PATIENCE_S)
    session.get(server.url)
    assert (watched.opened, watched.reused) == (1, 0)


def test_a_report_can_be_had_while_threads_ask(server):
    over = threading.Event()

    def report() -> int:
        reports = 0
        while not over.is_set():
            watched.report()
            reports += 1
        return reports

    with watch() as watched, ThreadPoolExecutor(5) as threads:
        reading = threads.submit(report)
        asking = [
            threads.submit(lambda: [requests.get(server.url) for _ in range(25)]) for _ in range(4)
        ]
        for one in asking:
            one.result(60)
        over.set()
        assert reading.result(60) > 0
    assert watched.opened == server.accepted == 100


def test_what_is_open_now_and_what_was_at_the_end(server, session):
    with watch() as watched:
        session.get(server.url)
        assert watched.report()["left_open"] == 1
        session.close()
        assert watched.report()["left_open"] == 0
        session.get(server.url)
    session.close()
    assert watched.report()["left_open"] == 1


def test_a_redirect_is_one_request_and_two_attempts(serve, session):
    server = serve(answers((302, "Location: /there"), (200,)))
    with watch() as watched:
        session.get(server.url)
    assert numbers(watched)["requests"] == 1
    assert numbers(watched)["attempts"] == 2
    assert watched.opened == 1


def test_requests_within_a_response_hook_follow_no_redirect(serve, session):
    other, server = serve(answers()), serve(answers())
    with watch() as watched:
        hook = lambda *_args, **_named: requests.get(other.url) and None  # noqa: E731
        session.get(server.url, hooks={"response": hook})
    assert causes(watched) == {"first-use": 1}
    assert watched.opened == 2


def test_a_hooks_own_request_without_redirects_is_a_request_of_its_own(serve, session):
    server = serve(answers())

    def refresh(response: requests.Response, **_named: Any) -> None:
        if not response.request.url.endswith("/token"):
            session.post(f"{server.url}token", allow_redirects=False)

    with watch() as watched:
        session.get(server.url, hooks={"response": refresh})
    assert numbers(watched)["requests"] == numbers(watched)["attempts"] == 2


def test_a_bare_pool_that_gave_up_leaves_the_next_request_a_first_try(server):
    with listening_later() as port, watch() as watched:
        dead = urllib3.HTTPConnectionPool(*port.getsockname())
        with pytest.raises(urllib3.exceptions.MaxRetryError):
            dead.urlopen("GET", "/", retries=urllib3.Retry(2, backoff_factor=0))
        with urllib3.HTTPConnectionPool("127.0.0.1", server.port) as pool:
            pool.urlopen("GET", "/")
    asked = {host["host"]: host["requests"] for host in watched.report()["hosts"]}
    assert list(asked.values()) == [1, 1]
    assert causes(watched) == {"first-use": 1}


def test_connects_that_fail_take_no_place_of_the_openings_that_are_kept(
    server, session, monkeypatch
):
    monkeypatch.setattr(recorder, "CONNECTIONS_KEPT", 3)
    with listening_later() as port, watch() as watched:
        for _ in range(5):
            with pytest.raises(requests.ConnectionError):
                session.get("http://127.0.0.1:{1}/".format(*port.getsockname()))
        session.get(server.url)
    assert causes(watched) == {"first-use": 1}
    assert watched.report()["warnings"] == []


def test_a_connection_that_is_refused_is_an_attempt_and_opens_none(session):
    with listening_later() as port, watch() as watched:
        with pytest.raises(requests.ConnectionError):
            session.get("http://127.0.0.1:{1}/".format(*port.getsockname()))
    assert numbers(watched) == {
        "requests": 1,
        "attempts": 1,
        "opened": 0,
        "reopened": 0,
        "reused": 0,
    }
    assert causes(watched) == {}


def test_a_chunked_upload_is_counted_like_any_other(server, session):
    with watch() as watched:
        for _ in range(2):
            session.post(server.url, data=iter([b"a", b"b"]))
    assert (watched.opened, watched.reused) == (server.accepted, 1) == (1, 1)
    assert causes(watched) == {"first-use": 1}


def test_a_pool_of_nobodys_is_watched(server):
    with watch() as watched, urllib3.HTTPConnectionPool("127.0.0.1", server.port) as pool:
        for _ in range(2):
            pool.request("GET", "/")
    assert (watched.opened, watched.reused) == (1, 1)
    assert causes(watched) == {"first-use": 1}


def test_more_openings_than_are_kept_are_counted_and_owned_up_to(server, monkeypatch):
    monkeypatch.setattr(recorder, "CONNECTIONS_KEPT", 3)
    with watch() as watched:
        for _ in range(5):
            requests.get(server.url)
    assert watched.opened == 5
    report = watched.report()
    found = {cause["cause"]: cause["count"] for cause in report["hosts"][0]["causes"]}
    assert found == {"first-use": 1, "new-session": 2, "unknown": 2}
    assert report["warnings"] == ["2 connections are counted but not listed: there were too many."]


def test_credentials_over_plain_http_to_elsewhere_are_warned_of(serve, session):
    proxy = serve(answers())
    with watch() as watched:
        for _ in range(2):
            session.get("http://example.org/", auth=("me", "secret"), proxies={"http": proxy.url})
        session.get(proxy.url, auth=("me", "secret"))
    [found] = watched.report()["findings"]
    assert (found["finding"], found["host"]) == ("cleartext-credentials", proxy.url.rstrip("/"))
    assert found["evidence"].startswith(
        "Credentials were sent over plain http to http://example.org:80 (2 times)"
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_that_was_forked_within_a_watch_has_its_own(server, session):
    with watch() as watched:
        session.get(server.url)
        child = os.fork()
        if child == 0:  # pragma: no cover - not seen from here
            status = 1
            try:
                with watch() as own, requests.Session() as fresh:
                    fresh.get(server.url)
                status = 0 if (own.opened, watched.opened) == (1, 2) else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        session.get(server.url)
    assert (watched.opened, watched.reused) == (1, 1)


def test_a_timeline_lists_a_connection_from_before_the_watch_with_its_requests(server, session):
    session.get(server.url)
    with watch(timeline=True) as watched:
        session.get(f"{server.url}first")
        session.get(f"{server.url}second")
    report = watched.result()
    assert report.warnings == ()
    (before,) = report.connections
    assert (before.attempted_s, before.cause, before.served) == (None, None, 2)
    assert report.exchanges is not None
    assert report.exchanges.connection == (before.id, before.id)
    assert numbers(watched)["opened"] == 0


def test_a_tunnel_is_a_phase_of_opening_and_a_part_of_the_first_request(serve, trusted, session):
    proxy = serve(tunnel(trusted.server, answers()))
    with watch(timeline=True) as watched:
        for path in "ab":
            session.get(
                f"https://target.test/{path}",
                proxies={"https": proxy.url},
                verify=str(trusted.bundle),
            )
    report = watched.result()
    assert report.warnings == ()
    (opened,) = report.connections
    assert opened.phases["tunnel"] > 0
    assert report.exchanges is not None
    assert report.exchanges.path == ("/a", "/b")
    assert report.exchanges.started_s[0] < (opened.connected_s or 0) < report.exchanges.started_s[1]
    first, second = (entry["timings"] for entry in har(report)["log"]["entries"])
    assert first["connect"] >= first["ssl"] > 0
    assert second["connect"] == -1
