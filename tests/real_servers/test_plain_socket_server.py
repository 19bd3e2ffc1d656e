"""The counts against a server of bare sockets that counts its own accepts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from keptalive.bench.strategies import Fresh
from keptalive.records.run import Counts, Run

PATIENCE_S = 10.0
BODY = b'{"login": "somebody"}'
REQUESTS = 6  # of one trial, as run_against makes them
PREFLIGHT = 1  # connection, before anything is measured


@dataclass
class SocketServer:
    """Answers each request with the same body, each connection on a thread of its own.

    A thread each, because `requests.get` leaves its connection open for as long as the response
    is referred to: one thread for all would wait for it while the next connection waits.

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
        self._accepting = threading.Thread(target=self._accept_all)
        self._serving: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator[SocketServer]:
        self._accepting.start()
        try:
            yield self
        finally:
            with suppress(OSError):  # wakes the accept() that waits
                self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join(PATIENCE_S)
            self._listener.close()
            for serving in self._serving:
                serving.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in (self._accepting, *self._serving))
        assert self.errors == []

    def _accept_all(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the listener was shut down
                return
            self.accepted += 1
            connection.settimeout(PATIENCE_S)
            serving = threading.Thread(target=self._serve, args=[connection])
            serving.start()
            self._serving.append(serving)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer_all(connection)
        except Exception as error:  # noqa: BLE001 - told by the test, not lost in a thread
            self.errors.append(error)

    def _answer_all(self, connection: socket.socket) -> None:
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


@pytest.fixture
def serve() -> Iterator[Callable[..., SocketServer]]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(SocketServer(**how).running())


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


def test_a_kept_connection_is_opened_once_by_a_session_and_each_time_by_requests_get(
    serve, run_against
):
    server = serve()
    run = run_against(server.url)
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=1),
        "tuned": counts(opened=1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_a_server_that_closes_after_each_response_makes_every_way_open_each_time(
    serve, run_against
):
    server = serve(most=1)
    run = run_against(server.url)
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=REQUESTS, reopened=REQUESTS - 1),
        "tuned": counts(opened=REQUESTS, reopened=REQUESTS - 1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_a_server_that_closes_unannounced_after_two_makes_a_session_reopen_every_second_time(
    serve, run_against, patient
):
    server = serve(most=2, announced=False)
    run = run_against(server.url, strategies=[Fresh, *patient(every=2)])
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=REQUESTS // 2, reopened=REQUESTS // 2 - 1),
        "tuned": counts(opened=REQUESTS // 2, reopened=REQUESTS // 2 - 1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_every_request_carries_the_token_and_none_is_left_out(serve, run_against):
    server = serve()
    run = run_against(server.url)
    assert len(server.received) == sum(trial.counts.attempts for trial in run.trials) + PREFLIGHT
    assert all(b"\r\nAuthorization: Bearer ghp_of_nobody\r\n" in r for r in server.received)


def test_without_authentication_no_request_carries_a_token(serve, run_against):
    server = serve()
    run_against(server.url, auth="none")
    assert not any(b"authorization" in request.lower() for request in server.received)
