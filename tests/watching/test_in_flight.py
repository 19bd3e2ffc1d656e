"""Perfect reuse: the most requests in flight at once, counted while they are."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, Script, answers
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import hangs_up

from keptalive.records.counts import HostCounts
from keptalive.watching.api import Watch, watch
from keptalive.watching.recorder import Route


def perfect(watched: Watch) -> int:
    [host] = watched.report()["hosts"]
    assert host["perfect"]["least"] == host["perfect"]["most"]
    return int(host["perfect"]["most"])


def causes(watched: Watch) -> dict[str, int]:
    [host] = watched.report()["hosts"]
    return {cause["cause"]: cause["count"] for cause in host["causes"] if cause["count"]}


def together(number: int, *headers: str) -> Script:
    """Answer only when so many requests are there, each time."""
    barrier = threading.Barrier(number)

    def script(peer: Peer) -> None:
        while peer.request():
            barrier.wait(PATIENCE_S)
            peer.respond(200, *headers)

    return script


def test_a_program_that_reads_each_response_before_its_next_request_needs_one_connection(serve):
    server = serve(
        hangs_up, answers((200, "Connection: close")), answers((503,), (200,)), answers()
    )
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.ConnectionError):
            session.get(server.url, timeout=PATIENCE_S)
        for _ in range(4):
            session.get(server.url, timeout=PATIENCE_S)
        requests.get(server.url, timeout=PATIENCE_S)
    assert perfect(watched) == 1
    assert watched.opened == server.accepted - 1 == 3


@pytest.mark.parametrize("held", [True, False])
def test_responses_that_nobody_reads_need_one_connection_and_are_unread_bodies(held, serve):
    server = serve(answers())
    with watch() as watched, requests.Session() as session:
        responses = []
        for _ in range(6):
            response = session.get(server.url, stream=True, timeout=PATIENCE_S)
            responses += [response] if held else []
            del response
        assert perfect(watched) == 1
        assert causes(watched) == {"first-use": 1, "unread-body": 5}
    assert watched.opened == server.accepted == 6


def test_threads_that_share_a_session_need_as_many_connections_as_they_send_requests_at_once(serve):
    server = serve(together(5))
    with watch() as watched, requests.Session() as session, ThreadPoolExecutor(5) as threads:
        for _ in range(3):
            list(threads.map(lambda _: session.get(server.url, timeout=PATIENCE_S), range(5)))
    assert (perfect(watched), watched.opened) == (5, 5)
    assert causes(watched) == {"first-use": 1, "concurrency": 4}


def test_a_session_for_each_batch_is_a_new_session_beyond_the_most_at_once(serve):
    server = serve(together(4))
    with watch() as watched, ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            with requests.Session() as session:
                list(threads.map(lambda _: session.get(server.url, timeout=PATIENCE_S), range(4)))
    assert (perfect(watched), watched.opened) == (4, 12)
    assert causes(watched) == {"first-use": 1, "concurrency": 3, "new-session": 8}


def test_what_a_full_pool_has_discarded_is_opened_again_for_want_of_room(serve):
    server = serve(together(4))
    with watch() as watched, requests.Session() as session, ThreadPoolExecutor(4) as threads:
        session.mount("http://", HTTPAdapter(pool_maxsize=1))
        for _ in range(3):
            list(threads.map(lambda _: session.get(server.url, timeout=PATIENCE_S), range(4)))
    assert (perfect(watched), watched.opened) == (4, 10)
    assert causes(watched) == {"first-use": 1, "concurrency": 3, "pool-too-small": 6}


def test_streams_that_threads_read_at_once_are_in_flight_until_they_are_read(serve):
    reading = threading.Barrier(3)
    body = b"x" * 100_000

    def half_then_half(peer: Peer) -> None:
        while peer.request():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body[:50_000])
            reading.wait(PATIENCE_S)  # all three read their first half
            peer.send(body[50_000:])

    server = serve(half_then_half)

    def download(_: int) -> int:
        with session.get(server.url, stream=True, timeout=PATIENCE_S) as response:
            return sum(len(piece) for piece in response.iter_content(1000))

    with watch() as watched, requests.Session() as session, ThreadPoolExecutor(3) as threads:
        assert list(threads.map(download, range(3))) == [100_000] * 3
    assert (perfect(watched), watched.opened) == (3, 3)


def test_a_response_that_is_the_last_of_its_connection_is_in_flight_until_it_is_read(serve):
    heads_are_read = threading.Barrier(3)

    def slow_body(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n")
        heads_are_read.wait(PATIENCE_S)
        peer.send(b"ok")

    server = serve(slow_body)
    with watch() as watched, requests.Session() as session, ThreadPoolExecutor(3) as threads:
        for _ in range(2):
            list(threads.map(lambda _: session.get(server.url, timeout=PATIENCE_S), range(3)))
    assert (perfect(watched), watched.opened) == (3, 6)
    assert causes(watched) == {"first-use": 1, "concurrency": 2, "close-announced": 3}


def test_one_flow_of_control_reads_one_stream_at_a_time(serve):
    server = serve(answers((200,)))
    with watch() as watched, urllib3.PoolManager() as pools:
        for _ in range(4):
            pools.request("GET", server.url, preload_content=False).read(1)
        assert perfect(watched) == 1
        assert causes(watched) == {"first-use": 1, "unread-body": 3}


def test_a_request_that_a_hook_sends_before_the_body_is_read_is_a_second_one(serve):
    server = serve(answers())

    def another(response: requests.Response, **_: object) -> None:
        if not response.request.headers.get("X-Second"):
            session.get(server.url, headers={"X-Second": "1"}, timeout=PATIENCE_S)

    with watch() as watched, requests.Session() as session:
        session.get(server.url, hooks={"response": another}, timeout=PATIENCE_S)
    assert (perfect(watched), watched.opened) == (2, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_what_is_in_flight_at_a_fork_is_not_in_flight_in_the_child(serve):
    asked, go_on = threading.Event(), threading.Event()

    def waits(peer: Peer) -> None:
        while peer.request():
            asked.set()
            assert go_on.wait(PATIENCE_S)
            peer.respond()

    server, other = serve(waits), serve(answers())
    with watch() as watched, requests.Session() as session, ThreadPoolExecutor(1) as threads:
        first = threads.submit(session.get, server.url, timeout=PATIENCE_S)
        assert asked.wait(PATIENCE_S)
        child = os.fork()
        if child == 0:  # pragma: no cover - not seen from here
            status = 1
            try:
                counts = {one.host: one for one in watched.record().hosts}
                status = sum(one.in_flight or 0 for one in counts.values())
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        go_on.set()
        assert first.result(PATIENCE_S).text == "ok"
        requests.get(other.url, timeout=PATIENCE_S)
    assert os.waitstatus_to_exitcode(status) == 0


class Held:
    """A server that answers its first request when it may."""

    def __init__(self, *headers: str) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.headers = headers

    def __call__(self, peer: Peer) -> None:
        assert peer.request()
        self.asked.set()
        assert self.may_answer.wait(PATIENCE_S)
        peer.respond(200, *self.headers)
        answers()(peer)


@pytest.mark.parametrize("header", ["X-Kept: yes", "Connection: close"])
def test_a_connection_that_comes_back_just_after_a_pool_was_found_empty_is_one_more_at_once(
    header, serve
):
    held = Held(header)
    server = serve(held, answers())

    class Queue(urllib3.HTTPConnectionPool.QueueCls):  # type: ignore[name-defined,misc]
        def get(self, *given: object, **named: object) -> object:
            found = super().get(*given, **named)
            if found is None and held.asked.is_set():
                held.may_answer.set()
                other.join()
            return found

    class Pool(urllib3.HTTPConnectionPool):
        QueueCls = Queue

    with watch() as watched, Pool("127.0.0.1", server.port, maxsize=2) as pool:
        other = threading.Thread(target=pool.urlopen, args=("GET", "/"))
        other.start()
        assert held.asked.wait(PATIENCE_S)
        pool.urlopen("GET", "/")
    assert (perfect(watched), causes(watched)) == (2, {"first-use": 1, "concurrency": 1})


def test_a_request_that_has_taken_a_connection_and_is_not_noted_yet_is_in_flight(serve):
    server = serve(answers())
    has_taken, may_go_on = threading.Event(), threading.Event()
    first = threading.current_thread()

    def clock() -> float:
        if threading.current_thread() is not first and not has_taken.is_set():
            has_taken.set()
            assert may_go_on.wait(PATIENCE_S)
        return 0.0

    pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port)
    with watch(clock=clock) as watched, pool:
        other = threading.Thread(target=pool.urlopen, args=("GET", "/"))
        pool.urlopen("GET", "/")
        other.start()
        assert has_taken.wait(PATIENCE_S)
        pool.urlopen("GET", "/")
        may_go_on.set()
        other.join()
    assert (perfect(watched), causes(watched)) == (2, {"first-use": 1, "concurrency": 1})


def test_an_idle_connection_below_the_place_of_one_that_failed_is_not_in_flight(serve):
    """A failed connection leaves a ``None`` on top of urllib3's stack."""

    def hangs_up_later(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()

    server = serve(hangs_up_later, answers())
    pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=3)
    with watch() as watched, pool:
        held = pool.urlopen("GET", "/", preload_content=False)
        pool.urlopen("GET", "/")
        assert held.read() == b"ok"
        with pytest.raises(urllib3.exceptions.HTTPError):
            pool.urlopen("GET", "/", retries=False)
        pool.urlopen("GET", "/")
    assert (perfect(watched), watched.opened) == (1, 3)


class Forever:
    """A connection whose request never ends."""

    def __init__(self, number: int) -> None:
        self.number = number

    def is_in_flight(self) -> bool:
        return True


def test_a_connection_that_another_thread_has_taken_already_counts_once():
    route, one = Route(HostCounts()), Forever(2)
    route.in_flight = {1: one, 2: one}  # the thread that gave it back has yet to note that
    route.had_with({one})
    assert route.most_at_once() == 1
    route.grows(2)
    assert (route.most_at_once(), list(route.in_flight)) == (1, [2])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_in_a_forks_child_only_its_own_requests_are_counted_as_at_once():
    route = Route(HostCounts())
    route.in_flight = {1: Forever(1), 2: Forever(2)}
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen from here
        status = 1
        try:
            route.in_flight[3] = Forever(3)
            route.grows(3)
            status = 0 if route.most_at_once() == 1 else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    route.grows(2)
    assert (os.waitstatus_to_exitcode(status), route.most_at_once()) == (0, 2)
