"""Connection classes of somebody's own, over Unix sockets above all: counted as all others are."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer
from tests.servers.scripted import PATIENCE_S, Server
from tests.verdicts.reading import cause, causes, nothing_to_change, only_host, perfect
from urllib3._collections import RecentlyUsedContainer
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.watching.api import watch


class UnixConnection(HTTPConnection):
    """As docker's and requests-unixsocket's: it calls no ``connect`` of urllib3's."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE_S)
        sock.connect(self.path)
        self.sock = sock


class UnixPool(HTTPConnectionPool):
    def __init__(self, path: str, shown: str | None, size: int) -> None:
        super().__init__("localhost", maxsize=size)
        self.path = path
        if shown is not None:
            self.socket_path = shown

    def _new_conn(self) -> Any:
        return UnixConnection(self.path)


class UnixAdapter(HTTPAdapter):
    """A pool for each URL, as docker's adapter has them."""

    def __init__(self, path: str, shown: str | None = None, *, pools: int = 25, size: int = 10):
        self.path, self.shown, self.size = path, shown, size
        self.pools: Any = RecentlyUsedContainer(pools, dispose_func=lambda pool: pool.close())
        super().__init__()

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = UnixPool(self.path, self.shown, self.size)
        return pool

    def get_connection_with_tls_context(
        self,
        request: Any,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        return self.get_connection(request.url)

    def request_url(self, request: Any, proxies: Any) -> Any:
        return request.path_url

    def close(self) -> None:
        self.pools.clear()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "d.sock")


def session_of(adapter: UnixAdapter) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("http+unix://", adapter)
    return session


def test_threads_on_one_url_of_a_unix_socket_have_the_causes_of_any_small_pool(path):
    barrier, all_are_back = threading.Barrier(5), threading.Barrier(5)

    def script(peer: Peer) -> None:
        while request := peer.request():
            if request.target != "/version":
                barrier.wait(PATIENCE_S)
            peer.respond()

    adapter = UnixAdapter(path, path, size=2)
    with Server(script, unix=path) as server, watch() as watched, session_of(adapter) as session:
        session.get("http+unix://d/version")

        def gets_two(_number: int) -> None:
            for _ in range(2):
                session.get("http+unix://d/one")
                all_are_back.wait(PATIENCE_S)

        with ThreadPoolExecutor(5) as threads:
            list(threads.map(gets_two, range(5)))
        host = only_host(watched)
        assert (host.host, host.most_at_once, perfect(watched)) == (f"unix:{path}", 5, 5)
        assert host.opened == server.accepted == 9
        assert causes(watched) == {
            "first-use": 1,
            "concurrency": 4,
            "pool-evicted": 1,
            "pool-too-small": 3,
        }
        assert not nothing_to_change(watched)


def test_a_pool_for_each_url_is_no_matter_of_more_hosts(path):
    adapter = UnixAdapter(path, path, pools=3)
    with Server(unix=path) as server, watch() as watched, session_of(adapter) as session:
        for number in [*range(4), *range(4)]:
            session.get(f"http+unix://d/{number}")
    assert (watched.opened, perfect(watched)) == (server.accepted, 1) == (8, 1)
    assert causes(watched) == {"first-use": 1, "pool-evicted": 7}
    found = cause(watched, "pool-evicted")
    assert (found.facts["pools_kept"], found.facts["pools_alike"]) == (3, 2)
    assert "perhaps one for each URL" in found.evidence
    assert "number of hosts" not in found.cure


@pytest.mark.parametrize("shown", ["quoted", None])
def test_a_unix_socket_is_named_by_its_path_however_the_pool_has_it(shown, path):
    quoted = "http+unix://" + path.replace("/", "%2F") + "/1" if shown else None
    with Server(unix=path), watch() as watched, session_of(UnixAdapter(path, quoted)) as session:
        for number in range(3):
            session.get(f"http+unix://d/{number}")
    host = only_host(watched)
    assert (host.host, host.opened, host.most_at_once) == (f"unix:{path}", 3, 1)
    assert host.seconds_opening
    assert set(host.phases) == {"connect", "rest"}


class OwnConnection(HTTPConnection):
    """Over TCP, without ``_new_conn``; called by itself, it may be given a timeout."""

    def connect(self, timeout: float = PATIENCE_S) -> None:
        self.sock = socket.create_connection((self.host, self.port), timeout)


def test_an_own_connect_over_tcp_is_timed_and_its_reopened_connections_count(serve):
    def answers_twice(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        peer.respond(200, "Connection: close")

    server = serve(answers_twice)
    with watch() as watched, HTTPConnectionPool("127.0.0.1", server.port) as pool:
        pool.ConnectionCls = OwnConnection  # type: ignore[assignment]
        for _ in range(6):
            pool.request("GET", "/")
    host = only_host(watched)
    assert (host.opened, host.reopened, host.connects, server.accepted) == (3, 2, 3, 3)
    assert causes(watched) == {"first-use": 1, "close-announced": 2}
    assert host.phases["connect"] > 0


def test_an_own_connect_that_fails_is_an_attempt_without_a_response(refusing):
    port = int(refusing.rstrip("/").rpartition(":")[2])
    with watch() as watched, HTTPConnectionPool("127.0.0.1", port, retries=False) as pool:
        pool.ConnectionCls = OwnConnection  # type: ignore[assignment]
        with pytest.raises((OSError, urllib3.exceptions.HTTPError)):
            pool.request("GET", "/")
    host = only_host(watched)
    assert (host.requests, host.connects, host.opened, host.unanswered) == (1, 1, 0, 1)


def test_an_own_class_is_as_it_was_when_the_watch_ends(serve):
    server, theirs = serve(), OwnConnection.connect
    with watch(), HTTPConnectionPool("127.0.0.1", server.port) as pool:
        pool.ConnectionCls = OwnConnection  # type: ignore[assignment]
        pool.request("GET", "/")
        assert OwnConnection.connect is not theirs
        alone = OwnConnection("127.0.0.1", server.port)
        alone.connect(timeout=1)
        alone.close()
    assert OwnConnection.connect is theirs
