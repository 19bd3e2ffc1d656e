"""The counts against a server of bare sockets that counts its own accepts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from keptalive.benching import Bench
from keptalive.clients.environment import BUNDLES, PROXIES
from keptalive.model import Counts, Run
from keptalive.plans import Plan
from keptalive.targets import prepared

PATIENCE_S = 10.0
BODY = b'{"login": "somebody"}'
REQUESTS = 6  # of one trial
PREFLIGHT = 1  # connection, before anything is measured


@dataclass
class SocketServer:
    """Takes one connection after another and answers each request with the same body.

    Args:
        most: requests on one connection, after which it is closed; None for any number.
        announced: whether the last response says ``Connection: close``.
    """

    most: int | None = None
    announced: bool = True
    accepted: int = 0
    received: list[bytes] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept_all)
        self.url = "http://127.0.0.1:{}".format(self._listener.getsockname()[1])

    @contextmanager
    def running(self) -> Iterator[SocketServer]:
        self._thread.start()
        try:
            yield self
        finally:
            with suppress(OSError):  # wakes the accept() that waits
                self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(PATIENCE_S)
            self._listener.close()
            assert not self._thread.is_alive()
        assert self.errors == []

    def _accept_all(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the listener was shut down
                return
            self.accepted += 1
            connection.settimeout(PATIENCE_S)
            try:
                with connection:
                    self._serve(connection)
            except Exception as error:  # noqa: BLE001 - told by the test, not lost in a thread
                self.errors.append(error)

    def _serve(self, connection: socket.socket) -> None:
        answered = 0
        while answered != self.most and (request := _head(connection)):
            self.received.append(request)
            answered += 1
            is_last = self.announced and answered == self.most
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                + b"Content-Length: %d\r\n" % len(BODY)
                + (b"Connection: close\r\n" if is_last else b"")
                + b"\r\n"
                + BODY
            )


def _head(connection: socket.socket) -> bytes:
    """A request without a body; nothing once the client has closed."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        data = connection.recv(65_536)
        if not data:
            assert received == b"", "the connection ended within a request"
            return b""
        received += data
    return received


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BUNDLES, *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_of_nobody")


@pytest.fixture
def serve() -> Iterator[Callable[..., SocketServer]]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(SocketServer(**how).running())


def run_against(server: SocketServer, **values: object) -> Run:
    plan = Plan(
        **{"target": server.url, "requests": ("/user",), "repeats": REQUESTS, "rounds": 1} | values
    )
    with prepared(plan) as (target, followed):
        return Bench(plan=followed, target=target).run()


def opened(run: Run) -> int:
    """By every trial, the warm-up round included."""
    return sum(trial.counts.opened for trial in run.trials)


def of_a_trial(run: Run) -> dict[str, Counts]:
    return {row.strategy: row.counts for row in run.summary}


def counts(*, opened: int, reopened: int = 0) -> Counts:
    return Counts(
        requests=REQUESTS,
        attempts=REQUESTS,
        opened=opened,
        reopened=reopened,
        reused=REQUESTS - opened,
    )


def test_a_kept_connection_is_opened_once_by_a_session_and_each_time_by_requests_get(serve):
    server = serve()
    run = run_against(server)
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=1),
        "tuned": counts(opened=1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_a_server_that_closes_after_each_response_makes_every_way_open_each_time(serve):
    server = serve(most=1)
    run = run_against(server)
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=REQUESTS, reopened=REQUESTS - 1),
        "tuned": counts(opened=REQUESTS, reopened=REQUESTS - 1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_every_request_carries_the_token_and_none_is_left_out(serve):
    server = serve()
    run = run_against(server)
    assert len(server.received) == sum(trial.counts.attempts for trial in run.trials) + PREFLIGHT
    assert all(b"\r\nAuthorization: Bearer ghp_of_nobody\r\n" in r for r in server.received)


def test_without_authentication_no_request_carries_a_token(serve):
    server = serve()
    run_against(server, auth="none")
    assert not any(b"authorization" in request.lower() for request in server.received)
