"""What a watch records of each connection: from the attempt to its own end, with its reason."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import hangs_up
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from keptalive import tuned_session
from keptalive.records.connection import CloseReason, Connection
from keptalive.watching.api import Watch, watch
from keptalive.watching.calls import flow_teller
from keptalive.watching.timeline import path_of

LONG = b"x" * 200_000


def only(watched: Watch) -> Connection:
    [connection] = watched.record().connections
    return connection


def long_bodies(peer: Peer) -> None:
    while peer.request():
        peer.respond(body=LONG)


def breaks_off(peer: Peer) -> None:
    assert peer.request()
    # in chunks: urllib3 1.26 takes a body that is shorter than its Content-Length for a whole one
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf")


def old_fashioned(peer: Peer) -> None:
    assert peer.request()
    peer.send(b"HTTP/1.0 200 OK\r\n\r\nok")


def test_a_connection_is_recorded_from_the_attempt_to_the_end(serve):
    server = serve(answers())
    times = iter(range(1000))
    with watch(clock=lambda: float(next(times))) as watched, requests.Session() as session:
        session.trust_env = False
        for _ in range(3):
            session.get(server.url, timeout=PATIENCE_S)
    connection = only(watched)
    assert connection.host == server.url.rstrip("/")
    assert (connection.process, connection.thread) == (os.getpid(), flow_teller()())
    assert connection.served == 3
    assert connection.longest_idle_s > 0
    assert connection.attempted_s is not None
    assert connection.connected_s is not None
    assert connection.ended_s is not None
    assert 0 < connection.attempted_s < connection.connected_s < connection.ended_s
    assert connection.end is not None
    assert connection.end.how is CloseReason.POOL_CLOSED


def test_its_local_port_is_the_one_that_the_server_sees(serve):
    ports = []

    def notes(peer: Peer) -> None:
        ports.append(peer.sock.getpeername()[1])
        answers()(peer)

    server = serve(notes)
    with watch() as watched:
        requests.get(server.url, timeout=PATIENCE_S)
    assert [only(watched).local_port] == ports


def test_a_connection_that_is_open_at_the_end_has_no_end(serve):
    server = serve(answers())
    session = requests.Session()
    with watch() as watched:
        session.get(server.url, timeout=PATIENCE_S)
    record = watched.record()
    assert (record.left_open, record.connections[0].end, record.connections[0].ended_s) == (
        1,
        None,
        None,
    )
    session.close()


def test_an_attempt_that_fails_is_recorded_with_its_error(refusing):
    with watch() as watched, pytest.raises(requests.ConnectionError):
        requests.get(refusing, timeout=PATIENCE_S)
    connection = only(watched)
    assert (connection.connected_s, connection.served, connection.local_port) == (None, 0, None)
    assert connection.end is not None
    assert (connection.end.how, connection.end.error) == (
        CloseReason.FAILED,
        "NewConnectionError",
    )


def in_order(session: requests.Session, url: str) -> None:
    session.get(url, timeout=PATIENCE_S)


def says_close(session: requests.Session, url: str) -> None:
    session.get(url, headers={"Connection": "close"}, timeout=PATIENCE_S)


def closes_unread(session: requests.Session, url: str) -> None:
    session.get(url, stream=True, timeout=PATIENCE_S).close()


def drops_unread(session: requests.Session, url: str) -> None:
    session.get(url, stream=True, timeout=PATIENCE_S)


def fails(session: requests.Session, url: str) -> None:
    with pytest.raises(requests.RequestException):
        session.get(url, timeout=PATIENCE_S)


ENDS: list[tuple[Callable[..., None], Callable[..., Any], CloseReason]] = [
    (in_order, answers((200, "Connection: close")), CloseReason.CLOSE_ANNOUNCED),
    (in_order, old_fashioned, CloseReason.HTTP_1_0),
    (says_close, answers(), CloseReason.CLOSE_REQUESTED),
    (closes_unread, long_bodies, CloseReason.CLOSED_UNREAD),
    (drops_unread, long_bodies, CloseReason.NEVER_READ),
    (fails, breaks_off, CloseReason.FAILED),
    (fails, hangs_up, CloseReason.FAILED),
]


class PlainClose(HTTPConnection):
    """As botocore's connections, it only calls what it overrides."""

    def close(self) -> None:
        super().close()


class Wrapped(HTTPConnection):
    """As a library in between has it: closed by way of several calls."""

    def close(self) -> None:
        self._really_close()

    def _really_close(self) -> None:
        self._and_really()

    def _and_really(self) -> None:
        HTTPConnection.close(self)


@pytest.mark.parametrize("kind", [HTTPConnection, PlainClose, Wrapped])
@pytest.mark.parametrize(
    ("program", "script", "how"), ENDS, ids=[f"{how.value} by {p.__name__}" for p, _, how in ENDS]
)
def test_why_a_connection_was_closed_does_not_depend_on_who_calls_close(
    kind, program, script, how, serve, monkeypatch
):
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", kind)
    server = serve(script)
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        program(session, server.url)
    connection = only(watched)
    assert connection.end is not None
    assert connection.end.how is how
    assert (connection.end.error is None) == (how is not CloseReason.FAILED)


@pytest.mark.parametrize("kind", [HTTPConnection, PlainClose, Wrapped])
def test_a_full_pool_discards_a_used_connection(kind, serve, monkeypatch):
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", kind)
    server = serve(answers())
    with watch() as watched, urllib3.PoolManager(maxsize=1) as pools:
        held = [pools.request("GET", server.url, preload_content=False) for _ in range(2)]
        for response in held:
            assert response.read() == b"ok"
        discarded = [
            connection
            for connection in watched.record().connections
            if connection.end is not None and connection.end.how is CloseReason.DISCARDED
        ]
        assert [connection.facts.pool_size for connection in discarded] == [1]


def test_what_a_session_replaces_by_its_own_max_idle_is_replaced(serve, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("keptalive.tuned.idle.time.monotonic", lambda: now[0])
    server = serve(answers())
    with watch() as watched, tuned_session(max_idle=5) as session:
        for _ in range(2):
            session.get(server.url, timeout=PATIENCE_S)
            now[0] += 6
    first, second = watched.record().connections
    assert first.end is not None
    assert (first.end.how, second.replaces) == (CloseReason.REPLACED, first.id)


@pytest.mark.parametrize("way", ["close", "say_goodbye", "reset"])
def test_what_the_socket_showed_is_the_end_of_the_connection_before(way, serve, trusted):
    over = threading.Event()

    def ends(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        getattr(peer, way)()
        over.set()

    server = serve(ends, answers(), tls=trusted.server)
    with watch() as watched, requests.Session() as session:
        session.verify, session.trust_env = trusted.bundle, False
        session.get(server.url, timeout=PATIENCE_S)
        assert over.wait(PATIENCE_S)
        session.get(server.url, timeout=PATIENCE_S)
    first, second = watched.record().connections
    expected = {
        "close": CloseReason.FIN,
        "say_goodbye": CloseReason.TLS_CLOSE,
        "reset": CloseReason.RST,
    }
    assert first.end is not None
    assert (first.end.how, second.replaces) == (expected[way], first.id)
    assert first.end.idle_s is not None


def test_a_connection_from_before_the_watch_is_recorded_once_another_one_replaces_it(serve):
    over = threading.Event()

    def ends(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.close()
        over.set()

    server = serve(ends, answers())
    with requests.Session() as session:
        session.trust_env = False
        session.get(server.url, timeout=PATIENCE_S)
        assert over.wait(PATIENCE_S)
        with watch() as watched:
            session.get(server.url, timeout=PATIENCE_S)
    before, after = watched.record().connections
    assert before.end is not None
    assert (before.attempted_s, before.end.how) == (None, CloseReason.FIN)
    assert after.replaces == before.id
    [host] = watched.record().hosts
    assert (host.opened, host.connects) == (1, 1)


def test_a_timeline_has_each_request_with_its_times_and_without_query_values(serve):
    server = serve(answers((200,), (404,), (200,)))
    with watch(timeline=True) as watched, requests.Session() as session:
        session.trust_env = False
        session.get(f"{server.url}a?token=secret&b=1#c", timeout=PATIENCE_S)
        session.post(f"{server.url}b", data="x", timeout=PATIENCE_S)
        held = session.get(f"{server.url}c", stream=True, timeout=PATIENCE_S)
        exchanges = watched.record().exchanges
        assert held.content == b"ok"
    assert exchanges is not None
    assert [(e.method, e.path, e.status) for e in exchanges] == [
        ("GET", "/a?token&b", 200),
        ("POST", "/b", 404),
        ("GET", "/c", 200),
    ]
    [connection] = watched.record().connections
    assert {e.connection for e in exchanges} == {connection.id}
    assert all(
        e.where is not None and e.where.startswith("tests/watching/test_records.py:")
        for e in exchanges
    )
    for exchange in exchanges[:2]:
        assert exchange.head_s is not None
        assert exchange.released_s is not None
        assert exchange.started_s <= exchange.head_s <= exchange.released_s
    assert exchanges[2].released_s is None
    last = (watched.record().exchanges or ())[2]
    assert last.released_s is not None


def test_a_request_that_fails_is_in_the_timeline_without_a_status(serve):
    server = serve(hangs_up)
    with watch(timeline=True) as watched, pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=PATIENCE_S)
    [exchange] = watched.record().exchanges or ()
    assert (exchange.status, exchange.head_s) == (None, None)
    assert exchange.released_s is not None
    assert exchange.connection == only(watched).id


def test_without_a_timeline_no_request_is_recorded(serve):
    server = serve(answers())
    with watch() as watched:
        requests.get(server.url, timeout=PATIENCE_S)
    assert watched.record().exchanges is None
    assert watched.report()["exchanges"] is None


def test_a_timeline_is_bounded_and_says_how_much_is_missing(serve, monkeypatch):
    monkeypatch.setattr("keptalive.watching.recorder.EXCHANGES_KEPT", 2)
    server = serve(answers())
    with watch(timeline=True) as watched, requests.Session() as session:
        for _ in range(5):
            session.get(server.url, timeout=PATIENCE_S)
    report = watched.report()
    assert len(report["exchanges"]["status"]) == 2
    assert report["warnings"] == ["3 requests are missing from the timeline: there were too many."]


def test_a_new_adapter_is_noticed_where_another_one_had_pools(serve):
    server = serve(answers())
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        for _ in range(3):
            session.mount("http://", HTTPAdapter())
            session.get(server.url, timeout=PATIENCE_S)
    facts = [connection.facts.new_adapter for connection in watched.record().connections]
    assert facts == [False, True, True]


@pytest.fixture
def server(serve) -> Server:
    return serve(answers())


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/a/b", "/a/b"),
        ("/search?q=secret&page=2&flag", "/search?q&page&flag"),
        ("/a#fragment", "/a"),
        ("http://me:secret@host:8080/a?b=c", "/a?b"),
        ("http://host", "/"),
        (None, ""),
    ],
)
def test_a_path_has_no_query_values_no_host_and_no_login(url, path):
    assert path_of(url) == path
