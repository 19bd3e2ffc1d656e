"""Paths that forget a connection without a word: a request on it gets no acknowledgement.

A socket filter that drops everything plays such a path: the kernel's own acknowledgements end too.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import requests
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.tuned.conftest import Clock, only
from tests.verdicts.failing import goes_deaf

from keptalive import tuned_session
from keptalive.tuned import sockets
from keptalive.tuned.events import Sight

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops by a filter")


class Path:
    """A path to a server that answers everything; it forgets what is silent for longer.

    TCP keepalive does not come through: `silent_s` is the time since the last request.
    """

    def __init__(self, clock: Clock, forgets_after_s: float) -> None:
        self._clock = clock
        self._forgets_after_s = forgets_after_s
        self._used: dict[int, float] = {}  # by the client's port
        self._peers: dict[int, Peer] = {}
        self._look = sockets.look

    def server(self, peer: Peer) -> None:
        port = peer.sock.getpeername()[1]
        self._peers[port] = peer
        while peer.request():
            self._used[port] = self._clock.now
            peer.respond()

    def pass_time(self, seconds: float) -> None:
        self._clock.now += seconds
        for port, used in self._used.items():
            if self._clock.now - used > self._forgets_after_s:
                with suppress(OSError):  # closed
                    goes_deaf(self._peers[port])

    def look(self, sock: Any) -> Sight | None:
        sight = self._look(sock)
        if sight is None:
            return None
        return replace(sight, silent_s=self._clock.now - self._used[sock.getsockname()[1]])


@pytest.fixture
def path(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = Path(clock, 25)
    monkeypatch.setattr(sockets, "look", path.look)
    return path


def times_out(session: requests.Session, method: str, url: str, patience_s: float) -> bool:
    try:
        session.request(method, url, timeout=(PATIENCE_S, patience_s))
    except requests.ReadTimeout:
        return True
    return False


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_all_requests_that_a_path_would_lose_a_single_get_is_lost(
    path: Path, method: str
) -> None:
    with Server(path.server) as server, tuned_session() as session:
        lost, expected = [], [False, method == "GET", *[False] * 6]
        for pause_s, is_lost in zip((40, 10, 45, 10, 50, 30, 26, 0), expected, strict=True):
            lost.append(times_out(session, method, server.url, 0.2 if is_lost else PATIENCE_S))
            path.pass_time(pause_s)
        assert lost == expected
        assert only(session).forgotten_s == (40 if method == "GET" else None)
        assert ("forgotten by the path after 40 s" in session.describe()) is (method == "GET")


def test_a_slow_server_is_not_taken_for_a_path_that_forgets(clock: Clock) -> None:
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        assert peer.client_closes()

    with Server(script, answers()) as server, tuned_session() as session:
        lost, expected = [], [False, True, False, False]
        for is_lost in expected:
            lost.append(times_out(session, "GET", server.url, 0.2 if is_lost else PATIENCE_S))
            clock.now += 40
        assert lost == expected
        assert only(session).forgotten_s is None
        assert server.accepted == 2
