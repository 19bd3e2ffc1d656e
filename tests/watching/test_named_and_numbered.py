"""Hosts by their names, connections that nobody's pool has, and those that never answered."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from tests.servers.fixtures import listening_later
from tests.servers.peer import answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import hangs_up, never_answers
from tests.versions import URLLIB3_1
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.watching.api import Watch, watch


def numbers(watched: Watch) -> dict[str, tuple[int, int]]:
    """Of each host: connections that were opened and answered, and those that were not."""
    hosts = watched.report()["hosts"]
    return {host["host"]: (host["opened"], host["opened_unanswered"]) for host in hosts}


def body_of(response: Any) -> bytes:
    """urllib3 2 has read it already; 1.26 hands out http.client's."""
    return response.read() if URLLIB3_1 else response.data


# -- Connections without a pool -------------------------------------------------------------------


def test_a_connection_that_no_pool_has_is_named_as_not_counted(serve):
    server = serve(answers())
    with watch() as watched:
        connection = HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/")
        assert body_of(connection.getresponse()) == b"ok"
        connection.close()
    assert watched.opened == 0
    [warning] = watched.report()["warnings"]
    assert warning == (
        f"A urllib3 HTTPConnection without a pool connected to 127.0.0.1:{server.port}: "
        "it is not counted."
    )


def test_a_connection_that_a_program_takes_from_a_pool_by_hand_is_no_such_one(serve):
    server = serve(answers())
    with watch() as watched, HTTPConnectionPool("127.0.0.1", server.port) as pool:
        connection = pool._get_conn()
        connection.request("GET", "/")
        assert body_of(connection.getresponse()) == b"ok"
        pool._put_conn(connection)
    assert watched.report()["warnings"] == []


# -- Unix sockets ---------------------------------------------------------------------------------


@pytest.fixture
def unix_server(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Server:
    monkeypatch.chdir(tmp_path)  # a path of some 100 characters is all that the system takes
    return serve(unix="here.sock")


class UnixConnection(HTTPConnection):
    """As docker's: it connects by itself."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect("here.sock")


class UnixPool(HTTPConnectionPool):
    """Says nothing of its path."""

    ConnectionCls = UnixConnection


class DockerLikePool(UnixPool):
    """As docker's and requests-unixsocket's."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.socket_path = path

    def _new_conn(self) -> Any:
        return UnixConnection("localhost")


@pytest.mark.parametrize(
    "make", [lambda: UnixPool("localhost"), lambda: DockerLikePool("here.sock")], ids=["", "docker"]
)
def test_a_unix_socket_is_named_by_its_path(unix_server, make):
    with watch() as watched, make() as pool:
        for _ in range(3):
            assert pool.urlopen("GET", "/").data == b"ok"
    assert numbers(watched) == {"unix:here.sock": (1, 0)}
    assert unix_server.accepted == 1
    assert watched.reused == 2


# -- Connections that never answered --------------------------------------------------------------


def test_a_connection_that_is_closed_without_an_answer_was_opened_and_not_answered(serve):
    server = serve(hangs_up, answers())
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.ConnectionError):
            session.get(server.url, timeout=PATIENCE_S)
        assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
    assert numbers(watched) == {server.url.rstrip("/"): (1, 1)}
    assert server.accepted == 2


def test_a_connection_whose_answer_comes_too_late_was_opened_and_not_answered(serve):
    server = serve(never_answers)
    with watch() as watched, suppress(requests.ReadTimeout):
        requests.get(server.url, timeout=(PATIENCE_S, 0.05))
    assert numbers(watched) == {server.url.rstrip("/"): (0, 1)}
    server.wait_for_scripts(1)  # it may be later than the client is patient
    assert server.accepted == 1


def test_a_handshake_that_fails_has_opened_a_connection(serve, trusted):
    server = serve(tls=trusted.server)
    with watch() as watched, suppress(requests.exceptions.SSLError):
        requests.get(server.url, timeout=PATIENCE_S)
    assert numbers(watched) == {server.url.rstrip("/"): (0, 1)}
    assert server.accepted == 1


def test_what_is_refused_was_not_opened():
    with listening_later() as taken, watch() as watched, suppress(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{taken.getsockname()[1]}/", timeout=PATIENCE_S)
    assert [*numbers(watched).values()] == [(0, 0)]


def test_a_body_that_urllib3_reads_and_that_breaks_off_leaves_no_connection_uncounted(serve):
    def breaks_off(peer: Any) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    server = serve(breaks_off)
    with watch() as watched, urllib3.PoolManager() as pools:
        with pytest.raises(urllib3.exceptions.HTTPError):
            pools.request("GET", server.url, retries=False)
    assert sum(numbers(watched)[server.url.rstrip("/")]) == server.accepted == 1


def test_a_connection_that_connects_by_itself_and_is_not_answered_was_opened(serve):
    server = serve(never_answers)

    class OwnConnect(HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.create_connection((self.host, self.port), timeout=0.05)

    class Pool(HTTPConnectionPool):
        ConnectionCls = OwnConnect

    with watch() as watched, Pool("127.0.0.1", server.port) as pool:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            pool.urlopen("GET", "/", retries=False, timeout=0.05)
    assert numbers(watched) == {server.url.rstrip("/"): (0, 1)}
    server.wait_for_scripts(1)
    assert server.accepted == 1
