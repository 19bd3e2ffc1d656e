"""Pools that are too small, too many or new: the verdict on programs as people have them."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import together
from tests.verdicts.reading import (
    cause,
    causes,
    finding,
    findings,
    nothing_to_change,
    only_host,
    perfect,
)
from tests.versions import REQUESTS, URLLIB3_1
from urllib3.connection import HTTPConnection

from keptalive.records.connection import CloseReason
from keptalive.watching import waits
from keptalive.watching.api import watch


def session_of(pool: int, *, block: bool = False) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(pool_maxsize=pool, pool_block=block))
    return session


def at_once(number: int, act: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(number) as threads:
        list(threads.map(act, range(number)))


# -- Too small


class WithItsOwnClose(urllib3.connection.HTTPConnection):
    """As botocore's connections have one."""

    def close(self) -> None:
        super().close()


@pytest.mark.parametrize(
    "kind", [urllib3.connection.HTTPConnection, WithItsOwnClose], ids=["urllib3's", "own close"]
)
def test_what_fills_up_again_what_a_full_pool_has_discarded_is_the_cause_pool_too_small(
    kind, serve, monkeypatch
):
    monkeypatch.setattr(urllib3.HTTPConnectionPool, "ConnectionCls", kind)
    server, all_are_back = serve(together(6)), threading.Barrier(6)
    with watch() as watched, session_of(2) as session:

        def gets_two(_number: int) -> None:
            for _ in range(2):
                session.get(server.url, timeout=PATIENCE_S)
                all_are_back.wait(PATIENCE_S)

        at_once(6, gets_two)
        assert (perfect(watched), watched.opened) == (6, 10)
        assert causes(watched) == {"first-use": 1, "concurrency": 5, "pool-too-small": 4}
        assert "pool_maxsize=6" in cause(watched, "pool-too-small").cure
        assert not nothing_to_change(watched)


def test_a_connection_is_discarded_also_if_another_one_is_opened_at_that_very_moment(serve):
    opened_then: list[urllib3.HTTPResponse] = []

    class Connection(HTTPConnection):
        def close(self) -> None:
            was_open = self.sock is not None
            super().close()
            if was_open and len(held) == 2 and not opened_then:
                opened_then.extend([get(), get()])  # on the kept connection, and on a new one

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    server = serve(answers())
    with watch() as watched, Pool("127.0.0.1", server.port, maxsize=1) as pool:

        def get() -> urllib3.HTTPResponse:
            return pool.request("GET", "/", preload_content=False, timeout=PATIENCE_S)

        held = [get(), get()]
        for response in held:
            response.drain_conn()  # the second one finds no room
        for response in opened_then:
            response.drain_conn()
        ends = [one.end.how for one in watched.record().connections if one.end is not None]
    assert (len(opened_then), ends) == (2, [CloseReason.DISCARDED] * 2)


def test_a_discarded_connection_may_have_served_often_before(serve):
    asked, another_is_back = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        while request := peer.request():
            if request.target == "/last":
                asked.set()
                assert another_is_back.wait(PATIENCE_S)
            peer.respond()

    server = serve(script)
    with watch() as watched, session_of(1) as session:

        def gets_two() -> None:
            session.get(server.url, timeout=PATIENCE_S)
            session.get(f"{server.url}last", timeout=PATIENCE_S)

        for _ in range(5):
            asked.clear(), another_is_back.clear()
            thread = threading.Thread(target=gets_two)
            thread.start()
            assert asked.wait(PATIENCE_S)
            session.get(server.url, timeout=PATIENCE_S)
            another_is_back.set()
            thread.join()
        assert (perfect(watched), watched.opened) == (2, 6)
        assert causes(watched) == {"first-use": 1, "concurrency": 1, "pool-too-small": 4}
        assert "pool_maxsize=2" in cause(watched, "pool-too-small").cure
        assert not nothing_to_change(watched)


def test_nothing_to_change_is_not_said_beside_the_warning_of_a_full_pool(serve):
    server = serve(together(3))
    with watch() as watched, session_of(1) as session:
        at_once(3, lambda _: session.get(server.url, timeout=PATIENCE_S))
        assert causes(watched) == {"first-use": 1, "concurrency": 2}
        found = finding(watched, "full-pool")
        assert found.facts == {"discarded": 2, "pool_size": 1, "most_at_once": 3}
        assert "pool_maxsize=3" in found.cure
        assert not nothing_to_change(watched)


def test_a_session_for_each_batch_is_the_cause_of_all_but_the_first_batch(serve):
    server = serve(together(4))
    with watch() as watched:
        for made in (requests.Session, requests.Session, urllib3.PoolManager):
            with made() as client:
                get = client.get if made is requests.Session else client.urlopen
                of_manager = () if made is requests.Session else ("GET",)
                at_once(4, lambda _, g=get, m=of_manager: g(*m, server.url, timeout=PATIENCE_S))
    assert (perfect(watched), watched.opened) == (4, 12)
    assert causes(watched) == {"first-use": 1, "concurrency": 3, "new-session": 8}


def test_a_session_for_each_thread_is_as_good_as_one_for_all(serve):
    server = serve(together(3))

    def gets_five(_number: int) -> None:
        with requests.Session() as session:
            for _ in range(5):
                session.get(server.url, timeout=PATIENCE_S)

    with watch() as watched:
        at_once(3, gets_five)
    assert causes(watched) == {"first-use": 1, "concurrency": 2}
    assert nothing_to_change(watched)


def test_errors_that_the_program_collects_are_no_requests_in_flight(serve):
    def resets_the_third(peer: Peer) -> None:
        for _ in range(2):
            assert peer.request()
            peer.respond()
        assert peer.request()
        peer.reset()

    server, errors = serve(resets_the_third), []
    with watch() as watched, session_of(10) as session:
        for _ in range(3):
            for _ in range(2):
                session.post(server.url, data=b"x", timeout=PATIENCE_S)
            with pytest.raises(requests.ConnectionError) as raised:
                session.post(server.url, data=b"x", timeout=PATIENCE_S)
            errors.append(raised.value)
    assert (len(errors), perfect(watched), only_host(watched).most_at_once) == (3, 1, 1)
    assert causes(watched) == {"first-use": 1, "stale-connection": 2}


# -- Another pool


def remounted(session: requests.Session, url: str) -> None:
    session.mount("http://", HTTPAdapter())


def mounted_for_one_host(session: requests.Session, url: str) -> None:
    session.mount(url, HTTPAdapter())


def put_among_the_adapters(session: requests.Session, url: str) -> None:
    session.adapters["http://"] = HTTPAdapter()


@pytest.mark.parametrize("mounts", [remounted, mounted_for_one_host, put_among_the_adapters])
def test_another_adapter_of_the_same_session_is_the_cause_new_adapter(mounts, serve):
    server = serve()
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        for _ in range(3):
            mounts(session, server.url)
            session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "new-adapter": 2}
    mounted = cause(watched, "new-adapter").facts.get("mounted_at")
    assert bool(mounted) == (mounts is not put_among_the_adapters)


def test_adapters_of_new_sessions_are_the_cause_new_session(serve):
    server = serve()
    with watch() as watched:
        for _ in range(3):
            with session_of(1) as session:
                session.get(server.url, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "new-session": 2}


def test_another_ssl_context_each_time_is_named_as_a_context(serve, trusted):
    server = serve(tls=trusted.server)
    # only two pools are kept: a context that is collected may leave its `id` to the next
    with watch() as watched, urllib3.PoolManager(num_pools=2) as pools:
        for _ in range(8):
            given = {"ssl_context": ssl.create_default_context(cafile=trusted.bundle)}
            pools.connection_from_host(
                "localhost", server.port, "https", pool_kwargs=given
            ).request("GET", "/")
            del given
    assert causes(watched) == {"first-use": 1, "tls-settings-differ": 7}
    found = cause(watched, "tls-settings-differ")
    assert found.facts["differs"] == ["ssl_context"]
    assert found.evidence.startswith("Another ssl_context for each of them; verify and cert are")
    assert "Make the ssl_context once" in found.cure


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.skipif(REQUESTS < (2, 32), reason="before, requests used one pool for all settings")
def test_another_verify_is_named_as_verify(serve, trusted):
    server = serve(tls=trusted.server)
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        for verify in (trusted.bundle, False):
            session.get(server.url, verify=verify, timeout=PATIENCE_S)
    found = cause(watched, "tls-settings-differ")
    assert (found.count, found.facts["differs"]) == (1, ["verify"])
    assert found.cure == "Use the same verify and cert for all requests of a Session."


@pytest.mark.skipif(REQUESTS < (2, 32), reason="before, requests used one pool for all settings")
def test_several_client_certificates_are_not_said_to_be_a_mistake(serve, trusted, pki):
    server = serve(tls=trusted.server)
    with watch() as watched, requests.Session() as session:
        session.trust_env, session.verify = False, trusted.bundle
        for cert in (pki.alice, pki.bob, pki.alice):
            session.get(server.url, cert=cert, timeout=PATIENCE_S)
    found = cause(watched, "tls-settings-differ")
    assert found.facts["differs"] == ["cert"]
    assert "each certificate needs connections of its own" in found.cure


def test_more_hosts_than_pools_says_how_many_pools_are_kept_and_needed(serve):
    servers = [serve() for _ in range(3)]
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_connections=2))
        for server in servers * 2:
            session.get(server.url, timeout=PATIENCE_S)
    for host in watched.report()["hosts"]:
        found = next(one for one in host["causes"] if one["cause"] == "pool-evicted")
        assert (found["facts"]["pools_kept"], found["facts"]["pools_needed"]) == (2, 3)
        assert found["evidence"].startswith("It keeps 2, and needed 3")
        assert "pool_connections=3" in found["cure"]


@pytest.mark.skipif(URLLIB3_1, reason="urllib3 1.26 closes no pools when Python ends")
def test_a_request_after_urllib3_has_closed_its_pools_at_the_exit_is_session_closed(
    serve, monkeypatch
):
    server = serve()
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        session.get(server.url, timeout=PATIENCE_S)
        (pool,) = session.get_adapter("http://").poolmanager.pools._container.values()
        urllib3.connectionpool._close_pool_connections(pool.pool)  # as its finalizer does
        monkeypatch.setattr("weakref.finalize._shutdown", True, raising=False)
        for _ in range(2):
            session.get(server.url, timeout=PATIENCE_S)
        assert causes(watched) == {"first-use": 1, "session-closed": 1}
        found = cause(watched, "session-closed")
        monkeypatch.undo()
    assert found.facts["at_exit"] == 1
    assert found.evidence.startswith("urllib3 closes all pools when Python ends")


# -- Waiting for a pool that blocks


def test_waiting_for_a_blocking_pool_is_measured_and_the_size_that_none_waits_for_is_named(serve):
    server = serve()
    with (
        watch() as watched,
        urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=1, block=True) as pool,
    ):
        held = pool.urlopen("GET", "/", preload_content=False)
        ready, took_s = threading.Barrier(2), []

        def is_refused(_number: int) -> None:
            ready.wait(PATIENCE_S)
            began = time.monotonic()
            with pytest.raises(urllib3.exceptions.EmptyPoolError):
                pool.urlopen("GET", "/", pool_timeout=0.15)
            took_s.append(time.monotonic() - began)

        at_once(2, is_refused)
        assert held.read() == b"ok"
    host, found = only_host(watched), finding(watched, "waiting-for-pool")
    assert (host.requests, host.opened, host.unanswered) == (3, 1, 2)
    assert host.errors == {"EmptyPoolError": 2}
    assert 0.3 <= (host.seconds_waiting_for_pool or 0) <= sum(took_s) + 0.001
    facts = dict(found.facts)
    assert 0.15 <= facts.pop("longest_wait_s") <= max(took_s) + 0.001
    assert facts.pop("seconds_waiting_for_pool")
    assert facts == {"waits": 2, "pool_size": 1, "needed": 3, "refused": 2}
    assert "PoolManager(maxsize=3, block=True)" in found.cure
    assert not nothing_to_change(watched)


def test_a_request_that_waited_and_got_a_connection_has_waited(serve):
    waiting = threading.Event()

    class Queue(urllib3.HTTPConnectionPool.QueueCls):  # type: ignore[name-defined,misc]
        def get(self, *given: Any, **named: Any) -> Any:
            if self.empty():
                waiting.set()
            return super().get(*given, **named)

    class Blocks(urllib3.HTTPConnectionPool):
        QueueCls = Queue

    server = serve()
    with watch() as watched, Blocks("127.0.0.1", server.port, maxsize=1, block=True) as pool:
        held = pool.urlopen("GET", "/", preload_content=False)
        thread = threading.Thread(target=pool.urlopen, args=("GET", "/"))
        thread.start()
        assert waiting.wait(PATIENCE_S)
        assert held.read() == b"ok"
        thread.join()
    (counts,) = watched.record().hosts
    assert (counts.waits, counts.pool_size_needed, counts.blocking_pool_size) == (1, 2, 1)
    assert (counts.seconds_waiting_for_pool or 0) > 0
    assert (counts.opened, counts.reused, counts.errors) == (1, 1, {})


def test_a_blocking_pool_that_nobody_waits_for_is_nothing_to_change(serve, monkeypatch):
    monkeypatch.setattr(waits, "SHORTEST_WAIT_S", PATIENCE_S)  # a busy machine is no wait
    server = serve()
    with watch() as watched, session_of(1, block=True) as session:
        for _ in range(3):
            session.get(server.url, timeout=PATIENCE_S)
    assert only_host(watched).seconds_waiting_for_pool == 0
    assert (findings(watched), nothing_to_change(watched)) == ([], True)


def test_functions_of_a_blocking_pool_are_wrapped_only_while_one_is_watched(serve):
    theirs = urllib3.HTTPConnectionPool._get_conn
    server = serve()
    with watch():
        with session_of(1) as session:
            session.get(server.url, timeout=PATIENCE_S)
        assert urllib3.HTTPConnectionPool._get_conn is theirs
        with session_of(1, block=True) as session:
            session.get(server.url, timeout=PATIENCE_S)
        assert urllib3.HTTPConnectionPool._get_conn is not theirs
    assert urllib3.HTTPConnectionPool._get_conn is theirs


def test_waiting_for_one_of_the_threads_of_a_tuned_session_is_measured(serve):
    from keptalive import tuned_session

    server = serve()
    with watch() as watched, tuned_session(threads=1, timeout=0.15) as session:
        session.trust_env = False
        with session.get(server.url, stream=True, timeout=PATIENCE_S) as held:

            def is_refused(_number: int) -> None:
                with pytest.raises(requests.ConnectionError):
                    session.get(server.url)

            at_once(1, is_refused)
            assert held.text == "ok"
    (counts,) = watched.record().hosts
    assert (counts.waits, counts.pool_size_needed, counts.blocking_pool_size) == (1, 2, 1)
    assert counts.errors == {"NoFreeConnectionError": 1}
    assert finding(watched, "waiting-for-pool").facts["needed"] == 2
