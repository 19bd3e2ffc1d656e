"""Objects of other people's classes are not asked for anything that may fail."""

from __future__ import annotations

import _thread
import contextvars
import functools
import socket
import ssl
import threading
from typing import Any
from unittest import mock

import pytest
import requests
import urllib3
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.watching.api import watch
from keptalive.watching.hooks import PLACES


class OutOfContext:
    """As flask.g, away from any request: it is callable, and answers for an object that is not."""

    @property
    def __dict__(self) -> Any:
        raise RuntimeError("working outside of application context")

    @property
    def __class__(self) -> Any:
        raise RuntimeError("working outside of application context")

    def __call__(self) -> None:
        pass


g = OutOfContext()


def test_a_patch_that_mentions_a_proxy_does_not_keep_a_watch_from_ending(serve, monkeypatch):
    class Originals:
        send = requests.Session.send

    def sends(self: Any, request: Any, **settings: Any) -> Any:
        assert type(g) is OutOfContext
        return Originals.send(self, request, **settings)

    before = [vars(owner).get(name) for owner, name, _ in PLACES]
    server = serve()
    with watch() as watched:
        with pytest.MonkeyPatch.context() as patch:
            Originals.send = requests.Session.send
            patch.setattr(requests.Session, "send", sends)
            assert requests.get(server.url).text == "ok"
            watched.report()
    assert [vars(owner).get(name) for owner, name, _ in PLACES] == before
    assert watched.opened == 1


class Lookup:
    """As a proxy over a dict: what it has not is a KeyError."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


class LookupConnection(Lookup, HTTPConnection):
    pass


class LookupPool(Lookup, HTTPConnectionPool):
    ConnectionCls = LookupConnection


def test_a_class_whose_missing_attributes_are_key_errors_is_watched(serve):
    server = serve()
    with watch() as watched, LookupPool("127.0.0.1", server.port) as pool:
        for _ in range(2):
            assert pool.urlopen("GET", "/").data == b"ok"
    assert (watched.opened, watched.reused) == (1, 1)
    assert watched.report()["warnings"] == []


def test_a_mock_that_has_no_socket_comes_back_as_without_a_watch():
    with watch() as watched, HTTPConnectionPool("127.0.0.1", 9) as pool:
        pool._put_conn(mock.Mock(spec=["close"]))
    assert watched.report()["warnings"] == []


def test_a_tls_context_that_cannot_be_shown_is_used(serve, trusted):
    class Unspeakable(ssl.SSLContext):
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    context = Unspeakable(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trusted.bundle)
    context.check_hostname = False  # urllib3 1.26 names no address to it
    server = serve(tls=trusted.server)
    with watch() as watched, urllib3.PoolManager(ssl_context=context) as pools:
        assert pools.request("GET", server.url).data == b"ok"
    assert watched.opened == 1
    assert watched.report()["warnings"] == []


def test_a_thread_that_begins_with_send_in_a_copied_context_sends(serve):
    server, sent = serve(), threading.Event()

    def send_on(response: requests.Response, **_: object) -> None:
        copied, request = contextvars.copy_context(), response.request.copy()
        request.hooks = {"response": [lambda *_, **__: sent.set()]}
        _thread.start_new_thread(
            copied.run, (session.send, request), {"allow_redirects": False, "timeout": PATIENCE_S}
        )
        assert sent.wait(PATIENCE_S)

    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        session.get(server.url, hooks={"response": send_on})
    assert len(server.requests) == 2
    assert watched.report()["warnings"] == []


def still() -> float:
    """A clock: on a busy machine, what closes at once would be idle for long."""
    return 0.0


# -- Connections whose close() is their own -------------------------------------------------------


class Plain(HTTPConnection):
    def close(self) -> None:
        super().close()


class ByHelper(HTTPConnection):
    def close(self) -> None:
        self._end()

    def _end(self) -> None:
        super().close()


class Decorated(HTTPConnection):
    @functools.wraps(HTTPConnection.close)
    def traced(self) -> None:
        super().close()

    close = traced


class ShutsDown(HTTPConnection):
    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        super().close()


class LetsGo(HTTPConnection):
    def close(self) -> None:
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()
        super().close()


@pytest.mark.parametrize("kind", [Plain, ByHelper, Decorated, ShutsDown, LetsGo])
def test_what_closed_a_connection_shows_through_a_close_of_its_own(kind, monkeypatch):
    closed = threading.Semaphore(0)

    def closes(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.close()
        closed.release()

    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", kind)
    with Server(closes) as server, requests.Session() as session, watch(clock=still) as watched:
        session.trust_env = False
        for _ in range(4):
            assert session.get(server.url).text == "ok"
            assert closed.acquire(timeout=PATIENCE_S)
    [host] = watched.report()["hosts"]
    causes = {cause["cause"]: cause["count"] for cause in host["causes"]}
    assert causes == {"first-use": 1, "request-limit": 3}


def test_a_connection_that_its_pool_closes_as_it_comes_back_was_not_abandoned(serve):
    class Pool(HTTPConnectionPool):
        def _put_conn(self, conn: Any) -> None:
            conn.close()
            super()._put_conn(conn)

    server = serve()
    with watch() as watched, Pool("127.0.0.1", server.port) as pool:
        for _ in range(3):
            assert pool.urlopen("GET", "/", preload_content=False).read() == b"ok"
    [host] = watched.report()["hosts"]
    assert "abandoned-body" not in {cause["cause"] for cause in host["causes"]}


def test_a_pool_that_gives_up_a_connection_that_the_server_has_reset_is_told_so(serve):
    """Though it says itself why it closes: another reason would call for another cure."""
    closed = threading.Event()

    def closes(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.close()
        closed.set()

    class Pool(HTTPConnectionPool):
        def _get_conn(self, timeout: float | None = None) -> Any:
            conn = super()._get_conn(timeout)
            if isinstance(conn.sock, socket.socket):
                conn.close()
            return conn

    server = serve(closes, answers())
    with watch(clock=still) as watched, Pool("127.0.0.1", server.port) as pool:
        assert pool.urlopen("GET", "/").data == b"ok"
        assert closed.wait(PATIENCE_S)
        assert pool.urlopen("GET", "/").data == b"ok"
    [host] = watched.report()["hosts"]
    causes = {cause["cause"] for cause in host["causes"]}
    assert causes == {"first-use", "server-closed"}
