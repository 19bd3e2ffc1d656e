"""What is learned and what is set aside: for how long, for whom, and who gets to know it."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import queue
import warnings
from typing import Any

import pytest
import requests
from tests.servers.peer import Peer, Script, answers
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import proxy, tunnel
from tests.tuned.conftest import Clock, only

from keptalive import TunedAdapter, tuned_session
from keptalive.tuned import pools
from keptalive.tuned.learning import Memory

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


# The connection that is set aside


def watched_end(ended: queue.Queue[int], number: int) -> Script:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.respond()
        ended.put(number)

    return script


def test_one_connection_is_set_aside_for_each_host_and_close_ends_it(clock: Clock) -> None:
    ended: queue.Queue[int] = queue.Queue()
    scripts = [watched_end(ended, number) for number in range(4)]
    with Server(*scripts) as server, tuned_session() as session:
        for pause in (0, 1, 30, 300):
            clock.now += pause
            session.post(server.url)
        assert server.accepted == 4
        server.wait_for_connections(4)
        assert {ended.get(timeout=PATIENCE_S) for _ in range(2)} == {1, 2}
        session.close()
        server.wait_for_scripts(4)
        assert {ended.get_nowait(), ended.get_nowait()} == {0, 3}
        assert session.learned() == {}


def test_a_session_that_is_dropped_closes_what_was_set_aside_silently(clock: Clock) -> None:
    with Server() as server, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        session = tuned_session()
        session.post(server.url)
        clock.now += 1
        session.post(server.url)
        for adapter in session.adapters.values():
            pools.close_pools(adapter.poolmanager)
        del session, adapter
        gc.collect()
        server.wait_for_scripts(2)


def test_a_connection_beside_the_places_of_threads_is_set_aside(clock: Clock) -> None:
    with Server() as server, tuned_session(threads=1, timeout=0.5) as session:
        for _ in range(3):
            session.post(server.url, timeout=PATIENCE_S)
            clock.now += 1
        assert server.accepted == 2


# Age


def test_a_connection_is_replaced_when_it_is_too_old_however_busy(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, pools.__name__)
    with Server() as server, tuned_session(max_age=60) as session:
        for _ in range(9):
            session.get(server.url)
            clock.now += 15
        assert server.accepted == 2
        server.wait_for_scripts(1)
    assert caplog.messages == [
        "Replacing a connection to 127.0.0.1, 75.0 s old (max_age 60)",
    ]


@pytest.mark.parametrize("max_idle", [None, 30, "learn"])
def test_an_age_goes_with_any_idle_time(clock: Clock, max_idle: Any) -> None:
    with Server() as server, tuned_session(max_age=9, max_idle=max_idle) as session:
        session.get(server.url)
        clock.now += 10
        session.get(server.url)
        assert server.accepted == 2


# Processes, copies, ends


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_the_child_of_a_fork_knows_nothing_and_harms_nothing(clock: Clock) -> None:
    with Server() as server, tuned_session() as session:
        for _ in range(2):
            session.post(server.url)
            clock.now += 1
        child = os.fork()
        if not child:
            code = 1
            try:
                known = session.learned()
                session.post(server.url)
                session.close()
                code = 0 if known == {} else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert server.accepted == 3
        session.post(server.url)
        assert server.accepted == 3  # the one that was set aside is there still, and was seen
        assert only(session).kept_s == 2


def test_what_was_learned_is_not_pickled(clock: Clock) -> None:
    with Server() as server, tuned_session(max_age=7) as session:
        for _ in range(2):
            session.post(server.url)
            clock.now += 1
        assert session.learned() != {}
        with pickle.loads(pickle.dumps(session)) as copy:
            assert copy.learned() == {}
            adapter = copy.get_adapter(server.url)
            assert (adapter.max_idle, adapter.max_age) == ("learn", 7)
            copy.get(server.url)


def test_only_so_many_hosts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keptalive.tuned.learning.ROUTES_KEPT", 3)
    memory = Memory()
    routes = [memory.route(f"http://{number}.test") for number in range(5)]
    assert list(memory.learned()) == [f"http://{number}.test" for number in (2, 3, 4)]
    assert memory.route("http://4.test") is routes[4]


@pytest.mark.parametrize("max_idle", [None, 10])
def test_with_a_number_nothing_is_learned(clock: Clock, max_idle: float | None) -> None:
    with Server() as server, tuned_session(max_idle=max_idle) as session:
        session.post(server.url)
        clock.now += 9
        session.post(server.url)
        assert server.accepted == 1
        assert session.learned() == {}


# Routes


def test_each_route_has_a_name_and_a_memory_of_its_own(clock: Clock, trusted: Trusted) -> None:
    with (
        Server() as plain,
        Server(tls=trusted.server) as tls,
        Server(proxy) as forward,
        Server(tunnel(trusted.server, answers())) as through,
        tuned_session() as session,
    ):
        session.verify = trusted.bundle
        asked: list[tuple[str, dict[str, str]]] = [
            (plain.url, {}),
            (tls.url, {}),
            (plain.url, {"http": forward.url}),
            ("https://target.test/", {"https": through.url}),
        ]
        for _ in range(2):
            for url, proxies in asked:
                assert session.get(url, proxies=proxies).ok
            clock.now += 9
        assert list(session.learned()) == [
            plain.url.rstrip("/"),
            tls.url.rstrip("/"),
            forward.url.rstrip("/"),
            f"https://target.test through {through.url.rstrip('/')}",
        ]
        assert {learned.kept_s for learned in session.learned().values()} == {9}


def test_a_description_says_what_is_known_of_each_host(clock: Clock) -> None:
    with Server(answers((200, "Keep-Alive: timeout=60"))) as one, Server() as other:
        with tuned_session(max_age=600) as session:
            for _ in range(2):
                session.get(one.url)
                session.get(other.url)
                clock.now += 9
            lines = [line.strip() for line in session.describe().splitlines()]
        at = lines.index("replaced when 600 s old, before use")
        assert lines[at + 1 : at + 3] == [
            f"{one.url.rstrip('/')}: announces 60 s, kept 9 s, safe up to 54 s",
            f"{other.url.rstrip('/')}: kept 9 s, safe up to 7 s",
        ]


def test_an_adapter_says_what_it_has_learned(clock: Clock) -> None:
    with Server() as server, requests.Session() as session:
        adapter = TunedAdapter()
        session.mount("http://", adapter)
        for _ in range(2):
            session.get(server.url)
            clock.now += 9
        assert only(adapter).kept_s == 9
